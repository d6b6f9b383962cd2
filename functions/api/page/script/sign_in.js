// Signing in: a key is tried before it is kept.

import { Api } from "./api.js";
import { byId, say, show } from "./dom.js";
import { keepKey } from "./key.js";

const DASHBOARD = "/v3/monitoring/dashboard";

/** Shows the form; `enter()` follows once a key is good. */
export function askForKey(enter, why = "") {
  show(byId("board"), false);
  show(byId("sign-in"), true);
  say(byId("key-error"), why);
  byId("key").focus();
  byId("sign-in-form").onsubmit = (event) => {
    event.preventDefault();
    tryKey(byId("key").value.trim(), enter);
  };
}

async function tryKey(key, enter) {
  const field = byId("key");
  const problem = await problemWith(key);
  // Pressed twice: the first that was good has let them in.
  if (byId("sign-in").hidden) return null;
  say(byId("key-error"), problem ?? "");
  field.toggleAttribute("aria-invalid", Boolean(problem));
  if (problem) return field.select();
  field.value = "";
  keepKey(key);
  show(byId("sign-in"), false);
  return enter(key);
}

/** What to do about it, or null. */
async function problemWith(key) {
  if (!key) return "Enter your API key; it begins with pw_.";
  // A header can carry nothing else, and no key of ours has it.
  if (/[^\x21-\x7e]/.test(key)) return "That is no API key: it has spaces or special letters in it.";
  try {
    await new Api(key).get(DASHBOARD);
    return null;
  } catch (problem) {
    if (problem.status === 401) return "This key is not known, or it was revoked. Check it, or ask for a new one.";
    return problem.message;
  }
}
