"""Facts to look up: who is tired? The answer stands in the text, and two readers look for it.

Chapter: book/attention.md
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from tqdm import tqdm

from lmcourse.attention import MultiHeadAttention, attention
from lmcourse.devices import default_device
from lmcourse.kept_runs import KeptRuns
from lmcourse.neurons import check_counts, cross_entropy

ANIMALS = (
    "cat", "dog", "owl", "fox", "hen", "pig", "cow", "bee",
    "ant", "bat", "elk", "yak", "eel", "ram", "ape", "hare",
)  # fmt: skip
MOODS = (
    "tired", "awake", "hungry", "happy", "sad", "calm", "cross", "shy",
    "proud", "bored", "brave", "lost", "late", "sick", "warm", "cold",
)  # fmt: skip

Facts = tuple[Int[Tensor, "B S"], Int[Tensor, "B S"], Int[Tensor, "B"], Int[Tensor, "B"]]
PairFacts = tuple[Int[Tensor, "B S"], Int[Tensor, "B S"], Int[Tensor, "B 2"], Int[Tensor, "B 2"]]


def facts(n_facts: int, batch_size: int, generator: torch.Generator) -> Facts:
    """Animals, their moods, the animal that is asked for, and its mood: the answer.

    No animal and no mood comes twice in an item, so whoever knows which moods were mentioned, but
    not whose they are, is right once in `n_facts` times.
    """
    check_counts(n_facts=n_facts, batch_size=batch_size)
    if n_facts > len(ANIMALS):
        raise ValueError(
            f"n_facts must be at most {len(ANIMALS)}, got {n_facts}: there are no more animals"
        )
    noise = torch.rand(2, batch_size, len(ANIMALS), generator=generator)
    animals, moods = noise.argsort(-1)[..., :n_facts]
    asked = torch.randint(n_facts, (batch_size, 1), generator=generator)
    return animals, moods, animals.gather(1, asked)[:, 0], moods.gather(1, asked)[:, 0]


def two_questions(n_facts: int, batch_size: int, generator: torch.Generator) -> PairFacts:
    """As `facts`, but two animals are asked for, and the moods of both are the answer."""
    if n_facts < 2:
        raise ValueError(f"n_facts must be at least 2, got {n_facts}: two animals are asked for")
    animals, moods, _, _ = facts(n_facts, batch_size, generator)
    asked = torch.rand(batch_size, n_facts, generator=generator).argsort(-1)[:, :2]
    return animals, moods, animals.gather(1, asked), moods.gather(1, asked)


class SummaryReader(nn.Module):
    """Folds all facts into one state of a GRU; whoever answers sees that state and the question.

    Args:
        question_first: the state begins as the question, so that the GRU knows what to keep. This
            is the only difference: no parameter more or less.
        gated: the question, by a linear layer of its own, multiplies the state before it is read,
            so that it can fade out what it does not ask for.
    """

    def __init__(self, width: int = 32, question_first: bool = False, gated: bool = False):
        super().__init__()
        self.question_first = question_first
        self.animal = nn.Embedding(len(ANIMALS), width)
        self.mood = nn.Embedding(len(MOODS), width)
        self.read = nn.GRU(2 * width, width, batch_first=True)
        self.answer = nn.Sequential(
            nn.Linear(2 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, len(MOODS))
        )
        self.gate = nn.Linear(width, width) if gated else None

    def forward(
        self, animals: Int[Tensor, "B S"], moods: Int[Tensor, "B S"], question: Int[Tensor, "B"]
    ) -> Float[Tensor, "B M"]:
        """The logits of the moods."""
        x = torch.cat([self.animal(animals), self.mood(moods)], -1)
        asked = self.animal(question)
        _, states = self.read(x, asked[None] if self.question_first else None)
        state = states[0] if self.gate is None else states[0] * self.gate(asked)
        return self.answer(torch.cat([state, asked], -1))


def matrix_state(
    query: Float[Tensor, "B T C"], key: Float[Tensor, "B S C"], value: Float[Tensor, "B S C"]
) -> tuple[Float[Tensor, "B T C"], None]:
    """All facts in one matrix of C × C numbers, however many: the outer products kᵀv, added up.

    It is made before the question is known, which then multiplies it: attention without a softmax.

    Reference: Katharopoulos et al. (2020), section 3.2, https://arxiv.org/abs/2006.16236
    """
    return query @ (key.mT @ value), None


class AttentionReader(nn.Module):
    """Keeps every fact, and lets the question choose; nothing recurrent.

    Args:
        score: what takes (query, key, value) and returns the values and the weights.
        recurrent: a GRU reads the facts first, and the question chooses among its states.
    """

    def __init__(self, width: int = 32, score=attention, recurrent: bool = False):
        super().__init__()
        self.read = nn.GRU(2 * width, 2 * width, batch_first=True) if recurrent else None
        self.animal = nn.Embedding(len(ANIMALS), width)
        self.mood = nn.Embedding(len(MOODS), width)
        self.w_query = nn.Linear(width, width, bias=False)
        self.w_key = nn.Linear(2 * width, width, bias=False)
        self.w_value = nn.Linear(2 * width, width, bias=False)
        self.score = score
        self.answer = nn.Linear(width, len(MOODS))

    def look(
        self, animals: Int[Tensor, "B S"], moods: Int[Tensor, "B S"], questions: Int[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B T C"], Float[Tensor, "B T S"] | None]:
        """What each question fetches, and from which facts, if the score has weights."""
        x = torch.cat([self.animal(animals), self.mood(moods)], -1)
        if self.read is not None:
            x, _ = self.read(x)
        query = self.w_query(self.animal(questions))
        return self.score(query, self.w_key(x), self.w_value(x))

    def forward(
        self, animals: Int[Tensor, "B S"], moods: Int[Tensor, "B S"], question: Int[Tensor, "B"]
    ) -> Float[Tensor, "B M"]:
        """The logits of the moods."""
        values, _ = self.look(animals, moods, question[:, None])
        return self.answer(values[:, 0])


class PairReader(nn.Module):
    """Two questions make one query; one linear layer reads both answers from what it fetched.

    Args:
        deep: a hidden layer reads them.
    """

    def __init__(self, n_heads: int, width: int = 32, deep: bool = False):
        super().__init__()
        self.animal = nn.Embedding(len(ANIMALS), width)
        self.mood = nn.Embedding(len(MOODS), width)
        self.question = nn.Linear(2 * width, width)
        self.fact = nn.Linear(2 * width, width)
        self.attend = MultiHeadAttention(width, n_heads)
        n_logits = 2 * len(MOODS)
        hidden = [nn.Linear(width, 4 * width), nn.ReLU()] if deep else []
        d_hidden = 4 * width if deep else width
        self.answer = nn.Sequential(*hidden, nn.Linear(d_hidden, n_logits))

    def forward(
        self, animals: Int[Tensor, "B S"], moods: Int[Tensor, "B S"], pair: Int[Tensor, "B 2"]
    ) -> Float[Tensor, "B 2 M"]:
        """The logits of the moods of both."""
        query = self.question(self.animal(pair).flatten(-2))[:, None]
        memory = self.fact(torch.cat([self.animal(animals), self.mood(moods)], -1))
        fetched, _ = self.attend(query, memory)
        return self.answer(fetched[:, 0]).view(-1, 2, len(MOODS))


def learning_curve(
    reader: nn.Module,
    n_facts: int,
    checkpoints: Sequence[int],
    seed: int,
    learning_rate: float = 1e-2,
    batch_size: int = 64,
    draw: Callable[..., Facts | PairFacts] = facts,
) -> list[float]:
    """The share of right answers to 2000 new questions after each of these numbers of steps.

    Each step sees new facts; Adam, the same for each reader.

    Args:
        draw: the task, `facts` or `two_questions`.
    """
    device = default_device()
    reader.to(device)
    generator = torch.Generator().manual_seed(seed)
    *exam, answers = (part.to(device) for part in draw(n_facts, 2000, generator))
    optimizer = torch.optim.Adam(reader.parameters(), lr=learning_rate)
    shares = []
    for step in range(1, max(checkpoints) + 1):
        *given, mood = (part.to(device) for part in draw(n_facts, batch_size, generator))
        loss = cross_entropy(reader(*given).flatten(0, -2), mood.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in checkpoints:
            with torch.no_grad():
                right = reader(*exam).argmax(-1) == answers
            shares.append(right.float().mean().item())
    return shares


# ---------------------------------------------------------------- the comparison, stored

STEPS = (50, 150, 500, 1500, 3000)
RATES = (3e-3, 1e-2, 3e-2)
N_SEEDS = 5
AGED = ("summary", "attention")  # asked for each fact by its place


@dataclass(frozen=True)
class _Entrant:
    reader: Callable[[], nn.Module]
    n_steps: int
    n_facts: tuple[int, ...] = (2, 4, 8)
    draw: Callable[..., Facts | PairFacts] = facts


STUDIES = {
    # When does the reader hear the question?
    "recall": {
        "summary": _Entrant(SummaryReader, 3000),
        "question first": _Entrant(partial(SummaryReader, question_first=True), 1500, (8,)),
        "wide summary": _Entrant(partial(SummaryReader, width=128), 1500, (8,)),
        "gated summary": _Entrant(partial(SummaryReader, gated=True), 1500, (8,)),
        "attention": _Entrant(AttentionReader, 500),
        "matrix": _Entrant(partial(AttentionReader, score=matrix_state), 500, (8,)),
        "attention to states": _Entrant(partial(AttentionReader, recurrent=True), 500, (8,)),
    },
    # One question or two at a time?
    "heads": {
        "one head": _Entrant(partial(PairReader, 1), 500, (4,), two_questions),
        "two heads": _Entrant(partial(PairReader, 2), 500, (4,), two_questions),
        "one wide head": _Entrant(partial(PairReader, 1, width=64), 500, (4,), two_questions),
        "one head, hidden layer": _Entrant(
            partial(PairReader, 1, deep=True), 500, (4,), two_questions
        ),
    },
}


def measure(study: str, folder: Path, seed: int) -> dict[str, float]:
    """Each reader of a study with each number of facts, from five seeds on, at its best rate.

    The learning rate of each is chosen with most facts, at most 1500 steps and a seed that is used
    for nothing else. A run that is in `folder` already is taken from there.
    """
    entrants, runs = STUDIES[study], KeptRuns(folder / "runs.json")
    numbers, rates = {}, {}
    for name, entrant in entrants.items():
        steps = min(entrant.n_steps, 1500)
        for rate in RATES:
            shares = _run(runs, name, entrant, entrant.n_facts[-1], seed + 100, rate, steps)
            numbers[f"{name}, rate {rate}"] = list(shares.values())[-1]
        rates[name] = max(RATES, key=lambda rate: numbers[f"{name}, rate {rate}"])
    wanted = [
        (name, n_facts, each)
        for each in range(N_SEEDS)
        for name, entrant in entrants.items()
        for n_facts in entrant.n_facts
    ]
    for name, n_facts, each in tqdm(wanted, desc=study):
        entrant = entrants[name]
        shares = _run(runs, name, entrant, n_facts, seed + each, rates[name], entrant.n_steps)
        for steps, share in shares.items():
            numbers[_key(name, n_facts, steps, each)] = share
    for name in sorted(set(AGED) & set(entrants)):
        for each in range(N_SEEDS):
            shares = _run_by_age(runs, name, entrants[name], seed + each, rates[name])
            numbers |= {_age_key(name, k, each): share for k, share in enumerate(shares)}
    return numbers


def _run(
    runs: KeptRuns, name: str, entrant: _Entrant, n_facts: int, seed: int, rate: float, n_steps: int
) -> dict[int, float]:
    checkpoints = [steps for steps in STEPS if steps <= n_steps]

    def measured() -> list[float]:
        torch.manual_seed(seed)
        reader = entrant.reader()
        return learning_curve(reader, n_facts, checkpoints, seed, rate, draw=entrant.draw)

    shares = runs.get(f"{name}, {n_facts} facts, seed {seed}, rate {rate}, {n_steps}", measured)
    return dict(zip(checkpoints, shares, strict=True))


@torch.no_grad()
def by_age(reader: nn.Module, n_facts: int, generator: torch.Generator) -> list[float]:
    """The share of right answers about the first fact of each item, the second, … the last."""
    animals, moods, asked, answers = (
        part.to(default_device()) for part in facts(n_facts, 4000, generator)
    )
    right = (reader(animals, moods, asked).argmax(-1) == answers).float()
    place = (animals == asked[:, None]).int().argmax(1)
    return [right[place == k].mean().item() for k in range(n_facts)]


def _run_by_age(
    runs: KeptRuns, name: str, entrant: _Entrant, seed: int, rate: float
) -> list[float]:
    n_facts = entrant.n_facts[-1]

    def measured() -> list[float]:
        torch.manual_seed(seed)
        reader = entrant.reader()
        learning_curve(reader, n_facts, [entrant.n_steps], seed, rate, draw=entrant.draw)
        return by_age(reader, n_facts, torch.Generator().manual_seed(1000 + seed))

    return runs.get(f"{name}, by age, {n_facts} facts, seed {seed}, rate {rate}", measured)


def _age_key(name: str, place: int, seed: int) -> str:
    return f"{name}, fact {place + 1}, seed {seed}"


def shares_by_age(numbers: dict[str, float], name: str, n_facts: int) -> list[list[float]]:
    """What each seed has right of the first fact, the second, … the last, by `measure`."""
    return [
        [numbers[_age_key(name, place, seed)] for place in range(n_facts)]
        for seed in range(N_SEEDS)
    ]


def _key(name: str, n_facts: int, steps: int, seed: int) -> str:
    return f"{name}, {n_facts} facts, {steps} steps, seed {seed}"


def shares_of(numbers: dict[str, float], name: str, n_facts: int, steps: int) -> list[float]:
    """What each seed had reached by then, in a result of `measure`."""
    return [numbers[_key(name, n_facts, steps, seed)] for seed in range(N_SEEDS)]
