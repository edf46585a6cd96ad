// Temperature, top-k and top-p over a few words. data: words, logits, and the odds of each word as
// Python computed them; what the reader sets is computed here.

import { announcer, bars, button, element, ruleSliders } from "./parts.js";
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

  function update() {
    shares = odds(data.logits, rules);
    const left = shares.filter((share) => share > 0).length;
    say(left === 1 ? `Only “${data.words[order[0]]}” can be drawn.` : `${left} words can be drawn.`);
    show();
  }

  const controls = element(
    "div",
    { class: "lm-controls" },
    ...ruleSliders(rules, n, update),
    button("Draw a word", () => say(`Drawn: “${data.words[draw(shares)]}”.`)),
  );
  show();
  figure.append(controls, place, said);
}
