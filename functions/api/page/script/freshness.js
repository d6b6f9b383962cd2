// Freshness: whether what the page shows is of now, and what stands in the way when it is not.

import { ago, countdown, now, ticking } from "./clock.js";
import { byId, say, show } from "./dom.js";
import { tell } from "./notices.js";

const STALE_SECONDS = 15;

export class Freshness {
  #at = null;
  #lost = false;

  constructor(element) {
    this.element = element;
    ticking(element, () => this.#words());
    document.addEventListener("visibilitychange", () => say(this.element, this.#words()));
  }

  /** An answer came, of that moment. */
  fresh(at) {
    this.#at = at;
    ticking(this.element, () => this.#words());
    if (this.#lost) tell("Connected again.");
    this.#lost = false;
    show(byId("trouble"), false);
    document.body.classList.remove("stale");
  }

  /** None came; the next question is in `pause` seconds. */
  lost(problem, pause) {
    this.#lost = true;
    const offline = navigator.onLine === false ? "This device is offline. " : "";
    const left = countdown(pause, "now");
    show(byId("trouble"), true);
    // Told once in words: the countdown changes, and an alert that changes is read again and again.
    say(byId("trouble"), `${offline}${problem.message} What is shown may be old; it is tried again by itself.`);
    ticking(this.element, () => (left() === "now" ? "old, trying now" : `old, next try in ${left()}`));
    document.body.classList.add("stale");
  }

  #words() {
    if (!this.#at) return "";
    const old = now() - Date.parse(this.#at) > STALE_SECONDS * 1000;
    return `${old ? "old, " : ""}updated ${ago(this.#at)}`;
  }
}
