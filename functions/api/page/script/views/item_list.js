// A list of items, a page at a time.

import { h, Rows, show } from "../dom.js";
import { moment, plural, words } from "../format.js";
import { failed } from "../notices.js";
import { badge, button } from "../parts.js";

export class ItemList {
  #cursor = null;
  #items = [];

  /** `ask(cursor)` gives {items, next_cursor}. */
  constructor(ask, open, empty) {
    const list = h("ul", { class: "rows" });
    this.ask = ask;
    this.rows = new Rows(list, (item) => `${item.item_id} ${item.state}`, (item) => ({ element: line(item, open) }), empty);
    this.more = button("Show more", () => this.load(this.#cursor), { class: "quiet", hidden: true });
    this.element = h("div", {}, list, this.more);
  }

  async load(cursor = null) {
    try {
      const page = await this.ask(cursor);
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
  const name = item.input.url ?? item.custom_id ?? item.item_id;
  const more = [item.function, item.custom_id && item.custom_id !== name && item.custom_id, item.reason && words(item.reason),
    plural(item.attempts, "attempt"), moment(item.created_at)];
  return h("li", { class: "item", "data-item": item.item_id },
    button(name, () => open(item.item_id), { class: "link", "aria-haspopup": "dialog" }),
    h("div", { class: "under" }, badge(item.state), h("span", { class: "faint" }, more.filter(Boolean).join(" · "))));
}
