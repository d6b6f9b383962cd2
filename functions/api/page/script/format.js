// Numbers, money and times as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const hourAndMinute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const toTheSecond = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dayAndTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const dayAndMonth = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

export const count = (value) => whole.format(value);
export const number = (value) => oneDigit.format(value);
export const compact = (value) => (value < 10_000 ? whole.format(value) : short.format(value));
export const clock = (moment) => hourAndMinute.format(new Date(moment));
export const timeOfDay = (value) => toTheSecond.format(new Date(value));
export const moment = (value) => (value ? dayAndTime.format(new Date(value)) : "–");
export const day = (value) => dayAndMonth.format(new Date(value));
export const words = (value) => String(value).replaceAll("_", " ");
export const brief = (id) => id.slice(-8);
export const plural = (value, word, words = `${word}s`) => `${count(value)} ${value === 1 ? word : words}`;

/** US dollars: an item costs hundredths of a cent, a month thousands. */
export function money(usd) {
  if (usd === 0) return "$0";
  if (usd < 0.0001) return "< $0.0001";
  if (usd < 0.1) return `$${usd.toFixed(4)}`;
  return usd < 1000 ? `$${usd.toFixed(2)}` : `$${short.format(usd)}`;
}

/** In one unit, as short as an axis needs it. */
export function onAxis(seconds) {
  if (seconds === 0) return "0";
  if (seconds < 1) return `${oneDigit.format(seconds * 1000)} ms`;
  return seconds < 600 ? `${oneDigit.format(seconds)} s` : `${oneDigit.format(seconds / 60)} min`;
}

export function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${oneDigit.format(seconds)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return pair(seconds, 60, "min", "s");
  if (seconds < 86_400) return pair(seconds / 60, 60, "h", "min");
  return pair(seconds / 3600, 24, "d", "h");
}

/** "2 min 5 s": `value` in the smaller unit, of which `many` make the larger. */
function pair(value, many, large, small) {
  const rounded = Math.round(value);
  const rest = rounded % many;
  return `${Math.floor(rounded / many)} ${large}${rest ? ` ${rest} ${small}` : ""}`;
}

export function percent(part, all) {
  if (!all) return "0 %";
  const share = (part / all) * 100;
  // Only what is whole is 100 %.
  return `${part < all ? Math.min(99, Math.round(share)) : 100} %`;
}

export function pretty(value) {
  return JSON.stringify(value, null, 2);
}
