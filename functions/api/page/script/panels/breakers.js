// Breakers: upstreams that failed lately, and when they are asked again.

import { countdown, ticking } from "../clock.js";
import { byId, h, Rows, say, show } from "../dom.js";
import { count, plural, words } from "../format.js";

const STATES = { open: "open", half_open: "probing", closed: "watched" };
const MOST = 12;

export class Breakers {
  constructor(list) {
    this.rows = new Rows(list, (breaker) => breaker.name, () => new BreakerRow(), "Every upstream answers: nothing has failed lately.");
  }

  show({ breakers }) {
    const open = breakers.filter((breaker) => breaker.state !== "closed");
    this.rows.show(breakers.slice(0, MOST));
    const more = breakers.length > MOST ? ` · ${breakers.length - MOST} more` : "";
    say(byId("breakers-unit"), breakers.length ? `${count(open.length)} open of ${breakers.length}${more}` : "");
  }
}

class BreakerRow {
  constructor() {
    this.name = h("b", {});
    this.kind = h("span", { class: "faint" });
    this.state = h("span", { class: "badge" });
    this.why = h("p", { class: "why" });
    this.element = h("li", { class: "breaker" }, h("div", { class: "spread" }, h("span", { class: "name" }, this.name, " ", this.kind), this.state), this.why);
  }

  update({ name, state, failures, rests_seconds: seconds, reason }) {
    const [kind, ...rest] = name.split(":");
    say(this.name, rest.join(":") || kind);
    say(this.kind, rest.length ? kind : "");
    this.state.className = `badge breaker-${state}`;
    const left = countdown(seconds, "probe due");
    ticking(this.state, () => (state === "open" ? `open, ${left()}` : STATES[state]));
    say(this.why, [plural(failures, "failure"), reason && words(reason)].filter(Boolean).join(" · "));
    show(this.why, failures > 0 || Boolean(reason));
  }
}
