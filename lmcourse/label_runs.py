"""What labels are worth after reading, measured over several languages: all that takes long.

Chapter: book/finetuning.md
"""

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from lmcourse.checkpoints import load_or_train
from lmcourse.few_labels import (
    Language,
    Question,
    asked,
    classifier_on,
    counted,
    fit,
    labeled,
    new_gpt,
    old_loss,
    pretrain,
    share_right,
)
from lmcourse.finetuning import n_trained, optimizer_bytes
from lmcourse.gpt import GPT
from lmcourse.kept_runs import KeptRuns
from lmcourse.quantization import Kind, n_bytes, quantize_linears

Numbers = dict[str, float]
Part = Callable[[GPT, Language, int, Numbers], Numbers]

N_SEEDS, N_STEPS = 4, 300
SIZES = (4, 8, 16, 64)
DOSES = (0, 20, 40, 60, 80, 100, 150, 300)
LABELS: dict[Question, int] = {"mood": 8, "denied": 64}
RATES = {
    "full": (3e-4, 1e-3, 3e-3, 1e-2),
    "head": (3e-3, 1e-2, 3e-2, 1e-1),
    "scratch": (3e-4, 1e-3, 3e-3, 1e-2),
    "LoRA": (1e-3, 3e-3, 1e-2, 3e-2),
}
RANKS = (1, 4, 16)
KINDS: tuple[Kind, ...] = ("int8", "int4", "nf4")


def measure(folder: Path, seed: int) -> Numbers:
    """All experiments on four languages; the rates of each way are chosen on another."""
    runs, rates = KeptRuns(folder / "runs.json"), {}
    for way in RATES:
        rates |= runs.get(f"rates, {way}", lambda way=way: chosen_rates(way, folder, seed + 100))
    numbers = {f"rate, {name}": rate for name, rate in rates.items()}
    for each in range(N_SEEDS):
        for name, part in PARTS.items():

            def found(each: int = each, part: Part = part) -> Numbers:
                body = kept_body(folder, seed + each)
                return part(body, Language(seed + each), seed + each, rates)

            row = runs.get(f"{name}, seed {each}", found)
            numbers |= {f"{key}, seed {each}": value for key, value in row.items()}
    return numbers


def kept_body(folder: Path, seed: int) -> GPT:
    """A body that has read the language of this seed, from the folder if it is there."""
    return load_or_train(
        new_gpt(seed),
        folder / f"body-{seed}.safetensors",
        lambda body: pretrain(body, Language(seed), N_STEPS, seed),
    )


def chosen_rates(way: str, folder: Path, seed: int) -> Numbers:
    """For each question the rate with the highest share, on a language used for nothing else."""
    body = new_gpt(seed + 1000) if way == "scratch" else kept_body(folder, seed)
    kind = {"scratch": "full", "LoRA": "LoRA 4"}.get(way, way)
    found = {}
    for question, n in (("mood", 16), ("denied", 64)):
        shares = {
            rate: tuned(body, Language(seed), kind, rate, question, n, seed)[0]
            for rate in RATES[way]
        }
        found[f"{way}, {question}"] = max(shares, key=shares.__getitem__)
    return found


def tuned(
    body: GPT,
    language: Language,
    way: str,
    rate: float,
    question: Question,
    n: int,
    seed: int,
    **options,
) -> tuple[float, Numbers]:
    """The share right after fine-tuning, and what was trained, remembered and forgotten."""
    model = classifier_on(body, way, seed)
    optimizer = fit(model, labeled(language, n, seed, question), rate, seed, **options)
    costs = {
        "trained": float(n_trained(model)),
        "optimizer": float(optimizer_bytes(optimizer)),
        "old loss": old_loss(model.body, language),
    }
    return share_right(model, language, question, seed), costs


def doses(body: GPT, language: Language, seed: int, rates: Numbers) -> Numbers:
    """Eight labels after less reading; and what the whole body says with none, when asked."""
    numbers = {f"asked, {n} words": asked(body, language, n, seed) for n in (1, 4)}

    def watch(step: int, model: GPT) -> None:
        if step in DOSES:
            args = ("full", rates["full, mood"], "mood", 8, seed)
            numbers[f"read {step}, right"] = tuned(model, language, *args)[0]
            numbers[f"read {step}, loss"] = old_loss(model, language)

    watch(0, reader := new_gpt(seed))
    pretrain(reader, language, N_STEPS, seed, watch=watch)
    return numbers


