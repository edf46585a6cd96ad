// A word that completes itself: its last letter looks for letters that are like it and takes what
// came after them. Nothing is trained, so all that Python did is done here again, for any word.

import { announcer, bars, button, element, percent, slider } from "./parts.js";

const LONGEST = 24; // letters
const SHOWN = 4; // bars

// Where the last letter looks, and how likely each next letter is. `sureness` is the score of an
// equal letter; that of any other is 0.
export function complete(word, sureness) {
  const asked = word.at(-1);
  const powers = [...word.slice(0, -1)].map((letter) => (letter === asked ? 1 : Math.exp(-sureness)));
  const total = powers.reduce((sum, power) => sum + power, 0);
  const weights = powers.map((power) => power / total);
  const odds = {};
  weights.forEach((weight, index) => {
    const next = word[index + 1];
    odds[next] = (odds[next] ?? 0) + weight;
  });
  return { weights, odds };
}

export const onlyLetters = (text) => text.toLowerCase().replace(/[^a-z]/g, "").slice(0, LONGEST);

// data: word, sureness; weights and odds of them, as Python computed them.
export function mount(figure, data) {
  let { word, sureness } = data;
  const strip = element("div");
  const places = element("div");
  const { place: said, say } = announcer();
  const field = element("input", {
    id: `lm-spell-${document.querySelectorAll(".lm-spell-field").length}`,
    class: "lm-prompt lm-spell-field",
    value: word,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "none",
    input: () => change(onlyLetters(field.value)),
  });
  const take = button("Add the likeliest letter", () => {
    const [next] = ranked(complete(word, sureness).odds)[0];
    field.value = onlyLetters(word + next);
    change(field.value);
  });

  function change(letters) {
    word = letters;
    show();
  }

  function show() {
    take.disabled = word.length < 2 || word.length >= LONGEST;
    if (word.length < 2) {
      strip.replaceChildren();
      places.replaceChildren();
      say("Type two letters or more, from a to z.");
      return;
    }
    const { weights, odds } = complete(word, sureness);
    strip.replaceChildren(drawn(word, weights));
    const best = ranked(odds).slice(0, SHOWN);
    places.replaceChildren(bars("the next letter", best.map(([name, share]) => ({ name, share }))));
    const asked = word.at(-1);
    say(
      word.slice(0, -1).includes(asked)
        ? `“${asked}” looks for another “${asked}” and expects “${best[0][0]}” next, ${percent(best[0][1])}.`
        : `There is no other “${asked}”: it looks everywhere alike.`,
    );
  }

  const controls = element(
    "div",
    { class: "lm-controls" },
    element("label", { for: field.id }, "your word"),
    field,
    take,
    slider("how sure", { min: 0, max: 8, step: 0.5, value: sureness }, String, (value) => {
      sureness = value;
      show();
    }),
  );
  show();
  figure.append(controls, strip, places, said);
}

const ranked = (odds) => Object.entries(odds).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));

function drawn(word, weights) {
  const letters = [...word].map((letter, index) => {
    const isLast = index === word.length - 1;
    const bar = element("span", { class: "lm-spell-bar" });
    bar.style.height = isLast ? "0" : `${3 * weights[index]}em`;
    return element(
      "li",
      { class: isLast ? "lm-asks" : weights[index - 1] > 0.5 ? "lm-taken" : null },
      element("span", { class: "lm-spell-weight" }, isLast ? "asks" : percent(weights[index])),
      bar,
      element("span", { class: "lm-spell-letter" }, letter),
    );
  });
  return element("ol", { class: "lm-spell", "aria-label": "where the last letter looks" }, ...letters);
}
