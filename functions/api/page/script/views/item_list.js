// A list of items, a page at a time.

import { h, Rows, show } from "../dom.js";
import { moment, plural, words } from "../format.js";
import { failed } from "../notices.js";
import { badge, button } from "../parts.js";
import { nameOf } from "./item_name.js";

export class ItemList {
  #cursor = null;
  #items = [];
  #turn = 0;

  /** `ask(cursor)` gives {items, next_cursor}. */
  constructor(ask, open, empty) {
    const list = h("ul", { class: "rows" });
    this.ask = ask;
    this.rows = new Rows(list, (item) => `${item.item_id} ${item.state}`, (item) => ({ element: line(item, open) }), empty);
    this.more = button("Show more", () => this.load(this.#cursor), { class: "quiet", hidden: true });
    this.element = h("div", {}, list, this.more);
  }

  async load(cursor = null) {
    const turn = (this.#turn += 1);
    try {
      const page = await this.ask(cursor);
      // Another question was asked meanwhile: its answer counts.
      if (turn !== this.#turn) return;
      this.#items = cursor ? [...this.#items, ...page.items] : page.items;
      this.#cursor = page.next_cursor;
      this.rows.show(this.#items);
      show(this.more, this.#cursor !== null);
    } catch (problem) {
      failed(problem);
    }
  }

  get first() {
    return this.#items.length === 1 && this.#cursor === null ? this.#items[0] : null;
  }
}

function line(item, open) {
  const name = nameOf(item);
  // Callers' words stand apart: a letter in them may turn the direction of writing around.
  const own = item.custom_id && item.custom_id !== name && h("bdi", {}, item.custom_id);
  const more = [item.function, own, item.reason && words(item.reason), plural(item.attempts, "attempt"),
    moment(item.created_at)].filter(Boolean).flatMap((one) => [" · ", one]).slice(1);
  return h("li", { class: "item", "data-item": item.item_id },
    button(name, () => open(item.item_id), { class: "link", "aria-haspopup": "dialog" }),
    h("div", { class: "under" }, badge(item.state), h("span", { class: "faint" }, more)));
}
