// The drawer: one look closer at a time, over the page. A view may open another, and "Back" returns.

import { byId, say, show } from "./dom.js";

const drawer = byId("drawer");
const body = byId("drawer-body");
const way = [];

/** `fill(body)` puts the view's elements in; what it returns is called at each update of the page. */
export async function openDrawer(title, fill) {
  way.push({ title, fill, refresh: null });
  await reveal();
}

export const refreshDrawer = () => drawer.open && way.at(-1)?.refresh?.();
export const closeDrawer = () => drawer.close();

async function reveal() {
  const view = way.at(-1);
  say(byId("drawer-title"), view.title);
  show(byId("drawer-back"), way.length > 1);
  body.replaceChildren();
  if (!drawer.open) drawer.showModal();
  drawer.scrollTop = 0;
  byId("drawer-title").focus();
  view.refresh = (await view.fill(body)) ?? null;
}

drawer.addEventListener("close", () => {
  way.length = 0;
  body.replaceChildren();
});
// Only the backdrop is the dialog itself; what is inside covers the rest of it.
drawer.addEventListener("click", (event) => event.target === drawer && drawer.close());
byId("drawer-close").addEventListener("click", () => drawer.close());
byId("drawer-back").addEventListener("click", () => {
  way.pop();
  reveal();
});
