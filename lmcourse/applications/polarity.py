"""Sentences that praise or pan a film: counting against networks, rare pans, and what goes wrong.

Chapter: book/classification.md
"""

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lmcourse.applications.classification import (
    Labeled,
    LogisticRegression,
    MeanClassifier,
    NaiveBayes,
    TransformerClassifier,
    classify,
    collate_texts,
)
from lmcourse.data import load_dataset, parts_of
from lmcourse.evaluation import bootstrap_interval
from lmcourse.kept_runs import KeptRuns, keep_story
from lmcourse.metrics import (
    accuracy,
    average_precision,
    precision_recall_curve,
    precision_recall_f1,
)
from lmcourse.recurrent import LSTM, RecurrentClassifier
from lmcourse.tokenizers import WordTokenizer
from lmcourse.training import TrainingConfig, train

Numbers = dict[str, float]
Parts = Mapping[str, Sequence[Labeled]]

N_SEEDS = 5
N_STEPS, N_WARMUP = 800, 50
RATES = (1e-3, 3e-3)
PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)
WIDTH, VOCAB_SIZE = 64, 8000
NEGATIONS = {
    *("not", "no", "never", "nothing", "hardly", "barely", "neither", "nor", "without"),
    *("isn't", "doesn't", "don't", "can't", "won't", "didn't", "aren't", "wasn't", "couldn't"),
    *("wouldn't", "shouldn't", "hasn't", "haven't", "cannot"),
}

NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "mean": lambda n_words: MeanClassifier(n_words, 2, WIDTH, dropout=0.5),
    "lstm": lambda n_words: RecurrentClassifier(n_words, 2, LSTM(WIDTH, WIDTH), dropout=0.5),
    "transformer": lambda n_words: TransformerClassifier(
        n_words, 2, WIDTH, n_heads=4, n_layers=2, dropout=0.5
    ),
}


def load_parts() -> dict[str, list[Labeled]]:
    """train, validation and test, 80 : 10 : 10; the same sentence is never in two of them."""
    return parts_of(load_dataset("rt-polarity")["all"])


def measure(folder: Path, seed: int) -> Numbers:
    """Four ways to count and three networks on the same sentences, and a set with few pans.

    What was trained already is in `folder`, with the story: the scores and the errors to look at.
    """
    parts, runs = load_parts(), KeptRuns(folder / "runs.json")
    truth = labels_of(parts["test"])
    counted, words = _counting(parts)
    said = {name: guesses[None] for name, guesses in counted.items()}
    numbers = {}
    for name in NETWORKS:
        rate = _best_rate(runs, name, seed, parts, folder)
        answers = [
            _network(runs, name, rate, seed + each, parts, folder)["said"]
            for each in range(N_SEEDS)
        ]
        said[name] = torch.tensor([[int(letter) for letter in row] for row in answers])
        numbers[f"{name}, rate"] = rate
        for each, row in enumerate(said[name]):
            numbers[f"{name}, seed {each}"] = 100 * accuracy(row, truth)
    numbers |= compare({name: rows == truth for name, rows in said.items()}, negated(parts["test"]))
    rare, scores = _rare(parts, words.penalty, seed)
    errors = _errors(parts["test"], words, said, seed)
    keep_story(folder, {"rare": scores, "errors": errors})
    majority = max(truth.double().mean().item(), 1 - truth.double().mean().item())
    return numbers | rare | {"n_test": float(len(truth)), "majority": 100 * majority}


def labels_of(rows: Sequence[Labeled]) -> Int[Tensor, "N"]:
    """1 for each sentence that praises."""
    return torch.tensor([label for _, label in rows])


def negated(rows: Sequence[Labeled]) -> Bool[Tensor, "N"]:
    """Which sentences hold a word of negation."""
    return torch.tensor([bool(NEGATIONS & set(text.split())) for text, _ in rows])


def words_of(rows: Sequence[Labeled]) -> list[list[str]]:
    """The words of each sentence."""
    return [text.split() for text, _ in rows]


# ---------------------------------------------------------------- counting and networks


def _counting(parts: Parts) -> tuple[dict[str, Tensor], LogisticRegression]:
    """What naive Bayes and logistic regression say of the test, with words and with pairs, too."""
    train_words, train_labels = words_of(parts["train"]), labels_of(parts["train"])
    said, kept = {}, {}
    for n, ending in ((1, ""), (2, "_pairs")):
        bayes = NaiveBayes(n).fit(train_words, train_labels)
        fits = [LogisticRegression(n, p).fit(train_words, train_labels) for p in PENALTIES]
        kept[n] = max(fits, key=lambda model: _accuracy(model, parts["validation"]))
        for name, model in (("naive_bayes", bayes), ("logistic", kept[n])):
            said[name + ending] = torch.tensor(model.predict(words_of(parts["test"])))
    return said, kept[1]


def _accuracy(model: LogisticRegression, rows: Sequence[Labeled]) -> float:
    return accuracy(torch.tensor(model.predict(words_of(rows))), labels_of(rows))


def _best_rate(runs: KeptRuns, name: str, seed: int, parts: Parts, folder: Path) -> float:
    """By the validation loss, with a seed that is used for nothing else."""
    trials = {rate: _network(runs, name, rate, seed + 100, parts, folder) for rate in RATES}
    return min(RATES, key=lambda rate: trials[rate]["loss"])


