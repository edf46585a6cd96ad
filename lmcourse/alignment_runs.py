"""What each way of alignment makes of the same chat model, over several seeds: all that takes long.

Chapter: book/alignment.md
"""

import copy
import itertools
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from lmcourse.alignment import sequence_log_probs
from lmcourse.carried_sums import (
    MOST_TOKENS,
    SPECIAL,
    Problem,
    Reward,
    Words,
    chats,
    demonstrations,
    distance,
    draw,
    imitate,
    is_right,
    mentions,
    new_generator,
    new_gpt,
    pretrain,
    problems,
    reinforce,
    score,
)
from lmcourse.checkpoints import load_or_train
from lmcourse.gpt import GPT
from lmcourse.kept_runs import KeptRuns, keep_story
from lmcourse.over_refusals import learn, requests, share_refused
from lmcourse.preferred_replies import (
    best_possible,
    differing_in,
    mean_log_prob,
    prefer,
    preferences,
    share_agreed,
    train_reward_model,
)

Numbers = dict[str, float]

N_SEEDS = 5
READ_STEPS, ANSWER_STEPS, ANSWER_RATE = 600, 700, 5e-3
N_PAIRS = (64, 512, 4096)
REWARD_STEPS = 200
BETAS = (0.1, 0.5, 1.0, 2.0)  # of DPO
DPO_STEPS = 150
# The best of 2e-4, 5e-4 and 1e-3 with seed 100, which is used for nothing else; so is DPO's, 2e-4.
WINNERS_RATE = 1e-3
REINFORCE_STEPS, REINFORCE_RATE = 60, 5e-4
LOOKS = (0, 10, 20, 40, 60)
PRICE = 0.04  # of a nat of distance, in GRPO
PRICES = (0.0, 0.04, 0.2, 1.0)
CONTRASTS = (0, 2, 4, 8, 16)
N_SHOWN = 8


def measure(folder: Path, seed: int) -> Numbers:
    """All experiments on five models that read and learned to answer with seeds of their own."""
    runs, numbers = KeptRuns(folder / "runs.json"), {}
    for each in range(N_SEEDS):
        for name, part in PARTS.items():

            def found(each: int = each, part: Callable[..., Numbers] = part) -> Numbers:
                return part(answering(folder, seed + each), seed + each)

            row = runs.get(f"{name}, seed {each}", found)
            numbers |= {f"{key}, seed {each}": value for key, value in row.items()}
    keep_story(folder, {"replies": runs.get("story", lambda: told(folder, seed))})
    return numbers


def reading(folder: Path, seed: int) -> GPT:
    """A model that has read, from the folder if it is there."""
    return load_or_train(
        new_gpt(seed),
        folder / f"read-{seed}.safetensors",
        lambda model: pretrain(model, READ_STEPS, seed),
    )


def answering(folder: Path, seed: int) -> GPT:
    """A model that has read and then learned to answer as people do, from the folder or new."""

    def train(model: GPT) -> None:
        model.load_state_dict(reading(folder, seed).state_dict())
        imitate(model, demonstrations(seed), ANSWER_STEPS, ANSWER_RATE)

    return load_or_train(new_gpt(seed), folder / f"answers-{seed}.safetensors", train)


# ---------------------------------------------------------------- the parts


