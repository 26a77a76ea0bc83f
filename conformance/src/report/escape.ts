const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** A text as XML and HTML may hold it, in content and in quoted attributes. What XML 1.0 has no form for becomes `?`. */
export function escapeMarkup(text: string): string {
  const visible = [...text].map((one) => (one < " " && !"\t\n\r".includes(one) ? "?" : one)).join("");
  return visible.replace(/[&<>"]/g, (one) => entities[one] ?? one);
}
