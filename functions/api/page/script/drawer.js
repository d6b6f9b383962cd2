// The drawer: one look closer at a time, over the page. A view may open another, and "Back" returns.

import { byId, h, say, show } from "./dom.js";

const drawer = byId("drawer");
const body = byId("drawer-body");
const way = [];

/** `fill(body)` puts the view's elements in, anew each time it comes to the front; what it returns is called at each update of the page. */
export async function openDrawer(title, fill) {
  way.push({ title, fill, refresh: null });
  await reveal();
}

export const refreshDrawer = () => drawer.open && way.at(-1)?.refresh?.();

export function closeDrawer() {
  forget();
  drawer.close();
}

async function reveal() {
  const view = way.at(-1);
  // Of its own: an answer that comes late is drawn where nobody looks any more, not over what was opened since.
  const own = h("div", { class: "view" });
  say(byId("drawer-title"), view.title);
  show(byId("drawer-back"), way.length > 1);
  body.replaceChildren(own);
  if (!drawer.open) drawer.showModal();
  drawer.scrollTop = 0;
  byId("drawer-title").focus();
  view.refresh = null;
  const refresh = await view.fill(own);
  if (own.isConnected) view.refresh = refresh ?? null;
}

function forget() {
  way.length = 0;
  body.replaceChildren();
}

// The browser tells of it a moment later: it may be open again by then.
drawer.addEventListener("close", () => drawer.open || forget());
// Only the backdrop is the dialog itself; what is inside covers the rest of it.
drawer.addEventListener("click", (event) => event.target === drawer && drawer.close());
byId("drawer-close").addEventListener("click", () => drawer.close());
byId("drawer-back").addEventListener("click", () => {
  way.pop();
  reveal();
});
