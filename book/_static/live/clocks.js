// Clocks: where each hand of a position points, and a query and a key that are turned like hands.
// Python has computed the sine and the cosine of every hand at every position; the reader sets where
// the query stands and how far back the key is.

import { announcer, decimal, element, pen, slider } from "./parts.js";

const SIDE = 84; // of a dial's place in the drawing
const RADIUS = 34;

// data: speeds (texts), cosines and sines (positions × hands), query and key (numbers i and i + D/2
// make a pair), t and offset to begin with, reach (the largest offset).
export function mount(figure, data) {
  const set = { t: data.t, offset: data.offset };
  const drawing = element("div", { class: "lm-scroll" });
  const place = element("div", {});
  const { place: said, say } = announcer();
  const svg = pen(figure);
  const longest = Math.max(...lengths(data.query), ...lengths(data.key));

  function dial(column, row, hands) {
    const [x, y] = [(column + 0.5) * SIDE, row];
    const circle = svg("circle", { cx: x, cy: y, r: RADIUS, fill: "none", stroke: "currentColor", "stroke-opacity": 0.3 });
    return [circle, ...hands.map(({ right, up, role }) => arrow(svg, x, y, RADIUS * right, -RADIUS * up, role))];
  }

  function show() {
    const s = set.t - set.offset;
    const [query, key] = [turned(data, data.query, set.t), turned(data, data.key, s)];
    const parts = query.map(([a, b], hand) => a * key[hand][0] + b * key[hand][1]);
    const dials = data.speeds.flatMap((speed, hand) => [
      text(svg, (hand + 0.5) * SIDE, 16, speed),
      ...dial(hand, 62, [{ right: data.sines[set.t][hand], up: data.cosines[set.t][hand], role: "lm-hand" }]),
      ...dial(hand, 146, [
        { right: query[hand][0] / longest, up: query[hand][1] / longest, role: "lm-query" },
        { right: key[hand][0] / longest, up: key[hand][1] / longest, role: "lm-key" },
      ]),
    ]);
    const width = SIDE * data.speeds.length;
    const look = { viewBox: `0 0 ${width} 188`, style: `width: ${width}px; max-width: 100%`, "aria-hidden": "true" };
    drawing.replaceChildren(svg("svg", look, ...dials));
    place.replaceChildren(table(data, set.t, parts));
    const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
    const alike = data.cosines[set.t].map((cosine, hand) => cosine * data.cosines[s][hand] + data.sines[set.t][hand] * data.sines[s][hand]);
    say(
      `Query at ${set.t}, key at ${s}, ${distance(set.offset)}: rotary score ${decimal(sum(parts))}, ` +
        `product of the sinusoids ${decimal(sum(alike))}.`,
    );
  }

  function change(name) {
    return (value) => {
      set[name] = value;
      show();
    };
  }

  const { reach } = data;
  const last = data.cosines.length - 1;
  figure.append(
    element(
      "div",
      { class: "lm-controls" },
      slider("query at", { min: reach, max: last - reach, step: 1, value: set.t }, String, change("t")),
      slider("offset", { min: -reach, max: reach, step: 1, value: set.offset }, (value) => decimal(value, 0), change("offset")),
    ),
    element(
      "p",
      { class: "lm-label" },
      "above, the clocks of the query’s position; below, the ",
      element("span", { class: "lm-query" }, "query"),
      " and the ",
      element("span", { class: "lm-key" }, "key"),
      ", turned",
    ),
    drawing,
    place,
    said,
  );
  show();
}

const distance = (offset) => (offset < 0 ? `${-offset} ahead` : `${offset} back`);

const pairs = (vector) => vector.slice(vector.length / 2).map((second, index) => [vector[index], second]);

const lengths = (vector) => pairs(vector).map(([a, b]) => Math.hypot(a, b));

function turned({ cosines, sines }, vector, position) {
  return pairs(vector).map(([a, b], hand) => {
    const [cosine, sine] = [cosines[position][hand], sines[position][hand]];
    return [a * cosine - b * sine, b * cosine + a * sine];
  });
}

function text(svg, x, y, words) {
  const made = svg("text", { x, y, "text-anchor": "middle", fill: "currentColor", "font-size": 13 });
  made.textContent = words;
  return made;
}

// A line from the middle of a dial, and its head.
function arrow(svg, x, y, dx, dy, role) {
  const length = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / length, dy / length];
  const head = [[dx, dy], [dx - 9 * ux - 4.5 * uy, dy - 9 * uy + 4.5 * ux], [dx - 9 * ux + 4.5 * uy, dy - 9 * uy - 4.5 * ux]];
  const look = { class: role, stroke: "currentColor", fill: "currentColor" };
  return svg(
    "g",
    look,
    svg("path", { d: `M${x} ${y} l${dx - 6 * ux} ${dy - 6 * uy}`, "stroke-width": 2.5 }),
    svg("polygon", { points: head.map(([px, py]) => `${x + px},${y + py}`).join(" "), stroke: "none" }),
  );
}

function table({ speeds, cosines, sines }, t, parts) {
  const head = ["speed", `sin at ${t}`, `cos at ${t}`, "score"];
  const cells = (hand) => [sines[t][hand], cosines[t][hand], parts[hand]].map((number) => element("td", {}, decimal(number)));
  return element(
    "table",
    { class: "lm-table" },
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...speeds.map((speed, hand) => element("tr", {}, element("th", { scope: "row" }, speed), ...cells(hand)))),
  );
}
