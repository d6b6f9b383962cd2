// Addresses whose unknown keys are turned away for a while. Operators alone may ask.

import { countdown, ticking } from "../clock.js";
import { byId, h, Rows, show } from "../dom.js";
import { plural } from "../format.js";

export class Blocked {
  constructor(list, api) {
    this.api = api;
    this.rows = new Rows(list, (one) => one.address, () => new BlockedRow(), "");
  }

  async ask() {
    const { blocked } = await this.api.get("/v3/rate-limit/blocked");
    this.rows.show(blocked);
    show(byId("blocked-card"), blocked.length > 0);
  }
}

class BlockedRow {
  constructor() {
    this.address = h("b", {});
    this.left = h("span", { class: "badge resting" });
    this.why = h("p", { class: "why" });
    this.element = h("li", {}, h("div", { class: "spread" }, this.address, this.left), this.why);
  }

  update({ address, misses, retry_seconds: seconds }) {
    this.address.textContent = address;
    ticking(this.left, countdown(seconds));
    this.why.textContent = `${plural(misses, "unknown key")} within a minute`;
  }
}
