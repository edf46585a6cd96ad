// Two neurons and a third that reads them. Each of the nine numbers can be moved; the square shows
// what the network then says everywhere. Python gives some networks and what they say.

import { announcer, bars, button, checkbox, decimal, element, pen, slider } from "./parts.js";

const SIDE = 300; // of the drawing, without its labels
const [LEFT, TOP, BELOW] = [44, 12, 40];
const MOST = 8; // of a weight, either way

// The logit of class 1. numbers: of each neuron the two weights and the bias, then of the third.
export function logit({ numbers, bend }, [x, y]) {
  const [a, b, c, d, e, f, first, second, bias] = numbers;
  const bent = (sum) => (bend ? Math.max(0, sum) : sum);
  return first * bent(a * x + b * y + c) + second * bent(d * x + e * y + f) + bias;
}

export const sigmoid = (z) => 1 / (1 + Math.exp(-z));

// The middles of the cells, from the lowest to the highest.
export const middles = ([low, high], n) => Array.from({ length: n }, (_, i) => low + ((i + 0.5) * (high - low)) / n);

// What a network says of the points and everywhere, and what it pays for the points on average.
export function judge(network, { points, classes, span }, n) {
  const along = middles(span, n);
  const logits = points.map((point) => logit(network, point));
  // ln(1 + e^z) without overflow: what a point of class 0 pays.
  const pays = (z) => Math.max(0, z) + Math.log1p(Math.exp(-Math.abs(z)));
  const losses = logits.map((z, i) => pays(classes[i] ? -z : z));
  return {
    probs: logits.map(sigmoid),
    grid: along.map((y) => along.map((x) => sigmoid(logit(network, [x, y])))),
    loss: losses.reduce((sum, each) => sum + each, 0) / losses.length,
  };
}

// data: points, classes, labels, names (of both classes), axes, span; networks: { name, numbers,
// bend, probs, grid, loss }.
export function mount(figure, data) {
  const node = pen(figure);
  const nCells = data.networks[0].grid.length;
  const network = { numbers: [], bend: true };
  const controls = element("div", {});
  const drawing = element("div", { "aria-hidden": "true" });
  const odds = element("div", {});
  const { place: said, say } = announcer();

  function show({ probs, grid, loss }) {
    drawing.replaceChildren(square(node, data, network, grid));
    odds.replaceChildren(bars(`probability of ${data.names[1]}`, data.labels.map((name, i) => ({ name: name.replaceAll(" ", "\u00a0"), share: probs[i], note: data.names[data.classes[i]] }))));
    const right = probs.filter((p, i) => p > 0.5 === (data.classes[i] === 1)).length;
    say(`${right} of ${probs.length} right. The loss is ${decimal(loss)}; saying one half to all costs ${decimal(Math.LN2)}.`);
  }

  function changed() {
    starts.forEach((each) => each.setAttribute("aria-pressed", false));
    show(judge(network, data, nCells));
  }

  function group(title, names, first) {
    const sliders = names.map(([long, short], i) => {
      const range = { min: -MOST, max: MOST, step: 0.25, value: network.numbers[first + i] };
      const made = slider(long, range, decimal, (value) => {
        network.numbers[first + i] = value;
        changed();
      });
      made.querySelector("label").replaceChildren(element("span", { class: "lm-hidden" }, `${title}: `), short);
      return made;
    });
    return element("div", {}, element("p", { class: "lm-label" }, title), ...sliders);
  }

  function open(index) {
    const { numbers, bend } = data.networks[index];
    Object.assign(network, { numbers: [...numbers], bend });
    const [across, up] = data.axes;
    const inputs = [[across, across], [up, up], ["bias", "bias"]];
    controls.replaceChildren(
      element(
        "div",
        { class: "lm-sides" },
        group("neuron 1", inputs, 0),
        group("neuron 2", inputs, 3),
        group("the answer", [["neuron 1", "neuron 1"], ["neuron 2", "neuron 2"], ["bias", "bias"]], 6),
      ),
      checkbox("with the bend", bend, (on) => {
        network.bend = on;
        changed();
      }),
    );
    starts.forEach((each, other) => each.setAttribute("aria-pressed", other === index));
    show(data.networks[index]);
  }

  const starts = data.networks.map(({ name }, index) => button(name, () => open(index)));
  figure.append(
    element("div", { class: "lm-controls" }, ...starts),
    element("div", { class: "lm-sides" }, drawing, odds),
    controls,
    said,
  );
  open(0);
}

