// One poster: its overlay in full, and what was found out of each zone.

import { h } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { moment, money, words } from "../format.js";
import { badge, block, facts, table } from "../parts.js";

export function openPoster(poster, pictures) {
  const { analysis } = poster;
  return openDrawer(poster.title ?? poster.content_id, (body) => {
    const image = h("img", { class: "overlay", alt: altOf(analysis.zones) });
    const shown = h("p", { class: "overlay-frame" }, image);
    body.append(shown, factsOf(poster), block("Zones", zonesOf(analysis.zones)), block("Found in the picture", elementsOf(analysis.elements)));
    pictures.into(image, poster).catch((problem) => shown.replaceChildren(h("span", { class: "error" }, problem.message)));
  });
}

const altOf = (zones) => `Overlay zones: ${zones.map((zone) => `${zone.slot} ${zone.safe ? "safe" : "not safe"}`).join(", ")}.`;

function factsOf({ content_id: id, url, score, analysis }) {
  return facts([
    ["content_id", h("code", {}, id)],
    ["Image", h("code", {}, url)],
    ["Size", `${analysis.image.width} × ${analysis.image.height}`],
    ["Score", score.toFixed(2)],
    ["Model", analysis.model],
    ["Cost", money(analysis.cost_usd)],
    ["Analysed", moment(analysis.created_at)],
  ]);
}

function zonesOf(zones) {
  const best = zones.toSorted((a, b) => b.safe - a.safe || b.score - a.score);
  return table(["Slot", "Safe", "Score", "Why"], best.map((zone) => [
    zone.slot, badge(zone.safe ? "safe" : "unsafe"), zone.score.toFixed(2), zone.reasons.map(words).join(", ") || "nothing in the way"]));
}

function elementsOf(elements) {
  if (!elements.length) return h("p", { class: "faint" }, "Nothing that an overlay could cover.");
  return table(["What", "Text", "Confidence"], elements.map((one) => [
    words(one.type), one.text ?? "", one.confidence == null ? "–" : one.confidence.toFixed(2)]));
}
