// Throughput: attempts that ended, by outcome, minute by minute.

import { clock, count, plural } from "../format.js";
import { OUTCOMES } from "../outcomes.js";
import { Legend, Plot } from "../plots/plot.js";
import { stacked } from "../plots/stacked.js";

const FINAL = ["done", "cached", "skipped", "dead"];
const of = (minute, outcome) => minute.outcomes[outcome] ?? 0;
const all = (minute) => OUTCOMES.reduce((sum, outcome) => sum + of(minute, outcome), 0);

const ended = (minute) => FINAL.reduce((sum, outcome) => sum + of(minute, outcome), 0);

/** Items that ended in the 60 s before `at`: this minute's, and of the one before the share that is younger than that. */
export function itemsAMinute(minutes, at) {
  const [before, current] = minutes.slice(-2);
  const share = (Date.parse(at) - Date.parse(current.minute)) / 60_000;
  return Math.round(ended(current) + ended(before) * Math.max(0, 1 - share));
}

const KIND = {
  whole: true,
  marks: 10,
  value: count,
  most: (minutes) => Math.max(4, ...minutes.map(all)),
  columns: (minutes) => minutes.map((minute, place) => ({
    label: clock(minute.minute),
    title: `${clock(minute.minute)}${place === minutes.length - 1 ? " (not over yet)" : ""}`,
    lines: OUTCOMES.map((outcome) => ({ name: outcome, value: count(of(minute, outcome)), color: outcome })),
  })),
  draw: (minutes, area) => stacked(
    minutes.map((minute) => OUTCOMES.map((outcome) => ({ value: of(minute, outcome), color: outcome }))), area, { open: true }),
  summary: (minutes) => `Throughput of the last hour: ${plural(minutes.reduce((sum, one) => sum + all(one), 0), "attempt")}, `
    + `${plural(ended(minutes.at(-2)), "item")} ended in the last whole minute.`,
};

export class Throughput {
  constructor(host) {
    this.legend = new Legend(host, OUTCOMES.map((outcome) => ({ name: outcome, color: outcome })));
    this.plot = new Plot(host, KIND);
  }

  show({ minutes }) {
    this.plot.show(minutes);
    this.legend.show(OUTCOMES.map((outcome) => count(minutes.reduce((sum, minute) => sum + of(minute, outcome), 0))));
  }
}
