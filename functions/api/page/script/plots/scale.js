// Scales: from values to places, and the round numbers an axis shows.

const STEPS = [1, 2, 2.5, 5, 10];

/** 0 and round numbers up to the first that is not below `most`; about `many` of them. Whole ones, if asked. */
export function ticksTo(most, many = 4, whole = false) {
  const rough = Math.max(most, 1e-9) / many;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(power * STEPS.find((one) => one * power >= rough * 0.999), whole ? 1 : 0);
  const steps = whole ? Math.ceil(step) : step;
  const last = Math.max(1, Math.ceil(most / steps - 1e-9));
  return Array.from({ length: last + 1 }, (_, place) => Number((place * steps).toPrecision(6)));
}

/** Where a value stands between `from` and `to`. */
export const linear = (most, from, to) => (value) => from + ((to - from) * value) / most;
