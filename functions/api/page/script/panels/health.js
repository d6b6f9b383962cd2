// Overall health, in the header.

import { health } from "../api.js";
import { say } from "../dom.js";

const WORDS = { ok: "All well", degraded: "Degraded", down: "Down", unknown: "Health unknown" };

export class Health {
  constructor(button, open) {
    this.button = button;
    this.report = null;
    button.addEventListener("click", () => open(this));
  }

  async ask() {
    try {
      this.report = await health();
    } catch (problem) {
      this.#show("unknown", problem.message);
      throw problem;
    }
    this.#show(this.report.status, troubles(this.report).join("; "));
  }

  #show(status, why) {
    this.button.className = `pill ${status}`;
    this.button.title = why || "Show every part";
    say(this.button, WORDS[status] ?? status);
  }
}

const WELL = ["ok", "running", "unknown", "closed"];

function troubles({ checks }) {
  const single = Object.entries(checks).filter(([, check]) => typeof check.state === "string");
  const many = ["queues", "models"].flatMap((name) => Object.entries(checks[name] ?? {}));
  const breakers = (checks.breakers ?? []).map((one) => [one.name, one]);
  return [...single, ...many, ...breakers].filter(([, check]) => !WELL.includes(check.state)).map(([name, check]) => `${name}: ${check.state}`);
}
