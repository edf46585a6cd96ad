// The surprise of each token of a text, as color: at first as Python computed it, and of the reader's
// own text once the model is loaded. data: model (the name of its folder), megabytes, text, tokens, nats.

import { fetchModel } from "./load_model.js";
import { Reading } from "./model.js";
import { ranking, softmax } from "./odds.js";
import { announcer, bars, button, chips, decimal, element, percent } from "./parts.js";

const MOST = 8; // nats; what surprises more has the same color
const SHOWN = 5; // of the tokens that were expected

export function mount(figure, data) {
  const { place: said, say } = announcer();
  const text = element("div");
  const expected = element("div");
  const controls = element("div", { class: "lm-controls" });
  const loader = button(`Load the model (${data.megabytes.toFixed(1)} MB) for a text of your own`, load);

  // `read` has the tokens of a text, the surprise of each and, if the model is here, what it expected.
  function show(read) {
    const row = chips("tokens, colored by surprise", read.tokens, 0, (index) => tell(read, index));
    row.querySelectorAll("button").forEach((chip, i) => {
      chip.style.setProperty("--lm-weight", `${(45 * Math.min(read.nats[i], MOST)) / MOST}%`);
    });
    text.replaceChildren(row, element("p", { class: "lm-note" }, summary(read)));
    tell(read, 0);
  }

  function tell(read, index) {
    const nats = read.nats[index];
    say(`It had a probability of ${percent(Math.exp(-nats))}: a surprise of ${decimal(nats)} nats.`);
    const rows = read.expected?.[index];
    expected.replaceChildren(rows ? bars("most expected in this place", rows) : "");
  }

  async function load() {
    say("The model is being loaded.");
    loader.disabled = true;
    try {
      const { model, tokenizer } = await fetchModel(new URL(`../${data.model}/`, import.meta.url));
      offer(model, tokenizer);
    } catch (error) {
      say(`The model could not be loaded: ${error.message}.`);
      loader.disabled = false;
    }
  }

  function offer(model, tokenizer) {
    const area = element("textarea", { rows: 2, class: "lm-prompt", "aria-label": "your text" });
    area.value = data.text;
    const begin = () => (area.value ? show(readText(model, tokenizer, area.value)) : say("Write a word first."));
    controls.replaceChildren(area, button("Color the text", begin));
    begin();
  }

  controls.append(loader);
  figure.classList.add("lm-surprise");
  figure.append(controls, text, said, expected);
  show(data);
}

// A new line comes before the text, so that its first token is predicted as well.
function readText(model, tokenizer, text) {
  const reading = new Reading(model);
  const name = (id) => new TextDecoder().decode(Uint8Array.from(tokenizer.tokens[id]));
  const read = { text, tokens: [], nats: [], expected: [] };
  tokenizer.encode("\n").forEach((id) => reading.append(id));
  for (const id of tokenizer.encode(text)) {
    const shares = softmax(reading.logits);
    const likeliest = ranking(reading.logits).slice(0, SHOWN);
    read.tokens.push(name(id));
    read.nats.push(-Math.log(shares[id]));
    read.expected.push(likeliest.map((each) => ({ name: name(each), share: shares[each] })));
    reading.append(id);
  }
  return read;
}

function summary({ text, tokens, nats }) {
  const sum = nats.reduce((a, b) => a + b, 0);
  const nBytes = new TextEncoder().encode(text).length;
  const perplexity = Math.exp(sum / tokens.length);
  return `${tokens.length} tokens, ${nBytes} bytes: perplexity ${decimal(perplexity, 1)}, ${decimal(sum / Math.LN2 / nBytes)} bits per byte.`;
}
