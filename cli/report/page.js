"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const grid = find("posters"), dialog = find("large"), big = find("big"), about = find("about");
  const cards = [...grid.querySelectorAll(".card")];
  const failed = [...document.querySelectorAll(".failures tbody tr")];
  const section = document.querySelector(".failures");
  const bars = [...document.querySelectorAll(".shares button")];
  const controls = ["find", "sort", "slot", "verdict", "state", "zones", "elements"];
  let shown = cards, open = 0;

  const has = (list, word) => list.split(" ").includes(word);
  const orders = {
    "score-down": (a, b) => b.dataset.score - a.dataset.score,
    "score-up": (a, b) => a.dataset.score - b.dataset.score,
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name),
    place: (a, b) => a.dataset.place - b.dataset.place,
  };

  function isWanted(card) {
    const { slot, verdict, state } = values();
    const safe = slot ? has(card.dataset.safe, slot) : card.dataset.safe !== "";
    if (slot && !has(card.dataset.slots, slot)) return false;
    if (verdict && safe !== (verdict === "safe")) return false;
    return (!state || card.dataset.state === state) && isFound(card);
  }

  const isFound = (one) => one.dataset.find.includes(values().find);
  const values = () => ({
    find: find("find").value.trim().toLowerCase(),
    slot: find("slot").value, verdict: find("verdict").value, state: find("state").value,
  });

  function arrange() {
    const { slot, state } = values();
    cards.sort(orders[find("sort").value]).forEach((card) => grid.append(card));
    cards.forEach((card) => { card.hidden = !isWanted(card); });
    shown = cards.filter((card) => !card.hidden);
    failed.forEach((row) => { row.hidden = !isFound(row) || (state && row.dataset.state !== state); });
    if (section) section.hidden = failed.every((row) => row.hidden);
    bars.forEach((bar) => bar.setAttribute("aria-pressed", bar.dataset.slot === slot));
    show(slot);
    find("count").textContent = `${shown.length} of ${cards.length} posters`;
  }

  function show(slot) {
    const body = document.body.classList;
    body.toggle("no-zones", !find("zones").checked);
    body.toggle("with-elements", find("elements").checked);
    grid.classList.toggle("one-slot", slot !== "");
    grid.querySelectorAll(".zone").forEach((zone) => zone.classList.toggle("chosen", zone.dataset.slot === slot));
  }

  function enlarge(place) {
    open = (place + shown.length) % shown.length;
    const card = shown[open];
    big.replaceChildren(card.querySelector(".poster").cloneNode(true));
    about.replaceChildren(card.querySelector("template").content.cloneNode(true));
    about.scrollTop = 0;
    find("where").textContent = `${open + 1} of ${shown.length}`;
    about.querySelectorAll("tr[data-slot]").forEach(linked);
    if (!dialog.open) dialog.showModal();
  }

  function linked(row) {
    const zone = big.querySelector(`.zone[data-slot="${CSS.escape(row.dataset.slot)}"]`);
    const light = (on) => () => zone && zone.classList.toggle("lit", on);
    row.addEventListener("mouseenter", light(true));
    row.addEventListener("mouseleave", light(false));
    row.addEventListener("focus", light(true));
    row.addEventListener("blur", light(false));
  }

  controls.forEach((id) => find(id).addEventListener("input", arrange));
  document.querySelector(".tools").addEventListener("submit", (event) => event.preventDefault());
  bars.forEach((bar) => bar.addEventListener("click", () => {
    find("slot").value = bar.dataset.slot === find("slot").value ? "" : bar.dataset.slot;
    arrange();
  }));
  grid.addEventListener("click", (event) => {
    const button = event.target.closest(".open");
    if (button) enlarge(shown.indexOf(button.closest(".card")));
  });
  find("close").addEventListener("click", () => dialog.close());
  find("before").addEventListener("click", () => enlarge(open - 1));
  find("next").addEventListener("click", () => enlarge(open + 1));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => shown[open]?.querySelector(".open").focus());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") enlarge(open - 1);
    if (event.key === "ArrowRight") enlarge(open + 1);
  });
  find("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.style.colorScheme
      ? root.style.colorScheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.style.colorScheme = dark ? "light" : "dark";
  });
  arrange();
})();
