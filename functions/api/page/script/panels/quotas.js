// Quotas: what the last minute used of what each upstream allows, and which of them rest.

import { countdown, ticking } from "../clock.js";
import { byId, h, Rows, say, show } from "../dom.js";
import { compact, count, duration, number, words } from "../format.js";
import { Meter } from "../parts.js";

export class Quotas {
  constructor(list) {
    this.rows = new Rows(list, (quota) => quota.name, (quota) => new QuotaRow(quota), "No quotas are known yet: they come with the first run.");
  }

  show({ quotas, scope }) {
    this.rows.show(quotas);
    say(byId("quotas-unit"), scope === "own" ? "your share of the last minute" : "used in the last minute");
  }
}

class QuotaRow {
  constructor({ name }) {
    this.requests = new Meter(`Requests a minute of ${name}`);
    this.requestsText = h("span", {});
    this.tokens = new Meter(`Tokens a minute of ${name}`);
    this.tokensText = h("span", {});
    this.tokensLine = h("div", {}, h("div", { class: "spread" }, h("span", {}, "tokens/min"), this.tokensText), this.tokens.element);
    this.queue = h("span", { class: "faint" });
    this.rest = h("span", { class: "badge resting" });
    this.why = h("p", { class: "why" });
    this.element = h("li", { class: "quota", "data-quota": name },
      h("div", { class: "spread" }, h("b", {}, name), this.rest, this.queue),
      h("div", { class: "spread" }, h("span", {}, "requests/min"), this.requestsText), this.requests.element,
      this.tokensLine, this.why);
  }

  update(quota) {
    meter(this.requests, this.requestsText, quota.requests_used, quota.requests_per_minute);
    show(this.tokensLine, quota.tokens_per_minute !== null);
    if (quota.tokens_per_minute !== null) meter(this.tokens, this.tokensText, quota.tokens_used, quota.tokens_per_minute);
    say(this.queue, queueOf(quota));
    this.#rest(quota);
  }

  #rest({ rests_seconds: seconds, rest_reason: reason }) {
    show(this.rest, seconds > 0);
    show(this.why, seconds > 0 && Boolean(reason));
    if (seconds <= 0) return;
    const left = countdown(seconds);
    ticking(this.rest, () => `rests ${left()}`);
    say(this.why, words(reason ?? ""));
  }
}

function meter(bar, text, used, allowed) {
  const words = `${compact(used)} of ${allowed < 10 ? number(allowed) : compact(allowed)}`;
  bar.show(used, allowed, words);
  say(text, words);
}

function queueOf({ waiting, running, oldest_seconds: oldest }) {
  if (!waiting && !running) return "idle";
  const age = oldest > 1 ? `, oldest ${duration(oldest)}` : "";
  return `${count(running)} running, ${count(waiting)} waiting${age}`;
}
