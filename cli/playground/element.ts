/** Attributes of an element; `true` sets an empty one, `false` and undefined none. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Makes an element with attributes and children. Text is text, never markup. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

/** A labelled control: the label stands above it, and a click on it goes to the control. */
export function labelled(text: string, control: HTMLElement, className = ""): HTMLLabelElement {
  // Otherwise the options of a select would be part of its name.
  control.setAttribute("aria-label", text);
  return element("label", { class: `field ${className}`.trim() }, element("span", {}, text), control);
}

/** A button that submits no form. */
export function button(text: string, onClick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", onClick);
  return made;
}
