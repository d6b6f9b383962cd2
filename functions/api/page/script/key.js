// The API key. sessionStorage dies with its tab; nothing else may hold the key: no URL, no localStorage, no log.

const PLACE = "piecework.key";
const WHY = "piecework.signed_out";

export const keptKey = () => sessionStorage.getItem(PLACE);
export const keepKey = (key) => sessionStorage.setItem(PLACE, key);

/** `why` is told by the form that follows. */
export function forgetKey(why) {
  sessionStorage.removeItem(PLACE);
  sessionStorage.setItem(WHY, why);
}

/** Told once. */
export function whySignedOut() {
  const why = sessionStorage.getItem(WHY) ?? "";
  sessionStorage.removeItem(WHY);
  return why;
}
