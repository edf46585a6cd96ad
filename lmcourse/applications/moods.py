"""Sentences about animals and their moods, whose odds are all known, and models that write them.

Chapter: book/generation.md
"""

import math
import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn
from tqdm import tqdm

from lmcourse.devices import default_device
from lmcourse.generation import generate
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.kept_runs import KeptRuns
from lmcourse.metrics import perplexity
from lmcourse.neurons import cross_entropy
from lmcourse.optimization import AdamW
from lmcourse.recurrent import GRU, RecurrentLM

Numbers = dict[str, float]

# How often each comes, relative to the others; what an animal did decides its mood.
ANIMALS = {"cat": 8, "dog": 6, "owl": 4, "fox": 3, "hen": 2, "pig": 2, "cow": 1, "bee": 1}
MOODS = {
    "sat": {"tired": 3, "old": 1},
    "ran": {"late": 2, "scared": 2, "happy": 1},
    "slept": {"tired": 2, "sick": 1},
    "sang": {"happy": 4, "awake": 1},
    "hid": {"scared": 3, "shy": 2},
}
VERBS = {"sat": 4, "ran": 3, "slept": 3, "sang": 2, "hid": 2}
LENGTH = 8  # words of a sentence
CONTEXT = 3 * LENGTH
WORDS = sorted(
    {"the", "because", "it", "was", "."}.union(ANIMALS, MOODS, *(odds for odds in MOODS.values()))
)
_NUMBER = {word: number for number, word in enumerate(WORDS)}


def _form(animal: str, verb: str, mood: str) -> str:
    return f"the {animal} {verb} because it was {mood} ."


def _draw(odds: Mapping[str, int], source: random.Random) -> str:
    return source.choices(list(odds), odds.values())[0]


def _share(odds: Mapping[str, int], word: str) -> float:
    return odds[word] / sum(odds.values())


def sentence(source: random.Random) -> list[str]:
    """The words of a sentence, drawn with the odds of this world."""
    animal, verb = _draw(ANIMALS, source), _draw(VERBS, source)
    return _form(animal, verb, _draw(MOODS[verb], source)).split()


def all_sentences() -> dict[str, float]:
    """Every sentence that there can be, with its probability."""
    return {
        _form(animal, verb, mood): _share(ANIMALS, animal)
        * _share(VERBS, verb)
        * _share(odds, mood)
        for animal, (verb, odds) in product(ANIMALS, MOODS.items())
        for mood in odds
    }


def encode(text: str | Sequence[str]) -> Int[Tensor, "N"]:
    """The ids of the words of a text."""
    return torch.tensor(
        [_NUMBER[word] for word in (text.split() if isinstance(text, str) else text)]
    )


def decode(ids: Iterable[int | Tensor]) -> str:
    """The words with these ids, with spaces between them."""
    return " ".join(WORDS[int(number)] for number in ids)


def text(seed: int, n_sentences: int) -> list[str]:
    """The words of so many sentences, one after the other."""
    source = random.Random(seed)
    return [word for _ in range(n_sentences) for word in sentence(source)]


def least_perplexity(words: Sequence[str]) -> float:
    """What a model that knows the odds of this world reaches on whole sentences of it.

    As `perplexity`, it averages over all words but the first. (That one is certain.)
    """
    odds = all_sentences()
    pieces = [words[start : start + LENGTH] for start in range(0, len(words), LENGTH)]
    nats = -sum(math.log(odds[" ".join(piece)]) for piece in pieces)
    return math.exp(nats / (len(words) - 1))


def expected_share(n_draws: int) -> float:
    """How many different sentences so many draws from this world bring, over their number."""
    never = sum((1 - prob) ** n_draws for prob in all_sentences().values())
    return (len(all_sentences()) - never) / n_draws


# ---------------------------------------------------------------- models that write them

MODELS: dict[str, Callable[[], nn.Module]] = {
    "GPT": lambda: GPT(
        GPTConfig(vocab_size=len(WORDS), context_length=CONTEXT, d_model=48, n_heads=4, n_layers=2)
    ),
    # As wide as makes its parameters as many.
    "GRU": lambda: RecurrentLM(len(WORDS), GRU(48, 112)),
}


