// All of the loss of a network with two weights, from above, and a ball that rolls in it. Python's SGD
// has gone the ways that the page starts with; where the reader sets something, `roll` takes the steps.

import { announcer, button, decimal, element, pen, slider } from "./parts.js";

let node; // makes a part of a drawing
const SIZE = 340;

// The mean squared error of second · tanh(first · x), and its slope along either weight.
export function lossAndSlope({ inputs, targets }, [first, second]) {
  let [loss, alongFirst, alongSecond] = [0, 0, 0];
  inputs.forEach((x, i) => {
    const bent = Math.tanh(first * x);
    const error = second * bent - targets[i];
    loss += error ** 2 / inputs.length;
    alongFirst += (2 * error * second * (1 - bent ** 2) * x) / inputs.length;
    alongSecond += (2 * error * bent) / inputs.length;
  });
  return { loss, slope: [alongFirst, alongSecond] };
}

// The places, from the start on: those of lmcourse.optimization.SGD.
export function roll(data, { rate, momentum, start }) {
  const velocity = [0, 0];
  const path = [start];
  for (let n = 0; n < data.n_steps; n++) {
    const { slope } = lossAndSlope(data, path.at(-1));
    path.push(
      path.at(-1).map((weight, i) => {
        velocity[i] = momentum * velocity[i] + slope[i];
        return weight - rate * velocity[i];
      }),
    );
  }
  return path;
}

// data: inputs, targets, span, edges, levels (rows go up), n_steps; ways: { name, rate, momentum,
// start, path }.
export function mount(figure, data) {
  node = pen(figure);
  const rules = {};
  const map = element("div", { "aria-hidden": "true" });
  const ground = shades(data); // drawn once, since it never changes
  const controls = element("div", { class: "lm-controls" });
  const { place: said, say } = announcer();
  let path = [];

  function show() {
    const gone = path.slice(0, rules.n + 1);
    map.replaceChildren(drawing(data, ground, gone));
    const at = gone.at(-1);
    const { loss, slope } = lossAndSlope(data, at);
    const place = `The ball is at ${decimal(at[0])}, ${decimal(at[1])}`;
    say(`${place} after ${rules.n} steps. The loss is ${tell(loss)}, the slope ${tell(Math.hypot(...slope))}.${out(data, at)}`);
  }

  function set(name, value) {
    rules[name] = value;
    if (name !== "n") {
      ways.forEach((each) => each.setAttribute("aria-pressed", false));
      path = roll(data, rules);
    }
    show();
  }

  function open(index) {
    const { rate, momentum, start } = data.ways[index];
    Object.assign(rules, { rate, momentum, start, n: data.n_steps });
    path = data.ways[index].path;
    const { span } = data;
    const place = (name, i) =>
      slider(name, { min: -span, max: span, step: 0.1, value: start[i] }, (x) => decimal(x, 1), (x) =>
        set("start", rules.start.map((old, other) => (other === i ? x : old))),
      );
    controls.replaceChildren(
      slider("learning rate", { min: -3, max: 1, step: 0.05, value: Math.log10(rate) }, (x) => tell(10 ** x), (x) => set("rate", 10 ** x)),
      slider("momentum", { min: 0, max: 0.99, step: 0.01, value: momentum }, (x) => x.toFixed(2), (x) => set("momentum", x)),
      place("start, first weight", 0),
      place("start, second weight", 1),
      slider("steps", { min: 0, max: data.n_steps, step: 1, value: data.n_steps }, String, (x) => set("n", x)),
    );
    ways.forEach((each, other) => each.setAttribute("aria-pressed", other === index));
    show();
  }

  const ways = data.ways.map(({ name }, index) => button(name, () => open(index)));
  figure.append(element("div", { class: "lm-controls" }, ...ways), controls, map, said);
  open(0);
}

// A number of any size, short: 1.2e−5, 0.25, 31.
export function tell(number) {
  if (!Number.isFinite(number)) return "no number";
  return number !== 0 && (number >= 1000 || number < 0.001) ? number.toExponential(1).replace("-", "−") : String(Number(number.toPrecision(2)));
}

const out = ({ span }, at) => (at.every((x) => Math.abs(x) <= span) ? "" : " It has left the map.");

// The map: in each row one rectangle for each run of squares with one shade, the higher the darker.
function shades({ levels, edges }) {
  const side = SIZE / levels.length;
  const made = [];
  levels.forEach((row, up) => {
    for (let begin = 0, end; begin < row.length; begin = end) {
      for (end = begin + 1; end < row.length && row[end] === row[begin]; ) end++;
      made.push(
        node("rect", {
          x: begin * side, y: SIZE - (up + 1) * side, width: (end - begin) * side, height: side,
          class: "lm-height", "fill-opacity": (0.75 * row[begin]) / edges.length,
        }),
      );
    }
  });
  return node("g", {}, ...made);
}

function drawing({ span }, ground, path) {
  // Beyond a few widths of the map it does not matter where.
  const pixel = (x) => Math.min(4 * SIZE, Math.max(-3 * SIZE, ((x + span) / (2 * span)) * SIZE));
  const points = path.filter((at) => at.every(Number.isFinite)).map(([x, y]) => [pixel(x), SIZE - pixel(y)]);
  const line = node("polyline", { points: points.map((each) => each.join(",")).join(" "), class: "lm-path" });
  const dots = points.slice(0, -1).map(([cx, cy]) => node("circle", { cx, cy, r: 2, class: "lm-step" }));
  const [cx, cy] = points.at(-1);
  const ball = node("circle", { cx, cy, r: 7, class: "lm-ball" });
  return node("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, class: "lm-landscape" }, ground, line, ...dots, ball);
}
