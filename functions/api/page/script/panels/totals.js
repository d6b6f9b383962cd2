// Totals: the few figures one wants to see from across the room.

import { h, say } from "../dom.js";
import { compact, count, money } from "../format.js";
import { itemsAMinute } from "./throughput.js";

const TILES = [
  ["Items a minute", "", (page) => count(itemsAMinute(page.minutes, page.at)), "over the last minute"],
  ["Waiting", "waiting", (page) => compact(page.items.states.waiting), ""],
  ["Running", "running", (page) => compact(page.items.states.running), ""],
  ["Done", "done", (page) => compact(page.items.states.done), ""],
  ["Skipped", "skipped", (page) => compact(page.items.states.skipped), ""],
  ["Dead letters", "dead", (page) => compact(page.dead_letters.total), ""],
  ["Cost today", "", (page) => money(page.costs.at(-1).cost_usd), "UTC"],
];

export class Totals {
  constructor(host) {
    this.values = TILES.map(() => h("dd", {}));
    host.append(...TILES.map(([name, color, , more], place) => h("div", { class: `tile ${color}` },
      h("dt", {}, name, more && h("span", { class: "unseen" }, `, ${more}`)), this.values[place])));
  }

  show(page) {
    TILES.forEach(([, , value], place) => say(this.values[place], value(page)));
  }
}
