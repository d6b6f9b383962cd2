// Elements. Text goes in as text nodes alone, so whatever an item holds stays text.

const SVG = "http://www.w3.org/2000/svg";

/** h("button", {class: "quiet", onclick: …, "aria-label": …}, "text", child…) */
export function h(tag, given = {}, ...children) {
  return filled(document.createElement(tag), given, children);
}

/** The same for SVG. */
export function s(tag, given = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), given, children);
}

function filled(element, given, children) {
  for (const [name, value] of Object.entries(given)) set(element, name, value);
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

function set(element, name, value) {
  if (value == null || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else element.setAttribute(name, value === true ? "" : value);
}

export const byId = (id) => document.getElementById(id);

/** Written only when it differs: a selection stays, and a screen reader is not told of nothing. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

/** A list whose rows stay the same elements as long as their key is there, so focus and open details stay, too.
 *
 * `make(row)` gives {element, update(row)}.
 */
export class Rows {
  #parts = new Map();

  constructor(list, keyOf, make, empty) {
    this.list = list;
    this.keyOf = keyOf;
    this.make = make;
    this.empty = h("li", { class: "empty" }, empty);
  }

  show(rows) {
    const parts = rows.map((row) => this.#part(row));
    const keys = new Set(rows.map(this.keyOf));
    for (const key of this.#parts.keys()) if (!keys.has(key)) this.#parts.delete(key);
    arrange(this.list, parts.length ? parts.map((part) => part.element) : [this.empty]);
  }

  #part(row) {
    const key = this.keyOf(row);
    if (!this.#parts.has(key)) this.#parts.set(key, this.make(row));
    const part = this.#parts.get(key);
    part.update?.(row);
    return part;
  }
}

/** These children in this order. Only what is not in its place is moved: moving an element takes its focus. */
function arrange(list, wanted) {
  const stays = new Set(wanted);
  for (const child of [...list.childNodes]) if (!stays.has(child)) child.remove();
  wanted.forEach((element, place) => {
    if (list.childNodes[place] !== element) list.insertBefore(element, list.childNodes[place] ?? null);
  });
}
