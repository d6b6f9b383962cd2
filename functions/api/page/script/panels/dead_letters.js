// Dead letters: items that ended as dead; looked at, replayed, discarded.

import { byId, h, Rows, say, show } from "../dom.js";
import { count, plural, words } from "../format.js";
import { failed, tell } from "../notices.js";
import { DeadLetterDeeds } from "./dead_letter_deeds.js";
import { DeadLetterRow } from "./dead_letter_row.js";

const PAGE = 8;
const MOST_AT_ONCE = 500;
const NONE = "No dead letters. What can never work, or has used up its attempts, will stand here with its error.";
const NONE_FIT = "No dead letters fit this filter. Clear it to see all.";

export class DeadLetters {
  #seen = null;
  #cursor = null;
  #letters = [];
  #total = 0;
  #turn = 0;

  constructor(list, { api, open, refresh }) {
    this.api = api;
    this.form = byId("dead-filter");
    this.chosen = new Set();
    this.deeds = new DeadLetterDeeds(this, refresh);
    this.rows = new Rows(list, (letter) => letter.item_id, (letter) => new DeadLetterRow(letter, this, open), NONE);
    this.#listen();
  }

  /** The list is asked for only when the page's figures say that it has changed. */
  show(page) {
    this.#options(page);
    const { total, newest } = page.dead_letters;
    if (this.#total < total && this.#seen !== null) tell(`${plural(total, "dead letter")} now.`);
    this.#total = total;
    const seen = JSON.stringify([total, newest.map((letter) => [letter.item_id, letter.finished_at])]);
    if (seen !== this.#seen) this.again();
    this.#seen = seen;
  }

  /** Those of one reason, as the list of reasons asks. */
  pick({ function: name, reason }) {
    this.form.reset();
    choose(this.form.elements.function, name);
    choose(this.form.elements.reason, reason);
    this.reload();
    byId("dead-title").scrollIntoView({ block: "start" });
    byId("dead-filter").elements.reason.focus();
  }

  /** The form's filter as the API takes it; empty when nothing is filtered. */
  filter() {
    const { function: name, reason, domain, batch, age } = Object.fromEntries(new FormData(this.form));
    const seconds = Number(age);
    const given = {
      function: name, reason, domain: domain.trim(), batch,
      ...(seconds > 0 && { older_than_seconds: seconds }),
      ...(seconds < 0 && { younger_than_seconds: -seconds }),
    };
    return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
  }

  /** From the beginning, as the filter says. */
  async reload() {
    await this.#load(null, PAGE);
  }

  /** As many as are shown, and some more while some are chosen: new ones must not push those off the list. */
  async again() {
    const many = this.#letters.length + (this.chosen.size ? PAGE : 0);
    await this.#load(null, Math.min(MOST_AT_ONCE, Math.max(PAGE, many)));
  }

  get shown() {
    return this.#letters;
  }

  get goesOn() {
    return this.#cursor !== null;
  }

  changed() {
    this.deeds.show();
  }

  #listen() {
    this.form.addEventListener("change", () => this.reload());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.reload();
    });
    // The fields are empty only after this event.
    this.form.addEventListener("reset", () => setTimeout(() => this.reload()));
    byId("dead-more").addEventListener("click", () => this.#load(this.#cursor, PAGE));
  }

  async #load(cursor, limit) {
    const turn = (this.#turn += 1);
    try {
      const page = await this.api.get("/v3/dead-letters", { ...this.filter(), limit, cursor });
      // Another question was asked meanwhile: its answer counts.
      if (turn !== this.#turn) return;
      this.#letters = cursor ? [...this.#letters, ...page.dead_letters] : page.dead_letters;
      this.#cursor = page.next_cursor;
      this.#draw();
    } catch (problem) {
      this.#seen = null;
      if (problem.status === 422) failed(problem);
    }
  }

  #draw() {
    const ids = new Set(this.#letters.map((letter) => letter.item_id));
    for (const id of this.chosen) if (!ids.has(id)) this.chosen.delete(id);
    const filtered = Object.keys(this.filter()).length > 0;
    say(this.rows.empty, filtered ? NONE_FIT : NONE);
    this.rows.show(this.#letters);
    show(byId("dead-more"), this.goesOn);
    this.deeds.show();
  }

  #options(page) {
    say(byId("dead-unit"), page.dead_letters.total ? `${count(page.dead_letters.total)} that nobody has discarded` : "");
    offer(this.form.elements.function, page.dead_letters.reasons.map((one) => one.function));
    offer(this.form.elements.reason, page.dead_letters.reasons.map((one) => one.reason));
    const some = page.batches.filter((batch) => batch.counts.dead > 0);
    offer(this.form.elements.batch, some.map((batch) => batch.id), (id) => `${some.find((one) => one.id === id)?.function} ${id.slice(-8)}`);
  }
}

/** What may be chosen now; what is chosen stays. */
function offer(select, values, nameOf = words) {
  const wanted = [...new Set([...values, select.value].filter(Boolean))].sort();
  const there = [...select.options].slice(1).map((option) => option.value);
  if (wanted.join() === there.join()) return;
  const chosen = select.value;
  select.replaceChildren(select.options[0], ...wanted.map((value) => h("option", { value }, nameOf(value))));
  select.value = chosen;
}

function choose(select, value) {
  offer(select, [...[...select.options].map((option) => option.value), value]);
  select.value = value;
}
