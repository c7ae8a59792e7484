/** Finds and makes elements, checked. */

/** The element of the page with an id. @throws {Error} if there is none of that type */
export function element<T extends Element>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} with the id ${id}`);
  return found;
}

/** A new element with text or elements in it. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  ...content: readonly (string | Node)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}

/** A button with a text, and what a click does. */
export function button(text: string, onClick: () => void): HTMLButtonElement {
  const made = make("button", text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

/** A choice of a select. */
export function choice(value: string, text: string): HTMLOptionElement {
  const made = make("option", text);
  made.value = value;
  return made;
}

/** What an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Offers a file to be saved. */
export function saveFile(name: string, content: BlobPart, type: string): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = make("a");
  link.href = address;
  link.download = name;
  link.click();
  // The download has begun by then, and nobody else knows the address.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
