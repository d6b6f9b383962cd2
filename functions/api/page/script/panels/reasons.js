// Outcomes by reason: why items were skipped or died.

import { byId, h, Rows, say } from "../dom.js";
import { Fold } from "../fold.js";
import { count, words } from "../format.js";
import { button } from "../parts.js";

const FEW = 10;
const EMPTY = "Nothing was skipped, and nothing died.";
const keyOf = (row) => `${row.function} ${row.state} ${row.reason}`;

export class Reasons {
  /** `pick(row)`: show the dead letters of this reason. */
  constructor(list, pick) {
    const rows = new Rows(list, keyOf, (row) => new ReasonRow(row, pick), EMPTY);
    this.fold = new Fold(byId("reasons-more"), FEW, (reasons) => rows.show(reasons));
  }

  show({ items }) {
    const most = Math.max(1, ...items.reasons.map((row) => row.items));
    this.fold.show(items.reasons.map((row) => ({ ...row, share: row.items / most })));
  }
}

class ReasonRow {
  constructor(row, pick) {
    this.items = h("b", {});
    this.fill = h("span", { class: `fill ${row.state}` });
    const name = row.state === "dead"
      ? button(words(row.reason), () => pick(row), { class: "link", title: "Show these dead letters" })
      : words(row.reason);
    this.element = h("li", { class: "reason" },
      h("div", { class: "spread" }, h("span", {}, name, " ", h("span", { class: "faint" }, `${row.function} · ${row.state}`)), this.items),
      h("div", { class: "share", "aria-hidden": "true" }, this.fill));
  }

  update({ items, share }) {
    say(this.items, count(items));
    this.fill.style.width = `${Math.max(1, share * 100)}%`;
  }
}
