// A model from the three files that `lmcourse export-web` makes, from the site or from the reader's
// own machine.

import { GPT } from "./model.js";
import { readSafetensors } from "./safetensors.js";
import { makeTokenizer } from "./tokenizer.js";

const FILES = ["config.json", "tokenizer.json", "model.safetensors"];

export async function fetchModel(folder) {
  const responses = await Promise.all(FILES.map((name) => fetch(new URL(name, folder))));
  const missing = responses.find((response) => !response.ok);
  if (missing) throw new Error(`${missing.url} cannot be had: ${missing.status}`);
  return assemble(responses);
}

// `files` are those of a file input; a Blob can do what a Response can.
export async function openModel(files) {
  const found = FILES.map((name) => [...files].find((file) => file.name === name));
  const missing = FILES.filter((name, i) => !found[i]);
  if (missing.length) throw new Error(`choose all three files together, ${missing.join(" and ")} is missing`);
  return assemble(found.map((file) => new Response(file)));
}

async function assemble([config, tokenizer, weights]) {
  const content = await config.json();
  const model = new GPT(content.config, readSafetensors(await weights.arrayBuffer()));
  return { model, tokenizer: makeTokenizer(content.tokenizer, await tokenizer.json()) };
}
