/** Chart of a report's cells for the page: a dot per sample, a line for the median. */

import { median } from "./protocol.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const ROW = 54;
const MOST_DOTS = 400;
const MARGIN = { left: 8, right: 8, top: 6, bottom: 34 };

/** Return nanoseconds as milliseconds with the significant digits alone. */
export function milliseconds(ns) {
  const value = ns / 1e6;
  return `${value >= 100 ? Math.round(value) : value.toPrecision(3)} ms`;
}

/** Return round numbers that divide 0..most into a few intervals. */
export function ticksTo(most, parts = 4) {
  const raw = most / parts;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
}

/** Return an evenly spaced subset of some numbers, of limited length. */
export function thinned(numbers, most = MOST_DOTS) {
  const stride = Math.max(1, numbers.length / most);
  return Array.from({ length: Math.min(most, numbers.length) }, (_, i) => numbers[Math.floor(i * stride)]);
}

/**
 * Draw the measured cells of a report into an element, replacing its contents.
 *
 * @param {HTMLElement} host
 * @param cells Cells of the report.
 */
export function draw(host, cells) {
  const rows = cells
    .filter(({ status }) => status === "measured")
    .map((cell) => ({ label: labelOf(cell), samples: cell.rounds_ns.flat() }));
  host.replaceChildren();
  if (!rows.length) {
    return;
  }
  const width = Math.max(280, host.clientWidth);
  const height = MARGIN.top + rows.length * ROW + MARGIN.bottom;
  // A few outliers would compress the rest: the axis ends just above the 98th percentile.
  const most = 1.1 * Math.max(...rows.map(({ samples }) => quantile(samples, 0.98)));
  const inner = width - MARGIN.left - MARGIN.right;
  const x = (ns) => MARGIN.left + Math.min(1, ns / most) * inner;
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", width, height });
  svg.append(element("title", {}, "Latency of every inference, in milliseconds"));
  axis(svg, most / 1e6, (value) => x(value * 1e6), height - MARGIN.bottom);
  rows.forEach((row, index) => strip(svg, row, MARGIN.top + index * ROW, x));
  host.append(svg);
}

/** Return a short name for a cell. */
export function labelOf({ subject, size }) {
  return `${subject.role} ${size.height}×${size.width} ${subject.precision} ${subject.target}`;
}

function quantile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

function axis(svg, most, x, bottom) {
  for (const tick of ticksTo(most)) {
    svg.append(element("line", { class: "grid", x1: x(tick), x2: x(tick), y1: 0, y2: bottom }));
    const anchor = tick === 0 ? "start" : "middle";
    const label = String(Number(tick.toPrecision(3)));
    svg.append(element("text", { class: "tick", x: x(tick), y: bottom + 16, "text-anchor": anchor }, label));
  }
  svg.append(element("text", { class: "tick", x: x(most), y: bottom + 30, "text-anchor": "end" }, "milliseconds"));
}

function strip(svg, { label, samples }, top, x) {
  const middle = median(samples);
  svg.append(element("text", { class: "label", x: MARGIN.left, y: top + 16 }, label));
  const end = { class: "value", x: x(Infinity), y: top + 16, "text-anchor": "end" };
  svg.append(element("text", end, milliseconds(middle)));
  thinned(samples).forEach((ns, index) => {
    const y = top + 27 + ((index * 7) % 17);
    svg.append(element("circle", { class: "dot", cx: x(ns), cy: y, r: 2.2 }));
  });
  const line = { class: "median", x1: x(middle), x2: x(middle), y1: top + 22, y2: top + 49 };
  svg.append(element("line", line));
}

function element(name, attributes, text) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  if (text !== undefined) {
    made.textContent = text;
  }
  return made;
}
