// One query of attention, step by step: scores → scale → mask → softmax → mix. Python has computed
// every number, with and without scale and mask; the reader chooses which of them are shown.

import { announcer, bars, checkbox, chips, decimal, element, percent, scrolling, visible } from "./parts.js";

// data: queries, keys (texts); d_head; scores, scaled, mask (T × S); values (S × D); and for each of
// "plain", "scaled", "masked" and "scaled_masked" the weights (T × S) and what they mix (T × D).
export function mount(figure, data) {
  const chosen = { row: data.queries.length - 1, scaled: true, masked: true };
  const place = scrolling("what the query does with each key");
  const mixed = element("p", { class: "lm-mixed" });
  const { place: said, say } = announcer();

  function show() {
    const steps = [chosen.scaled && "scaled", chosen.masked && "masked"].filter(Boolean).join("_");
    const { weights, mixed: mixes } = data.results[steps || "plain"];
    const row = weights[chosen.row];
    const best = row.indexOf(Math.max(...row));
    place.replaceChildren(table(data, chosen, row));
    mixed.replaceChildren("mixed, ∑ weight · value: ", vector(mixes[chosen.row]));
    const query = visible(data.queries[chosen.row]);
    say(`“${query}” looks most at “${visible(data.keys[best])}”, ${percent(row[best])}.`);
  }

  function change(name) {
    return (value) => {
      chosen[name] = value;
      show();
    };
  }

  const controls = element(
    "div",
    { class: "lm-controls" },
    checkbox(`divide by √${data.d_head}`, true, change("scaled")),
    checkbox("mask", true, change("masked")),
  );
  const row = chips("query", data.queries, chosen.row, change("row"));
  show();
  figure.append(element("p", { class: "lm-label lm-query" }, "query"), row, controls, place, mixed, said);
}

function table(data, { row, scaled, masked }, weights) {
  const cell = (text, out = false) => element("td", { class: out ? "lm-out" : null }, text);
  const rows = data.keys.map((key, index) => {
    const hidden = masked && !data.mask[row][index];
    return element(
      "tr",
      {},
      element("th", { scope: "row", class: "lm-key" }, visible(key)),
      cell(decimal(data.scores[row][index])),
      scaled ? cell(decimal(data.scaled[row][index])) : "",
      masked ? cell(hidden ? "−∞" : "0", hidden) : "",
      element("td", { class: "lm-weight" }, bar(weights[index]), percent(weights[index])),
      element("td", { class: "lm-value" }, vector(data.values[index])),
    );
  });
  const names = ["key", "query · key", scaled && `÷ √${data.d_head}`, masked && "mask", "weight", "value"];
  const head = names.filter(Boolean).map((name) => element("th", { scope: "col" }, name));
  return element(
    "table",
    { class: "lm-table" },
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows),
  );
}

function bar(share) {
  const drawn = element("span", { class: "lm-weight-bar", "aria-hidden": "true" });
  drawn.style.width = `${4 * share}em`;
  return drawn;
}

function vector(numbers) {
  return element("span", { class: "lm-vector" }, `(${numbers.map((each) => decimal(each)).join(", ")})`);
}