def _network(
    runs: KeptRuns, name: str, rate: float, seed: int, parts: Parts, folder: Path
) -> dict[str, Any]:
    """The validation loss, its step, and what the network says of each test sentence."""

    def trained() -> dict[str, Any]:
        text = "\n".join(text for text, _ in parts["train"])
        tokenizer = WordTokenizer.train(text, vocab_size=VOCAB_SIZE)
        torch.manual_seed(seed)
        model = NETWORKS[name](tokenizer.vocab_size)
        config = TrainingConfig(
            n_steps=N_STEPS,
            learning_rate=rate,
            n_warmup=N_WARMUP,
            validate_every=100,
            patience=3,
            seed=seed,
        )
        result = train(
            model,
            parts["train"],
            config,
            validation=parts["validation"],
            collate=collate_texts(tokenizer),
            folder=folder / f"{name}-{rate}-{seed}",
            resume=True,
        )
        said = classify(model, tokenizer, [text for text, _ in parts["test"]]).argmax(1)
        letters = "".join(map(str, said.tolist()))
        return {"loss": result.best_loss, "step": result.best_step, "said": letters}

    return runs.get(f"{name}, rate {rate}, seed {seed}", trained)


def compare(right: Mapping[str, Bool[Tensor, "S N"]], negation: Bool[Tensor, "N"]) -> Numbers:
    """Per cent right of each method, and the interval of its gain over naive Bayes, in points.

    Args:
        right: for each seed and each sentence, whether the answer is right.
        negation: the sentences that are also looked at apart.
    """
    numbers = {"n_negated": float(negation.sum())}
    base = right["naive_bayes"].double().mean(0)
    for name, rows in right.items():
        share = rows.double().mean(0)  # of the seeds that are right about a sentence
        for ending, of in (("", torch.ones_like(negation)), (", negated", negation)):
            numbers[name + ending] = 100 * share[of].mean().item()
            if name != "naive_bayes":
                low, high = bootstrap_interval(100 * (share - base)[of])
                numbers |= {f"{name}{ending}, low": low, f"{name}{ending}, high": high}
    return numbers


# ---------------------------------------------------------------- few pans, and errors


def rare_pans(rows: Sequence[Labeled], seed: int) -> list[Labeled]:
    """All praise, as 0, and so many pans, as 1, that nine in ten praise."""
    praise = [(text, 0) for text, label in rows if label]
    pans = [(text, 1) for text, label in rows if not label]
    return praise + random.Random(seed).sample(pans, len(praise) // 9)


def _rare(parts: Parts, penalty: float, seed: int) -> tuple[Numbers, dict[str, Any]]:
    """Logistic regression where one sentence in ten pans, over several draws of the pans.

    As it is, and with pans that count nine times in training: at one half and at the threshold
    with the best F1 on the validation set.
    """
    numbers: Numbers = {}
    first: dict[str, Any] = {}
    for each in range(N_SEEDS):
        drawn = {part: rare_pans(rows, seed + each) for part, rows in parts.items()}
        truth = {part: labels_of(rows) for part, rows in drawn.items()}
        for name, weight in (("rare", 1.0), ("weighted", 9.0)):
            importance = torch.where(truth["train"] == 1, weight, 1.0).double()
            model = LogisticRegression(penalty=penalty)
            model.fit(words_of(drawn["train"]), truth["train"], importance)
            scores = {p: model.probabilities(words_of(rows)) for p, rows in drawn.items()}
            chosen = best_threshold(scores["validation"], truth["validation"])
            key = f"{name}, seed {each}"
            numbers[f"{key}, threshold"] = chosen
            numbers[f"{key}, average"] = average_precision(scores["test"], truth["test"])
            for place, limit in (("half", 0.5), ("chosen", chosen)):
                said = (scores["test"] >= limit).long()
                precision, recall, f1 = precision_recall_f1(said, truth["test"])
                values = {"precision": precision, "recall": recall, "f1": f1}
                values["accuracy"] = accuracy(said, truth["test"])
                numbers |= {f"{key}, {place}, {k}": value for k, value in values.items()}
            if not first:
                first = {
                    "scores": [round(score, 4) for score in scores["test"].tolist()],
                    "pans": truth["test"].tolist(),
                }
    return numbers, first


def best_threshold(scores: Float[Tensor, "N"], targets: Int[Tensor, "N"]) -> float:
    """The threshold with the highest F1."""
    precision, recall, thresholds = precision_recall_curve(scores, targets)
    f1 = 2 * precision * recall / (precision + recall).clamp_min(1e-12)
    return thresholds[f1.argmax()].item()


def _errors(
    rows: Sequence[Labeled], model: LogisticRegression, said: Mapping[str, Tensor], seed: int
) -> list[dict[str, Any]]:
    """Ten of the sentences that logistic regression gets wrong, drawn at random."""
    probs, truth = model.probabilities(words_of(rows)), labels_of(rows)
    wrong = ((probs > 0.5).long() != truth).nonzero()[:, 0].tolist()
    return [
        {
            "text": rows[place][0],
            "praises": rows[place][1],
            "probability": round(probs[place].item(), 3),
            "weights": [round(weight, 2) for weight in model.weights_of(rows[place][0].split())],
            "right": {name: int((said[name][:, place] == truth[place]).sum()) for name in NETWORKS},
        }
        for place in random.Random(seed).sample(wrong, 10)
    ]
