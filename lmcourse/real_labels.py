"""Sentences about films, read first without labels: does it help, and with how many labels?

Chapter: book/finetuning.md
"""

import copy
import random
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from lmcourse.applications.classification import Labeled, LogisticRegression, NaiveBayes
from lmcourse.applications.polarity import labels_of, load_parts, words_of
from lmcourse.checkpoints import load_or_train
from lmcourse.data import pad_batch
from lmcourse.devices import default_device
from lmcourse.few_labels import dealt_anew, next_word_loss, take_step
from lmcourse.finetuning import Classifier
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.kept_runs import KeptRuns
from lmcourse.metrics import accuracy
from lmcourse.modes import mode
from lmcourse.neurons import cross_entropy
from lmcourse.tokenizers import WordTokenizer

Numbers = dict[str, float]
Reading = Literal["none", "its sentences", "its words shuffled"]

READINGS: tuple[Reading, ...] = ("none", "its sentences", "its words shuffled")
SIZES = (64, 512, 8192)
RATES = (1e-3, 3e-3)
N_SEEDS, VOCAB_SIZE, LENGTH, BATCH = 1, 2000, 32, 16
READING_STEPS = 500


def measure(folder: Path, seed: int) -> Numbers:
    """Per cent right of the test, for each reading, number of labels and seed; and counted.

    The rate is chosen by the validation sentences, for each of them alike.
    """
    parts, runs = load_parts(), KeptRuns(folder / "runs.json")
    tokenizer = WordTokenizer.train(_text(parts["train"]), vocab_size=VOCAB_SIZE)
    numbers = {"n_test": float(len(parts["test"]))}
    for each, reading in product(range(N_SEEDS), READINGS):

        def body(each: int = each, reading: Reading = reading) -> GPT:
            return kept_body(folder, reading, parts, tokenizer, seed + each)

        def heard(body: Callable[[], GPT] = body) -> float:
            return _loss(body(), [tokenizer.encode(text) for text, _ in parts["validation"]])

        ending = f"seed {each}"
        numbers[f"{reading}, loss, {ending}"] = runs.get(f"{reading}, loss, {ending}", heard)
        for n in SIZES:
            tried = {}
            for rate in RATES:

                def shares(n: int = n, rate: float = rate, each: int = each, body=body):
                    rows = drawn(parts["train"], n, seed + each)
                    return tuned(body(), rows, parts, tokenizer, rate, seed + each)

                tried[rate] = runs.get(f"{reading}, {n}, rate {rate}, {ending}", shares)
            best = max(RATES, key=lambda rate, tried=tried: tried[rate][0])
            numbers[f"{reading}, {n}, {ending}"] = tried[best][1]
            numbers[f"{reading}, {n}, rate, {ending}"] = best
    for each in range(N_SEEDS):
        numbers |= runs.get(f"counted, seed {each}", lambda e=each: counting(parts, seed + e, e))
    return numbers


def kept_body(
    folder: Path,
    reading: Reading,
    parts: dict[str, list[Labeled]],
    tokenizer: WordTokenizer,
    seed: int,
) -> GPT:
    """A body after this reading, from the folder if it is there."""
    torch.manual_seed(seed)
    body = new_body(tokenizer.vocab_size)
    if reading == "none":
        return body

    def read(body: GPT) -> None:
        texts = _texts(reading, parts, tokenizer, random.Random(f"{reading} {seed}"))
        pretrain(body, texts, READING_STEPS, seed)

    return load_or_train(body, folder / f"{reading.replace(' ', '-')}-{seed}.safetensors", read)


