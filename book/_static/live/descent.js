// Down a valley: the loss is half the sum of curvature · place². Python's optimizers have gone the
// ways that the page starts with; where the reader sets rate and momentum, `descend` takes the steps.

import { announcer, button, checkbox, decimal, element, pen, slider } from "./parts.js";

let node; // makes a part of a drawing
const [WIDTH, HEIGHT, UNIT] = [480, 190, 195]; // UNIT: pixels for a step of length 1
const [LOWEST, HIGHEST] = [-8, 4]; // powers of ten on the axis of the loss
const ADAM = { betaSquare: 0.999, eps: 1e-8 };

export const lossAt = (curvatures, at) => curvatures.reduce((sum, each, i) => sum + (each * at[i] ** 2) / 2, 0);

// The places, from the start on: those of lmcourse.optimization.SGD, and with `adam` those of Adam
// with its usual averages. Momentum is SGD's; Adam has its own.
export function descend({ curvatures, start, n_steps: nSteps }, { rate, momentum, adam }) {
  const keep = adam ? 0.9 : momentum;
  const velocity = start.map(() => 0);
  const square = start.map(() => 0);
  const path = [start];
  for (let n = 1; n <= nSteps; n++) {
    path.push(
      path.at(-1).map((place, i) => {
        const gradient = curvatures[i] * place;
        velocity[i] = keep * velocity[i] + (adam ? 1 - keep : 1) * gradient;
        if (!adam) return place - rate * velocity[i];
        square[i] = ADAM.betaSquare * square[i] + (1 - ADAM.betaSquare) * gradient ** 2;
        const mean = velocity[i] / (1 - keep ** n);
        const size = Math.sqrt(square[i] / (1 - ADAM.betaSquare ** n));
        return place - (rate * mean) / (size + ADAM.eps);
      }),
    );
  }
  return path;
}

// data: curvatures, start, n_steps; ways: { name, rate, momentum, adam, path }.
export function mount(figure, data) {
  node = pen(figure);
  const rules = { ...data.ways[0] };
  const drawing = element("div", { "aria-hidden": "true" });
  const controls = element("div", { class: "lm-controls" });
  const { place: said, say } = announcer();

  function show(path) {
    const losses = path.map((at) => lossAt(data.curvatures, at));
    drawing.replaceChildren(valley(data.curvatures, path), curve(losses));
    const last = losses.at(-1);
    const verdict = last > losses[0] ? " It flies off." : "";
    say(`After ${data.n_steps} steps the loss is ${short(last)}; it began at ${short(losses[0])}.${verdict}`);
  }

  function set(name, value) {
    rules[name] = value;
    ways.forEach((each) => each.setAttribute("aria-pressed", false));
    show(descend(data, rules));
  }

  function open(index) {
    Object.assign(rules, data.ways[index]);
    controls.replaceChildren(
      slider("learning rate", { min: 0.001, max: 0.12, step: 0.001, value: rules.rate }, (x) => x.toFixed(3), (x) => set("rate", x)),
      slider("momentum", { min: 0, max: 0.99, step: 0.01, value: rules.momentum }, (x) => x.toFixed(2), (x) => set("momentum", x)),
      checkbox("Adam", rules.adam, (on) => set("adam", on)),
    );
    ways.forEach((each, other) => each.setAttribute("aria-pressed", other === index));
    show(data.ways[index].path);
  }

  const ways = data.ways.map(({ name }, index) => button(name, () => open(index)));
  figure.append(element("div", { class: "lm-controls" }, ...ways), controls, drawing, said);
  open(0);
}

const short = (loss) => (loss >= 0.01 && loss < 1e5 ? decimal(loss) : loss.toExponential(1).replace("-", "−"));

// The valley from above: lines of equal loss, and the way down.
function valley(curvatures, path) {
  const place = ([x, y]) => [WIDTH / 2 + UNIT * x, HEIGHT / 2 - UNIT * y];
  const rings = [0.02, 0.1, 0.3, 0.7].map((loss) =>
    node("ellipse", {
      cx: WIDTH / 2, cy: HEIGHT / 2,
      rx: UNIT * Math.sqrt((2 * loss) / curvatures[0]), ry: UNIT * Math.sqrt((2 * loss) / curvatures[1]),
      class: "lm-ring",
    }),
  );
  // Where it flies off, a step or two out of the picture are enough.
  const far = path.findIndex((at) => Math.max(...at.map(Math.abs)) > 4);
  const shown = (far < 0 ? path : path.slice(0, far + 1)).map(place);
  const dots = shown.map(([cx, cy]) => node("circle", { cx, cy, r: 2.6, class: "lm-step" }));
  return picture("The valley from above, with each step", ...rings, line(shown), ...dots);
}

// The loss after each step, on a logarithmic axis.
function curve(losses) {
  const height = (power) => HEIGHT - 14 - ((HEIGHT - 24) * (power - LOWEST)) / (HIGHEST - LOWEST);
  const across = (step) => 44 + ((WIDTH - 54) * step) / (losses.length - 1);
  const lines = [-8, -4, 0, 4].map((power) => {
    const name = node("text", { x: 2, y: height(power) + 4, class: "lm-axis" });
    name.textContent = power === 0 ? "1" : `10${power < 0 ? "⁻" : ""}${"⁰¹²³⁴⁵⁶⁷⁸"[Math.abs(power)]}`;
    return [node("path", { d: `M44 ${height(power)} H${WIDTH - 10}`, class: "lm-ring" }), name];
  });
  const powers = losses.map((loss) => Math.min(HIGHEST, Math.max(LOWEST, Math.log10(loss))));
  const points = powers.map((power, step) => [across(step), height(power)]);
  return picture("The loss after each step", ...lines.flat(), line(points));
}

const line = (points) => node("polyline", { points: points.map((each) => each.join(",")).join(" "), class: "lm-path" });

function picture(name, ...parts) {
  const made = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "lm-descent" }, ...parts);
  return element("div", {}, element("p", { class: "lm-label" }, name), made);
}
