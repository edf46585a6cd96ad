"""A GPT that learns to copy, from several seeds: heads taken away, parts exchanged one at a time.

Chapter: book/gpt.md
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmcourse.attention import attention_weights, causal_mask, split_heads
from lmcourse.corpora import generate_corpus
from lmcourse.data import load_dataset
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.kept_runs import KeptRuns
from lmcourse.neurons import cross_entropy
from lmcourse.optimization import AdamW
from lmcourse.tokenizers import CharTokenizer

Numbers = dict[str, float]
Change = Callable[[Tensor], Tensor]

# A newline, eight letters of eight, a bar and the same eight letters: nine of them are certain.
SPELL = 8
SPELLS = GPTConfig(vocab_size=10, context_length=17, d_model=64, n_heads=4, n_layers=2)
ENTROPY = SPELL * math.log(8) / 17
SHAKESPEARE = GPTConfig(vocab_size=65, context_length=32, d_model=64, n_heads=4, n_layers=2)
N_TEST = 500
BATCH = 64
# Learning rates to choose from, and how far off the seeds are with which they are tried: a run on
# Shakespeare takes longer, so there two seeds choose that are used for nothing else.
RATES = {"spells": (1e-3, 2e-3), "shakespeare": (2e-3, 4e-3)}
TRIALS = {"spells": (0, 1, 2, 3), "shakespeare": (100, 101)}

# GPT-2's block with one of its parts exchanged. The feed-forward network is as wide as leaves the
# number of parameters the same, but for four in a hundred.
PARTS: dict[str, dict[str, Any]] = {
    "GPT-2": {},
    "RMSNorm": {"norm": "rms"},
    "SwiGLU": {"feed_forward": "swiglu", "d_ff": 171},
    "rotary": {"positions": "rotary"},
    "grouped": {"n_kv_heads": 2, "d_ff": 288},
    "untied": {"tied_head": False},
    "all four": {
        "norm": "rms",
        "feed_forward": "swiglu",
        "positions": "rotary",
        "n_kv_heads": 2,
        "d_ff": 192,
    },
}

# What stands in for the output of a head, (B, T, D).
CHANGES: dict[str, Change] = {
    "zero": torch.zeros_like,
    "mean": lambda values: values.mean(0, keepdim=True).expand_as(values),
    "other": lambda values: values.roll(1, 0),
}


def spells(seed: int, n_examples: int) -> Int[Tensor, "B T"]:
    """Spells as ids, each with the newline that starts it."""
    texts = generate_corpus("copy", seed=seed, n_examples=n_examples)
    tokenizer = CharTokenizer.train("\nabcdefgh|")
    return torch.tensor([tokenizer.encode("\n" + text) for text in texts])


def fit(
    model: GPT,
    batch: Callable[[int], Tensor],
    n_steps: int,
    learning_rate: float = 1.5e-3,
    is_done: Callable[[int], bool] = lambda n_steps: False,
) -> int:
    """Trains on batch(0), batch(1), … until is_done(1), is_done(2), …; the steps that it took."""
    optimizer = AdamW(model.parameters(), learning_rate)
    for step in range(n_steps):
        ids = batch(step)
        loss = cross_entropy(model(ids[:, :-1]), ids[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if is_done(step + 1):
            return step + 1
    return n_steps


@torch.no_grad()
def loss_of(model: GPT, ids: Int[Tensor, "B T"]) -> float:
    """The mean surprise about the next id, in nats."""
    return cross_entropy(model(ids[:, :-1]), ids[:, 1:]).item()


# ---------------------------------------------------------------- a head taken away


def heads(folder: Path, seed: int, n_seeds: int = 16, n_steps: int = 200) -> Numbers:
    """What it costs to take away the head that copies, from each of `n_seeds` seeds.

    Returns:
        For each seed the loss, the head's weight on the place to copy from ("weight") and that of
        the next one ("second"), the nats that each of `CHANGES` costs, and what is lost if the rest
        trains on for half as many steps without it ("retrained"). By then, "heir" is the largest
        weight on that place among the other heads. "never" is what is lost by a model with the same
        start, steps and spells that never had that head. With zeros in its place, and in the
        model that never had it, "sure" and "never_sure" are the probability of the likeliest letter
        in the second halves, "right" and "never_right" how often it is the right one.
    """
    runs = KeptRuns(folder / "heads.json")
    numbers = {}
    for each in range(seed, seed + n_seeds):
        found = runs.get(f"{each}", lambda each=each: _without_head(each, n_steps))
        numbers |= {f"{each}/{name}": value for name, value in found.items()}
    return numbers


def _without_head(seed: int, n_steps: int) -> Numbers:
    ids = spells(seed, N_TEST + BATCH * n_steps * 3 // 2)
    test, rest = ids[:N_TEST], ids[N_TEST:]
    torch.manual_seed(seed)
    model = GPT(SPELLS)
    fit(model, lambda step: rest[BATCH * step :][:BATCH], n_steps)
    weights = copying_weights(model, test)
    strongest = int(weights.argmax())
    depth, head = divmod(strongest, SPELLS.n_heads)
    loss = loss_of(model, test)
    first, second = weights.flatten().topk(2).values.tolist()
    found = {"loss": loss, "weight": first, "second": second}
    for name, change in CHANGES.items():
        with changed_head(model, depth, head, change):
            found[name] = loss_of(model, test) - loss
            if name == "zero":
                found["sure"], found["right"] = certainty(model, test)
    with changed_head(model, depth, head, torch.zeros_like):
        fit(model, lambda step: rest[BATCH * (n_steps + step) :][:BATCH], n_steps // 2)
        found["retrained"] = loss_of(model, test) - loss
        others = copying_weights(model, test).flatten()
    others[strongest] = 0.0
    found["heir"] = others.max().item()
    torch.manual_seed(seed)
    model = GPT(SPELLS)
    with changed_head(model, depth, head, torch.zeros_like):
        fit(model, lambda step: rest[BATCH * step :][:BATCH], n_steps)
        found["never"] = loss_of(model, test) - loss
        found["never_sure"], found["never_right"] = certainty(model, test)
    return found


@torch.no_grad()
def certainty(model: GPT, ids: Int[Tensor, "B T"]) -> tuple[float, float]:
    """The probability of the likeliest letter in the second halves, and how often it is right."""
    probs, said = model(ids[:, :-1])[:, SPELL + 1 :].softmax(-1).max(-1)
    return probs.mean().item(), (said == ids[:, SPELL + 2 :]).float().mean().item()


@contextmanager
def changed_head(model: GPT, depth: int, head: int, change: Change) -> Iterator[None]:
    """As long as it is open, what one head puts out is replaced by change(of it)."""
    layer = model.blocks[depth].attention
    part = slice(head * layer.d_head, (head + 1) * layer.d_head)

    def hook(_: Any, arguments: tuple[Tensor]) -> tuple[Tensor]:
        values = arguments[0].clone()
        values[..., part] = change(values[..., part])
        return (values,)

    handle = layer.output_projection.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def copying_weights(model: GPT, ids: Int[Tensor, "B T"]) -> Float[Tensor, "L H"]:
    """The weight of each head on the place to copy from, on average over the second halves."""
    later = torch.arange(SPELL + 1, 2 * SPELL + 1)  # input t holds character t − 1, so what
    found = []  # follows it is at t − 8
    for block in model.blocks:
        layer, seen = block.attention, []
        handle = layer.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        model(ids[:, :-1])
        handle.remove()
        query, key, _ = layer.input_projection(seen[0]).split(layer.widths, -1)
        query, key = split_heads(query, layer.n_heads), split_heads(key, layer.n_kv_heads)
        weights = attention_weights(query, key, causal_mask(ids.shape[1] - 1, ids.device))
        found.append(weights[:, :, later, later - SPELL].mean((0, 2)))
    return torch.stack(found)


# ---------------------------------------------------------------- one part at a time


def parts(folder: Path, seed: int, n_seeds: int = 4) -> Numbers:
    """Each of `PARTS` on two texts, from `n_seeds` seeds, each at the better of two rates for it.

    Returns:
        "TEXT/PART/rate", and "TEXT/PART/RATE/SEED" for each run: on "spells" the steps until the
        model copies, on "shakespeare" the loss after 300 steps.
    """
    text = load_dataset("tinyshakespeare")["all"]
    ids = torch.tensor(CharTokenizer.train(text).encode(text))

    def loss_after_training(changes: Mapping[str, Any], seed: int, rate: float) -> float:
        return _loss_on_shakespeare(ids, changes, seed, rate)

    numbers = {}
    for name, measure in (("spells", _steps_to_copy), ("shakespeare", loss_after_training)):
        runs = KeptRuns(folder / f"{name}.json")
        trials = [seed + trial for trial in TRIALS[name]]
        for part in PARTS:
            values = _at_best_rate(
                runs, part, measure, RATES[name], trials, range(seed, seed + n_seeds)
            )
            numbers |= {f"{name}/{part}/{key}": value for key, value in values.items()}
    return numbers


def _steps_to_copy(
    changes: Mapping[str, Any], seed: int, learning_rate: float, n_steps: int = 400
) -> float:
    """Steps until the loss on other spells is within a tenth of a nat of the entropy."""
    ids = spells(seed, N_TEST + BATCH * n_steps)
    torch.manual_seed(seed)
    model = GPT(replace(SPELLS, **changes))

    def copies(step: int) -> bool:
        return step % 10 == 0 and loss_of(model, ids[:N_TEST]) < ENTROPY + 0.1

    rest = ids[N_TEST:]
    return float(
        fit(model, lambda step: rest[BATCH * step :][:BATCH], n_steps, learning_rate, copies)
    )


def _loss_on_shakespeare(
    ids: Tensor, changes: Mapping[str, Any], seed: int, learning_rate: float, n_steps: int = 300
) -> float:
    config = replace(SHAKESPEARE, vocab_size=int(ids.max()) + 1, **changes)
    n = config.context_length + 1
    cut = round(0.9 * len(ids))
    windows, held_out = ids[:cut].unfold(0, n, 1), ids[cut:][: 600 * n].view(600, n)
    torch.manual_seed(seed)
    model, random = GPT(config), torch.Generator().manual_seed(seed)

    def batch(step: int) -> Tensor:
        return windows[torch.randint(len(windows), (32,), generator=random)]

    fit(model, batch, n_steps, learning_rate)
    return loss_of(model, held_out)


def _at_best_rate(
    runs: KeptRuns,
    part: str,
    measure: Callable[[Mapping[str, Any], int, float], float],
    rates: Sequence[float],
    trials: Sequence[int],
    seeds: Sequence[int],
) -> Numbers:
    """The rate that has the lowest mean over the trials, these, and the runs of all seeds at it."""

    def run(rate: float, seed: int) -> float:
        return runs.get(f"{part}/{rate}/{seed}", lambda: measure(PARTS[part], seed, rate))

    tried = {rate: {seed: run(rate, seed) for seed in trials} for rate in rates}
    best = min(rates, key=lambda rate: sum(tried[rate].values()))
    tried[best] |= {seed: run(best, seed) for seed in seeds}
    values = {f"{rate}/{seed}": x for rate, found in tried.items() for seed, x in found.items()}
    return {"rate": best} | values
