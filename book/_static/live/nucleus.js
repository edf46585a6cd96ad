// What may be drawn at each place of a text. data: tokens (those that a model has read), vocabulary,
// logits (for each place, those of every token that may come next), top_p (where its slider stands
// at first) and kept (how many tokens it leaves at each place, as Python counted them).

import { announcer, bars, button, chips, element, percent, ruleSliders, visible } from "./parts.js";
import { draw, odds, ranking } from "./odds.js";

const N_BARS = 10;
const N_DRAWN = 10;

export function mount(figure, data) {
  const n = data.vocabulary.length;
  const rules = { temperature: 1, topK: n, topP: data.top_p };
  const orders = data.logits.map(ranking);
  const place = element("div");
  const { place: said, say } = announcer();
  const row = chips("after which token?", data.tokens, data.tokens.length - 1, choose);
  const counts = [...row.querySelectorAll("button")].map((chip) => {
    const count = element("small");
    chip.append(" ", count);
    return count;
  });
  let at = data.tokens.length - 1;
  let shares; // for each place, the odds of every token

  function choose(index) {
    at = index;
    show();
  }

  function update() {
    compute();
    show();
  }

  function compute() {
    shares = data.logits.map((logits) => odds(logits, rules));
    shares.forEach((each, index) => (counts[index].textContent = left(each)));
  }

  function show() {
    const [now, before] = [shares[at], odds(data.logits[at], { temperature: rules.temperature })];
    const rows = orders[at].slice(0, N_BARS).map((index) => barOf(data.vocabulary[index], now[index]));
    const others = orders[at].slice(N_BARS).reduce((sum, index) => sum + now[index], 0);
    rows.push(barOf("others", others));
    place.replaceChildren(bars("probability of the next token", rows));
    const mass = now.reduce((sum, share, index) => sum + (share > 0 ? before[index] : 0), 0);
    say(
      `After “${visible(data.tokens[at])}” ${left(now)} of ${n} tokens may be drawn. ` +
        `At this temperature they have ${percent(Math.min(mass, 1))} of the probability.`,
    );
  }

  function drawSome() {
    const drawn = Array.from({ length: N_DRAWN }, () => visible(data.vocabulary[draw(shares[at])]));
    say(`Drawn after “${visible(data.tokens[at])}”: ${drawn.join("  ")}`);
  }

  const controls = element(
    "div",
    { class: "lm-controls" },
    ...ruleSliders(rules, n, update),
    button(`Draw ${N_DRAWN} tokens`, drawSome),
  );
  update();
  figure.append(element("p", {}, "What the model has read, and how many tokens may follow:"), row, controls, place, said);
}

const left = (shares) => shares.filter((share) => share > 0).length;
const barOf = (name, share) => ({ name, share, out: share === 0 });
