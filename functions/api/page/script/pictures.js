// Pictures that need the key: fetched, and shown as images from blob URLs. An <img> runs no script, whatever the SVG holds.

const MOST_WAIT_SECONDS = 30;
const REVOKE_SECONDS = 30;

export class Pictures {
  #urls = new Map();
  #turn = Promise.resolve();

  constructor(api) {
    this.api = api;
  }

  /** The overlay of a poster; one after the other, so that a gallery does not use up the minute's requests at once. */
  async into(image, poster) {
    const id = poster.analysis.item_id;
    if (!this.#urls.has(id)) this.#urls.set(id, this.#queued(`/v3/posters/${encodePath(poster.content_id)}/overlay.svg`));
    try {
      const url = await this.#urls.get(id);
      // It may have been forgotten meanwhile.
      if (this.#urls.has(id)) image.src = url;
    } catch (problem) {
      this.#urls.delete(id);
      throw problem;
    }
  }

  /** Forget the pictures of all others. */
  keepOnly(ids) {
    for (const [id, url] of this.#urls) {
      if (ids.includes(id)) continue;
      this.#urls.delete(id);
      url.then(revokeLater, () => {});
    }
  }

  #queued(path) {
    const picture = this.#turn.then(() => this.#fetched(path));
    this.#turn = picture.catch(() => {});
    return picture;
  }

  async #fetched(path) {
    try {
      return URL.createObjectURL(await this.api.blob(path));
    } catch (problem) {
      if (problem.status !== 429 || problem.retryAfter > MOST_WAIT_SECONDS) throw problem;
      await new Promise((resolve) => setTimeout(resolve, problem.retryAfter * 1000));
      return URL.createObjectURL(await this.api.blob(path));
    }
  }
}

/** An <img> may be about to read it. */
const revokeLater = (url) => setTimeout(() => URL.revokeObjectURL(url), REVOKE_SECONDS * 1000);

/** A content_id may hold slashes, which stay. */
const encodePath = (id) => id.split("/").map(encodeURIComponent).join("/");
