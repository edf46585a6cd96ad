// A GPT in the page. Until the reader asks for the model nothing is loaded, and the figure shows what
// Python found: the likeliest tokens after the prompt. data: model (the name of its folder), megabytes,
// prompt, and likeliest: { tokens, probs }.

import { fetchModel, openModel } from "./load_model.js";
import { announcer, bars, button, element } from "./parts.js";
import { playground } from "./playground.js";

export function mount(figure, data) {
  const { place: said, say } = announcer();
  const place = element("div");
  const rows = data.likeliest.tokens.map((name, i) => ({ name, share: data.likeliest.probs[i] }));
  const label = `Load the model (${data.megabytes.toFixed(1)} MB)`;
  const loader = button(label, () => show(fetchModel(new URL(`../${data.model}/`, import.meta.url))));

  async function show(loading) {
    say("The model is being loaded.");
    loader.disabled = true;
    try {
      const { model, tokenizer } = await loading;
      place.replaceChildren(playground(model, tokenizer, data.prompt, say));
    } catch (error) {
      say(`The model could not be loaded: ${error.message}.`);
      loader.disabled = false;
    }
  }

  place.append(
    element("p", {}, "After ", element("code", {}, data.prompt.trimEnd()), " come most likely:"),
    bars("probability of the next token", rows),
    element("p", { class: "lm-controls" }, loader),
  );
  figure.append(place, said, ownModel((files) => show(openModel(files))));
}

function ownModel(opened) {
  const input = element("input", { type: "file", multiple: true, accept: ".json,.safetensors" });
  input.addEventListener("change", () => opened(input.files));
  return element(
    "details",
    { class: "lm-own" },
    element("summary", {}, "A model of your own"),
    element("label", {}, "The three files that ", element("code", {}, "lmcourse export-web"), " makes: ", input),
    element("p", {}, "They stay on your machine."),
  );
}
