// A decoder at work: at each step what it has read, which words of the source it looks at, what it
// may say next, and the tree of a search that keeps several texts. Python has computed every number.

import { announcer, bars, chips, element, pen, percent, scrolling } from "./parts.js";

const COLUMN = 46; // of a step of the tree
const ROW = 26; // of a text that ends
const named = (names) => names.map((name) => name.replaceAll(" ", "\u2005")); // plain spaces would be drawn as ␣

// data.sentences: for each source and written (tokens); names and weights (one map, T × S, for each
// name); likeliest (for each step tokens and probs); branches of the tree (parent, token, log_prob,
// kept, and where Python draws them: depth, row).
export function mount(figure, { sentences }) {
  const chosen = { sentence: 0, step: 0, head: 0 };
  const steps = element("div", {});
  const reading = element("p", { class: "lm-guess" });
  const looks = element("div", {});
  const says = element("div", {});
  const tree = scrolling("the tree of the search");
  const texts = element("div", {});
  const { place: said, say } = announcer();
  const svg = pen(figure);

  function begin() {
    const { written } = sentences[chosen.sentence];
    chosen.step = Math.min(chosen.step, written.length - 1);
    steps.replaceChildren(chips("next token", written, chosen.step, change("step")));
    show();
  }

  function show() {
    const sentence = sentences[chosen.sentence];
    const { source, written, weights, likeliest } = sentence;
    const row = weights[chosen.head][chosen.step];
    const { tokens, probs } = likeliest[chosen.step];
    reading.replaceChildren(`has read: ${["<start>", ...written.slice(0, chosen.step)].join(" ")}`);
    looks.replaceChildren(bars("looks at", source.map((name, index) => ({ name, share: row[index] }))));
    says.replaceChildren(bars("may say", tokens.map((name, index) => ({ name, share: probs[index] }))));
    tree.replaceChildren(drawn(sentence.branches, chosen.step, svg));
    texts.replaceChildren(bars("texts of the search", candidates(sentence.branches, chosen.step)));
    const most = source[row.indexOf(Math.max(...row))];
    say(`Before “${written[chosen.step]}” it looks most at “${most}”, ${percent(Math.max(...row))}.`);
  }

  function change(name) {
    return (value) => {
      chosen[name] = value;
      if (name === "sentence") begin();
      else show();
    };
  }

  begin();
  const titles = named(sentences.map(({ source }) => source.join(" ")));
  const heads = named(sentences[0].names);
  figure.append(
    ...(titles.length > 1 ? [label("sentence"), chips("sentence", titles, 0, change("sentence"))] : []),
    label("token to say"),
    steps,
    reading,
    label("head"),
    chips("head", heads, 0, change("head")),
    element(
      "div",
      { class: "lm-sides" },
      element("div", {}, label("the decoder looks at"), looks),
      element("div", {}, label("and may say"), says),
    ),
    label("a search that keeps several texts, after this step"),
    tree,
    texts,
    said,
  );
}

const half = (token) => Math.min(20, 7 + 5 * token.length); // of the room that a token takes
const label = (text) => element("p", { class: "lm-label" }, text);

// The whole text that a branch of the tree ends.
function text(branches, place) {
  return place < 0 ? "" : text(branches, branches[place].parent) + branches[place].token;
}

// The texts of this step, and those that ended before it: the likeliest first.
function candidates(branches, step) {
  const followed = new Set(branches.map(({ parent }) => parent));
  return branches
    .map((branch, place) => ({ ...branch, place }))
    .filter(({ depth, kept, place }) => depth === step || (depth < step && kept && !followed.has(place)))
    .sort((one, other) => other.log_prob - one.log_prob)
    .map(({ place, log_prob, kept }) => ({
      name: text(branches, place),
      share: Math.exp(log_prob),
      out: !kept,
    }));
}

// As Python draws it, up to this step. The list below says the same, so screen readers pass it over.
function drawn(branches, step, svg) {
  const shown = branches.filter(({ depth }) => depth <= step);
  const rows = shown.map(({ row }) => row);
  const x = (depth) => 14 + (depth + 1) * COLUMN;
  const y = (row) => (row - Math.min(...rows) + 0.7) * ROW;
  const [width, height] = [x(step) + COLUMN / 2, y(Math.max(...rows)) + ROW * 0.7];
  const made = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
  const first = shown.filter(({ parent, kept }) => parent < 0 && kept).map(({ row }) => row);
  const start = first.reduce((sum, row) => sum + row, 0) / first.length;
  for (const { parent, token, kept, depth, row } of shown) {
    const from = parent < 0 ? start : branches[parent].row;
    const [left, right] = [x(depth - 1) + (parent < 0 ? 0 : half(branches[parent].token)), x(depth) - half(token)];
    const middle = (left + right) / 2;
    made.append(
      svg("path", {
        d: `M${left} ${y(from)} C${middle} ${y(from)} ${middle} ${y(row)} ${right} ${y(row)}`,
        class: kept ? "lm-branch" : "lm-branch lm-dropped",
        fill: "none",
      }),
    );
    const name = svg("text", { x: x(depth), y: y(row) + 5, "text-anchor": "middle", fill: "currentColor" });
    name.textContent = token;
    if (!kept) name.setAttribute("class", "lm-dropped-name");
    made.append(name);
  }
  return made;
}
