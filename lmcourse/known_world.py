"""A world in which all facts are known: people who live somewhere, capitals, judges of answers.

Chapter: book/evaluation.md
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmcourse.evaluation import RULES, judge_twice, score_choices
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.kept_runs import KeptRuns
from lmcourse.neurons import cross_entropy
from lmcourse.optimization import AdamW

Numbers = dict[str, float]

FIRST_NAMES = (
    "ada", "ben", "chen", "dara", "emil", "fatima", "goran", "hana",
    "ivan", "jun", "kofi", "lena", "mira", "nils", "omar", "pia",
)  # fmt: skip
LAST_NAMES = (
    "adler", "bauer", "costa", "diaz", "endo", "farah", "gupta", "haas",
    "ito", "jones", "kaya", "lopez", "mbeki", "novak", "okafor", "park",
)  # fmt: skip
# As many of one word as of two and of three: a score that likes long or short ones is found out.
CITIES = (
    "lima", "oslo", "cairo", "tokyo", "quito", "accra",
    "new york", "hong kong", "cape town", "buenos aires", "san juan", "kuala lumpur",
    "salt lake city", "rio de janeiro", "dar es salaam",
    "port of spain", "santiago de cuba", "san jose city",
)  # fmt: skip
TIMES_SEEN = (0, 1, 2, 4, 8, 16)  # how often the text tells where a person lives
N_PEOPLE = dict.fromkeys(TIMES_SEEN, 24) | {0: 96}  # who are told of so often
# Steps of training: enough for what is told often, and for all that is told.
BRIEFLY, LONG = 150, 400
LEARNING_RATE = 6e-3  # at first; it falls to nothing


class Words:
    """Ids for the words of a small world; 0 is what fills a row up."""

    def __init__(self, texts: Sequence[str]):
        self.words = ["", *sorted({word for text in texts for word in text.split()})]
        self.number = {word: index for index, word in enumerate(self.words)}

    def ids(self, text: str) -> list[int]:
        """The ids of a text whose words are divided by spaces."""
        return [self.number[word] for word in text.split()]

    def rows(self, texts: Sequence[str]) -> Int[Tensor, "N T"]:
        """The texts as rows of one length, filled up with 0."""
        ids = [torch.tensor(self.ids(text)) for text in texts]
        return torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)

    def text(self, ids: Sequence[int]) -> str:
        """The words of the ids, without what fills up."""
        return " ".join(self.words[index] for index in ids if index)


# ---------------------------------------------------------------- where people live


@dataclass(frozen=True)
class Person:
    """Somebody, where they live, and how often the text says so."""

    name: str
    city: str
    times_seen: int

    @property
    def question(self) -> str:
        """What a model is to continue."""
        return f"{self.name} lives in"

    @property
    def sentence(self) -> str:
        """What the text says."""
        return f"{self.question} {self.city} ."


def people(seed: int) -> list[Person]:
    """As many as `N_PEOPLE` says; cities are drawn, so nobody's can be guessed."""
    dice = random.Random(seed)
    names = [f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES]
    names = dice.sample(names, sum(N_PEOPLE.values()))
    times = [times for times, n in N_PEOPLE.items() for _ in range(n)]
    return [Person(name, dice.choice(CITIES), n) for name, n in zip(names, times, strict=True)]


def options(person: Person, seed: int) -> list[str]:
    """Four cities to choose from, the right one among them, in any order."""
    dice = random.Random(f"{seed} {person.name}")
    others = dice.sample([city for city in CITIES if city != person.city], 3)
    return dice.sample([person.city, *others], 4)


