// What happens at one position on its way up: for each block where each head looks, and what the
// model would say if it ended there.

import { ranking, softmax } from "./odds.js";
import { element, percent, visible } from "./parts.js";

const GUESSES = 3;

// step: what GPT.read told of the position; chosen: { block, index } of a head; nameAt: the token at a
// position of the context; names: of all tokens; choose(block, index) is called by a click.
export function blockTable(model, step, chosen, nameAt, names, choose) {
  const heads = step.attention[0].map((_, index) => `head ${index + 1}`);
  const titles = ["after", ...heads, "it would say"].map((name) => element("th", { scope: "col" }, name));
  const rows = step.streams.map((stream, i) => {
    const cells = i === 0
      ? [element("td", { colspan: heads.length, class: "lm-note" }, "nothing has been looked at")]
      : step.attention[i - 1].map((weights, index) => {
          const isChosen = chosen.block === i - 1 && chosen.index === index;
          return element("td", {}, headButton(weights, i - 1, index, isChosen, nameAt, choose));
        });
    const label = element("th", { scope: "row" }, i === 0 ? "embedding" : `block ${i}`);
    return element("tr", {}, label, ...cells, element("td", { class: "lm-guess" }, guess(model.lens(stream), names)));
  });
  return element(
    "table",
    { class: "lm-table lm-blocks" },
    element("thead", {}, element("tr", {}, ...titles)),
    element("tbody", {}, ...rows),
  );
}

function headButton(weights, block, index, isChosen, nameAt, choose) {
  const best = weights.reduce((top, weight, position) => (weight > weights[top] ? position : top), 0);
  const share = percent(weights[best]);
  const name = visible(nameAt(best));
  return element(
    "button",
    {
      type: "button",
      class: "lm-chip",
      click: () => choose(block, index),
      "data-head": `${block} ${index}`,
      "aria-pressed": isChosen,
      "aria-label": `block ${block + 1}, head ${index + 1} looks most at “${name}”, ${share}`,
      style: `--lm-weight: ${45 * weights[best]}%`,
    },
    `${name} ${share}`,
  );
}

function guess(logits, names) {
  const shares = softmax(logits);
  const best = ranking(logits).slice(0, GUESSES);
  return best.map((id) => `${visible(names[id])} ${percent(shares[id])}`).join(", ");
}