def start(model: GPT, seed: int) -> Numbers:
    """What it answers before any preference: drawn, the likeliest, and after more of the same."""
    longer = copy.deepcopy(model)
    imitate(longer, demonstrations(seed + 1000), ANSWER_STEPS // 2, ANSWER_RATE / 5)
    return {
        "start, right": score(model, is_right),
        "start, mentions": score(model, mentions),
        "start, likeliest": score(model, is_right, n_each=1, temperature=0),
        "longer, right": score(longer, is_right),
    }


def reward_models(model: GPT, seed: int) -> Numbers:
    """Reward models from few and many pairs: agreement, its limit, and what they go by."""
    exam = preferences(2000, seed, "exam")
    numbers = {"best possible": best_possible(exam)}
    for n in N_PAIRS:
        judge = train_reward_model(model, preferences(n, seed), REWARD_STEPS, seed)
        numbers[f"reward, {n}, agreed"] = share_agreed(judge, exam)
        for what in ("matter", "manner"):
            numbers[f"reward, {n}, {what}"] = share_agreed(judge, differing_in(what, seed))
    return numbers


def from_pairs(model: GPT, seed: int) -> Numbers:
    """DPO at several prices, and the control that imitates the winners of the same pairs."""
    pairs, exam = preferences(N_PAIRS[-1], seed), preferences(1000, seed, "exam")
    won = [(each.problem, each.chosen) for each in exam]
    lost = [(each.problem, each.rejected) for each in exam]

    def told(name: str, tuned: GPT) -> Numbers:
        return {
            f"{name}, right": score(tuned, is_right),
            f"{name}, distance": distance(tuned, model),
            f"{name}, chosen": mean_log_prob(tuned, won) - mean_log_prob(model, won),
            f"{name}, rejected": mean_log_prob(tuned, lost) - mean_log_prob(model, lost),
        }

    numbers = {}
    for beta in BETAS:
        tuned = copy.deepcopy(model)
        prefer(tuned, pairs, DPO_STEPS, seed, beta)
        numbers |= told(f"DPO {beta}", tuned)
    winners = random.Random(f"winners {seed}").sample(pairs, len(pairs))
    tuned = copy.deepcopy(model)
    imitate(
        tuned,
        itertools.cycle([(each.problem, each.chosen) for each in winners]),
        2 * DPO_STEPS,  # of half as many replies, and so as many in all
        WINNERS_RATE,
    )
    return numbers | told("winners", tuned)


def coin(seed: int) -> Reward:
    """A reward that says nothing: 1 with the chance that the first replies have to be right."""
    dice = random.Random(f"coin {seed}")

    def toss(said: Words, problem: Problem) -> float:
        return float(dice.random() < 0.2)

    return toss


def checked(model: GPT, seed: int) -> Numbers:
    """GRPO with a check that cannot be fooled, watched; and with rewards drawn by a coin."""
    numbers: Numbers = {}
    for name, reward in (("right", is_right), ("coin", coin(seed))):

        def watch(step: int, policy: GPT, name: str = name) -> None:
            if step in LOOKS:
                numbers[f"{name}, step {step}, right"] = score(policy, is_right)
                numbers[f"{name}, step {step}, distance"] = distance(policy, model)

        reinforce(
            copy.deepcopy(model), reward, REINFORCE_STEPS, seed, PRICE, REINFORCE_RATE, watch=watch
        )
    return numbers


def holed(model: GPT, seed: int, price: float) -> Numbers:
    """GRPO with a check that has a hole, at a price of distance; the true reward beside it."""
    numbers: Numbers = {}

    def watch(step: int, policy: GPT) -> None:
        if step in LOOKS:
            name = f"hole {price}, step {step}"
            numbers[f"{name}, mentions"] = score(policy, mentions)
            numbers[f"{name}, right"] = score(policy, is_right)
            numbers[f"{name}, distance"] = distance(policy, model)

    reinforce(
        copy.deepcopy(model), mentions, REINFORCE_STEPS, seed, price, REINFORCE_RATE, watch=watch
    )
    return numbers


def refusals(model: GPT, seed: int) -> Numbers:
    """What small models refuse that learned from fewer or more harmless requests that sound bad."""
    numbers = {}
    for n in CONTRASTS:
        small, asked = learn(seed, n), requests(seed, n)
        for kind in set(asked) - {"training"}:
            numbers[f"refused, {n}, {kind}"] = share_refused(small, asked[kind])
    return numbers


PARTS: dict[str, Callable[[GPT, int], Numbers]] = {
    "start": start,
    "reward models": reward_models,
    "from pairs": from_pairs,
    "checked": checked,
    **{f"hole {price}": partial(holed, price=price) for price in PRICES},
    "refusals": refusals,
}


# ---------------------------------------------------------------- texts


def told(folder: Path, seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """The likeliest replies of four models to some held-out problems: stage, problem, reply."""
    model = answering(folder, seed)
    tuned = {name: copy.deepcopy(model) for name in ("DPO", "GRPO", "GRPO, a hole")}
    prefer(tuned["DPO"], preferences(N_PAIRS[-1], seed), DPO_STEPS, seed)
    for name, reward in (("GRPO", is_right), ("GRPO, a hole", mentions)):
        reinforce(tuned[name], reward, REINFORCE_STEPS, seed, PRICE, REINFORCE_RATE)
    models = {"answers": model, **tuned}
    shown = random.Random("shown").sample(problems("exam"), N_SHOWN)
    return {
        name: {f"{a} + {b}": likeliest_replies(each, (a, b)) for a, b in shown}
        for name, each in models.items()
    }


@torch.inference_mode()
def likeliest_replies(model: GPT, problem: Problem, n: int = 5) -> dict[str, float]:
    """Replies and their probabilities, the likeliest n of those that come in 300 draws."""
    drawn = draw(model, [problem] * 300, new_generator(0))
    whole = [words for words in drawn.words if len(words) < MOST_TOKENS]
    texts = sorted({tuple(words) for words in whole if not set(words) & set(SPECIAL)})
    if not texts:
        return {}
    ids, answers = chats([(problem, list(words)) for words in texts])
    probs = sequence_log_probs(model(ids), ids, answers).exp()
    found = zip(map(" ".join, texts), probs.tolist(), strict=True)
    return dict(sorted(found, key=lambda each: -each[1])[:n])