def learn(
    name: str,
    seed: int,
    checkpoints: Sequence[int],
    learning_rate: float = 2e-3,
    look: Callable[[int, nn.Module], None] | None = None,
) -> nn.Module:
    """A new model of `MODELS` after the last of these numbers of steps, and `look` at each of them.

    Each seed has a model, 8000 sentences and batches of its own; AdamW, 32 windows a step.
    """
    device = default_device()
    torch.manual_seed(seed)
    model = MODELS[name]().to(device)
    ids = encode(text(seed, 8000)).to(device)
    generator = torch.Generator().manual_seed(seed)
    optimizer = AdamW(model.parameters(), learning_rate)
    for step in range(1, max(checkpoints) + 1):
        starts = torch.randint(len(ids) - CONTEXT - 1, (32, 1), generator=generator)
        batch = ids[(starts + torch.arange(CONTEXT + 1)).to(device)]
        loss = cross_entropy(model(batch[:, :-1]), batch[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in checkpoints and look is not None:
            look(step, model)
    return model.eval()


def quality(
    model: nn.Module, seed: int = 0, n: int = 300, **rules: Any
) -> tuple[float, float, float]:
    """Of n sentences that a model draws: the shares of possible, different and well-formed ones.

    All are shares of n. Different ones count if they are possible; a well-formed one has an animal,
    what it did and a mood in their places, but the mood need not be one that follows from it.

    Args:
        rules: temperature, top_k and top_p, as for `generate`.
    """
    device = default_device()
    prompts = encode("the").to(device).repeat(n, 1)
    dice = torch.Generator(device).manual_seed(seed)
    rows = generate(model, prompts, LENGTH - 1, generator=dice, **rules)
    said = [decode(row) for row in rows.tolist()]
    possible, formed = all_sentences(), _well_formed()
    good = [each for each in said if each in possible]
    return len(good) / n, len(set(good)) / n, sum(each in formed for each in said) / n


def _well_formed() -> set[str]:
    moods = {mood for odds in MOODS.values() for mood in odds}
    return {_form(*words) for words in product(ANIMALS, VERBS, moods)}


# ---------------------------------------------------------------- the comparison, stored

STEPS = (75, 150, 300, 600, 1200)
RATES = (1e-3, 2e-3, 4e-3)
SEARCH_SEEDS = (100, 101, 102)  # one alone may be lucky with a rate that fails another
N_SEEDS = 5
TEMPERATURES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
RULES: dict[str, dict[str, Any]] = {
    **{f"temperature {t}": {"temperature": t} for t in TEMPERATURES},
    "k = 8": {"top_k": 8},
    "k = 2": {"top_k": 2},
    "p = 0.9": {"top_p": 0.9},
    "p = 0.8": {"top_p": 0.8},
}
SAMPLED = (300, 1200)  # steps after which the GPT draws
MEASURED = ("good", "different", "formed")  # what `quality` gives
CLOCKED = (32, 64, 128, 256, 512)  # words of a text

# Without these the page's sentences would not be true.
FLOORS = {f"GPT, 1200 steps, p = 0.9, good, seed {seed}": 0.8 for seed in range(N_SEEDS)}


def measure(folder: Path, seed: int) -> Numbers:
    """GPT and GRU from five seeds on, each at its best rate; what the GPT draws; cache and clock.

    The learning rate is chosen with three seeds that are used for nothing else. A run that is in
    `folder` already is taken from there.
    """
    kept, numbers = KeptRuns(folder / "runs.json"), {}
    for name in MODELS:
        means: dict[float, float] = {}
        for rate in RATES:
            reached = []
            for each in SEARCH_SEEDS:
                found = _run(kept, name, seed + each, rate, draws=False)
                reached.append(found[f"{STEPS[-1]} steps, perplexity"])
                numbers[f"{name}, rate {rate}, seed {each}"] = reached[-1]
            means[rate] = statistics.fmean(reached)
        best = numbers[f"{name}, best rate"] = min(means, key=means.__getitem__)
        for each in tqdm(range(N_SEEDS), desc=name):
            found = _run(kept, name, seed + each, best, draws=name == "GPT")
            for what, value in found.items():
                numbers[f"{name}, {what}, seed {each}"] = value
    return numbers | kept.get(f"cache, seed {seed}", lambda: _clock(seed))


def _run(kept: KeptRuns, name: str, seed: int, rate: float, draws: bool) -> Numbers:
    def measured() -> Numbers:
        found: Numbers = {}
        words = text(seed + 1000, 500)
        ids = encode(words).to(default_device())

        def look(step: int, model: nn.Module) -> None:
            found[f"{step} steps, perplexity"] = perplexity(model, ids, CONTEXT)
            if draws and step in SAMPLED:
                found[f"{step} steps, short windows"] = perplexity(model, ids, 4)
                for rule, arguments in RULES.items():
                    shares = quality(model, seed, **arguments)
                    for what, share in zip(MEASURED, shares, strict=True):
                        found[f"{step} steps, {rule}, {what}"] = share

        learn(name, seed, STEPS, rate, look)
        return found | {"least": least_perplexity(words)}

    return kept.get(f"{name}, seed {seed}, rate {rate}", measured)


def _clock(seed: int) -> Numbers:
    """How much longer a text takes without the cache, in processor time; medians of three."""
    torch.manual_seed(seed)
    room = GPTConfig(
        vocab_size=len(WORDS),
        context_length=max(CLOCKED) + 1,
        d_model=48,
        n_heads=4,
        n_layers=2,
    )
    model = GPT(room).eval()
    ids, found = encode("the")[None], {}
    for n in CLOCKED:
        spent: dict[bool, list[float]] = {True: [], False: []}
        for _, use_cache in product(range(3), spent):  # by turns, so that both see the same machine
            start = time.process_time()
            generate(model, ids, n, use_cache=use_cache, temperature=0)
            spent[use_cache].append(time.process_time() - start)
        found[f"{n} words, without over with"] = statistics.median(spent[False]) / (
            statistics.median(spent[True])
        )
    return found


def of_seeds(numbers: Numbers, what: str) -> list[float]:
    """What each seed gave, in a result of `measure`."""
    return [numbers[f"{what}, seed {seed}"] for seed in range(N_SEEDS)]
