// Polling: asks again and again, slower when it must, not at all while nobody looks.

const MOST_SECONDS = 60;
const FEW_LEFT = 15;

export class Poll {
  #timer = null;
  #asking = false;
  #failures = 0;
  #stopped = false;

  /** `ask` is awaited every `seconds`; `left()` is what the rate limit still allows, or null. */
  constructor(ask, seconds, { left = () => null, onTrouble = () => {} } = {}) {
    this.ask = ask;
    this.seconds = seconds;
    this.left = left;
    this.onTrouble = onTrouble;
    document.addEventListener("visibilitychange", () => this.now());
    addEventListener("online", () => this.now());
  }

  /** At once, unless it is being asked, is over, or the tab is hidden. */
  async now() {
    clearTimeout(this.#timer);
    if (this.#asking || this.#stopped || document.hidden) return;
    this.#asking = true;
    const pause = await this.#once();
    this.#asking = false;
    if (!this.#stopped) this.#timer = setTimeout(() => this.now(), pause * 1000);
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #once() {
    try {
      await this.ask();
      this.#failures = 0;
      return pauseOf(this.seconds, this.left());
    } catch (problem) {
      this.#failures += 1;
      const pause = pauseAfter(problem, this.#failures, this.seconds);
      this.onTrouble(problem, pause);
      return pause;
    }
  }
}

/** Seconds until the next question; the last requests of a minute are left to the person at the page. */
export function pauseOf(seconds, left) {
  return left !== null && left < FEW_LEFT ? seconds * 4 : seconds;
}

/** Seconds after a failure: twice as long each time, and never earlier than the server allows. */
export function pauseAfter(problem, failures, seconds, random = Math.random()) {
  const backoff = Math.min(MOST_SECONDS, seconds * 2 ** (failures - 1)) * (0.75 + random / 2);
  return Math.max(backoff, problem.retryAfter ?? 0);
}
