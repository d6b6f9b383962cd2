// Stacked columns: parts of a whole over time.

import { s } from "../dom.js";

/** `stacks`: one list of {value, color} a column, from the bottom up. `open`: the last column is not over yet. */
export function stacked(stacks, area, { open = false } = {}) {
  const gap = Math.min(2, area.width * 0.2);
  return stacks.flatMap((parts, place) => {
    const unfinished = open && place === stacks.length - 1;
    return column(parts, area, area.x(place) + gap / 2, area.width - gap, unfinished);
  });
}

function column(parts, area, x, width, unfinished) {
  let below = 0;
  return parts.filter((part) => part.value > 0).map((part) => {
    const top = area.y(below + part.value);
    const height = Math.max(0.5, area.y(below) - top);
    below += part.value;
    return s("rect", { class: `fill ${part.color}${unfinished ? " unfinished" : ""}`, x, y: top, width, height });
  });
}
