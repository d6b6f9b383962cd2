// Health: every part Piecework needs, with its state and how long it took to answer.

import { h } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { duration, words } from "../format.js";
import { badge, block, table } from "../parts.js";

const GROUPS = { queues: "queue", models: "model" };
const SENTENCES = {
  ok: "Every part answers, and nothing rests.",
  degraded: "Something rests, is paused or does not answer. What it holds up is tried again by itself.",
  down: "The database does not answer. Nothing is lost: work goes on when it does.",
};

export function openHealth(panel) {
  return openDrawer("Health", (body) => {
    const draw = () => body.replaceChildren(...partsOf(panel.report));
    draw();
    return draw;
  });
}

function partsOf(report) {
  if (!report) return [h("p", { class: "faint" }, "Not known yet.")];
  const { checks } = report;
  const single = Object.entries(checks).filter(([, check]) => typeof check.state === "string");
  const many = Object.entries(GROUPS).flatMap(([group, word]) =>
    Object.entries(checks[group] ?? {}).map(([name, check]) => [`${word} ${name}`, check]));
  return [
    h("p", {}, badge(report.status), " ", SENTENCES[report.status] ?? ""),
    block("Parts", checksTable([...single, ...many, ...resting(checks)])),
  ];
}

/** What is not as it should be, though every part answers. */
function resting({ breakers = [], quotas = [] }) {
  const open = breakers.filter((one) => one.state !== "closed");
  const still = quotas.filter((one) => one.rests_seconds > 0);
  return [
    ...still.map((one) => [`quota ${one.name}`, { state: "resting", detail: words(one.rest_reason ?? "") }]),
    ...open.map((one) => [`breaker ${one.name}`, { state: one.state, detail: words(one.reason ?? "") }]),
  ];
}

function checksTable(checks) {
  return table(["Part", "State", "Answered in", ""], checks.map(([name, check]) => [
    name, badge(check.state), check.latency_ms === undefined ? "–" : duration(check.latency_ms / 1000), check.detail ?? ""]));
}
