// A prompt, its tokens, what each block makes of them, and the odds of the next one. The model writes
// one token, or one after the other, when the reader asks for it.

import { blockTable } from "./block_table.js";
import { Reading } from "./model.js";
import { draw, odds, ranking } from "./odds.js";
import { bars, button, chips, decimal, element, percent, ruleSliders, scrolling, visible } from "./parts.js";

const SHOWN = 10; // of the likeliest tokens
const FRAME = 25; // milliseconds of writing between two looks at the text
const LOOK = 250; // and between two looks at all the rest: nobody can read it faster
const READ_THE_TABLE =
  "A chip names the token that a head looks at most; click it to color the text by all of its looks. " +
  "“It would say”: what the model would say here if all blocks above did nothing. " +
  "The last row is what it does say, before temperature, top-k and top-p.";

export function playground(model, tokenizer, prompt, say) {
  const { vocab_size, context_length } = model.config;
  const rules = { temperature: 1, topK: vocab_size, topP: 1 };
  const names = tokenizer.tokens.map((token) => new TextDecoder().decode(Uint8Array.from(token)));
  const head = { block: model.config.n_layers - 1, index: 0 };
  let reading = null;
  let chosen = 0; // the position that is shown
  let isWriting = false;

  // ---- What there is to see ----

  const area = element("textarea", { rows: 2, class: "lm-prompt", "aria-label": "prompt" });
  area.value = prompt;
  const text = scrolling("the tokens, colored by what the chosen head looks at");
  const inside = scrolling("what happens in each block");
  const next = element("div");
  const writer = button("Write on", () => (isWriting ? stop() : writeOn()));
  const stepper = button("Next token", step);
  const page = element(
    "div",
    { class: "lm-playground" },
    element("div", { class: "lm-controls" }, area, button("Read the prompt", start)),
    element("div", { class: "lm-controls" }, ...ruleSliders(rules, vocab_size, showNext, { hottest: 2 })),
    element("div", { class: "lm-controls" }, stepper, writer),
    text, inside, next,
  );

  // The row of tokens is made anew when there are new ones; which of them is chosen changes the rest.
  function showText() {
    const first = reading.steps.findIndex((each) => each !== null);
    const tokens = reading.ids.slice(first).map((id) => names[id]);
    const row = chips("position", tokens, chosen - first, (place) => {
      chosen = first + place;
      showPosition();
    });
    const forgotten = first ? `${first} tokens are forgotten: the context holds ${context_length}. ` : "";
    text.replaceChildren(forgotten, row);
    text.scrollTop = text.scrollHeight;
    showPosition();
  }

  // While the model writes the text is plain: hundreds of chips would take longer than the writing.
  function showPlainText() {
    const first = reading.steps.findIndex((each) => each !== null);
    text.replaceChildren(element("p", { class: "lm-written" }, tokenizer.decode(reading.ids.slice(first))));
    text.scrollTop = text.scrollHeight;
  }

  function showPosition() {
    const step = reading.steps[chosen];
    const first = reading.steps.findIndex((each) => each !== null);
    const nameAt = (position) => names[reading.ids[first + position]];
    inside.replaceChildren(
      blockTable(model, step, head, nameAt, names, choose),
      element("p", { class: "lm-note" }, READ_THE_TABLE),
    );
    shade(step);
    showNext();
  }

  function choose(block, index) {
    Object.assign(head, { block, index });
    shade(reading.steps[chosen]);
    const cells = inside.querySelectorAll("button");
    cells.forEach((cell) => cell.setAttribute("aria-pressed", cell.dataset.head === `${block} ${index}`));
  }

  function shade(step) {
    const weights = step.attention[head.block][head.index];
    text.querySelectorAll(".lm-chip").forEach((chip, position) => {
      chip.style.setProperty("--lm-weight", `${45 * (weights[position] ?? 0) ** 0.6}%`);
    });
  }

  function showNext() {
    const { logits } = reading.steps[chosen];
    const shares = odds(logits, rules);
    const rows = ranking(logits).slice(0, SHOWN).map((id) => ({
      name: names[id],
      share: shares[id],
      note: `logit ${decimal(logits[id], 1)}`,
      out: shares[id] === 0,
    }));
    const token = visible(names[reading.ids[chosen]]);
    const after = element("p", { class: "lm-label" }, `The next token after “${token}”, by the rules above`);
    next.replaceChildren(after, bars("probability of the next token", rows));
  }

  // ---- What there is to do ----

  function start() {
    stop();
    let ids;
    try {
      ids = tokenizer.encode(area.value);
    } catch (error) {
      return say(`The prompt cannot be read: ${error.message}.`);
    }
    if (!ids.length) return say("The prompt is empty: write a word.");
    reading = new Reading(model);
    ids.forEach((id) => reading.append(id));
    chosen = ids.length - 1;
    showText();
    say(`${ids.length} tokens were read.`);
  }

  function write() {
    const shares = odds(reading.logits, rules);
    const id = draw(shares);
    reading.append(id);
    chosen = reading.ids.length - 1;
    return { id, share: shares[id] };
  }

  function step() {
    stop();
    const { id, share } = write();
    showText();
    say(`Drawn: “${visible(names[id])}”, which had ${percent(share)}.`);
  }

  function writeOn() {
    isWriting = true;
    writer.textContent = "Stop";
    const begin = performance.now();
    let n = 0;
    let looked = begin;
    requestAnimationFrame(function frame() {
      const until = performance.now() + FRAME;
      while (isWriting && performance.now() < until) n += Boolean(write());
      if (!page.isConnected) return;
      if (isWriting) {
        showPlainText();
        if (until > looked + LOOK) {
          showPosition();
          looked = until;
        }
        requestAnimationFrame(frame);
      } else {
        showText();
        const seconds = (performance.now() - begin) / 1000;
        say(`${n} tokens in ${seconds.toFixed(1)} seconds, ${Math.round(n / seconds)} a second.`);
      }
    });
  }

  function stop() {
    isWriting = false;
    writer.textContent = "Write on";
  }

  start();
  return page;
}
