// Cost a day (UTC), the last fourteen.

import { byId, say } from "../dom.js";
import { compact, count, day, money } from "../format.js";
import { Plot } from "../plots/plot.js";
import { stacked } from "../plots/stacked.js";

const total = (days) => days.reduce((sum, one) => sum + one.cost_usd, 0);

const KIND = {
  marks: 1,
  value: (usd) => money(usd),
  most: (days) => Math.max(0.001, ...days.map((one) => one.cost_usd)),
  columns: (days) => days.map((one) => ({
    label: day(one.day),
    title: day(one.day),
    lines: [
      { name: "cost", value: money(one.cost_usd), color: "cost" },
      ...(one.estimated_usd ? [{ name: "of it estimated", value: money(one.estimated_usd) }] : []),
      { name: "model calls", value: count(one.model_calls) },
      { name: "tokens in", value: compact(one.tokens_in) },
      { name: "tokens out", value: compact(one.tokens_out) },
    ],
  })),
  draw: (days, area) => stacked(days.map((one) => [{ value: one.cost_usd, color: "cost" }]), area, { open: true }),
  summary: (days) => `Cost of the last ${days.length} days: ${money(total(days))}, today ${money(days.at(-1).cost_usd)}.`,
};

export class Costs {
  constructor(host) {
    this.plot = new Plot(host, KIND);
  }

  show({ costs }) {
    this.plot.show(costs);
    say(byId("costs-unit"), `${money(total(costs))} in ${costs.length} days`);
  }
}
