// A text as bytes, and the merges that make tokens of them, one after the other: the reader's own text,
// cut by the tokenizer that the page has trained.

import { announcer, button, element, slider, visible } from "./parts.js";
import { makeTokenizer } from "./tokenizer.js";

const LONGEST = 280; // characters: more would be no figure any more

// data: merges (pairs of ids, in the order in which they were learned); text, which the page proposes;
// tokens, what Python makes of it: ids, and pieces as they are shown.
export function mount(figure, data) {
  const tokenizer = makeTokenizer("bpe", { merges: data.merges, special_tokens: [] });
  const area = element("textarea", { rows: 2, maxlength: LONGEST, class: "lm-prompt", "aria-label": "your text" });
  const ruler = element("div", { class: "lm-merges" });
  // A long text scrolls inside of it: by the keys, too.
  const row = element("ol", { class: "lm-tokens", "aria-label": "tokens", tabindex: 0 });
  const { place: said, say } = announcer();
  const back = button("One merge back", () => move(-1));
  const next = button("Next merge", () => move(1));
  let steps = []; // after each merge: the id that it made, and the words
  let now = 0;

  function read() {
    steps = tokenizer.steps(area.value);
    now = steps.length - 1;
    const last = now;
    const range = { min: 0, max: last, step: 1, value: now };
    ruler.replaceChildren(slider("merges", range, (step) => `${step} of ${last}`, show));
    show(now);
  }

  function show(step) {
    now = step;
    const { id, words } = steps[now];
    row.replaceChildren(...words.flatMap((word) => word.map((each, place) => chip(each, place === 0, each === id))));
    // A button that is disabled would lose the focus, and the keys with it.
    back.setAttribute("aria-disabled", now === 0);
    next.setAttribute("aria-disabled", now === steps.length - 1);
    const count = words.reduce((sum, word) => sum + word.length, 0);
    say(`${told(id)} ${count} ${count === 1 ? "token" : "tokens"} for ${[...area.value].length} characters.`);
  }

  function told(id) {
    if (id === null) return "No merge yet, only bytes.";
    const [first, second] = data.merges[id - 256].map((each) => `“${spelled(tokenizer.tokens[each])}”`);
    return `Merge ${id - 255} of ${data.merges.length} joins ${first} and ${second}.`;
  }

  function chip(id, isFirst, isFresh) {
    const classes = ["lm-token", isFirst && "lm-word", isFresh && "lm-fresh"].filter(Boolean).join(" ");
    const number = element("span", { class: "lm-token-id" }, String(id));
    const made = element("li", { class: classes }, element("span", {}, spelled(tokenizer.tokens[id])), number);
    made.style.setProperty("--lm-hue", `var(--lm-hue-${id % 4})`);
    return made;
  }

  // The slider follows the buttons, and shows the step.
  function move(by) {
    const input = ruler.querySelector("input");
    input.value = now + by;
    input.dispatchEvent(new Event("input"));
  }

  area.value = data.text;
  area.addEventListener("input", read);
  figure.append(element("div", { class: "lm-controls" }, area), element("div", { class: "lm-controls" }, ruler, back, next), row, said);
  read();
}

// A token as it can be seen; bytes that are a part of a character in hexadecimal.
function spelled(bytes) {
  try {
    return visible(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes)));
  } catch {
    return bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
  }
}
