// A threshold that the reader moves: which texts a classifier flags, how many of these are right,
// and how many it misses. Python gives the scores; what follows from a threshold is counted here.

import { announcer, bars, element, pen, percent, scrolling, slider } from "./parts.js";

const WIDTH = 480; // of the drawing, and the heights of its two bands of dots
const BAND = 70;
const EDGE = 12;

// data: scores (N numbers from 0 to 1), targets (N, 1 is what is looked for), names (of 0 and of
// 1), threshold, and counts and measures there as Python computed them.
export function mount(figure, data) {
  const drawing = element("div", {});
  const table = scrolling("confusion matrix");
  const measures = element("div", { class: "lm-measures" });
  const { place: said, say } = announcer();
  const svg = pen(figure);

  function show(threshold, counts, values) {
    drawing.replaceChildren(dots(data, threshold, svg));
    table.replaceChildren(matrix(data.names, counts));
    measures.replaceChildren(bars("measures", Object.entries(values).map(([name, share]) => ({ name, share }))));
    const [[, alarms], [missed, hits]] = counts;
    say(
      `At ${threshold.toFixed(2)}: ${hits} found, ${missed} missed, ${alarms} false alarms. ` +
        `Precision ${percent(values.precision)}, recall ${percent(values.recall)}.`,
    );
  }

  const hundredths = (value) => value.toFixed(2);
  const range = { min: 0.01, max: 0.99, step: 0.01, value: data.threshold };
  figure.append(
    element(
      "div",
      { class: "lm-controls" },
      slider("threshold", range, hundredths, (threshold) => {
        const counts = count(data, threshold);
        show(threshold, counts, measure(counts));
      }),
    ),
    drawing,
    table,
    measures,
    said,
  );
  show(data.threshold, data.counts, data.measures);
}

// Rows are what a text is, columns what is said of it; 1 is said from the threshold on.
export function count({ scores, targets }, threshold) {
  const counts = [[0, 0], [0, 0]];
  scores.forEach((score, index) => (counts[targets[index]][score >= threshold ? 1 : 0] += 1));
  return counts;
}

export function measure([[passed, alarms], [missed, hits]]) {
  const precision = hits / Math.max(1, hits + alarms);
  const recall = hits / Math.max(1, hits + missed);
  return {
    accuracy: (hits + passed) / (hits + passed + alarms + missed),
    precision,
    recall,
    F1: hits ? (2 * precision * recall) / (precision + recall) : 0,
  };
}

function matrix(names, counts) {
  const head = ["in truth", ...names.map((name) => `said: ${name}`)];
  const body = counts.map((row, index) =>
    element("tr", {}, element("th", { scope: "row" }, names[index]), ...row.map((n) => element("td", {}, String(n)))),
  );
  return element(
    "table",
    { class: "lm-table lm-matrix" },
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...body),
  );
}

// Each text is a dot at its score: what is looked for above, the rest below. Dots that are flagged
// are full.
function dots({ scores, targets, names }, threshold, svg) {
  const place = (score) => EDGE + score * (WIDTH - 2 * EDGE);
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${2 * BAND + 44}`, class: "lm-dots", "aria-hidden": "true" });
  scores.forEach((score, index) => {
    const top = targets[index] ? 18 : BAND + 36;
    const height = ((index * 0.618) % 1) * (BAND - 12); // spread, and always alike
    const kind = targets[index] ? "lm-dot lm-dot-wanted" : "lm-dot";
    const open = score >= threshold ? "" : " lm-dot-open";
    drawn.append(svg("circle", { cx: place(score), cy: top + 6 + height, r: 3, class: kind + open }));
  });
  const line = { x1: place(threshold), x2: place(threshold), y1: 4, y2: 2 * BAND + 40, class: "lm-dots-line" };
  drawn.append(svg("line", line));
  names.forEach((name, index) => {
    const label = svg("text", { x: WIDTH - EDGE, y: index ? 14 : BAND + 32, "text-anchor": "end", class: "lm-dots-name" });
    label.append(name);
    drawn.append(label);
  });
  return drawn;
}
