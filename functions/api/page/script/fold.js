// A fold: the first rows of a list, and a button for the rest.

import { say, show } from "./dom.js";

export class Fold {
  #open = false;
  #rows = [];

  constructor(button, few, draw) {
    Object.assign(this, { button, few, draw });
    button.addEventListener("click", () => {
      this.#open = !this.#open;
      this.show(this.#rows);
    });
  }

  show(rows) {
    this.#rows = rows;
    this.draw(this.#open ? rows : rows.slice(0, this.few));
    show(this.button, rows.length > this.few);
    this.button.setAttribute("aria-expanded", this.#open);
    say(this.button, this.#open ? "Show fewer" : `Show ${rows.length - this.few} more`);
  }
}