def drawn(rows: Sequence[Labeled], n: int, seed: int) -> list[Labeled]:
    """n sentences at random, half of which praise."""
    dice = random.Random(f"labels {seed}")
    kinds = ([row for row in rows if row[1] == label] for label in (0, 1))
    return [row for kind in kinds for row in dice.sample(kind, n // 2)]


def counting(parts: dict[str, list[Labeled]], seed: int, number: int) -> Numbers:
    """Naive Bayes and logistic regression from the same labels."""
    numbers, truth = {}, labels_of(parts["test"])
    for n in SIZES:
        rows = drawn(parts["train"], n, seed)
        for name, model in (("Bayes", NaiveBayes()), ("logistic", LogisticRegression())):
            model.fit(words_of(rows), labels_of(rows))
            said = torch.tensor(model.predict(words_of(parts["test"])))
            numbers[f"{name}, {n}, seed {number}"] = 100 * accuracy(said, truth)
    return numbers


# ---------------------------------------------------------------- reading


def new_body(vocab_size: int) -> GPT:
    """A GPT of one block that has read nothing."""
    config = GPTConfig(
        vocab_size=vocab_size, context_length=LENGTH, d_model=64, n_heads=4, n_layers=1, dropout=0.1
    )
    return GPT(config).to(default_device())


def _texts(
    reading: Reading,
    parts: dict[str, list[Labeled]],
    tokenizer: WordTokenizer,
    dice: random.Random,
) -> list[list[int]]:
    """The ids of what is read; the labels are not looked at."""
    texts = [tokenizer.encode(text) for text, _ in parts["train"]]
    if reading == "its words shuffled":
        texts = dealt_anew(texts, dice)
    return texts


def pretrain(body: GPT, texts: Sequence[list[int]], n_steps: int, seed: int) -> None:
    """Trains it to say what comes next in texts drawn at random, 16 at each step."""
    dice = random.Random(f"reading {seed}")
    optimizer, schedule = _descent(body, 3e-3, n_steps)
    with mode(body, training=True):
        for _ in range(n_steps):
            loss = next_word_loss(body, *_batch(dice.sample(texts, BATCH)))
            take_step(optimizer, schedule, loss)


def _loss(body: GPT, texts: Sequence[list[int]]) -> float:
    with mode(body, training=False), torch.no_grad():
        return next_word_loss(body, *_batch(texts[:512])).item()


def _batch(texts: Sequence[list[int]]) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    ids, mask = pad_batch([ids[:LENGTH] for ids in texts])
    return ids.to(device := default_device()), mask.to(device)


# ---------------------------------------------------------------- with labels


def tuned(
    body: GPT,
    examples: Sequence[Labeled],
    parts: dict[str, list[Labeled]],
    tokenizer: WordTokenizer,
    rate: float,
    seed: int,
) -> tuple[float, float]:
    """Per cent right of the validation and of the test sentences, after fine-tuning all of it."""
    torch.manual_seed(seed)
    model = Classifier(copy.deepcopy(body), 2, dropout=0.1).to(default_device())
    rows = [(tokenizer.encode(text), label) for text, label in examples]
    n_steps = 500 if len(rows) > 1000 else 300
    optimizer, schedule = _descent(model, rate, n_steps)
    dice = random.Random(f"order {seed}")
    with mode(model, training=True):
        for _ in range(n_steps):
            chosen = dice.sample(rows, min(BATCH, len(rows)))
            labels = torch.tensor([label for _, label in chosen], device=default_device())
            loss = cross_entropy(model(*_batch([ids for ids, _ in chosen])), labels)
            take_step(optimizer, schedule, loss)
    return tuple(_share(model, parts[name], tokenizer) for name in ("validation", "test"))


def _share(model: Classifier, rows: Sequence[Labeled], tokenizer: WordTokenizer) -> float:
    said = []
    with mode(model, training=False), torch.no_grad():
        for start in range(0, len(rows), 128):
            texts = [tokenizer.encode(text) for text, _ in rows[start : start + 128]]
            said.append(model(*_batch(texts)).argmax(1).cpu())
    return 100 * accuracy(torch.cat(said), labels_of(rows))


def _descent(model: torch.nn.Module, rate: float, n_steps: int):
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 20) * (1 - step / n_steps)
    )


def _text(rows: Sequence[Labeled]) -> str:
    return "\n".join(text for text, _ in rows)
