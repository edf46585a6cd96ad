// Questions to check oneself with: choose an answer, and read why it is right or wrong. What was
// chosen is kept in this browser and nowhere else.

import { button, element } from "./parts.js";

// data: name, and questions of { text, choices }, where a choice is { key, text, why, right }. A
// text is a list of runs, { text, tag }, whose tag is "em", "code" or "".
export function mount(figure, data) {
  const memory = remembered(`lmcourse-quiz-${data.name}`);
  const clearers = [];
  const items = data.questions.map((question, index) => {
    const { item, clear } = ask(question, memory.read()[index], (key) => memory.write(index, key));
    clearers.push(clear);
    return item;
  });
  const forget = button("Start again", () => {
    memory.clear();
    for (const clear of clearers) clear();
  });
  const note = element("p", { class: "lm-said" }, "Your answers stay in this browser. ", forget);
  figure.append(element("ol", { class: "lm-quiz" }, ...items), note);
}

// One question; `kept` is the key of the choice that was made when the page was last open.
function ask({ text, choices }, kept, keep) {
  const verdict = element("p", { class: "lm-verdict", role: "status" });
  const buttons = choices.map((choice) => {
    const chosen = () => {
      show(choice);
      keep(choice.key);
    };
    return element("button", { type: "button", class: "lm-choice", click: chosen }, ...runs(choice.text));
  });

  function show(choice) {
    choices.forEach((each, index) => {
      const isChosen = each === choice;
      buttons[index].setAttribute("aria-pressed", isChosen);
      buttons[index].dataset.verdict = isChosen ? (each.right ? "right" : "wrong") : "";
    });
    verdict.replaceChildren();
    if (choice) verdict.append(element("b", {}, choice.right ? "Right. " : "Not quite. "), ...runs(choice.why));
  }

  show(choices.find(({ key }) => key === kept));
  const group = element("div", { class: "lm-choices", role: "group", "aria-label": plain(text) }, ...buttons);
  return { item: element("li", {}, element("p", {}, ...runs(text)), group, verdict), clear: () => show() };
}

const runs = (parts) => parts.map(({ text, tag }) => (tag ? element(tag, {}, text) : text));
const plain = (parts) => parts.map(({ text }) => text).join("");

// A browser may forbid to store anything; then the answers last as long as the page.
function remembered(name) {
  let chosen = {};
  try {
    chosen = JSON.parse(localStorage.getItem(name)) ?? {};
  } catch {}
  function attempt(action) {
    try {
      action();
    } catch {}
  }
  return {
    read: () => chosen,
    write: (index, key) => {
      chosen[index] = key;
      attempt(() => localStorage.setItem(name, JSON.stringify(chosen)));
    },
    clear: () => {
      chosen = {};
      attempt(() => localStorage.removeItem(name));
    },
  };
}
