// One item: what was sent, how each attempt went, what came out.

import { confirmed } from "../confirm.js";
import { h } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { count, duration, moment, money, plural, pretty, timeOfDay, words } from "../format.js";
import { doing } from "../notices.js";
import { isOver } from "../outcomes.js";
import { badge, block, button, facts, table } from "../parts.js";
import { nameOf } from "./item_name.js";

export function openItem(id, page) {
  return openDrawer("Item", async (body) => {
    const view = new ItemView(id, body, page);
    await view.load();
    return () => view.refresh();
  });
}

class ItemView {
  #item = null;
  #turn = 0;

  constructor(id, body, page) {
    Object.assign(this, { id, body, page });
  }

  async load() {
    const turn = (this.#turn += 1);
    try {
      const item = await this.page.api.get(`/v3/items/${this.id}`);
      // Another question was asked meanwhile: its answer counts.
      if (turn !== this.#turn) return;
      // Drawn anew only when it has changed: a selection stays.
      if (JSON.stringify(item) !== JSON.stringify(this.#item)) this.#draw(item);
      this.#item = item;
    } catch (problem) {
      if (!this.#item) this.body.replaceChildren(h("p", { class: "error" }, problem.message));
    }
  }

  /** Only what is not over can change by itself. */
  refresh() {
    if (this.#item && !isOver(this.#item.state)) return this.load();
  }

  #draw(item) {
    this.body.replaceChildren(
      h("p", { class: "address" }, nameOf(item)),
      h("p", { class: "under" }, badge(item.state), item.reason && h("b", {}, words(item.reason)), this.#deeds(item)),
      ...(item.error ? [h("p", { class: "problem" }, item.error)] : []),
      factsOf(item, () => this.page.openBatch(item.batch_id)),
      block("Attempts", item.history.length ? attempts(item.history) : h("p", { class: "faint" }, "None yet.")),
      block("What was sent", h("pre", { tabindex: 0 }, pretty(item.input))),
      ...(item.result ? [block("What came out", h("pre", { tabindex: 0 }, pretty(shortened(item.result))))] : []),
    );
  }

  #deeds(item) {
    if (item.state !== "dead" || item.discarded_at) return null;
    return h("span", { class: "deeds" },
      button("Replay", (event) => this.#do(event.target, "replay", "Back to work, with all attempts. Model calls are paid again.")),
      button("Discard", (event) => this.#do(event.target, "discard", "Dead for good, and not listed any more.", true), { class: "danger" }));
  }

  async #do(pressed, verb, text, danger = false) {
    const yes = verb === "replay" ? "Replay" : "Discard";
    if (!(await confirmed(`${yes} this dead letter?`, text, yes, { danger }))) return;
    await doing(pressed, async () => {
      await this.page.api.post(`/v3/dead-letters/${this.id}/${verb}`);
      await this.load();
      this.page.refresh();
      return `Dead letter ${verb === "replay" ? "replayed" : "discarded"}.`;
    });
  }
}

function factsOf(item, openBatch) {
  return facts([
    ["Item", h("code", {}, item.item_id)],
    ["custom_id", item.custom_id && h("code", {}, item.custom_id)],
    ["Function", item.function],
    ["Batch", button(item.batch_id, openBatch, { class: "link code" })],
    ["Domain", item.domain],
    ["Attempts", plural(item.attempts, "attempt") + (item.deferrals ? `, ${plural(item.deferrals, "deferral")}` : "")],
    ["Submitted", moment(item.created_at)],
    ["Not before", item.not_before && !isOver(item.state) ? moment(item.not_before) : null],
    ["Ended", item.finished_at && moment(item.finished_at)],
    ["Discarded", item.discarded_at && moment(item.discarded_at)],
    ["Tokens", `${count(item.tokens_in)} in, ${count(item.tokens_out)} out`],
    ["Cost", item.cached ? `${money(item.cost_usd)}, an earlier result was used` : money(item.cost_usd)],
    ["Of it estimated", item.estimated_usd ? money(item.estimated_usd) : null],
  ]);
}

function attempts(history) {
  return table(["#", "Outcome", "Took", "Cost", "Ended", "What happened"], history.map((one) => [
    String(one.attempt), badge(one.outcome), one.seconds === null ? "–" : duration(one.seconds),
    money(one.cost_usd) + (one.estimated ? " (estimated)" : ""),
    h("time", { datetime: one.ended_at, title: moment(one.ended_at) }, timeOfDay(one.ended_at)), [one.reason && words(one.reason), one.error].filter(Boolean).join(": "),
  ]));
}

/** Without the pictures that a row may hold as data: URLs. */
export function shortened(value) {
  if (typeof value === "string" && value.startsWith("data:")) return `${value.slice(0, 40)}… (${count(value.length)} characters)`;
  if (Array.isArray(value)) return value.map(shortened);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shortened(one)]));
  return value;
}
