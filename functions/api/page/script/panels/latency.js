// Latency: how long the attempts took that ended their item; the median, and what 95 of 100 stay below.

import { clock, duration, onAxis } from "../format.js";
import { line } from "../plots/lines.js";
import { Legend, Plot } from "../plots/plot.js";

const LINES = [["p50", "p50_seconds"], ["p95", "p95_seconds"]];
const shown = (seconds) => (seconds === null ? "–" : duration(seconds));
const newest = (minutes, field) => minutes.findLast((minute) => minute[field] !== null)?.[field] ?? null;

const KIND = {
  marks: 10,
  value: onAxis,
  most: (minutes) => Math.max(0.1, ...minutes.map((minute) => minute.p95_seconds ?? 0)),
  columns: (minutes) => minutes.map((minute) => ({
    label: clock(minute.minute),
    title: clock(minute.minute),
    lines: LINES.map(([name, field]) => ({ name, value: shown(minute[field]), color: name })),
  })),
  draw: (minutes, area) => LINES.flatMap(([name, field]) => line(minutes.map((minute) => minute[field]), name, area)),
  summary: (minutes) => `Latency of the last hour: ${LINES.map(([name, field]) => `${name} ${shown(newest(minutes, field))}`).join(", ")}.`,
};

export class Latency {
  constructor(host) {
    this.legend = new Legend(host, LINES.map(([name]) => ({ name, color: name })));
    this.plot = new Plot(host, KIND);
  }

  show({ minutes }) {
    this.plot.show(minutes);
    this.legend.show(LINES.map(([, field]) => shown(newest(minutes, field))));
  }
}
