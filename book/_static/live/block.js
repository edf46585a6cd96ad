// One forward pass through a block, a step at a time. Python has computed every number; the reader
// walks along the stream and sees what each step makes of it.

import { announcer, button, chips, decimal, element, scrolling, visible } from "./parts.js";

// data: words; steps: { name, shape, says, role, tables }, tables a list of [name, rows of numbers].
export function mount(figure, data) {
  let now = 0;
  const place = scrolling("the numbers of this step");
  const title = element("p", { class: "lm-label" });
  const { place: said, say } = announcer();
  const names = data.steps.map(({ name }) => name.replaceAll(" ", "\u00a0")); // names, not tokens
  const row = chips("step", names, now, show);
  const back = button("back", () => go(now - 1));
  const next = button("next step", () => go(now + 1));

  function go(step) {
    row.children[step]?.click();
  }

  function show(step) {
    now = step;
    const { name, shape, says, role, tables } = data.steps[step];
    title.className = role ? `lm-label lm-${role}` : "lm-label";
    title.textContent = `${step + 1}. ${name}, ${shape}`;
    place.replaceChildren(...tables.map(([label, rows]) => table(label, rows, data.words, role)));
    // A button that is disabled would lose the focus, and the keys with it.
    back.setAttribute("aria-disabled", step === 0);
    next.setAttribute("aria-disabled", step === data.steps.length - 1);
    say(says);
  }

  show(now);
  figure.append(row, element("div", { class: "lm-controls" }, back, next), title, said, place);
}

// A row for each word; the color of a cell says how far its number is from zero.
function table(label, rows, words, role) {
  const most = Math.max(...rows.flat().map(Math.abs)) || 1;
  const cell = (number) =>
    element("td", { style: `--lm-share: ${Math.abs(number) / most}`, "data-sign": number < 0 ? "minus" : "plus" }, decimal(number));
  const lines = rows.map((numbers, index) =>
    element("tr", {}, element("th", { scope: "row" }, visible(words[index])), ...numbers.map(cell)),
  );
  return element(
    "table",
    { class: "lm-table lm-numbers" },
    element("caption", { class: role ? `lm-${role}` : null }, label),
    element("tbody", {}, ...lines),
  );
}
