// Outcomes and states: their order, their colours, and what they mean. The same everywhere on the page.

export const OUTCOMES = ["done", "cached", "skipped", "deferred", "overloaded", "failed", "dead"];
export const ENDS = ["done", "skipped", "dead", "cancelled"];

const MEANS = {
  done: "there is a row",
  cached: "an earlier result was used, for nothing",
  skipped: "there was nothing to do",
  deferred: "its upstream rests; it comes again later",
  overloaded: "the model said not now; no attempt was spent",
  failed: "this attempt failed; it is tried again",
  dead: "it can never work, or its attempts ran out",
  cancelled: "its batch was stopped",
  waiting: "it waits for its turn",
  running: "it is being worked on",
};

export const meaning = (outcome) => MEANS[outcome] ?? "";
export const isOver = (state) => ENDS.includes(state);
