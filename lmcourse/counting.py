"""Counted tables beside trained networks on Shakespeare: how good each is after how many seconds.

Chapter: book/ngrams.md
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor, nn
from tqdm import tqdm

from lmcourse.data import load_dataset
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.kept_runs import KeptRuns
from lmcourse.metrics import LanguageModel
from lmcourse.modes import mode
from lmcourse.ngrams import NGramModel
from lmcourse.recurrent import LSTM, RecurrentLM
from lmcourse.tokenizers import CharTokenizer
from lmcourse.training import TrainingConfig, train

Numbers = dict[str, float]
Parts = tuple[Int[Tensor, "N"], Int[Tensor, "M"], Int[Tensor, "K"]]

DATASET = "tinyshakespeare"
CONTEXT = 64  # characters
ORDERS = range(1, 9)
# About 5, 60 and 600 seconds of one core, for either network: with how many seeds.
STEPS = {250: 5, 3_000: 3, 30_000: 2}
SEARCHED = (250, 3_000)  # a rate is chosen after these; what is longer takes that of the last one
RATES = (3e-3, 1e-2)
SEARCH_SEED = 100  # used for nothing else
NINE_TENTHS = "order 6, nine tenths"
EIGHT_BEFORE = "order 6, the eight tenths before the last"

MODELS: dict[str, Callable[[int], nn.Module]] = {
    "GPT": lambda vocab_size: GPT(
        GPTConfig(
            vocab_size=vocab_size, context_length=CONTEXT, d_model=64, n_heads=4, n_layers=2,
            positions="rotary",
        )
    ),
    # As wide as makes its steps as long.
    "LSTM": lambda vocab_size: RecurrentLM(vocab_size, LSTM(64, 128)),
}  # fmt: skip


def loss(model: LanguageModel, ids: Int[Tensor, "N"]) -> float:
    """The mean surprise at a character, in nats, each seen with at least half a context before it.

    Every model is asked about the same characters. Windows overlap by a half, so that a network
    is not charged for the start of a window, where it has seen nothing.
    """
    half = CONTEXT // 2
    starts = torch.arange(0, len(ids) - CONTEXT, half)
    windows = ids[starts[:, None] + torch.arange(CONTEXT + 1)]
    total = 0.0
    with mode(model, training=False), torch.inference_mode():
        for some in windows.split(64):
            log_probs = model(some[:, :-1])[:, -half:].log_softmax(-1)
            total -= log_probs.gather(-1, some[:, -half:, None]).sum().item()
    return total / (half * len(starts))


def learn(
    name: str, parts: Parts, vocab_size: int, n_steps: int, rate: float, seed: int
) -> Numbers:
    """What a network of `MODELS` reaches on the other two parts, and the seconds of its training.

    Args:
        parts: to learn from, to choose the rate by, and to tell of.
    """
    torch.manual_seed(seed)
    model = MODELS[name](vocab_size)
    config = TrainingConfig(
        n_steps=n_steps, batch_size=16, learning_rate=rate, n_warmup=n_steps // 20, seed=seed,
        context_length=CONTEXT,
    )  # fmt: skip
    start = time.process_time()
    train(model, parts[0], config, device="cpu", progress=False)
    seconds = time.process_time() - start
    return {
        "validation": loss(model, parts[1]), "test": loss(model, parts[2]), "seconds": seconds,
    }  # fmt: skip


def count(parts: Parts, vocab_size: int, n: int) -> Numbers:
    """The same for a table of Kneser and Ney, with its bytes."""
    start = time.process_time()
    model = NGramModel(n, vocab_size).fit(parts[0])
    seconds = time.process_time() - start
    return {
        "validation": loss(model, parts[1]), "test": loss(model, parts[2]), "seconds": seconds,
        "bytes": float(model.n_bytes),
    }  # fmt: skip


def three_parts(ids: Int[Tensor, "T"]) -> Parts:
    """Eight tenths to learn from, one to choose by, and the last one to tell of."""
    n = len(ids)
    return ids[: n * 8 // 10], ids[n * 8 // 10 : n * 9 // 10], ids[n * 9 // 10 :]


def measure(folder: Path, seed: int) -> Numbers:
    """Tables of every order, and both networks after few and many steps.

    The first eight tenths of the text are learned from. The next tenth chooses the learning rate
    of each network; the last one is what is told of.
    """
    kept = KeptRuns(folder / "runs.json")
    text = load_dataset(DATASET)["all"]
    tokenizer = CharTokenizer.train(text)
    ids, n = torch.tensor(tokenizer.encode(text)), len(text)
    parts = three_parts(ids)
    numbers = {}

    def tell(key: str, found: Numbers) -> None:
        numbers.update({f"{key}, {what}": value for what, value in found.items()})

    for order in ORDERS:
        key = f"order {order}"
        tell(key, kept.get(key, lambda n=order: count(parts, tokenizer.vocab_size, n)))
    # A GPT that took a quarter of an hour has learned from nine tenths of the text.
    most = ids[: n * 9 // 10], parts[1], parts[2]
    tell(NINE_TENTHS, kept.get(NINE_TENTHS, lambda: count(most, tokenizer.vocab_size, 6)))
    # The control: no more text than the first eight tenths, but text that is nearer to the last.
    near = ids[n // 10 : n * 9 // 10], parts[1], parts[2]
    again = kept.get(EIGHT_BEFORE, lambda: count(near, tokenizer.vocab_size, 6))
    numbers[f"{EIGHT_BEFORE}, test"] = again["test"]

    def run(name: str, n_steps: int, rate: float, seed: int) -> Numbers:
        return kept.get(
            f"{name}, {n_steps} steps, rate {rate}, seed {seed}",
            lambda: learn(name, parts, tokenizer.vocab_size, n_steps, rate, seed),
        )

    for name in tqdm(MODELS, desc="networks"):
        best = RATES[0]
        for n_steps, n_seeds in STEPS.items():
            if n_steps in SEARCHED:
                tried = {
                    rate: run(name, n_steps, rate, seed + SEARCH_SEED)["validation"]
                    for rate in RATES
                }
                best = min(RATES, key=lambda rate: tried[rate])
            numbers[f"{name}, {n_steps} steps, rate"] = best
            for each in range(n_seeds):
                tell(f"{name}, {n_steps} steps, seed {each}", run(name, n_steps, best, seed + each))
    return numbers


def of_seeds(numbers: Numbers, name: str, n_steps: int, what: str = "test") -> list[float]:
    """What each seed gave, in a result of `measure`."""
    return [
        numbers[f"{name}, {n_steps} steps, seed {seed}, {what}"] for seed in range(STEPS[n_steps])
    ]
