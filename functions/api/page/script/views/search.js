// Search: items by address, custom_id or id.

import { h } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { openItem } from "./item.js";
import { ItemList } from "./item_list.js";

export function search(words, page) {
  return openDrawer(`Search: ${words}`, async (body) => {
    const empty = "Nothing of yours fits. Search for a part of the address, a custom_id, or a whole item id.";
    const list = new ItemList(
      (cursor) => page.api.get("/v3/items", { q: words, cursor }), (id) => openItem(id, page), empty);
    body.append(h("p", { class: "hint" }, "The newest first; of addresses, those among the newest 20,000 items."), list.element);
    await list.load();
    return null;
  });
}
