// A plot: an SVG with axes that fills its box, with a tooltip for the pointer and for the arrow keys, and a table of the same.

import { h, s, say } from "../dom.js";
import { tell } from "../notices.js";
import { linear, ticksTo } from "./scale.js";
import { Table } from "./table.js";

const MARGIN = { top: 10, right: 8, bottom: 22, left: 44 };

export class Plot {
  #data = null;
  #at = null;

  /** `kind`: {
   *   most(data), whole           the largest value, and whether only whole ones make sense
   *   value(number)               a value with its unit, for the axis
   *   columns(data)               [{label, title, lines: [{name, value, color}]}], from left to right
   *   draw(data, area)            SVG elements; area: {left, right, top, bottom, x(column), width, y(value)}
   *   summary(data)               one sentence
   *   marks                       show every n-th label
   * }
   */
  constructor(host, kind) {
    this.kind = kind;
    this.svg = s("svg", { "aria-hidden": "true" });
    this.tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    this.box = h("div", { class: "plot", tabindex: 0, role: "img" }, this.svg, this.tip);
    this.table = new Table();
    host.append(this.box, this.table.element);
    this.#listen();
    new ResizeObserver(() => this.#draw()).observe(this.box);
  }

  show(data) {
    this.#data = data;
    const hint = "Arrow keys go through it; a table follows.";
    this.box.setAttribute("aria-label", `${this.kind.summary(data)} ${hint}`);
    this.table.show(this.kind.columns(data));
    this.#draw();
  }

  #draw() {
    const width = this.box.clientWidth;
    const height = this.box.clientHeight;
    if (!this.#data || !width) return;
    const columns = this.kind.columns(this.#data);
    const ticks = ticksTo(this.kind.most(this.#data), height < 140 ? 2 : 4, this.kind.whole);
    const area = areaOf(width, height, columns.length, ticks.at(-1));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren(
      ...ticks.flatMap((tick) => gridLine(area, tick, this.kind.value(tick))),
      ...labels(area, columns, this.kind.marks),
      ...this.kind.draw(this.#data, area),
      ...(this.#at === null ? [] : [cursor(area, this.#at)]),
    );
    this.area = area;
    this.#tell(columns);
  }

  #listen() {
    this.box.addEventListener("pointermove", (event) => this.#point(event));
    this.box.addEventListener("pointerleave", () => this.#go(null));
    this.box.addEventListener("blur", () => this.#go(null));
    this.box.addEventListener("keydown", (event) => this.#key(event));
  }

  #point(event) {
    if (!this.area) return;
    const x = event.clientX - this.box.getBoundingClientRect().left;
    const place = Math.floor((x - this.area.left) / this.area.width);
    this.#go(Math.min(this.area.columns - 1, Math.max(0, place)));
  }

  #key(event) {
    const last = (this.area?.columns ?? 1) - 1;
    const at = this.#at ?? last + 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") this.#go(null);
    if (to === undefined) return;
    event.preventDefault();
    this.#go(Math.min(last, Math.max(0, to)));
    tell(this.tip.innerText.replaceAll("\n", " "));
  }

  #go(place) {
    if (place === this.#at) return;
    this.#at = place;
    this.#draw();
  }

  #tell(columns) {
    const column = this.#at === null ? null : columns[this.#at];
    this.tip.hidden = !column;
    if (!column) return;
    const known = column.lines.filter((line) => line.value !== "0" && line.value !== "–");
    this.tip.replaceChildren(h("b", {}, column.title), ...(known.length ? known.map(tipLine) : ["nothing ended"]));
    const x = this.area.x(this.#at);
    const behind = x > this.box.clientWidth / 2;
    this.tip.style.left = behind ? "" : `${x + this.area.width + 8}px`;
    this.tip.style.right = behind ? `${this.box.clientWidth - x + 8}px` : "";
  }
}

function areaOf(width, height, columns, most) {
  const [left, right, top, bottom] = [MARGIN.left, width - MARGIN.right, MARGIN.top, height - MARGIN.bottom];
  const step = (right - left) / columns;
  return { left, right, top, bottom, columns, width: step, x: (place) => left + place * step, y: linear(most, bottom, top) };
}

function gridLine(area, tick, text) {
  const y = Math.round(area.y(tick)) + 0.5;
  return [
    s("line", { class: tick ? "grid-line" : "axis-line", x1: area.left, x2: area.right, y1: y, y2: y }),
    s("text", { class: "axis", x: area.left - 6, y: y + 3.5, "text-anchor": "end" }, text),
  ];
}

/** Every n-th column's label, fewer where they would touch. */
function labels(area, columns, every) {
  const room = Math.max(1, Math.ceil(48 / (area.width * every))) * every;
  return columns.flatMap((column, place) =>
    (columns.length - 1 - place) % room || !column.label ? [] : [label(area, column.label, place)]);
}

function label(area, text, place) {
  const x = area.x(place) + area.width / 2;
  const last = x > area.right - 16;
  return s("text", { class: "axis", x: last ? area.right : x, y: area.bottom + 15, "text-anchor": last ? "end" : "middle" }, text);
}

function cursor(area, place) {
  return s("rect", { class: "cursor", x: area.x(place), y: area.top, width: area.width, height: area.bottom - area.top });
}

function tipLine({ name, value, color }) {
  const swatch = h("i", { class: `swatch ${color ?? ""}` });
  return h("span", {}, swatch, `${name} `, h("b", {}, value));
}

/** What the colours mean. `entries`: [{name, color}]; `show(values)` puts a figure behind each. */
export class Legend {
  constructor(host, entries) {
    this.values = entries.map(() => h("b", {}));
    host.append(h("ul", { class: "legend" }, entries.map(({ name, color }, place) =>
      h("li", {}, h("i", { class: `swatch ${color}` }), `${name} `, this.values[place]))));
  }

  show(values) {
    values.forEach((value, place) => say(this.values[place], value));
  }
}
