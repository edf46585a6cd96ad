// A map of words that one can search: what is nearest to a word, or to a sum of words, by the
// cosine. The map has the two directions in which the words differ most; the list uses them all.

import { announcer, checkbox, decimal, element, pen, percent } from "./parts.js";

const N_NEAREST = 10;
const [WIDTH, HEIGHT, EDGE] = [420, 330, 16];
const [LETTER, LINE] = [7.4, 15]; // of a name on the map

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

export function unit(vector) {
  const length = Math.sqrt(dot(vector, vector)) || 1;
  return vector.map((x) => x / length);
}

// word − minus + plus, each of length 1; the last two may be missing (-1).
export function target(units, [word, minus, plus]) {
  const at = (index, i) => (index < 0 ? 0 : units[index][i]);
  return units[word].map((x, i) => x - at(minus, i) + at(plus, i));
}

// The n words of the largest cosine with a vector, but for those that are left out.
export function nearest(units, vector, leftOut, n = N_NEAREST) {
  const query = unit(vector);
  return units
    .map((each, index) => ({ index, cosine: dot(each, query) }))
    .filter(({ index }) => !leftOut.includes(index))
    .sort((a, b) => b.cosine - a.cosine)
    .slice(0, n);
}

let count = 0; // for ids: a box names its list by one

// data: words, vectors (of length 1, in whole steps), places on the map, the share of the spread
// that the map has kept, the word chosen at first and its nearest as Python found them.
export function mount(figure, data) {
  const node = pen(figure);
  const units = data.vectors.map(unit);
  const known = new Map(data.words.map((word, index) => [word, index]));
  const listId = `lm-words-${++count}`;
  const { place: said, say } = announcer();
  const drawing = element("div", { "aria-hidden": "true" });
  const answers = element("div", {});
  let mayAnswer = false; // the question's own words

  const boxes = ["word", "− minus", "+ plus"].map((name, which) => {
    const box = element("input", {
      class: "lm-word",
      type: "text",
      list: listId,
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      size: 12,
      value: which ? "" : data.chosen,
    });
    // While somebody types, only words that are known count.
    box.addEventListener("input", () => ask(true));
    box.addEventListener("change", () => ask(false));
    return { box, label: element("label", { class: "lm-word-label" }, name, box) };
  });

  // The numbers of the three words: −1 where a box is empty, undefined for a stranger.
  function numbers() {
    return boxes.map(({ box }) => {
      const word = box.value.trim().toLowerCase();
      return word ? known.get(word) : -1;
    });
  }

  function ask(isTyping) {
    const asked = numbers();
    const stranger = asked.indexOf(undefined);
    if (stranger >= 0 || asked[0] < 0) {
      if (isTyping) return;
      say(
        stranger < 0
          ? "Write a word into the first box."
          : `“${boxes[stranger].box.value.trim()}” is not among the ${data.words.length} words of this map.`,
      );
      return;
    }
    const words = asked.filter((index) => index >= 0);
    const isSum = words.length > 1;
    // A single word is always its own nearest: that says nothing.
    const found = nearest(units, target(units, asked), isSum && mayAnswer ? [] : words);
    show(asked, found);
  }

  function show(asked, found) {
    const [word, minus, plus] = asked.map((index) => data.words[index]);
    const question = word + (minus ? ` − ${minus}` : "") + (plus ? ` + ${plus}` : "");
    const rows = found.map(({ index, cosine }) => {
      const name = element("button", { type: "button", class: "lm-chip", click: () => choose(index) }, data.words[index]);
      const line = element("span", {});
      line.style.width = `${100 * Math.max(0, cosine)}%`;
      return element(
        "li",
        { class: "lm-bar" },
        element("span", { class: "lm-bar-name" }, name),
        element("span", { class: "lm-bar-line", "aria-hidden": "true" }, line),
        element("span", { class: "lm-bar-share" }, decimal(cosine)),
      );
    });
    answers.replaceChildren(
      element("p", { class: "lm-label" }, `nearest to ${question}, by the cosine`),
      element("ol", { class: "lm-bars", "aria-label": `nearest to ${question}` }, ...rows),
    );
    drawing.replaceChildren(map(asked.filter((index) => index >= 0), found));
    const [first] = found;
    say(
      `Nearest to ${question} is ${data.words[first.index]}, with a cosine of ${decimal(first.cosine)}. ` +
        `The map shows ${percent(data.kept)} of how the words differ, the list all of it.`,
    );
  }

  function choose(index) {
    boxes.forEach(({ box }, which) => (box.value = which ? "" : data.words[index]));
    ask(false);
    boxes[0].box.focus();
  }

  // All words as dots; those asked for and their nearest by name, where there is room.
  function map(asked, found) {
    const drawn = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "lm-map" });
    const marked = [...asked, ...found.map(({ index }) => index).filter((index) => !asked.includes(index))];
    spots.forEach(([x, y], index) => {
      if (!marked.includes(index)) drawn.append(node("circle", { cx: x, cy: y, r: 2, class: "lm-map-dot" }));
    });
    const taken = [];
    for (const index of marked) {
      const [x, y] = spots[index];
      const isAsked = asked.includes(index);
      drawn.append(node("circle", { cx: x, cy: y, r: isAsked ? 6 : 4, class: isAsked ? "lm-map-asked" : "lm-map-near" }));
      const width = LETTER * data.words[index].length;
      const left = x + 7 + width > WIDTH ? x - 7 - width : x + 7;
      const isFree = taken.every((other) => Math.abs(y - other.y) > LINE || left > other.left + other.width || left + width < other.left);
      if (!isFree) continue;
      taken.push({ left, y, width });
      const text = node("text", { x: left, y: y + 4, class: isAsked ? "lm-map-name lm-map-name-asked" : "lm-map-name" });
      text.append(data.words[index]);
      drawn.append(text);
    }
    drawn.addEventListener("click", (event) => {
      const box = drawn.getBoundingClientRect();
      const [x, y] = [((event.clientX - box.left) / box.width) * WIDTH, ((event.clientY - box.top) / box.height) * HEIGHT];
      const far = spots.map(([a, b]) => (a - x) ** 2 + (b - y) ** 2);
      choose(far.indexOf(Math.min(...far)));
    });
    return drawn;
  }

  const spots = spread(data.places);
  figure.classList.add("lm-words");
  figure.append(
    element("datalist", { id: listId }, ...data.words.map((word) => element("option", { value: word }))),
    element(
      "div",
      { class: "lm-controls" },
      ...boxes.map(({ label }) => label),
      checkbox("its own words may answer", false, (on) => {
        mayAnswer = on;
        ask(false);
      }),
    ),
    element("div", { class: "lm-sides" }, drawing, answers),
    said,
  );
  show(
    [known.get(data.chosen), -1, -1],
    data.nearest.map(({ word, cosine }) => ({ index: known.get(word), cosine })),
  );
}

// Places as points of the drawing, one scale for both directions.
function spread(places) {
  const [left, bottom] = [0, 1].map((i) => Math.min(...places.map((place) => place[i])));
  const [right, top] = [0, 1].map((i) => Math.max(...places.map((place) => place[i])));
  const scale = Math.min((WIDTH - 2 * EDGE) / (right - left || 1), (HEIGHT - 2 * EDGE) / (top - bottom || 1));
  const [atLeft, atTop] = [(WIDTH - scale * (right - left)) / 2, (HEIGHT - scale * (top - bottom)) / 2];
  return places.map(([x, y]) => [atLeft + scale * (x - left), atTop + scale * (top - y)]);
}
