// Batches: how far each one is, and what can be done to it.

import { ago, ticking } from "../clock.js";
import { byId, h, Rows, say } from "../dom.js";
import { Fold } from "../fold.js";
import { brief, count, duration, money, number, percent, plural } from "../format.js";
import { tell } from "../notices.js";
import { button, setBadge } from "../parts.js";
import { batchDeeds } from "./batch_deeds.js";

const FEW = 6;
const SEGMENTS = ["done", "skipped", "dead", "cancelled", "running"];
const ENDED = ["done", "skipped", "dead", "cancelled"];
const LIVE = ["accepted", "running", "cancelling"];
const EMPTY = "No batches yet. Submit a few addresses with the button above, or with: piecework run article urls.txt";

export const endedIn = (batch) => ENDED.reduce((sum, state) => sum + batch.counts[state], 0);

export class Batches {
  #live = new Set();

  constructor(list, { api, open, refresh }) {
    this.rows = new Rows(list, (batch) => batch.id, (batch) => new BatchRow(batch, { api, open, refresh }), EMPTY);
    this.fold = new Fold(byId("batches-more"), FEW, (batches) => this.rows.show(batches));
  }

  show({ batches }) {
    // They come by their ids, and those of scheduled runs tell no time.
    this.fold.show(batches.toSorted((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at)));
    const live = batches.filter((batch) => LIVE.includes(batch.state));
    say(byId("batches-unit"), batches.length ? `${count(live.length)} at work · the ${batches.length} newest` : "");
    this.#tellEnds(batches, live);
  }

  /** Only what has changed by itself: the end of a batch. */
  #tellEnds(batches, live) {
    for (const batch of batches) {
      if (this.#live.has(batch.id) && !LIVE.includes(batch.state)) {
        tell(`Batch ${brief(batch.id)} ended: ${batch.state.replaceAll("_", " ")}, ${countsOf(batch)}.`);
      }
    }
    this.#live = new Set(live.map((batch) => batch.id));
  }
}

export function countsOf({ counts }) {
  const some = Object.entries(counts).filter(([, items]) => items > 0);
  return some.map(([state, items]) => `${count(items)} ${state}`).join(", ") || "no items";
}

class BatchRow {
  constructor(batch, { api, open, refresh }) {
    this.state = h("span", { class: "badge" });
    this.open = button(`${batch.function} ${brief(batch.id)}`, () => open(batch.id), { class: "link", "aria-haspopup": "dialog" });
    this.bar = new Progress(`Progress of batch ${brief(batch.id)}`);
    this.counts = h("span", { class: "counts" });
    this.figures = h("span", { class: "figures" });
    this.deeds = batchDeeds(batch, { api, refresh });
    this.age = ticking(h("span", { class: "faint" }), () => ago(batch.created_at));
    this.element = h("li", { class: "batch", "data-batch": batch.id },
      h("div", { class: "name" }, this.open, h("span", { class: "under" }, this.state, this.age)),
      h("div", { class: "progress-cell" }, this.bar.element, h("div", { class: "under" }, this.counts, this.figures)),
      this.deeds.element);
  }

  update(batch) {
    setBadge(this.state, batch.state);
    this.bar.show(batch);
    say(this.counts, countsOf(batch));
    say(this.figures, figuresOf(batch));
    this.deeds.update(batch);
  }
}

function figuresOf(batch) {
  const live = LIVE.includes(batch.state);
  const figures = [
    live && batch.rate_per_minute > 0 && `${number(batch.rate_per_minute)}/min`,
    live && (batch.eta_seconds === null ? endedIn(batch) < batch.total && "no estimate yet" : `${duration(batch.eta_seconds)} left`),
    batch.cached > 0 && `${count(batch.cached)} from the cache`,
    money(batch.cost_usd),
  ];
  return figures.filter(Boolean).join(" · ");
}

/** The states of a batch's items as one bar. */
export class Progress {
  constructor(label) {
    this.parts = SEGMENTS.map((state) => h("span", { class: `fill ${state}` }));
    this.percent = h("span", { class: "percent", "aria-hidden": "true" });
    this.bar = h("div", { class: "progress", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 }, this.parts);
    this.element = h("div", { class: "with-percent" }, this.bar, this.percent);
  }

  show(batch) {
    SEGMENTS.forEach((state, place) => {
      this.parts[place].style.width = `${batch.total ? (batch.counts[state] / batch.total) * 100 : 0}%`;
    });
    const share = percent(endedIn(batch), batch.total);
    say(this.percent, share);
    this.bar.setAttribute("aria-valuenow", parseInt(share, 10));
    this.bar.setAttribute("aria-valuetext", `${share}: ${countsOf(batch)} of ${plural(batch.total, "item")}`);
  }
}
