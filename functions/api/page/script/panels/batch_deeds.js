// What can be done to a batch: cancel it, or try its dead items again.

import { confirmed } from "../confirm.js";
import { h, show } from "../dom.js";
import { brief, count, plural } from "../format.js";
import { doing } from "../notices.js";
import { button } from "../parts.js";

const MAY_CANCEL = ["accepted", "running"];
// One that was stopped stays so: the API refuses to open it again.
const MAY_RETRY = ["running", "completed", "completed_with_errors"];

/** {element, update(batch)}: the buttons that make sense for the batch as it is. */
export function batchDeeds(batch, { api, refresh }) {
  let latest = batch;
  const name = brief(batch.id);
  const cancel = button("Cancel", () => cancelBatch(cancel, latest, api, refresh), { "aria-label": `Cancel batch ${name}` });
  const retry = button("Retry failed", () => retryFailed(retry, latest, api, refresh), { "aria-label": `Retry failed items of batch ${name}` });
  const element = h("div", { class: "deeds" }, cancel, retry);
  return {
    element,
    update(now) {
      latest = now;
      show(cancel, MAY_CANCEL.includes(now.state));
      show(retry, MAY_RETRY.includes(now.state) && now.counts.dead > 0);
    },
  };
}

async function cancelBatch(pressed, batch, api, refresh) {
  const left = plural(batch.counts.waiting, "waiting item");
  const text = `${left} will not be worked on. What runs now ends by itself, and what was done stays.`;
  if (!(await confirmed(`Cancel batch ${brief(batch.id)}?`, text, "Cancel the batch", { danger: true }))) return;
  await doing(pressed, async () => {
    const { counts } = await api.post(`/v3/batches/${batch.id}/cancel`);
    refresh();
    return `Batch ${brief(batch.id)}: ${plural(counts.cancelled, "item")} cancelled.`;
  });
}

async function retryFailed(pressed, batch, api, refresh) {
  const text = `${plural(batch.counts.dead, "dead item")} will be tried again with all attempts. Model calls are paid again.`;
  if (!(await confirmed(`Retry what failed in batch ${brief(batch.id)}?`, text, "Retry"))) return;
  await doing(pressed, async () => {
    const { retried } = await api.post(`/v3/batches/${batch.id}/retry-failed`);
    refresh();
    return `Batch ${brief(batch.id)}: ${count(retried)} waiting again.`;
  });
}
