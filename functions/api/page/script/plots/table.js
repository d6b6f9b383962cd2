// The table of a plot, for who reads rather than looks. It is filled while it is open.

import { h } from "../dom.js";

export class Table {
  #columns = [];

  constructor() {
    this.body = h("div", { class: "scroll" });
    this.element = h("details", { class: "as-table" }, h("summary", {}, "As a table"), this.body);
    this.element.addEventListener("toggle", () => this.#fill());
  }

  show(columns) {
    this.#columns = columns;
    this.#fill();
  }

  #fill() {
    if (!this.element.open || !this.#columns.length) return;
    const names = this.#columns[0].lines.map((line) => line.name);
    const head = h("tr", {}, ["Time", ...names].map((name) => h("th", { scope: "col" }, name)));
    const rows = this.#columns.toReversed().map((column) => h("tr", {},
      h("th", { scope: "row" }, column.title), column.lines.map((line) => h("td", {}, line.value))));
    this.body.replaceChildren(h("table", {}, h("thead", {}, head), h("tbody", {}, rows)));
  }
}
