/**
 * An enum object with both directions, from names separated by blanks that count up from 0; `NAME=n` goes on counting at n.
 * Smaller than the objects that TypeScript would emit.
 */
export function enumeration<T>(names: string): T {
  const values: Record<string | number, string | number> = {};
  let next = 0;
  for (const entry of names.split(" ")) {
    const [name = "", number] = entry.split("=");
    if (number !== undefined) next = Number(number);
    values[name] = next;
    values[next++] = name;
  }
  return values as T;
}