// The square in the colors of what is said, the folds of the two neurons, and the points.
function square(node, { points, classes, labels, span, axes }, { numbers, bend }, grid) {
  const [low, high] = span;
  const scale = SIDE / (high - low);
  const at = ([x, y]) => [LEFT + (x - low) * scale, TOP + SIDE - (y - low) * scale];
  const cell = SIDE / grid.length;
  const view = `0 0 ${LEFT + SIDE + 8} ${TOP + SIDE + BELOW}`;
  const drawn = node("svg", { viewBox: view, class: "lm-plane" });
  grid.forEach((row, j) =>
    row.forEach((p, i) => {
      const kind = p > 0.5 ? "lm-plane-one" : "lm-plane-zero";
      const place = { x: LEFT + i * cell, y: TOP + SIDE - (j + 1) * cell, width: cell + 0.4, height: cell + 0.4 };
      drawn.append(node("rect", { ...place, class: kind, "fill-opacity": Math.abs(p - 0.5).toFixed(3) }));
    }),
  );
  for (const [name, [a, b, c]] of [["1", numbers.slice(0, 3)], ["2", numbers.slice(3, 6)]]) {
    const ends = bend ? crossing(a, b, c, low, high) : [];
    if (ends.length < 2) continue;
    const [[x1, y1], [x2, y2]] = ends.map(at);
    // Inside of the square, wherever its line ends.
    const isAtTheRight = x2 > LEFT + SIDE / 2;
    const text = node("text", {
      x: isAtTheRight ? x2 - 4 : x2 + 4,
      y: Math.max(TOP + 14, Math.min(y2 - 4, TOP + SIDE - 6)),
      "text-anchor": isAtTheRight ? "end" : "start",
      class: "lm-plane-text",
    });
    text.append(`fold ${name}`);
    drawn.append(node("line", { x1, y1, x2, y2, class: "lm-plane-fold" }), text);
  }
  points.forEach((point, index) => {
    const [x, y] = at(point);
    const mark = classes[index]
      ? node("circle", { cx: x, cy: y, r: 7, class: "lm-plane-point lm-plane-one" })
      : node("rect", { x: x - 6.5, y: y - 6.5, width: 13, height: 13, class: "lm-plane-point lm-plane-zero" });
    const text = node("text", { x, y: y - 12, "text-anchor": "middle", class: "lm-plane-text" });
    text.append(labels[index]);
    drawn.append(mark, text);
  });
  for (const [x, y, name, turned] of [
    [LEFT + SIDE / 2, TOP + SIDE + 34, axes[0], false],
    [14, TOP + SIDE / 2, axes[1], true],
    ...[0, 1].flatMap((value) => [
      [at([value, 0])[0], TOP + SIDE + 16, String(value), false],
      [LEFT - 10, at([0, value])[1] + 5, String(value), false],
    ]),
  ]) {
    const turn = turned ? { transform: `rotate(-90 ${x} ${y})` } : {};
    const text = node("text", { x, y, "text-anchor": "middle", class: "lm-plane-text", ...turn });
    text.append(name);
    drawn.append(text);
  }
  return drawn;
}

// Where the line a x + b y + c = 0 enters and leaves the square.
function crossing(a, b, c, low, high) {
  const inside = (v) => v >= low - 1e-9 && v <= high + 1e-9;
  const found = [];
  for (const edge of [low, high]) {
    if (a) found.push([-(b * edge + c) / a, edge]);
    if (b) found.push([edge, -(a * edge + c) / b]);
  }
  const kept = found.filter(([x, y]) => inside(x) && inside(y));
  kept.sort((p, q) => p[0] - q[0] || p[1] - q[1]);
  return kept.length ? [kept[0], kept.at(-1)] : [];
}
