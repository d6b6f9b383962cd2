// The clock: what counts down or grows old is told anew each second, by the server's time.

import { duration } from "./format.js";
import { say } from "./dom.js";

let ahead = 0;

/** The server's time, from its own last word. */
export const now = () => Date.now() + ahead;
export const setClock = (iso) => {
  ahead = Date.parse(iso) - Date.now();
};

/** From now on `tell()` is the element's text, every second. */
export function ticking(element, tell) {
  element.classList.add("ticks");
  element.tick = tell;
  say(element, tell());
  return element;
}

/** In one unit: what changes each second is read by nobody. */
export const ago = (moment) => {
  const seconds = Math.max(0, (now() - Date.parse(moment)) / 1000);
  if (seconds < 5) return "just now";
  const unit = [86_400, 3600, 60, 1].find((one) => seconds >= one);
  return `${duration(Math.floor(seconds / unit) * unit)} ago`;
};

/** Tells what is left of `seconds`, counted from now. */
export function countdown(seconds, over = "any moment") {
  const until = now() + seconds * 1000;
  return () => {
    const left = Math.ceil((until - now()) / 1000);
    return left > 0 ? duration(left) : over;
  };
}

setInterval(() => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll(".ticks")) if (element.tick) say(element, element.tick());
}, 1000);
