// Replay and discard: one dead letter, those that are selected, or all that fit the filter.

import { confirmed } from "../confirm.js";
import { byId, say, show } from "../dom.js";
import { count, plural } from "../format.js";
import { doing, failed } from "../notices.js";
import { nameOf } from "./dead_letter_row.js";

const PATH = "/v3/dead-letters";
const REPLAYED = { verb: "replay", past: "replayed", yes: "Replay", text: "Back to work, with all attempts. Model calls are paid again." };
const DISCARDED = { verb: "discard", past: "discarded", yes: "Discard", danger: true, text: "Dead for good, and not listed any more." };
const title = (word) => word[0].toUpperCase() + word.slice(1);

export class DeadLetterDeeds {
  constructor(panel, refresh) {
    this.panel = panel;
    this.refresh = refresh;
    byId("dead-all").addEventListener("change", (event) => this.#chooseAll(event.target.checked));
    byId("dead-replay").addEventListener("click", (event) => this.#many(event.target, REPLAYED));
    byId("dead-discard").addEventListener("click", (event) => this.#many(event.target, DISCARDED));
  }

  replay(pressed, letters) {
    return this.#some(pressed, REPLAYED, letters);
  }

  discard(pressed, letters) {
    return this.#some(pressed, DISCARDED, letters);
  }

  /** The bar above the list: how many are chosen, and what its buttons mean now. */
  show() {
    const { shown, chosen } = this.panel;
    show(byId("dead-bar"), shown.length > 0);
    byId("dead-all").checked = shown.length > 0 && chosen.size === shown.length;
    byId("dead-all").indeterminate = chosen.size > 0 && chosen.size < shown.length;
    const which = chosen.size ? `${count(chosen.size)} selected` : this.#filtered() ? "all that fit" : "all";
    for (const [id, deed] of [["dead-replay", REPLAYED], ["dead-discard", DISCARDED]]) {
      say(byId(id), `${deed.yes} ${which}`);
    }
  }

  #filtered() {
    return Object.keys(this.panel.filter()).length > 0;
  }

  #chooseAll(checked) {
    this.panel.chosen.clear();
    if (checked) for (const letter of this.panel.shown) this.panel.chosen.add(letter.item_id);
    this.panel.rows.show(this.panel.shown);
    this.show();
  }

  #many(pressed, deed) {
    const { shown, chosen } = this.panel;
    if (chosen.size) return this.#some(pressed, deed, shown.filter((letter) => chosen.has(letter.item_id)));
    return this.#fitting(pressed, deed);
  }

  async #some(pressed, deed, letters) {
    const which = letters.length === 1 ? nameOf(letters[0]) : plural(letters.length, "dead letter");
    if (!(await confirmed(`${title(deed.verb)} ${which}?`, deed.text, deed.yes, deed))) return;
    await doing(pressed, async () => {
      let affected = 0;
      for (const { item_id: id } of letters) affected += await this.#one(id, deed);
      return this.#after(affected, deed);
    });
  }

  /** Those that stand in the way of one another are told of; the others are done all the same. */
  async #one(id, deed) {
    try {
      return (await this.panel.api.post(`${PATH}/${id}/${deed.verb}`))[deed.past];
    } catch (problem) {
      if (![404, 409].includes(problem.status)) throw problem;
      failed(problem);
      return 0;
    }
  }

  async #fitting(pressed, deed) {
    const filter = this.panel.filter();
    const which = this.#filtered() ? "all dead letters that fit the filter" : "all dead letters";
    if (!(await confirmed(`${title(deed.verb)} ${which}?`, deed.text, deed.yes, deed))) return;
    await doing(pressed, async () => {
      const body = this.#filtered() ? filter : { all: true };
      let [affected, goesOn] = [0, true];
      while (goesOn) {
        const answer = await this.panel.api.post(`${PATH}/${deed.verb}`, body);
        affected += answer[deed.past];
        goesOn = answer.goes_on;
      }
      return this.#after(affected, deed);
    });
  }

  async #after(affected, deed) {
    this.panel.chosen.clear();
    await this.panel.again();
    this.refresh();
    return `${title(plural(affected, "dead letter"))} ${deed.past}.`;
  }
}