def by_labels(body: GPT, language: Language, seed: int, rates: Numbers) -> Numbers:
    """4 to 64 labels: pre-trained, from scratch, with the most five times as long, and counted."""
    numbers, fresh = {}, new_gpt(seed + 1000)
    for n in SIZES:
        arms = [("pre-trained", body, "full", 80), ("scratch", fresh, "scratch", 80)]
        if n == SIZES[-1]:
            arms.append(("scratch, longer", fresh, "scratch", 400))
        for name, start, kind, steps in arms:
            args = ("full", rates[f"{kind}, mood"], "mood", n, seed)
            numbers[f"{name}, {n}"] = tuned(start, language, *args, n_steps=steps)[0]
        numbers[f"counted, {n}"] = counted(labeled(language, n, seed), language, "mood", seed)
    return numbers


def other_reading(name: str, body: GPT, language: Language, seed: int, rates: Numbers) -> Numbers:
    """Eight labels after reading in which words keep other company, or none, or have no order."""
    read = Language(seed + 500) if name == "other company" else language
    start = new_gpt(seed)
    pretrain(start, read, N_STEPS, seed, "as written" if read is not language else name)
    args = ("full", rates["full, mood"], "mood", 8, seed)
    return {f"control, {name}": tuned(start, language, *args)[0]}


def by_way(question: Question, body: GPT, language: Language, seed: int, rates: Numbers) -> Numbers:
    """Full, head, LoRA of three ranks; from scratch, and the head alone without reading."""
    numbers, fresh = {}, new_gpt(seed + 1000)
    arms = {way: (body, way, way) for way in ("full", "head", *(f"LoRA {r}" for r in RANKS))}
    arms |= {"scratch": (fresh, "full", "scratch"), "random head": (fresh, "head", "head")}
    for name, (start, kind, searched) in arms.items():
        rate = rates[f"{searched.split()[0]}, {question}"]
        args = (kind, rate, question, LABELS[question], seed)
        numbers[f"{question}, {name}, right"], costs = tuned(start, language, *args)
        numbers |= {f"{question}, {name}, {key}": value for key, value in costs.items()}
    return numbers


def forgetting(body: GPT, language: Language, seed: int, rates: Numbers) -> Numbers:
    """The loss on old texts: before, after full and LoRA at each rate, with old texts mixed in."""
    numbers = {"old, before": old_loss(body, language)}
    arms = [(f"{way} {rate}", way, rate, {}) for way in ("full", "LoRA") for rate in RATES[way]]
    arms.append(("mixed", "full", rates["full, denied"], {"old_texts": language}))
    for name, way, rate, options in arms:
        args = ("LoRA 4" if way == "LoRA" else way, rate, "denied", LABELS["denied"], seed)
        numbers[f"old, {name}, right"], costs = tuned(body, language, *args, **options)
        numbers[f"old, {name}, loss"] = costs["old loss"]
    return numbers


def bits(body: GPT, language: Language, seed: int, rates: Numbers) -> Numbers:
    """Bytes, error and loss of the body in fewer bits, and what LoRA of rank 4 learns on it."""
    numbers = {"float32, bytes": float(n_bytes(body)), "float32, loss": old_loss(body, language)}
    for kind in KINDS:
        small = copy.deepcopy(body)
        names = quantize_linears(small, kind, group_size=64)
        off = [small.get_submodule(x).weight - body.get_submodule(x).weight for x in names]
        whole = torch.cat([body.get_submodule(x).weight.flatten() for x in names])
        numbers[f"{kind}, off"] = (
            torch.cat([x.flatten() for x in off]).norm() / whole.norm()
        ).item()
        numbers[f"{kind}, bytes"] = float(n_bytes(small))
        numbers[f"{kind}, loss"] = old_loss(small, language)
        args = ("LoRA 4", rates["LoRA, denied"], "denied", LABELS["denied"], seed)
        numbers[f"{kind}, denied"] = tuned(small, language, *args)[0]
    return numbers


PARTS: dict[str, Part] = {
    "doses": doses,
    "labels": by_labels,
    **{f"ways, {question}": partial(by_way, question) for question in LABELS},
    "forgetting": forgetting,
    "bits": bits,
    **{
        name: partial(other_reading, name)
        for name in ("other company", "words shuffled", "all shuffled")
    },
}
