"""Made-up reviews that no bag of words can tell apart, and three readers that learn them.

Chapter: book/classification.md
"""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from lmcourse.applications.classification import (
    Labeled,
    MeanClassifier,
    NaiveBayes,
    TransformerClassifier,
    classify,
    collate_texts,
)
from lmcourse.corpora import generate_corpus
from lmcourse.devices import default_device
from lmcourse.kept_runs import KeptRuns
from lmcourse.metrics import accuracy
from lmcourse.neurons import cross_entropy
from lmcourse.optimization import AdamW
from lmcourse.recurrent import LSTM, RecurrentClassifier
from lmcourse.tokenizers import WordTokenizer

NEGATIONS = {"not", "never", "hardly"}
STEPS = (50, 100, 200, 400)
RATES = (1e-3, 3e-3, 1e-2)
N_TRAIN, N_TEST, N_SEEDS = 1200, 800, 5
BATCH, WIDTH = 32, 32

READERS: dict[str, Callable[[int], nn.Module]] = {
    "mean": lambda n_words: MeanClassifier(n_words, 2, WIDTH),
    "LSTM": lambda n_words: RecurrentClassifier(n_words, 2, LSTM(WIDTH, WIDTH)),
    "Transformer": lambda n_words: TransformerClassifier(n_words, 2, WIDTH, n_heads=4, n_layers=2),
}


def reviews(seed: int, shuffled: bool = False) -> tuple[list[Labeled], list[Labeled]]:
    """Reviews to learn from, and negated ones to be asked about.

    Args:
        shuffled: the words of each are in random order, so that no reader can know the order.
    """
    rows = generate_corpus("reviews", seed=seed, n_examples=N_TRAIN + 2 * N_TEST)
    if shuffled:
        dice = random.Random(seed)
        rows = [(" ".join(dice.sample(t.split(), len(t.split()))), label) for t, label in rows]
    return rows[:N_TRAIN], negated(rows[N_TRAIN:])


def negated(rows: Sequence[Labeled]) -> list[Labeled]:
    """Those in which one clause says it the other way round."""
    return [row for row in rows if NEGATIONS & set(row[0].split())]


def learning_curve(
    name: str, seed: int, rate: float, steps: Sequence[int] = STEPS, shuffled: bool = False
) -> list[float]:
    """The share of negated reviews that a reader gets right after each of these numbers of steps.

    Args:
        name: one of `READERS`.
    """
    training, exam = reviews(seed, shuffled)
    tokenizer = WordTokenizer.train("\n".join(text for text, _ in training))
    texts, truth = [text for text, _ in exam], torch.tensor([label for _, label in exam])
    torch.manual_seed(seed)
    reader = READERS[name](tokenizer.vocab_size).to(device := default_device())
    optimizer = AdamW(reader.parameters(), rate)
    collate, dice, shares = collate_texts(tokenizer), random.Random(seed), []
    for step in range(1, max(steps) + 1):
        ids, mask, verdicts = (x.to(device) for x in collate(dice.sample(training, BATCH)))
        loss = cross_entropy(reader(ids, mask), verdicts)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in steps:
            said = classify(reader, tokenizer, texts, batch_size=256).argmax(1)
            shares.append(accuracy(said, truth))
    return shares


def counting(seed: int) -> float:
    """The share of negated reviews that naive Bayes gets right."""
    training, exam = reviews(seed)
    model = NaiveBayes().fit([t.split() for t, _ in training], [label for _, label in training])
    said = model.predict([t.split() for t, _ in exam])
    return accuracy(torch.tensor(said), torch.tensor([label for _, label in exam]))


def measure(folder: Path, seed: int) -> dict[str, float]:
    """Each reader over five seeds, with the words in order and shuffled, at its best rate.

    The rate of each is chosen with the words in order and a seed that is used for nothing else.
    """
    runs, numbers = KeptRuns(folder / "runs.json"), {}

    def curve(name: str, seed: int, rate: float, shuffled: bool = False) -> list[float]:
        key = f"{name}, {'shuffled, ' if shuffled else ''}rate {rate}, seed {seed}"
        return runs.get(key, lambda: learning_curve(name, seed, rate, shuffled=shuffled))

    for name in READERS:
        rate = max(RATES, key=lambda rate, name=name: sum(curve(name, seed + 100, rate)))
        numbers[f"{name}, rate"] = rate
        for each in range(N_SEEDS):
            for n, share in zip(STEPS, curve(name, seed + each, rate), strict=True):
                numbers[f"{name}, {n} steps, seed {each}"] = share
            mixed = curve(name, seed + each, rate, shuffled=True)[-1]
            numbers[f"{name}, shuffled, seed {each}"] = mixed
    for each in range(N_SEEDS):
        numbers[f"counting, seed {each}"] = counting(seed + each)
    return numbers
