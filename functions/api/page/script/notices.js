// Notices: what came of what somebody did. Seen at the bottom of the page, heard by screen readers.

import { byId, h, say } from "./dom.js";

const SHOWN_SECONDS = 8;

/** For screen readers alone; the page shows it in another way. */
export function tell(text) {
  bringToFront();
  const news = byId("news");
  // The same words twice are news twice.
  say(news, news.textContent === text ? `${text} ` : text);
}

export function done(text) {
  tell(text);
  place(text, "done", SHOWN_SECONDS);
}

/** Stays until it is closed: it says what to do. */
export function failed(problem) {
  place(problem.message, "failed", null);
}

/** The topmost dialog, for what stands outside of it is neither seen nor heard. */
function bringToFront() {
  const host = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  for (const id of ["notices", "news"]) if (byId(id).parentElement !== host) host.append(byId(id));
}

document.addEventListener("close", bringToFront, true);

function place(text, kind, seconds) {
  const close = h("button", { type: "button", class: "quiet", "aria-label": "Close this notice" }, "×");
  const notice = h("div", { class: `notice ${kind}`, role: kind === "failed" && "alert" }, h("span", {}, text), close);
  close.addEventListener("click", () => notice.remove());
  bringToFront();
  byId("notices").append(notice);
  if (seconds) setTimeout(() => notice.remove(), seconds * 1000);
}

/** Do it with its button at rest meanwhile, and tell how that went. `deed` gives the words of success. */
export async function doing(button, deed) {
  button.disabled = true;
  const hadFocus = document.activeElement === button || document.activeElement === document.body;
  try {
    const text = await deed();
    if (text) done(text);
  } catch (problem) {
    failed(problem);
  } finally {
    button.disabled = false;
    if (hadFocus && button.isConnected) button.focus();
  }
}
