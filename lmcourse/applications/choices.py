"""Rules of choice on a model of Shakespeare: how often each repeats itself, how surprising it is.

Chapter: book/generation.md
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from lmcourse.applications.shakespeare import DATASET, HELD_OUT
from lmcourse.data import load_dataset
from lmcourse.generation import beam_search, generate
from lmcourse.gpt import GPT
from lmcourse.kept_runs import KeptRuns
from lmcourse.metrics import LanguageModel, ngrams
from lmcourse.pretrained import shipped

PROMPT, WRITTEN = 32, 64  # tokens
N_SEEDS, N_PROMPTS = 5, 8
RULES: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0},
    "temperature 0.7": {"temperature": 0.7},
    "temperature 1": {},
    "temperature 1.5": {"temperature": 1.5},
    "top-k 40": {"top_k": 40},
    "top-p 0.9": {"top_p": 0.9},
}
BEAM, HUMAN = "beam of 4", "Shakespeare"


def repeated(ids: Sequence[int], n: int = 4) -> float:
    """The share of runs of n tokens that the text has said before.

    Example:
        >>> repeated([1, 2, 3, 1, 2, 3], n=2)
        0.4
    """
    counts = Counter(ngrams(ids, n))
    total = sum(counts.values())
    return (total - len(counts)) / total


def surprise(model: LanguageModel, ids: Int[Tensor, "B T"], n_last: int) -> Float[Tensor, "B"]:
    """The mean surprise of a model at the last tokens of each text, in nats."""
    with torch.inference_mode():
        log_probs = model(ids)[:, -n_last - 1 : -1].log_softmax(-1)
    return -log_probs.gather(-1, ids[:, -n_last:, None])[..., 0].mean(1)


def measure(folder: Path, seed: int) -> dict[str, float]:
    """Five sets of eight places in the text that was held out, continued by every rule.

    Shakespeare's own continuations are measured as well.
    """
    kept, (model, tokenizer) = KeptRuns(folder / "runs.json"), shipped("shakespeare")
    text = load_dataset(DATASET)["all"]
    held_out = torch.tensor(tokenizer.encode(text[round((1 - HELD_OUT) * len(text)) :]))
    dice = torch.Generator().manual_seed(seed)
    places = torch.randperm(len(held_out) // (PROMPT + WRITTEN), generator=dice)
    numbers = {}
    for each in tqdm(range(N_SEEDS), desc="sets"):
        starts = places[each * N_PROMPTS :][:N_PROMPTS] * (PROMPT + WRITTEN)
        own = held_out[starts[:, None] + torch.arange(PROMPT + WRITTEN)]
        for name in (*RULES, BEAM, HUMAN):
            key = f"{name}, seed {seed}, set {each}"
            found = kept.get(key, lambda name=name, own=own: _tell(model, own, name, seed))
            for what, value in found.items():
                numbers[f"{name}, {what}, seed {each}"] = value
    return numbers


def _tell(model: GPT, own: Int[Tensor, "B T"], name: str, seed: int) -> dict[str, float]:
    texts = own if name == HUMAN else _continue(model, own[:, :PROMPT], name, seed)
    rows = texts[:, PROMPT:].tolist()
    return {
        "repeated": sum(map(repeated, rows)) / len(rows),
        "surprise": surprise(model, texts, WRITTEN).mean().item(),
    }


def _continue(model: GPT, prompts: Int[Tensor, "B T"], name: str, seed: int) -> Int[Tensor, "B N"]:
    if name == BEAM:
        found = [beam_search(model, row, WRITTEN, n_beams=4).texts[0] for row in prompts]
        return torch.cat([prompts, torch.tensor(found)], 1)
    dice = torch.Generator().manual_seed(seed)
    return generate(model, prompts, WRITTEN, generator=dice, **RULES[name])


def of_seeds(numbers: dict[str, float], name: str, what: str) -> list[float]:
    """What each set gave, in a result of `measure`."""
    return [numbers[f"{name}, {what}, seed {seed}"] for seed in range(N_SEEDS)]