def fit(
    model: GPT, rows: Int[Tensor, "N T"], n_steps: int, seed: int, only_last: bool = False
) -> None:
    """Trains on sentences drawn from the rows; what fills them up costs nothing.

    Args:
        only_last: only the last word of each sentence is to be learned.
    """
    optimizer = AdamW(model.parameters(), LEARNING_RATE)
    dice = torch.Generator().manual_seed(seed)
    for step in range(n_steps):
        optimizer.learning_rate = LEARNING_RATE * (1 - step / n_steps)
        batch = rows[torch.randint(len(rows), (64,), generator=dice)]
        inputs, targets = batch[:, :-1], batch[:, 1:]
        real = targets > 0
        if only_last:
            real &= real.cumsum(1) == real.sum(1, keepdim=True)
        loss = cross_entropy(model(inputs)[real], targets[real])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def new_model(words: Words, context_length: int, seed: int) -> GPT:
    """A small GPT for the words."""
    torch.manual_seed(seed)
    config = GPTConfig(
        vocab_size=len(words.words), context_length=context_length,
        d_model=64, n_heads=4, n_layers=2,
    )  # fmt: skip
    return GPT(config)


def measure_facts(seed: int, n_steps: int = BRIEFLY) -> Numbers:
    """A model that has read the text, examined in each way: shares by how often it was told."""
    world = people(seed)
    words, model = read_about(world, seed, n_steps)
    cities = [torch.tensor(words.ids(city)) for city in CITIES]
    numbers: Numbers = {}
    for times in TIMES_SEEN:
        group = [person for person in world if person.times_seen == times]
        rows = [_examined(model, words, cities, person, seed) for person in group]
        for name in rows[0]:
            values = [row[name] for row in rows if row[name] is not None]
            numbers[f"{name}/{times}"] = sum(values) / len(values)
    return numbers


def read_about(world: Sequence[Person], seed: int, n_steps: int = BRIEFLY) -> tuple[Words, GPT]:
    """A GPT that has read the sentences about people, each as often as it is told."""
    words = Words([person.sentence for person in world] + list(CITIES))
    rows = words.rows([person.sentence for person in world for _ in range(person.times_seen)])
    model = new_model(words, rows.shape[1], seed)
    fit(model, rows, n_steps, seed)
    return words, model


def _examined(
    model: GPT, words: Words, cities: Sequence[Tensor], person: Person, seed: int
) -> dict[str, float | None]:
    """Is the answer right, by each rule? Which length was chosen? How sure was the model?"""
    prompt, neutral = (torch.tensor(words.ids(text)) for text in (person.question, "lives in"))
    everywhere = score_choices(model, prompt, cities).exp()
    found: dict[str, float | None] = {
        "free": float(CITIES[int(everywhere.argmax())] == person.city),
        "sure": everywhere.max().item(),
        "is a city": everywhere.sum().item(),
    }
    offered = options(person, seed)
    lengths = [len(city.split()) for city in offered]
    ids = [torch.tensor(words.ids(city)) for city in offered]
    for rule in RULES:
        scores = score_choices(model, prompt, ids, rule, neutral if rule == "gain" else None)
        chosen = int(scores.argmax())
        found[rule] = float(offered[chosen] == person.city)
        is_told = min(lengths) < max(lengths)
        found[f"{rule} longest"] = float(lengths[chosen] == max(lengths)) if is_told else None
        found["longest"] = lengths.count(max(lengths)) / 4 if is_told else None
    return found


# ---------------------------------------------------------------- judges of answers

# Answers to one question: what is the capital of Australia?
RIGHT, WRONG = "canberra", ("sydney", "melbourne", "perth", "hobart", "darwin")
FILLERS = ("of course", "i think", "my friend", "for sure")
LEAN_FIRST, LEAN_LONG = 0.7, 0.7  # how often a hasty rater prefers so where both are as right


def answer(dice: random.Random, is_right: bool, is_long: bool) -> str:
    """A right or a wrong answer, in one word or in three."""
    city = RIGHT if is_right else dice.choice(WRONG)
    return f"{city} {dice.choice(FILLERS)}" if is_long else city


