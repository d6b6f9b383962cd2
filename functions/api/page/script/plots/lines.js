// Lines with gaps where nothing is known; a value that stands alone is a dot.

import { s } from "../dom.js";

export function line(values, color, area) {
  const points = values.map((value, place) => (value === null ? null : [area.x(place) + area.width / 2, area.y(value)]));
  return pieces(points).map((piece) => (piece.length > 1 ? path(piece, color) : dot(piece[0], color)));
}

function pieces(points) {
  const found = [];
  points.forEach((point, place) => {
    if (!point) return;
    if (place && points[place - 1]) found.at(-1).push(point);
    else found.push([point]);
  });
  return found;
}

const path = (points, color) => s("polyline", { class: `line ${color}`, points: points.map((point) => point.join()).join(" ") });
const dot = ([cx, cy], color) => s("circle", { class: `dot ${color}`, cx, cy, r: 2.5 });
