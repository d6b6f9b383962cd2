// One batch: its progress, its figures, its items, and its results as a file.

import { h, say } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { count, duration, moment, money, number } from "../format.js";
import { doing } from "../notices.js";
import { batchDeeds } from "../panels/batch_deeds.js";
import { countsOf, Progress } from "../panels/batches.js";
import { block, button, facts, setBadge } from "../parts.js";
import { openItem } from "./item.js";
import { ItemList } from "./item_list.js";

const STATES = ["waiting", "running", "done", "skipped", "dead", "cancelled"];
const FILES = { CSV: "csv", "JSON lines": "jsonl" };

export function openBatch(id, page) {
  return openDrawer("Batch", async (body) => {
    const view = new BatchView(id, body, page);
    await view.load();
    return () => view.refresh();
  });
}

class BatchView {
  constructor(id, body, page) {
    Object.assign(this, { id, body, page, state: h("span", { class: "badge" }), figures: h("div", {}) });
    this.counts = h("span", {});
    this.progress = new Progress("Progress of this batch");
    this.choice = h("select", { "aria-label": "State of the items" }, h("option", { value: "" }, "any state"), STATES.map((state) => h("option", {}, state)));
    this.choice.addEventListener("change", () => this.items.load());
    const ask = (cursor) => page.api.get(`/v3/batches/${id}/items`, { limit: 50, cursor, state: this.choice.value });
    this.items = new ItemList(ask, (item) => openItem(item, page), "No items in this state.");
  }

  async load() {
    try {
      const batch = await this.page.api.get(`/v3/batches/${this.id}`);
      this.deeds = batchDeeds(batch, { api: this.page.api, refresh: () => this.#changed() });
      this.body.replaceChildren(
        h("p", { class: "under" }, this.state, this.counts, this.deeds.element), this.progress.element, this.figures,
        block("Results", h("p", { class: "deeds" }, Object.entries(FILES).map(([name, kind]) => this.#download(name, kind)))),
        block("Items", this.choice, this.items.element));
      this.show(batch);
      await this.items.load();
    } catch (problem) {
      this.body.replaceChildren(h("p", { class: "error" }, problem.message));
    }
  }

  /** The page knows the newest batches; another is asked for until it is over. */
  async refresh() {
    if (!this.deeds) return;
    const batch = this.page.latest?.batches.find((one) => one.id === this.id);
    if (batch) this.show(batch);
    else if (!this.over && !this.asking) await this.#ask();
  }

  /** By somebody's deed: what was over may be at work again. */
  #changed() {
    this.over = false;
    this.page.refresh();
  }

  async #ask() {
    this.asking = true;
    try {
      this.show(await this.page.api.get(`/v3/batches/${this.id}`));
    } catch {
      // The page's own question tells what is wrong, and after its next one this is asked again.
    } finally {
      this.asking = false;
    }
  }

  show(batch) {
    this.over = batch.finished_at !== null;
    setBadge(this.state, batch.state);
    say(this.counts, countsOf(batch));
    this.progress.show(batch);
    this.deeds.update(batch);
    const told = JSON.stringify(batch);
    if (told === this.told) return;
    this.told = told;
    this.figures.replaceChildren(factsOf(batch));
  }

  #download(name, kind) {
    return button(name, (event) => doing(event.target, async () => {
      const url = URL.createObjectURL(await this.page.api.blob(`/v3/batches/${this.id}/results?format=${kind}`));
      h("a", { href: url, download: `batch-${this.id}.${kind}` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      return `Results saved as batch-${this.id}.${kind}.`;
    }), { "aria-label": `Download the results as ${name}` });
  }
}

function factsOf(batch) {
  return facts([
    ["Batch", h("code", {}, batch.id)],
    ["Function", batch.function],
    ["Items", `${count(batch.total)}${batch.duplicates ? `, ${count(batch.duplicates)} sent twice` : ""}`],
    ["From the cache", batch.cached ? count(batch.cached) : null],
    ["Priority", batch.priority],
    ["Submitted", moment(batch.created_at)],
    ["Deadline", batch.deadline && moment(batch.deadline)],
    ["Ended", batch.finished_at && moment(batch.finished_at)],
    ["Rate", batch.rate_per_minute ? `${number(batch.rate_per_minute)} a minute` : null],
    ["Left", batch.eta_seconds === null ? null : duration(batch.eta_seconds)],
    ["Tokens", `${count(batch.tokens_in)} in, ${count(batch.tokens_out)} out`],
    ["Cost", money(batch.cost_usd)],
    ["Webhook", batch.webhook && `${batch.webhook.state}, ${batch.webhook.url}${batch.webhook.error ? `: ${batch.webhook.error}` : ""}`],
  ]);
}
