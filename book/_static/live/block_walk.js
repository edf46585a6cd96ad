// A walk over the matrix of queries and keys, block by block. Python has computed what each row knows
// after each block: its largest score, the total of exp(score − largest), and the values so far. The
// reader steps through them, under one rule of who may look at whom or another.

import { announcer, button, decimal, element, scrolling, slider, visible } from "./parts.js";

// data: words (T), block_size, scores (T × T); patterns, each with name, mask (T × T), values (T × E)
// and steps: queries and keys [from, to), maximum (null while a query has seen no key), total and values
// of these queries so far.
export function mount(figure, data) {
  const chosen = { pattern: 0, step: 0 };
  const matrix = scrolling("matrix of queries and keys");
  const known = scrolling("what the rows of the block know");
  const moved = element("div", {}); // the slider, whose range depends on the rule
  const { place: said, say } = announcer();
  const pattern = () => data.patterns[chosen.pattern];

  function show() {
    const { steps, name } = pattern();
    const step = steps[chosen.step];
    matrix.replaceChildren(drawMatrix(data, pattern(), chosen.step));
    known.replaceChildren(drawKnown(data, pattern(), chosen.step));
    back.disabled = chosen.step === 0;
    next.disabled = chosen.step === steps.length - 1;
    const skipped = Math.ceil(data.words.length / data.block_size) ** 2 - steps.length;
    const words = (range) => data.words.slice(...range).map(visible).join(" ");
    say(
      `${name}, block ${chosen.step + 1} of ${steps.length}, ${skipped} skipped: ` +
        `“${words(step.queries)}” at “${words(step.keys)}”.`,
    );
  }

  function go(step) {
    chosen.step = step;
    const range = { min: 1, max: pattern().steps.length, step: 1, value: step + 1 };
    const changed = (value) => {
      chosen.step = value - 1;
      show();
    };
    moved.replaceChildren(slider("block", range, String, changed));
    show();
  }

  function choose(index) {
    chosen.pattern = index;
    rules.forEach((each, other) => each.setAttribute("aria-pressed", other === index));
    go(0);
  }

  const back = button("back", () => go(chosen.step - 1));
  const next = button("next block", () => go(chosen.step + 1));
  const rules = data.patterns.map(({ name }, index) => button(name, () => choose(index)));
  const who = element("div", { class: "lm-controls", role: "group", "aria-label": "who may look" }, ...rules);
  const walk = element("div", { class: "lm-controls" }, back, next, moved);
  choose(0);
  figure.append(who, walk, matrix, known, said);
}

// What has been seen is shaded, the block at hand has a frame, what nobody may look at is empty.
function drawMatrix({ words, scores }, { steps, mask }, at) {
  const inside = ({ queries, keys }, row, column) =>
    row >= queries[0] && row < queries[1] && column >= keys[0] && column < keys[1];
  const rows = words.map((word, row) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", class: "lm-query" }, visible(word)),
      ...words.map((_, column) => {
        const now = inside(steps[at], row, column);
        const seen = steps.slice(0, at).some((step) => inside(step, row, column));
        const kind = now ? "lm-walk-now" : seen ? "lm-walk-seen" : "";
        const text = !mask[row][column] ? "" : now ? decimal(scores[row][column], 1) : seen ? "✓" : "·";
        return element("td", { class: `lm-walk ${kind}` }, text);
      }),
    ),
  );
  const head = ["query", ...words].map((word) => element("th", { scope: "col", class: "lm-key" }, visible(word)));
  return element(
    "table",
    { class: "lm-table lm-walk-matrix" },
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows),
  );
}

function drawKnown({ words }, { steps, values }, at) {
  const step = steps[at];
  const [first] = step.queries;
  const vector = (numbers) => `(${numbers.map((each) => decimal(each)).join(", ")})`;
  const rows = step.maximum.map((maximum, index) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", class: "lm-query" }, visible(words[first + index])),
      element("td", {}, maximum === null ? "none yet" : decimal(maximum)),
      element("td", {}, decimal(step.total[index])),
      element("td", { class: "lm-value" }, vector(step.values[index])),
      element("td", {}, vector(values[first + index])),
    ),
  );
  const names = ["query", "largest score", "total", "values so far", "values of the whole row"];
  const head = names.map((name) => element("th", { scope: "col" }, name));
  return element(
    "table",
    { class: "lm-table lm-walk-known" },
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows),
  );
}
