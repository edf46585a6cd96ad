// The state of a recurrent network, word by word. Python has computed every number; the reader
// chooses the sentence and the word up to which the network has read.

import { announcer, bars, button, chips, decimal, element, percent, visible } from "./parts.js";

// data: unit (the number of the unit that is told); sentences, each with words (T texts), states
// (T × N numbers between −1 and 1) and probs (T × K); answers (K texts).
export function mount(figure, data) {
  const chosen = { sentence: 0, word: data.sentences[0].words.length - 1 };
  const words = element("div", {});
  const state = element("div", { class: "lm-strip", "aria-hidden": "true" });
  const answers = element("div", {});
  const { place: said, say } = announcer();

  function show() {
    const { words: texts, states, probs } = data.sentences[chosen.sentence];
    const numbers = states[chosen.word];
    state.replaceChildren(...numbers.map((number, index) => cell(number, index === data.unit)));
    const row = probs[chosen.word];
    answers.replaceChildren(bars("next", data.answers.map((name, index) => ({ name, share: row[index] }))));
    const best = row.indexOf(Math.max(...row));
    say(
      `After “${visible(texts[chosen.word])}” unit ${data.unit + 1} is ${decimal(numbers[data.unit])}; ` +
        `${data.answers[best]}: ${percent(row[best])}.`,
    );
  }

  function open(sentence) {
    chosen.sentence = sentence;
    sentences.forEach((each, index) => each.setAttribute("aria-pressed", index === sentence));
    const { words: texts } = data.sentences[sentence];
    words.replaceChildren(
      chips("word", texts, chosen.word, (word) => {
        chosen.word = word;
        show();
      }),
    );
    show();
  }

  const sentences = data.sentences.map(({ words: texts }, index) => button(texts.join(" "), () => open(index)));
  figure.append(
    element("div", { class: "lm-controls" }, ...sentences),
    element("p", { class: "lm-label" }, "read up to"),
    words,
    element("p", { class: "lm-label lm-state" }, `the state; unit ${data.unit + 1} has a frame`),
    state,
    element("p", { class: "lm-label" }, "what may come next"),
    answers,
    said,
  );
  open(0);
}

// One number of the state: its color says the sign, its strength the size.
function cell(number, isUnit) {
  const made = element("span", { class: isUnit ? "lm-cell lm-cell-chosen" : "lm-cell" });
  made.dataset.sign = number < 0 ? "minus" : "plus";
  made.style.setProperty("--lm-share", Math.abs(number));
  return made;
}
