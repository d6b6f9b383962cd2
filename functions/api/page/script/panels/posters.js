// Posters: the newest analyses as pictures, safe zones in green.

import { byId, h, Rows, say } from "../dom.js";
import { tell } from "../notices.js";
import { Pictures } from "../pictures.js";

const SHOWN = 16;
const EMPTY = "No posters analysed yet. Submit some to the function poster, or: piecework import posters FILE, piecework analyze-posters";

export class Posters {
  #seen = null;
  #turn = 0;

  constructor(list, { api, open }) {
    this.api = api;
    this.pictures = new Pictures(api);
    this.rows = new Rows(list, (poster) => poster.analysis.item_id, (poster) => new PosterCard(poster, this.pictures, open), EMPTY);
  }

  /** Asked for only when posters have ended since. */
  async show({ items }) {
    const seen = JSON.stringify(items.by_function.poster?.done ?? 0);
    if (seen === this.#seen) return;
    this.#seen = seen;
    const turn = (this.#turn += 1);
    try {
      const { posters } = await this.api.get("/v3/posters", { limit: SHOWN });
      // Another question was asked meanwhile: its answer counts.
      if (turn !== this.#turn) return;
      this.rows.show(posters);
      this.pictures.keepOnly(posters.map((poster) => poster.analysis.item_id));
      say(byId("posters-unit"), posters.length ? `the ${posters.length} newest · green: an overlay may go there` : "");
    } catch {
      this.#seen = null;
    }
  }
}

class PosterCard {
  constructor(poster, pictures, open) {
    const name = poster.title ?? poster.content_id;
    const safe = poster.analysis.zones.filter((zone) => zone.safe).length;
    const image = h("img", { alt: "", width: 150, height: 225, decoding: "async" });
    const under = `${safe} of ${poster.analysis.zones.length} safe · ${poster.content_id}`;
    this.element = h("li", {}, h("button", { type: "button", class: "poster", "aria-haspopup": "dialog",
      "aria-label": `${name}: ${under}`, title: `${name}, ${under}`, onclick: () => open(poster, pictures) },
    h("span", { class: "frame" }, image), h("b", {}, name), h("span", { class: "faint" }, under)));
    pictures.into(image, poster).catch((problem) => tell(problem.message));
  }
}
