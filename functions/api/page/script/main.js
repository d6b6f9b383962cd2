// The dashboard: a key, then one question every few seconds, and its answer on the page.
//
// key -> GET /v3/monitoring/dashboard -> every panel shows its part; a panel asks for more only when that part has changed.

import { Api } from "./api.js";
import { setClock } from "./clock.js";
import { byId, say, show } from "./dom.js";
import { refreshDrawer } from "./drawer.js";
import { duration } from "./format.js";
import { Freshness } from "./freshness.js";
import { forgetKey, keptKey, whySignedOut } from "./key.js";
import { Batches } from "./panels/batches.js";
import { Blocked } from "./panels/blocked.js";
import { Breakers } from "./panels/breakers.js";
import { Costs } from "./panels/costs.js";
import { DeadLetters } from "./panels/dead_letters.js";
import { Health } from "./panels/health.js";
import { Latency } from "./panels/latency.js";
import { Posters } from "./panels/posters.js";
import { Quotas } from "./panels/quotas.js";
import { Reasons } from "./panels/reasons.js";
import { Throughput } from "./panels/throughput.js";
import { Totals } from "./panels/totals.js";
import { Poll } from "./poll.js";
import { askForKey } from "./sign_in.js";
import { openBatch } from "./views/batch.js";
import { openHealth } from "./views/health.js";
import { openItem } from "./views/item.js";
import { openPoster } from "./views/poster.js";
import { search } from "./views/search.js";
import { openSubmit } from "./views/submit.js";

const SECONDS = { page: 3, health: 15, blocked: 30 };

function start(key) {
  const api = new Api(key, (problem) => signOut(problem.message));
  const page = { api, latest: null, refresh: () => poll.now(), openBatch: (id) => openBatch(id, page) };
  const freshness = new Freshness(byId("freshness"));
  const panels = panelsOf(page);
  const health = new Health(byId("health"), openHealth);
  const poll = new Poll(() => ask(page, freshness, panels), SECONDS.page, {
    left: () => api.left,
    onTrouble: (problem, pause) => freshness.lost(problem, pause),
  });
  listen(page);
  show(byId("board"), true);
  poll.now();
  new Poll(() => health.ask(), SECONDS.health).now();
  new Poll(() => askForBlocked(page, panels.blocked), SECONDS.blocked).now();
}

async function ask(page, freshness, panels) {
  const answer = await page.api.get("/v3/monitoring/dashboard");
  page.latest = answer;
  setClock(answer.at);
  freshness.fresh(answer.at);
  for (const panel of panels.drawn) panel.show(answer);
  say(byId("instance"), `${scopeOf(answer)} · answered by ${answer.instance.id}, up ${duration(answer.instance.uptime_seconds)}`);
  refreshDrawer();
}

/** Ordinary keys may not ask; whose key it is, the first answer tells. */
async function askForBlocked(page, panel) {
  if (page.latest?.scope === "all") await panel.ask();
}

const scopeOf = ({ scope }) => (scope === "all" ? "Operator's key: everybody's items" : "Your items");

function panelsOf(page) {
  const { api, refresh } = page;
  const letters = new DeadLetters(byId("dead"), { api, refresh, open: (id) => openItem(id, page) });
  return {
    blocked: new Blocked(byId("blocked"), api),
    drawn: [
      new Totals(byId("totals")),
      new Throughput(byId("throughput")),
      new Latency(byId("latency")),
      new Batches(byId("batches"), { api, refresh, open: page.openBatch }),
      new Quotas(byId("quotas")),
      new Breakers(byId("breakers")),
      letters,
      new Reasons(byId("reasons"), (reason) => letters.pick(reason)),
      new Costs(byId("costs")),
      new Posters(byId("posters"), { api, open: openPoster }),
    ],
  };
}

function listen(page) {
  byId("submit").addEventListener("click", () => openSubmit(page));
  byId("sign-out").addEventListener("click", () => signOut());
  byId("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const words = byId("search").value.trim();
    if (words) search(words, page);
    else byId("search").focus();
  });
}

/** The page is loaded anew, so that nothing of what the key has shown stays in memory. */
function signOut(why = "") {
  forgetKey(why);
  location.reload();
}

const key = keptKey();
if (key) start(key);
else askForKey(start, whySignedOut());
