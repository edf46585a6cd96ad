// The heads of a layer, one at a time or all together: choose a head and a word, and see where that
// word looks. Python has computed every weight.

import { announcer, bars, checkbox, chips, element, pen, percent, visible } from "./parts.js";

const WIDTH = 60; // of a word's place in the drawing

// data: words (texts), names (one for each head), weights (H × T × T); if they are no heads, label
// says what one is; word is the number of the word that looks first, the last one by itself.
export function mount(figure, data) {
  const chosen = { head: 0, word: data.word ?? data.words.length - 1, all: false };
  const label = data.label ?? "head";
  const drawing = element("div", { class: "lm-scroll" });
  const place = element("div", {});
  const { place: said, say } = announcer();
  const svg = pen(figure);

  function show() {
    const heads = chosen.all ? data.weights.map((_, head) => head) : [chosen.head];
    drawing.replaceChildren(arcs(data, chosen.word, heads, svg));
    place.replaceChildren(...heads.map((head) => list(data, head, chosen.word)));
    say(heads.map((head) => told(data, head, chosen.word)).join(" "));
  }

  function change(name) {
    return (value) => {
      chosen[name] = value;
      show();
    };
  }

  show();
  figure.append(
    element("p", { class: "lm-label" }, label),
    chips(label, data.names, chosen.head, change("head")),
    element("p", { class: "lm-label lm-query" }, "query"),
    chips("query", data.words, chosen.word, change("word")),
    element("div", { class: "lm-controls" }, checkbox(`all ${label}s together`, false, change("all"))),
    drawing,
    place,
    said,
  );
}

function told({ words, names, weights }, head, word) {
  const row = weights[head][word];
  const best = row.indexOf(Math.max(...row));
  return `${names[head]}: “${visible(words[word])}” looks most at “${visible(words[best])}”, ${percent(row[best])}.`;
}

function list({ words, names, weights }, head, word) {
  const rows = words.map((name, index) => ({ name, share: weights[head][word][index] }));
  return element("div", { class: `lm-head-${head % 4}` }, element("p", { class: "lm-label" }, names[head]), bars(names[head], rows));
}

// The sentence with an arc from the word to each other one, as thick as the weight. The list below
// says the same, so screen readers pass it over.
function arcs({ words, weights }, word, heads, svg) {
  const middle = (index) => (index + 0.5) * WIDTH;
  const height = 20 + Math.min(90, 14 * words.length);
  const drawn = svg("svg", {
    viewBox: `0 0 ${words.length * WIDTH} ${height + 26}`,
    style: `width: ${words.length * WIDTH}px; max-width: 100%`,
    "aria-hidden": "true",
  });
  for (const head of heads) {
    weights[head][word].forEach((weight, index) => {
      if (weight < 0.01) return;
      const [from, to] = [middle(word), middle(index)];
      const top = height - 14 - (height - 24) * (index === word ? 0.3 : Math.abs(from - to) / (words.length * WIDTH));
      const bend = index === word ? 14 : 0;
      const path = `M${from} ${height} C${from + bend} ${top} ${to - bend} ${top} ${to} ${height}`;
      const arc = svg("path", { d: path, class: `lm-arc lm-head-${head % 4}`, fill: "none" });
      arc.style.strokeWidth = `${1 + 9 * weight}px`;
      arc.style.opacity = 0.25 + 0.75 * weight;
      drawn.append(arc);
    });
  }
  words.forEach((name, index) => {
    const label = svg("text", { x: middle(index), y: height + 18, "text-anchor": "middle", fill: "currentColor" });
    label.textContent = visible(name);
    if (index === word) label.style.fontWeight = 700;
    drawn.append(label);
  });
  return drawn;
}
