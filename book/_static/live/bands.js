// How likely two texts are compared when their signatures are cut into bands. Python gives the
// curve that the page starts with; what follows from the reader's bands and rows is computed here.

import { announcer, element, pen, percent, slider } from "./parts.js";

const [WIDTH, HEIGHT] = [480, 230];
const [LEFT, RIGHT, TOP, BELOW] = [48, 12, 10, 42];

// 1 − (1 − s^r)^b: at least one of b bands agrees in all of its r numbers.
export const chance = (similarity, bands, rows) => 1 - (1 - similarity ** rows) ** bands;

export const curve = (bands, rows, n) => Array.from({ length: n + 1 }, (_, i) => chance(i / n, bands, rows));

// data: bands, rows, most (of both), similarity, chances (of the similarities from 0 to 1).
export function mount(figure, data) {
  const node = pen(figure);
  const now = { bands: data.bands, rows: data.rows, similarity: data.similarity };
  const drawing = element("div", { "aria-hidden": "true" });
  const { place: said, say } = announcer();

  function show(chances) {
    const share = chance(now.similarity, now.bands, now.rows);
    drawing.replaceChildren(plot(node, chances, now.similarity, share));
    say(
      `Signatures of ${now.bands * now.rows} numbers. Of pairs with a similarity of ` +
        `${now.similarity.toFixed(2)}, ${percent(share)} are compared.`,
    );
  }

  function set(name, value) {
    now[name] = value;
    show(curve(now.bands, now.rows, data.chances.length - 1));
  }

  const whole = (name, label) =>
    slider(label, { min: 1, max: data.most[name], step: 1, value: now[name] }, String, (n) => set(name, n));
  const range = { min: 0, max: 1, step: 0.01, value: now.similarity };
  figure.append(
    element(
      "div",
      { class: "lm-controls" },
      whole("bands", "bands"),
      whole("rows", "rows in a band"),
      slider("similarity", range, (s) => s.toFixed(2), (s) => set("similarity", s)),
    ),
    drawing,
    said,
  );
  show(data.chances);
}

// The curve, and the pair whose chance is told.
function plot(node, chances, similarity, share) {
  const across = (s) => LEFT + s * (WIDTH - LEFT - RIGHT);
  const up = (p) => HEIGHT - BELOW - p * (HEIGHT - TOP - BELOW);
  const text = (x, y, anchor, words) => {
    const made = node("text", { x, y, "text-anchor": anchor, class: "lm-axis" });
    made.append(words);
    return made;
  };
  const points = chances.map((p, i) => `${across(i / (chances.length - 1))},${up(p)}`).join(" ");
  const levels = [0, 0.5, 1].flatMap((p) => [
    node("path", { d: `M${LEFT} ${up(p)} H${WIDTH - RIGHT}`, class: "lm-ring" }),
    text(LEFT - 6, up(p) + 4, "end", percent(p).replace(".0", "")),
  ]);
  const marks = [0, 0.5, 1].map((s) => text(across(s), HEIGHT - BELOW + 16, "middle", String(s)));
  const [x, y] = [across(similarity), up(share)];
  return node(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "lm-descent" },
    ...levels,
    ...marks,
    text(across(0.5), HEIGHT - 8, "middle", "similarity"),
    node("path", { d: `M${x} ${up(0)} V${y} H${LEFT}`, class: "lm-ring" }),
    node("polyline", { points, class: "lm-path" }),
    node("circle", { cx: x, cy: y, r: 4, class: "lm-step" }),
  );
}
