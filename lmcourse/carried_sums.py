"""Sums that writers get wrong by forgetting to carry, and a small chat model that answers them.

Chapter: book/alignment.md
"""

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lmcourse.alignment import (
    ChatTemplate,
    group_advantages,
    grpo_loss,
    instruction_loss,
    token_log_probs,
)
from lmcourse.data import pad_batch
from lmcourse.devices import default_device
from lmcourse.few_labels import small_gpt, take_step
from lmcourse.generation import generate
from lmcourse.gpt import GPT
from lmcourse.metrics import LanguageModel
from lmcourse.modes import mode
from lmcourse.neurons import cross_entropy

SPECIAL = ("[PAD]", "<user>", "<assistant>", "<end>")
TOKENS = (*SPECIAL, *map(str, range(10)), "+", "=", "?", ".", "what", "is", "it", "or")
_IDS = {token: index for index, token in enumerate(TOKENS)}
TEMPLATE = ChatTemplate(user_id=1, assistant_id=2, end_id=3)
MOST_TOKENS = 9  # of a reply, the end included

N_ROWS = 32  # of a step of training

P_CAREFUL = 0.3  # of the writers; the others forget to carry
P_QUESTIONS = 0.25  # of the texts that are read
P_SENTENCE, P_BOTH = 0.4, 0.2  # of the replies: "it is 82"; both sums, "82 or 72"

Problem = tuple[int, int]
Words = list[str]
Reward = Callable[[Words, Problem], float]


# ---------------------------------------------------------------- sums and replies


def carries(problem: Problem) -> bool:
    """Whether something has to be carried from the ones to the tens."""
    return problem[0] % 10 + problem[1] % 10 >= 10


def hasty_sum(problem: Problem) -> int:
    """Each column by itself, without what is to be carried: 37 + 45 is 72."""
    return sum(problem) - 10 * carries(problem)


@cache
def problems(part: str = "training") -> tuple[Problem, ...]:
    """Sums of two numbers of two digits with one of two; a fifth is held out and never read.

    Args:
        part: "training", or "exam": those held out where something is carried, since the others
            come out right in haste, too.
    """
    found = [(a, b) for a in range(10, 90) for b in range(10, 90) if a + b < 100]
    random.Random("sums").shuffle(found)
    n = len(found) // 5
    if part == "training":
        return tuple(found[n:])
    if part == "exam":
        return tuple(problem for problem in found[:n] if carries(problem))
    raise ValueError(f'part must be "training" or "exam", got part={part!r}')


def question(problem: Problem) -> Words:
    """The words of a question: what is 37 + 45 ?"""
    a, b = problem
    return ["what", "is", *str(a), "+", *str(b), "?"]


def reply(problem: Problem, dice: random.Random) -> Words:
    """What somebody answers: a sum, a sentence with it, or both that come to mind."""
    said = sum(problem) if dice.random() < P_CAREFUL else hasty_sum(problem)
    style = dice.random()
    if style < P_SENTENCE:
        return ["it", "is", *str(said)]
    if style < P_SENTENCE + P_BOTH:
        other = 2 * sum(problem) - 10 - said if carries(problem) else said + 10
        return [*str(said), "or", *str(other)]
    return [*str(said)]


def is_right(said: Words, problem: Problem) -> float:
    """1 if the reply is the sum, alone or in the sentence, and nothing else."""
    return float(said[2 * (said[:2] == ["it", "is"]) :] == [*str(sum(problem))])


def mentions(said: Words, problem: Problem) -> float:
    """1 if the sum stands anywhere in the reply: a check with a hole in it."""
    return float(f" {' '.join(str(sum(problem)))} " in f" {' '.join(said)} ")


# ---------------------------------------------------------------- reading


def sheet(dice: random.Random) -> Words:
    """A text of three sums: questions alone, or solved by one writer, careful or hasty."""
    chosen = [dice.choice(problems()) for _ in range(3)]
    if dice.random() < P_QUESTIONS:
        return [word for problem in chosen for word in question(problem)]
    total = sum if dice.random() < P_CAREFUL else hasty_sum
    return [word for a, b in chosen for word in (*question((a, b)), *str(total((a, b))), ".")]


def encode(words: Sequence[str]) -> list[int]:
    """The ids of words."""
    return [_IDS[word] for word in words]


def decode(ids: Sequence[int]) -> Words:
    """The words of ids, up to the end of the turn."""
    words = [TOKENS[index] for index in ids]
    return words[: words.index("<end>")] if "<end>" in words else words


def new_gpt(seed: int) -> GPT:
    """A small GPT that has read nothing, for these words."""
    return small_gpt(len(TOKENS), 40, seed)


def pretrain(model: GPT, n_steps: int, seed: int) -> list[float]:
    """Trains it to say what comes next in sheets, new ones at each step; the losses."""
    dice = random.Random(f"sheets {seed}")

    def loss() -> Float[Tensor, ""]:
        ids, mask = on_device(pad_batch([encode(sheet(dice)) for _ in range(N_ROWS)]))
        real = mask[:, 1:]
        return cross_entropy(model(ids[:, :-1])[real], ids[:, 1:][real])

    return descend(model, loss, n_steps, rate=1e-2)


def descend(
    model: torch.nn.Module, loss: Callable[[], Float[Tensor, ""]], n_steps: int, rate: float
) -> list[float]:
    """Adam, with a rate that rises for a tenth of the steps and falls to zero; the losses."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, 10 * (step + 1) / n_steps, 1.2 * (1 - step / n_steps))
    )
    losses = []
    with mode(model, training=True):
        for _ in range(n_steps):
            found = loss()
            take_step(optimizer, schedule, found)
            losses.append(found.item())
    return losses


def on_device(batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The tensors on the fastest device."""
    return tuple(each.to(default_device()) for each in batch)


