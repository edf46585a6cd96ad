// Temperature, top-k and top-p over a few words. data: words, logits, and the odds of each word as
// Python computed them; what the reader sets is computed here.

import { announcer, bars, button, element, slider } from "./parts.js";
import { draw, odds, ranking } from "./odds.js";

export function mount(figure, data) {
  const n = data.words.length;
  const rules = { temperature: 1, topK: n, topP: 1 };
  const order = ranking(data.logits);
  const place = element("div");
  const { place: said, say } = announcer();
  let shares = data.probs;

  function show() {
    const rows = order.map((index) => ({
      name: data.words[index],
      share: shares[index],
      note: `logit ${data.logits[index].toFixed(1)}`.replace("-", "−"),
      out: shares[index] === 0,
    }));
    place.replaceChildren(bars("probability of each word", rows));
  }

  function set(name, value) {
    rules[name] = value;
    shares = odds(data.logits, rules);
    const left = shares.filter((share) => share > 0).length;
    say(left === 1 ? `Only “${data.words[order[0]]}” can be drawn.` : `${left} words can be drawn.`);
    show();
  }

  const hundredths = (value) => value.toFixed(2);
  const controls = element(
    "div",
    { class: "lm-controls" },
    slider("temperature", { min: 0, max: 3, step: 0.05, value: 1 }, hundredths, (value) => set("temperature", value)),
    slider("top-k", { min: 1, max: n, step: 1, value: n }, String, (value) => set("topK", value)),
    slider("top-p", { min: 0.05, max: 1, step: 0.05, value: 1 }, hundredths, (value) => set("topP", value)),
    button("Draw a word", () => say(`Drawn: “${data.words[draw(shares)]}”.`)),
  );
  show();
  figure.append(controls, place, said);
}
