// The gates of an LSTM, letter by letter. Python has computed every number; the reader chooses the
// letter up to which the network has read.

import { announcer, bars, chips, element, percent, visible } from "./parts.js";

// data: letters (T texts); forget, input, output (T shares); left (T × T: of what each letter wrote,
// the share that is left after each letter); answers (K texts) and probs (T × K).
export function mount(figure, data) {
  const gates = element("div", {});
  const kept = element("div", { class: "lm-strip", "aria-hidden": "true" });
  const answers = element("div", {});
  const { place: said, say } = announcer();

  function show(now) {
    gates.replaceChildren(
      bars("gates", [
        { name: "forget", share: data.forget[now] },
        { name: "input", share: data.input[now] },
        { name: "output", share: data.output[now] },
      ]),
    );
    kept.replaceChildren(...data.letters.slice(0, now + 1).map((letter, index) => mark(letter, data.left[now][index])));
    const row = data.probs[now];
    answers.replaceChildren(bars("answer", data.answers.map((name, index) => ({ name, share: row[index] }))));
    const best = row.indexOf(Math.max(...row));
    say(
      `After “${visible(data.letters[now])}” the forget gate is ${percent(data.forget[now])} open; ` +
        `the answer is “${data.answers[best]}”, ${percent(row[best])}.`,
    );
  }

  const last = data.letters.length - 1;
  figure.append(
    element("p", { class: "lm-label" }, "read up to"),
    chips("letter", data.letters, last, show),
    element("p", { class: "lm-label" }, "gates: how far they are open at this letter"),
    gates,
    element("p", { class: "lm-label lm-state" }, "what is left in the cell state of each letter"),
    kept,
    element("p", { class: "lm-label" }, "the last capital"),
    answers,
    said,
  );
  show(last);
}

// A letter, the darker the more of what it wrote is still there.
function mark(letter, share) {
  const made = element(
    "span",
    { class: "lm-mark" },
    element("span", { class: "lm-mark-letter" }, visible(letter)),
    element("span", { class: "lm-mark-share" }, percent(share)),
  );
  made.style.setProperty("--lm-share", share);
  return made;
}
