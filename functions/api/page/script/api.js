// The API over HTTP: JSON in and out, and what goes wrong as a Problem that says what to do.

const MOST_SILENT_SECONDS = 30;

export class Problem extends Error {
  /** `status` 0: no answer came. `retryAfter`: seconds, or null. */
  constructor(status, detail, retryAfter = null) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export class Api {
  /** `onRefused` is told when the key is not known any more. */
  constructor(key, onRefused = () => {}) {
    this.key = key;
    this.onRefused = onRefused;
    /** What is left of the bucket that most requests take from; null before the first answer. */
    this.left = null;
  }

  async get(path, query = {}) {
    return (await this.#ask("GET", path + queryOf(query))).json();
  }

  async post(path, body, headers = {}) {
    return (await this.#ask("POST", path, body, headers)).json();
  }

  async blob(path) {
    return (await this.#ask("GET", path)).blob();
  }

  async #ask(method, path, body, headers = {}) {
    const answer = await reach(path, {
      method,
      headers: { Authorization: `Bearer ${this.key}`, ...(body && { "Content-Type": "application/json" }), ...headers },
      body: body && JSON.stringify(body),
      // What a key may see is not left behind in the browser's cache.
      cache: "no-store",
    });
    this.left = leftOf(answer.headers.get("RateLimit")) ?? this.left;
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (problem.status === 401) this.onRefused(problem);
    throw problem;
  }
}

/** What needs no key. A 503 of it is an answer, too. */
export async function health() {
  const answer = await reach("/health", { cache: "no-store" });
  if (answer.ok || answer.status === 503) return answer.json();
  throw await problemOf(answer);
}

/** The whole answer. It may take as long as something of it comes: results are large, and lines slow. */
async function reach(path, options) {
  const silence = new AbortController();
  let timer;
  const listen = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), MOST_SILENT_SECONDS * 1000);
  };
  try {
    listen();
    const answer = await fetch(path, { ...options, signal: silence.signal });
    return new Response(new Blob(await partsOf(answer.body, listen)), answer);
  } catch {
    if (!silence.signal.aborted) throw new Problem(0, "Piecework cannot be reached.");
    throw new Problem(0, `Piecework was silent for ${MOST_SILENT_SECONDS} s.`);
  } finally {
    clearTimeout(timer);
  }
}

/** A stream to its end; `heard()` is called at each part. */
async function partsOf(stream, heard) {
  const parts = [];
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    heard();
    parts.push(next.value);
  }
  return parts;
}

async function problemOf(answer) {
  const told = await answer.json().catch(() => ({}));
  const wait = Number(answer.headers.get("Retry-After"));
  return new Problem(answer.status, told.detail ?? `The answer was ${answer.status}.`, wait > 0 ? wait : null);
}

/** r of `"all";r=57;t=3`; the other buckets are those of single endpoints. */
export function leftOf(header) {
  const found = /^"all";r=(\d+)/.exec(header ?? "");
  return found ? Number(found[1]) : null;
}

function queryOf(query) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value != null);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
