/** Chart of a report's cells for the page: a dot per sample, a line for the median. */

import { median } from "./protocol.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const ROW = 54;
const MOST_DOTS = 400;
// Largest ratio of medians for which an axis that begins at 0 shows them all.
const FAR_APART = 12;
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

/** Return the value up to which samples are drawn: Tukey's upper fence, or the largest below it. */
export function upperEnd(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return Math.min(sorted.at(-1), at(0.75) + 1.5 * (at(0.75) - at(0.25)));
}

/**
 * Return the scale of a chart from nanoseconds to 0..1, which outliers do not compress.
 *
 * It begins at 0, or is logarithmic where the medians are so far apart that the shortest would be
 * drawn at the edge.
 *
 * @param {number[][]} rows Samples of each row in ns.
 * @returns {{share: (ns: number) => number, most: number, ticks: number[], logarithmic: boolean}}
 *   `most` is the end of the axis in ns; ticks in ms.
 */
export function scaleOf(rows) {
  const medians = rows.map(median);
  const most = 1.1 * Math.max(...rows.map(upperEnd));
  const logarithmic = Math.max(...medians) > FAR_APART * Math.min(...medians);
  if (!logarithmic) {
    return { share: (ns) => Math.min(1, ns / most), most, ticks: ticksTo(most / 1e6), logarithmic };
  }
  const least = 0.8 * Math.min(...rows.map((samples) => Math.min(...samples)));
  const share = (ns) => Math.min(1, Math.log(ns / least) / Math.log(most / least));
  return { share, most, ticks: powersBetween(least / 1e6, most / 1e6), logarithmic };
}

function powersBetween(least, most) {
  const first = Math.floor(Math.log10(least));
  const count = Math.ceil(Math.log10(most)) - first + 1;
  const powers = Array.from({ length: count }, (_, index) => 10 ** (first + index));
  const steps = Math.log10(most / least) > 2.5 ? [1] : [1, 2, 5];
  return powers.flatMap((power) => steps.map((step) => step * power))
    .filter((tick) => tick >= least && tick <= most);
}

/**
 * Draw the measured cells of a report into an element, replacing its contents.
 *
 * @param {HTMLElement} host
 * @param cells Cells of the report.
 * @param {string[]} names Name of each cell.
 */
export function draw(host, cells, names) {
  const rows = cells
    .map(({ status, rounds_ns: rounds }, index) => ({ status, label: names[index], samples: rounds?.flat() }))
    .filter(({ status }) => status === "measured");
  host.replaceChildren();
  if (!rows.length) {
    return;
  }
  const width = Math.max(280, host.clientWidth);
  const height = MARGIN.top + rows.length * ROW + MARGIN.bottom;
  const scale = scaleOf(rows.map(({ samples }) => samples));
  const inner = width - MARGIN.left - MARGIN.right;
  const x = (ns) => MARGIN.left + scale.share(ns) * inner;
  const svg = element("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "img", width, height,
    "aria-label": "Latency of every inference in milliseconds; the figures are in the table below",
  });
  axis(svg, scale, x, height - MARGIN.bottom);
  rows.forEach((row, index) => strip(svg, row, MARGIN.top + index * ROW, x, scale.most));
  host.append(svg);
}

function axis(svg, { ticks, most, logarithmic }, x, bottom) {
  for (const tick of ticks) {
    const at = x(tick * 1e6);
    svg.append(element("line", { class: "grid", x1: at, x2: at, y1: 0, y2: bottom }));
    const anchor = tick === 0 ? "start" : "middle";
    const label = String(Number(tick.toPrecision(3)));
    svg.append(element("text", { class: "tick", x: at, y: bottom + 16, "text-anchor": anchor }, label));
  }
  const unit = logarithmic ? "milliseconds, logarithmic" : "milliseconds";
  svg.append(element("text", { class: "tick", x: x(most), y: bottom + 30, "text-anchor": "end" }, unit));
}

function strip(svg, { label, samples }, top, x, most) {
  const middle = median(samples);
  const beyond = samples.filter((ns) => ns > most);
  const slower = beyond.length
    ? `${beyond.length} slower, up to ${milliseconds(Math.max(...beyond))};  `
    : "";
  const right = { y: top + 16, "text-anchor": "end", x: x(Infinity) };
  const value = element("text", { ...right, class: "value" });
  value.append(element("tspan", { class: "beyond" }, slower), element("tspan", {}, milliseconds(middle)));
  svg.append(element("text", { class: "label", x: MARGIN.left, y: top + 16 }, label), value);
  thinned(samples).forEach((ns, index) => {
    const y = top + 27 + ((index * 7) % 17);
    svg.append(element("circle", { class: ns > most ? "dot out" : "dot", cx: x(ns), cy: y, r: 2.2 }));
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
