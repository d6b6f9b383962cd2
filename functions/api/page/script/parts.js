// Small parts that several panels show in the same way.

import { h, say } from "./dom.js";
import { meaning } from "./outcomes.js";
import { words } from "./format.js";

export const badge = (state) => h("span", { class: `badge ${state}`, title: meaning(state) || null }, words(state));

export function setBadge(element, state) {
  element.className = `badge ${state}`;
  element.title = meaning(state);
  say(element, words(state));
}

export const button = (text, onclick, given = {}) => h("button", { type: "button", onclick, ...given }, text);

/** Facts as a list: [[name, element or text]]. Those without a value are left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value != null && value !== "");
  return h("dl", { class: "facts" }, known.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

export const block = (title, ...children) => h("section", { class: "block" }, h("h3", {}, title), children);

export function table(heads, rows) {
  const head = h("tr", {}, heads.map((name) => h("th", { scope: "col" }, name)));
  const body = rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell))));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": heads.join(", ") },
    h("table", {}, h("thead", {}, head), h("tbody", {}, body)));
}

/** Used against allowed. */
export class Meter {
  constructor(label) {
    this.fill = h("span", { class: "fill" });
    this.element = h("div", { class: "meter", role: "meter", "aria-label": label, "aria-valuemin": 0 }, this.fill);
  }

  show(used, allowed, text) {
    const share = allowed ? Math.min(1, used / allowed) : 0;
    this.fill.style.width = `${share * 100}%`;
    this.element.classList.toggle("near", share >= 0.9);
    this.element.setAttribute("aria-valuemax", allowed);
    this.element.setAttribute("aria-valuenow", Math.min(used, allowed));
    this.element.setAttribute("aria-valuetext", text);
  }
}
