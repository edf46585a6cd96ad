"""Replies in pairs, of which a reader prefers one: a reward model, DPO, and imitating the winners.

Chapter: book/alignment.md
"""

import copy
import math
import random
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lmcourse.alignment import (
    RewardModel,
    dpo_loss,
    preference_loss,
    sequence_log_probs,
)
from lmcourse.carried_sums import (
    N_ROWS,
    Problem,
    Words,
    carries,
    chats,
    descend,
    is_right,
    problems,
    reply,
)
from lmcourse.gpt import GPT
from lmcourse.modes import mode

RIGHT, SENTENCE = 3.0, 1.0  # what a reader likes, and how much


class Pair(NamedTuple):
    """Two replies to a problem, the preferred one first, and how sure that was beforehand.

    Args:
        sureness: the probability that the likelier of the two is preferred, ½ to 1.
    """

    problem: Problem
    chosen: Words
    rejected: Words
    sureness: float


def liking(said: Words, problem: Problem) -> float:
    """The reader's true reward: for the sum and nothing else, and for a whole sentence."""
    return RIGHT * is_right(said, problem) + SENTENCE * (said[:2] == ["it", "is"])


def preferences(n: int, seed: int, part: str = "training") -> list[Pair]:
    """Pairs of different replies to sums with a carry, chosen with probability σ(difference).

    Reference: Bradley and Terry (1952), https://doi.org/10.2307/2334029
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got n={n}")
    dice = random.Random(f"preferences {part} {seed}")
    asked = [problem for problem in problems(part) if carries(problem)]
    found: list[Pair] = []
    while len(found) < n:
        problem = dice.choice(asked)
        one, two = reply(problem, dice), reply(problem, dice)
        if one == two:
            continue
        wins = 1 / (1 + math.exp(liking(two, problem) - liking(one, problem)))
        chosen, rejected = (one, two) if dice.random() < wins else (two, one)
        found.append(Pair(problem, chosen, rejected, max(wins, 1 - wins)))
    return found


# ---------------------------------------------------------------- a reward model


def rewards(model: RewardModel, texts: Sequence[tuple[Problem, Words]]) -> Float[Tensor, "B"]:
    """The reward of each reply to its problem."""
    ids, answers = chats(texts)
    # Up to the last id of the reply all are real; behind it there is padding.
    real = answers.flip(1).cumsum(1).flip(1) > 0
    return model(ids, real)


def train_reward_model(
    body: GPT, pairs: Sequence[Pair], n_steps: int, seed: int, rate: float = 2e-3
) -> RewardModel:
    """A reward model on a copy of the body, trained on pairs drawn anew at each step."""
    torch.manual_seed(seed)
    model, dice = RewardModel(copy.deepcopy(body)), random.Random(f"order {seed}")

    def loss() -> Float[Tensor, ""]:
        drawn = dice.choices(pairs, k=N_ROWS)
        return preference_loss(
            rewards(model, [(each.problem, each.chosen) for each in drawn]),
            rewards(model, [(each.problem, each.rejected) for each in drawn]),
        )

    descend(model, loss, n_steps, rate)
    return model


@torch.inference_mode()
def share_agreed(model: RewardModel, pairs: Sequence[Pair]) -> float:
    """The share of pairs whose preferred reply has the higher reward."""
    with mode(model, training=False):
        chosen = rewards(model, [(each.problem, each.chosen) for each in pairs])
        rejected = rewards(model, [(each.problem, each.rejected) for each in pairs])
    return (chosen > rejected).double().mean().item()


def best_possible(pairs: Sequence[Pair]) -> float:
    """The share that somebody agrees with who knows what readers like, on average over draws."""
    return sum(each.sureness for each in pairs) / len(pairs)


def differing_in(what: str, seed: int, n: int = 400) -> list[Pair]:
    """Held-out pairs that differ in one thing alone, the better one first.

    Args:
        what: "matter", the sum in the same words; or "manner", the same sum in other words.
    """
    if what not in ("matter", "manner"):
        raise ValueError(f'what must be "matter" or "manner", got what={what!r}')
    dice = random.Random(f"{what} {seed}")
    found = []
    for _ in range(n):
        problem = dice.choice(problems("exam"))
        right, hasty = [*str(sum(problem))], [*str(sum(problem) - 10)]
        if what == "manner":
            said = dice.choice((right, hasty))
            found.append(Pair(problem, ["it", "is", *said], said, 1.0))
        else:
            words = dice.choice(([], ["it", "is"]))
            found.append(Pair(problem, [*words, *right], [*words, *hasty], 1.0))
    return found


# ---------------------------------------------------------------- a policy from the same pairs


def prefer(
    model: GPT,
    pairs: Sequence[Pair],
    n_steps: int,
    seed: int,
    beta: float = 0.5,
    rate: float = 2e-4,
) -> list[float]:
    """DPO: trains the model on pairs drawn anew at each step; the losses.

    The model it starts from is the reference.
    """
    reference, dice = (
        copy.deepcopy(model).requires_grad_(False),
        random.Random(f"order {seed}"),
    )

    def loss() -> Float[Tensor, ""]:
        drawn = dice.choices(pairs, k=N_ROWS)
        ids, answers = chats(
            [(each.problem, each.chosen) for each in drawn]
            + [(each.problem, each.rejected) for each in drawn]
        )
        own = sequence_log_probs(model(ids), ids, answers)
        base = sequence_log_probs(reference(ids), ids, answers)
        return dpo_loss(*own.chunk(2), *base.chunk(2), beta)

    return descend(model, loss, n_steps, rate)


@torch.inference_mode()
def mean_log_prob(model: GPT, texts: Sequence[tuple[Problem, Words]]) -> float:
    """log p of a reply, the mean."""
    ids, answers = chats(texts)
    with mode(model, training=False):
        return sequence_log_probs(model(ids), ids, answers).mean().item()
