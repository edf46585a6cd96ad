"""An LSTM and a plain recurrent network learn to write Shakespeare, watched at the same steps.

Chapter: book/lstm.md
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from lmcourse.counting import CONTEXT, DATASET, Parts, loss, three_parts
from lmcourse.data import load_dataset
from lmcourse.fast_lstm import FastLSTM
from lmcourse.generation import generate
from lmcourse.kept_runs import KeptRuns, keep_story
from lmcourse.ngrams import NGramModel
from lmcourse.recurrent import RNN, RecurrentLM
from lmcourse.tokenizers import CharTokenizer, Tokenizer
from lmcourse.training import TrainingConfig, train

Numbers = dict[str, float]

STEPS = (0, 100, 500, 2_000)  # where each network is looked at; 0 is before the first
N_SEEDS = 4
SEARCH_SEED = 100  # used for nothing else
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
ORDERS = (1, 2, 3, 4, 5, 6)  # the best table of `lmcourse reproduce ngrams` has 6
PROMPT, N_WRITTEN = "ROMEO:\n", 200

# Both start as torch starts them. The LSTM has four times the weights of a plain network of its
# width: what it is ahead by may be due to its gates or to its weights.
MODELS: dict[str, Callable[[int], nn.Module]] = {
    "LSTM": lambda vocab_size: RecurrentLM(vocab_size, FastLSTM(64, 128)),
    "plain": lambda vocab_size: RecurrentLM(vocab_size, RNN(64, 128)),
}


def learn(
    name: str,
    parts: Parts,
    tokenizer: Tokenizer,
    rate: float,
    seed: int,
    steps: tuple[int, ...] = STEPS,
) -> dict[str, Any]:
    """What a network of `MODELS` reaches on the other two parts, and writes, at each of the steps.

    Networks of one seed read the same windows in the same order.

    Args:
        parts: to learn from, to choose the rate by, and to tell of.
        steps: in rising order, from 0 on; the last one ends the training.

    Returns:
        "validation" after the last step; "test" and "text" with one for each of the steps.
    """
    torch.manual_seed(seed)
    model = MODELS[name](tokenizer.vocab_size)
    losses, texts = [], []

    def look(step: int) -> None:
        if step in steps:
            losses.append(loss(model, parts[2]))
            texts.append(write(model, tokenizer))

    look(0)
    config = TrainingConfig(
        n_steps=steps[-1], batch_size=16, learning_rate=rate, n_warmup=steps[-1] // 20, seed=seed,
        context_length=CONTEXT,
    )  # fmt: skip
    train(
        model, parts[0], config, device="cpu", progress=False,
        after_step=lambda row: look(row.step),
    )  # fmt: skip
    return {"validation": loss(model, parts[1]), "test": losses, "text": texts}


def write(model: nn.Module, tokenizer: Tokenizer, n_tokens: int = N_WRITTEN) -> str:
    """The prompt and what the model writes after it, always with the same luck."""
    ids = torch.tensor([tokenizer.encode(PROMPT)])
    rng = torch.Generator().manual_seed(0)
    written = generate(model, ids, n_tokens, temperature=0.8, generator=rng)
    return tokenizer.decode(written[0].tolist())


def table_loss(parts: Parts, vocab_size: int, n: int) -> float:
    """What a table of Kneser and Ney reaches on the last part; it is asked the same characters."""
    model = NGramModel(n, vocab_size).fit(parts[0])
    return loss(model, parts[2])


def measure(folder: Path, seed: int) -> Numbers:
    """Each network at each of the steps, with every seed, beside counted tables.

    Eight tenths of the text are learned from. The next tenth chooses the learning rate of each
    network, after all of its steps and with a seed of its own; the last one is what is told of.
    """
    kept = KeptRuns(folder / "runs.json")
    text = load_dataset(DATASET)["all"]
    tokenizer = CharTokenizer.train(text)
    parts = three_parts(torch.tensor(tokenizer.encode(text)))
    numbers = {
        f"order {n}": kept.get(
            f"order {n}", lambda n=n: table_loss(parts, tokenizer.vocab_size, n)
        )
        for n in ORDERS
    }  # fmt: skip

    def run(name: str, rate: float, seed: int) -> dict[str, Any]:
        return kept.get(
            f"{name}, rate {rate}, seed {seed}",
            lambda: learn(name, parts, tokenizer, rate, seed, STEPS),
        )

    texts = {}
    for name in tqdm(MODELS, desc="learning to write"):
        tried = {rate: run(name, rate, seed + SEARCH_SEED)["validation"] for rate in RATES}
        best = min(RATES, key=lambda rate: tried[rate])
        numbers[f"{name}, rate"] = best
        numbers |= {f"{name}, rate {rate}, validation": found for rate, found in tried.items()}
        for each in range(N_SEEDS):
            found = run(name, best, seed + each)
            for step, nats in zip(STEPS, found["test"], strict=True):
                numbers[_key(name, step, each)] = nats
            if each == 0:  # chosen before anything was read
                texts[name] = found["text"]
    keep_story(folder, {"steps": list(STEPS), "texts": texts})
    return numbers


def losses_of(numbers: Numbers, name: str) -> list[list[float]]:
    """A row for each seed, a column for each of `STEPS`, in a result of `measure`."""
    return [[numbers[_key(name, step, seed)] for step in STEPS] for seed in range(N_SEEDS)]


def _key(name: str, step: int, seed: int) -> str:
    return f"{name}, {step} steps, seed {seed}"
