// Submit: addresses or JSON items, one a line, become a batch.

import { byId, say } from "../dom.js";
import { closeDrawer, openDrawer } from "../drawer.js";
import { brief, plural } from "../format.js";
import { done, failed } from "../notices.js";
import { openBatch } from "./batch.js";

// What a function takes when all that was given is an address.
const OF_ADDRESS = { poster: (url) => ({ content_id: contentId(url), url }) };
const MOST_ITEMS = 10_000;
const MOST_ID_LETTERS = 200;

export function openSubmit(page) {
  return openDrawer("Submit items", (body) => {
    body.append(byId("submit-form").content.cloneNode(true));
    const form = body.querySelector("form");
    // Sent again after a lost answer, the same text is the same batch.
    let sent = { text: null, key: null };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = JSON.stringify([...new FormData(form)]);
      if (sent.text !== text) sent = { text, key: crypto.randomUUID() };
      submit(form, sent.key, page);
    });
    form.elements.items.focus();
  });
}

async function submit(form, key, page) {
  const error = form.querySelector("[role=alert]");
  const pressed = form.querySelector("[type=submit]");
  pressed.disabled = true;
  try {
    const batch = await page.api.post("/v3/batches", orderOf(new FormData(form)), { "Idempotency-Key": key });
    done(`Batch ${brief(batch.id)} accepted: ${plural(batch.total, "item")}.`);
    page.refresh();
    // Who has closed the form, or looks at something else by now, is not led away from it.
    if (!form.isConnected) return;
    closeDrawer();
    await openBatch(batch.id, page);
  } catch (problem) {
    if (!form.isConnected) return failed(problem);
    say(error, problem.message);
    form.elements.items.focus();
  } finally {
    pressed.disabled = false;
  }
}

function orderOf(given) {
  const name = given.get("function");
  const items = itemsOf(given.get("items"), name);
  if (!items.length) throw new Error("Paste at least one address.");
  if (items.length > MOST_ITEMS) throw new Error(`That is ${plural(items.length, "item")}: ${MOST_ITEMS} go at once. For more: piecework run.`);
  return { function: name, items, priority: given.get("priority"), options: given.get("fresh") ? { fresh: true } : {} };
}

/** One item a line: JSON where it begins with a brace, else an address. Empty lines and # comments are left out. */
export function itemsOf(text, name) {
  const lines = text.split("\n").map((line, place) => [line.trim(), place + 1]);
  return lines.filter(([line]) => line && !line.startsWith("#")).map(([line, place]) => itemOf(line, place, name));
}

function itemOf(line, place, name) {
  if (!line.startsWith("{")) return OF_ADDRESS[name]?.(line) ?? { url: line };
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new Error(`Line ${place} is no JSON: ${error.message}.`);
  }
}

/** "example.com/posters/tin.jpg" of https://example.com/posters/tin.jpg: files of one name lie in many places. */
function contentId(url) {
  const address = url.replace(/^https?:\/\//i, "").replace(/#.*$/, "");
  // Addresses differ at their end. Parts that are empty or dots cannot be asked for.
  const parts = [...address].slice(-MOST_ID_LETTERS).join("").split("/");
  return parts.filter((part) => !["", ".", ".."].includes(part)).join("/") || url;
}
