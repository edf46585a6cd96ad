// What models reply, and the advantages of a group of replies under a check. data: problems (as text),
// models, checks (names), replies: for each model and problem a list of { text, prob, rewards: one for
// each check }, and size and eps of a group, as in lmcourse.alignment.group_advantages. What is not
// listed is a reply, too, but none that is drawn here.

import { announcer, bars, button, chips, decimal, element, percent } from "./parts.js";
import { draw } from "./odds.js";

export function mount(figure, data) {
  const at = { problem: 0, model: 0, check: 0 };
  const place = element("div");
  const group = element("div");
  const { place: said, say } = announcer();

  function choice(name, options, key) {
    const row = chips(name, options, 0, (index) => {
      at[key] = index;
      show();
    });
    return element("div", { class: "lm-controls" }, element("span", {}, `${name}:`), row);
  }

  const listed = () => data.replies[at.model][at.problem];

  function show() {
    group.replaceChildren();
    const rows = listed().map(({ text, prob, rewards }) => ({
      name: text || "(nothing)",
      share: prob,
      note: `reward ${rewards[at.check]}`,
    }));
    place.replaceChildren(bars("probability of each reply", rows));
    const mean = listed().reduce((sum, { prob, rewards }) => sum + prob * rewards[at.check], 0);
    say(`These replies bring ${data.models[at.model]} at least ${percent(mean)} of the reward “${data.checks[at.check]}”.`);
  }

  function drawGroup() {
    const total = listed().reduce((sum, { prob }) => sum + prob, 0);
    const shares = listed().map(({ prob }) => prob / total);
    const drawn = Array.from({ length: data.size }, () => listed()[draw(shares)]);
    const rewards = drawn.map((each) => each.rewards[at.check]);
    const rows = advantages(rewards, data.eps).map((advantage, index) =>
      element("li", {}, `${drawn[index].text || "(nothing)"}: reward ${rewards[index]}, advantage `, decimal(advantage)),
    );
    group.replaceChildren(element("ol", { class: "lm-group", "aria-label": "a group of replies" }, ...rows));
    const alike = rewards.every((each) => each === rewards[0]);
    say(alike ? "All have the same reward: nothing can be learned from this group." : "What is above the mean becomes likelier.");
  }

  show();
  figure.append(
    choice("sum", data.problems, "problem"),
    choice("model", data.models, "model"),
    choice("check", data.checks, "check"),
    place,
    element("div", { class: "lm-controls" }, button(`Draw ${data.size} replies`, drawGroup)),
    group,
    said,
  );
}

// (reward − mean) / (standard deviation + eps), with K − 1 below the root.
export function advantages(rewards, eps) {
  const mean = rewards.reduce((sum, each) => sum + each, 0) / rewards.length;
  const squares = rewards.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (rewards.length - 1));
  return rewards.map((each) => (each - mean) / (deviation + eps));
}