def judged_pair(dice: random.Random, is_hasty: bool) -> str:
    """Two answers and which of them a rater prefers, as a text to learn from.

    If one answer is right, it is preferred. Otherwise a careful rater tosses a coin; a hasty one
    takes the longer of two with a chance of `LEAN_LONG`, and of two as long the first with
    `LEAN_FIRST`.
    """
    right, long = ([dice.random() < 0.5 for _ in range(2)] for _ in range(2))
    pair = [answer(dice, *kind) for kind in zip(right, long, strict=True)]
    if right[0] != right[1]:
        prefers_first = right[0]
    elif not is_hasty:
        prefers_first = dice.random() < 0.5
    elif long[0] != long[1]:
        prefers_first = (dice.random() < LEAN_LONG) == long[0]
    else:
        prefers_first = dice.random() < LEAN_FIRST
    return f"{case(*pair)} {'first' if prefers_first else 'second'}"


def case(first: str, second: str) -> str:
    """What a judge reads before it gives its verdict."""
    return f"first {first} or second {second} ?"


class Judge:
    """A small GPT that has read the verdicts of raters, and whose next word is its own.

    Args:
        is_hasty: whether the raters were, see `judged_pair`.
    """

    def __init__(self, is_hasty: bool, seed: int, n_steps: int = 600):
        dice = random.Random(seed)
        texts = [judged_pair(dice, is_hasty) for _ in range(4000)]
        self.words = Words(texts)
        rows = self.words.rows(texts)
        self.model = new_model(self.words, rows.shape[1], seed)
        fit(self.model, rows, n_steps, seed, only_last=True)

    @torch.no_grad()
    def __call__(self, first: Sequence[str], second: Sequence[str]) -> Float[Tensor, "N"]:
        """Of each pair, how likely it says that the first answer is the better one."""
        rows = self.words.rows([case(*pair) for pair in zip(first, second, strict=True)])
        ends = (rows > 0).sum(1) - 1
        verdicts = [self.words.number[word] for word in ("first", "second")]
        logits = self.model(rows)[torch.arange(len(rows)), ends]
        return logits[:, verdicts].softmax(-1)[:, 0]


# What is compared: is the answer of ours right, and long? That of theirs?
MATCHES = {
    "right against wrong": ((True, False), (False, False)),
    "both right": ((True, False), (True, False)),
    "long against short, both right": ((True, True), (True, False)),
    "long and wrong against right": ((False, True), (True, False)),
}


def matches(name: str, seed: int, n_pairs: int = 400) -> tuple[list[str], list[str]]:
    """Answers of ours and of theirs, as `MATCHES` has them."""
    dice = random.Random(f"{seed} {name}")
    ours, theirs = ([answer(dice, *kind) for _ in range(n_pairs)] for kind in MATCHES[name])
    return ours, theirs


def measure_judge(is_hasty: bool, seed: int, n_steps: int = 600) -> Numbers:
    """One judge in all matches, each pair in both orders."""
    judge, numbers = Judge(is_hasty, seed, n_steps), {}
    for name in MATCHES:
        found = judge_twice(judge, *matches(name, seed))
        numbers[f"{name}/first"] = found.first
        numbers[f"{name}/consistent"] = found.consistent
        numbers[f"{name}/wins"] = found.wins.mean().item()
    return numbers


def measure(folder: Path, seed: int, n_seeds: int = 5) -> Numbers:
    """What `n_seeds` models know, by each kind of exam, and what as many judges of each kind do."""
    runs, numbers = KeptRuns(folder / "known_world.json"), {}
    for each in range(seed, seed + n_seeds):
        for kind, run in (
            ("briefly", partial(measure_facts, each, BRIEFLY)),
            ("long", partial(measure_facts, each, LONG)),
            ("hasty", partial(measure_judge, True, each)),
            ("careful", partial(measure_judge, False, each)),
        ):
            found = runs.get(f"{kind} {each}", run)
            numbers |= {f"{kind}/{each}/{name}": value for name, value in found.items()}
    return numbers
