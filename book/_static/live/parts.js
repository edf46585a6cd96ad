// What the live figures are built from: plain HTML controls, which the keyboard and screen readers
// know already.

let count = 0; // for ids: a label names its control by one

// element("p", { class: "note" }, "text", child): attributes that are functions are listeners, and
// those that are false or null are left out.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// svg("circle", { r: 3 }, child) makes a part of a drawing, in the namespace of the figure's picture.
export function pen(figure) {
  const { namespaceURI } = figure.querySelector("svg");
  return function svg(tag, attributes, ...children) {
    const made = document.createElementNS(namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
}

export const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;

// A true minus, and no "−0.00".
export function decimal(number, digits = 2) {
  const text = number.toFixed(digits);
  return Number(text) < 0 ? text.replace("-", "−") : text.replace("-", "");
}

// White space that is a token of its own, or its beginning, must be seen.
export const visible = (token) => token.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥");

// A slider with its name and its value. `show` makes the value readable.
export function slider(name, { min, max, step, value }, show, changed) {
  const id = `lm-part-${++count}`;
  // A screen reader hears the value from the slider itself.
  const output = element("span", { class: "lm-slider-value", "aria-hidden": "true" }, show(value));
  const input = element("input", { id, type: "range", min, max, step, value, "aria-valuetext": show(value) });
  input.addEventListener("input", () => {
    output.textContent = show(input.valueAsNumber);
    input.setAttribute("aria-valuetext", output.textContent);
    changed(input.valueAsNumber);
  });
  return element("div", { class: "lm-slider" }, element("label", { for: id }, name), input, output);
}

// Sliders for the rules by which one of n tokens is chosen. They begin where `rules` stands and
// write into it; `changed` is told.
export function ruleSliders(rules, n, changed, { hottest = 3 } = {}) {
  const hundredths = (value) => value.toFixed(2);
  const set = (name) => (value) => {
    rules[name] = value;
    changed();
  };
  return [
    slider("temperature", { min: 0, max: hottest, step: 0.05, value: rules.temperature }, hundredths, set("temperature")),
    slider("top-k", { min: 1, max: n, step: 1, value: rules.topK }, String, set("topK")),
    slider("top-p", { min: 0.05, max: 1, step: 0.05, value: rules.topP }, hundredths, set("topP")),
  ];
}

export function checkbox(name, checked, changed) {
  const input = element("input", { type: "checkbox", checked });
  input.addEventListener("change", () => changed(input.checked));
  return element("label", { class: "lm-checkbox" }, input, name);
}

export function button(name, clicked, attributes = {}) {
  return element("button", { type: "button", class: "lm-button", click: clicked, ...attributes }, name);
}

// A row of tokens, one of which is chosen: by a click, or with the arrow keys, Home and End. Only
// the chosen one is a stop of the Tab key, however long the row is.
export function chips(name, tokens, chosen, changed) {
  const row = element("div", { class: "lm-chips", role: "toolbar", "aria-label": name });
  const buttons = tokens.map((token, index) =>
    element("button", { type: "button", class: "lm-chip", click: () => choose(index) }, visible(token)),
  );
  function choose(index, silently = false) {
    buttons.forEach((each, other) => {
      each.setAttribute("aria-pressed", other === index);
      each.tabIndex = other === index ? 0 : -1;
    });
    if (!silently) changed(index);
    chosen = index;
  }
  row.addEventListener("keydown", (event) => {
    const last = buttons.length - 1;
    const goal = { ArrowLeft: chosen - 1, ArrowRight: chosen + 1, Home: 0, End: last }[event.key];
    if (goal === undefined || goal < 0 || goal > last) return;
    event.preventDefault();
    choose(goal);
    buttons[goal].focus();
  });
  choose(chosen, true);
  buttons.forEach((each, index) => {
    row.append(each);
    if (tokens[index].endsWith("\n")) row.append(element("span", { class: "lm-break" }));
  });
  return row;
}

// A list of bars: rows are { name, share, note, out }. `out` says that a rule has excluded the row.
export function bars(label, rows) {
  const items = rows.map(({ name, share, note = "", out = false }) =>
    element(
      "li",
      { class: out ? "lm-bar lm-out" : "lm-bar" },
      element("span", { class: "lm-bar-name" }, visible(name)),
      element("span", { class: "lm-bar-line", "aria-hidden": "true" }, strip(share)),
      element("span", { class: "lm-bar-share" }, out ? "left out" : percent(share)),
      note && element("span", { class: "lm-bar-note" }, note),
    ),
  );
  return element("ol", { class: "lm-bars", "aria-label": label }, ...items);
}

function strip(share) {
  const drawn = element("span", {});
  drawn.style.width = `${100 * share}%`;
  return drawn;
}

// A box that scrolls where the screen is narrow; the keyboard must reach it for that.
export function scrolling(label) {
  return element("div", { class: "lm-scroll", role: "region", "aria-label": label, tabindex: 0 });
}

// What has changed, said aloud by a screen reader once the reader rests.
export function announcer() {
  const place = element("p", { class: "lm-said", role: "status" });
  return { place, say: (text) => (place.textContent = text) };
}
