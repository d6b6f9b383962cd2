// One dead letter in the list.

import { ago, ticking } from "../clock.js";
import { h, say, show } from "../dom.js";
import { plural, words } from "../format.js";
import { button } from "../parts.js";
import { addressOf } from "../views/item_name.js";

export const nameOf = (item) => item.custom_id ?? addressOf(item) ?? item.item_id;

export class DeadLetterRow {
  constructor(letter, panel, open) {
    const name = nameOf(letter);
    this.letter = letter;
    this.panel = panel;
    this.choice = h("input", { type: "checkbox", "aria-label": `Select ${name}` });
    this.choice.addEventListener("change", () => this.#choose());
    this.reason = h("span", { class: "badge dead" });
    this.error = h("p", { class: "why clamp" });
    this.more = h("span", { class: "faint" });
    this.address = h("span", { class: "faint" });
    this.age = ticking(h("span", { class: "faint" }), () => (this.letter.finished_at ? ago(this.letter.finished_at) : ""));
    this.element = h("li", { class: "letter", "data-item": letter.item_id },
      this.choice,
      h("div", { class: "what" },
        button(name, () => open(letter.item_id), { class: "link", "aria-haspopup": "dialog" }),
        h("div", { class: "under" }, this.reason, this.more, this.address, this.age), this.error),
      h("div", { class: "deeds" },
        button("Replay", (event) => panel.deeds.replay(event.target, [this.letter]), { "aria-label": `Replay ${name}` }),
        button("Discard", (event) => panel.deeds.discard(event.target, [this.letter]), { class: "quiet", "aria-label": `Discard ${name}` })));
  }

  update(letter) {
    this.letter = letter;
    this.choice.checked = this.panel.chosen.has(letter.item_id);
    say(this.reason, words(letter.reason ?? "dead"));
    say(this.error, letter.error ?? "");
    say(this.more, `${letter.function} · ${plural(letter.attempts, "attempt")}`);
    // Apart from the others: a letter in it may turn the direction of writing around.
    say(this.address, letter.custom_id ? (addressOf(letter) ?? "") : "");
    show(this.address, this.address.textContent !== "");
    this.age.tick && say(this.age, this.age.tick());
  }

  #choose() {
    const { chosen } = this.panel;
    if (this.choice.checked) chosen.add(this.letter.item_id);
    else chosen.delete(this.letter.item_id);
    this.panel.changed();
  }
}