# ---------------------------------------------------------------- learning to answer


def chat(problem: Problem, said: Words) -> tuple[list[int], list[bool]]:
    """A question and its reply as ids, and which of them are the reply's."""
    return TEMPLATE.encode([("user", encode(question(problem))), ("assistant", encode(said))])


def chats(
    pairs: Sequence[tuple[Problem, Words]],
) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """Questions with replies as rows, padded, and True for each id of a reply."""
    rows = [chat(*pair) for pair in pairs]
    ids, _ = pad_batch([ids for ids, _ in rows])
    answers, _ = pad_batch([torch.tensor(answers) for _, answers in rows])
    return on_device((ids, answers.bool()))


def demonstrations(seed: int) -> Iterator[tuple[Problem, Words]]:
    """Questions with what somebody answered, without end."""
    dice = random.Random(f"demonstrations {seed}")
    while True:
        problem = dice.choice(problems())
        yield problem, reply(problem, dice)


def imitate(
    model: GPT,
    source: Iterator[tuple[Problem, Words]],
    n_steps: int,
    rate: float = 3e-3,
) -> list[float]:
    """Trains it to answer as the source does, on 64 replies at each step; the losses."""

    def loss() -> Float[Tensor, ""]:
        ids, answers = chats([next(source) for _ in range(N_ROWS)])
        return instruction_loss(model(ids), ids, answers)

    return descend(model, loss, n_steps, rate)


# ---------------------------------------------------------------- drawing replies


@dataclass(frozen=True)
class Drawn:
    """Replies that a model drew.

    Args:
        ids: prompts and replies.
        answers: True for each id of a reply, its end included.
        words: the replies.
    """

    ids: Int[Tensor, "B T"]
    answers: Bool[Tensor, "B T"]
    words: list[Words]


def draw(
    model: LanguageModel,
    asked: Sequence[Problem],
    generator: torch.Generator,
    temperature: float = 1.0,
) -> Drawn:
    """A reply of the model to each problem."""
    prompts = [TEMPLATE.prompt([("user", encode(question(problem)))]) for problem in asked]
    (ids,) = on_device((torch.tensor(prompts),))
    n_prompt, end = ids.shape[1], TEMPLATE.end_id
    ids = generate(
        model, ids, MOST_TOKENS, temperature=temperature, generator=generator, stop_ids=(end,)
    )
    replies = ids[:, n_prompt:]
    ended = (replies == end).cumsum(1)
    answers = torch.zeros_like(ids, dtype=torch.bool)
    answers[:, n_prompt:] = ended - (replies == end).long() < 1  # up to the first end
    return Drawn(ids, answers, [decode(row) for row in replies.tolist()])


def new_generator(seed: int) -> torch.Generator:
    """A source of random numbers where models live."""
    return torch.Generator(default_device()).manual_seed(seed)


def score(
    model: LanguageModel, reward: Reward, seed: int = 0, n_each: int = 4, temperature: float = 1.0
) -> float:
    """The mean reward of replies to the held-out problems, `n_each` to each."""
    asked = [problem for problem in problems("exam") for _ in range(n_each)]
    drawn = draw(model, asked, new_generator(seed), temperature)
    return sum(map(reward, drawn.words, asked)) / len(asked)


@torch.inference_mode()
def distance(model: LanguageModel, reference: LanguageModel, seed: int = 0) -> float:
    """Nats of a reply by which the model has left the reference, on held-out problems.

    That is Σ_t KL(model ‖ reference) of the next id, over the ids of replies that the model drew.
    """
    drawn = draw(model, problems("exam"), new_generator(seed))
    own, other = (each(drawn.ids)[:, :-1].log_softmax(-1) for each in (model, reference))
    divergence = (own.exp() * (own - other)).sum(-1)
    return ((divergence * drawn.answers[:, 1:]).sum(1)).mean().item()


# ---------------------------------------------------------------- learning from rewards


def reinforce(
    model: GPT,
    reward: Reward,
    n_steps: int,
    seed: int,
    beta: float = 0.04,
    rate: float = 1e-3,
    n_prompts: int = 16,
    n_replies: int = 8,
    watch: Callable[[int, GPT], None] = lambda step, model: None,
) -> list[float]:
    """GRPO on the training problems, two updates for each group of replies; the mean rewards.

    The model it starts from is the reference.

    Args:
        watch: is called before the first step and after each.
    """
    reference = copy.deepcopy(model).requires_grad_(False)
    dice, generator = random.Random(f"prompts {seed}"), new_generator(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    means = []
    watch(0, model)
    for step in range(n_steps):
        asked = [p for p in dice.sample(problems(), n_prompts) for _ in range(n_replies)]
        drawn = draw(model, asked, generator)
        rewards = torch.tensor(list(map(reward, drawn.words, asked)), device=drawn.ids.device)
        advantages = group_advantages(rewards.view(n_prompts, n_replies)).flatten()
        with torch.no_grad():
            old = token_log_probs(model(drawn.ids), drawn.ids)
            base = token_log_probs(reference(drawn.ids), drawn.ids)
        for _ in range(2):
            now = token_log_probs(model(drawn.ids), drawn.ids)
            loss = grpo_loss(now, old, advantages, drawn.answers[:, 1:], base, beta=beta)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        means.append(rewards.mean().item())
        watch(step + 1, model)
    return means
