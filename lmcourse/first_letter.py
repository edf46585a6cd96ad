"""Which letter was the first? How long a recurrent network can learn to remember.

Chapter: book/lstm.md
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from tqdm import tqdm

from lmcourse.devices import default_device
from lmcourse.kept_runs import KeptRuns
from lmcourse.neurons import cross_entropy, embed
from lmcourse.optimization import clip_gradients
from lmcourse.recurrent import GRU, LSTM, RNN, RecurrentClassifier

N_KINDS = 8  # of letters; chance is one in eight
D_INPUT, D_HIDDEN = 16, 32


def letters(
    n_letters: int, batch_size: int, generator: torch.Generator
) -> Int[Tensor, "batch_size n_letters"]:
    """Rows of random letters, as ids; the answer to each row is its first id."""
    return torch.randint(N_KINDS, (batch_size, n_letters), generator=generator)


def learning_curve(
    reader: nn.Module,
    n_letters: int,
    checkpoints: Sequence[int],
    seed: int,
    learning_rate: float = 2e-2,
    batch_size: int = 64,
) -> list[float]:
    """The share of right answers to 2000 new rows after each of these numbers of steps.

    Each step sees new letters; Adam and gradients clipped to norm 1, the same for each reader.
    """
    device = default_device()
    reader.to(device)
    generator = torch.Generator().manual_seed(seed)
    exam = letters(n_letters, 2000, generator).to(device)
    optimizer = torch.optim.Adam(reader.parameters(), lr=learning_rate)
    shares = []
    for step in range(1, max(checkpoints) + 1):
        ids = letters(n_letters, batch_size, generator).to(device)
        loss = cross_entropy(reader(ids), ids[:, 0])
        optimizer.zero_grad()
        loss.backward()
        clip_gradients(reader.parameters(), 1.0)
        optimizer.step()
        if step in checkpoints:
            with torch.no_grad():
                right = reader(exam).argmax(-1) == exam[:, 0]
            shares.append(right.float().mean().item())
    return shares


def _orthogonal(n: int) -> RNN:
    """A plain network whose state is only turned at the start, neither shrunk nor stretched."""
    layer = RNN(D_INPUT, D_HIDDEN)
    nn.init.orthogonal_(layer.layers[0][0].hidden_projection.weight)
    return layer


def _drawn(n: int) -> LSTM:
    """Each unit draws how long it keeps things, between 1 and n - 1 letters.

    Reference: Tallec and Ollivier (2018), section 2, https://arxiv.org/abs/1804.11188
    """
    layer = LSTM(D_INPUT, D_HIDDEN, forget_bias=0.0, input_bias=0.0)
    bias = layer.layers[0][0].input_projection.bias
    times = torch.empty(D_HIDDEN).uniform_(1, n - 1)
    with torch.no_grad():
        bias[:D_HIDDEN], bias[D_HIDDEN : 2 * D_HIDDEN] = -times.log(), times.log()
    return layer


# By name: from the number of letters to a new layer. All but one have the same width.
LAYERS: dict[str, Callable[[int], nn.Module]] = {
    "plain": lambda n: RNN(D_INPUT, D_HIDDEN),
    "plain, wide": lambda n: RNN(D_INPUT, 2 * D_HIDDEN),
    "plain, orthogonal": _orthogonal,
    "LSTM": lambda n: LSTM(D_INPUT, D_HIDDEN),
    "LSTM, forget": lambda n: LSTM(D_INPUT, D_HIDDEN, forget_bias=math.log(n)),
    "LSTM, input": lambda n: LSTM(D_INPUT, D_HIDDEN, input_bias=-math.log(n)),
    "LSTM, both": lambda n: LSTM(
        D_INPUT, D_HIDDEN, forget_bias=math.log(n), input_bias=-math.log(n)
    ),
    "LSTM, drawn": _drawn,
    "GRU": lambda n: GRU(D_INPUT, D_HIDDEN),
    "GRU, open": lambda n: GRU(D_INPUT, D_HIDDEN, update_bias=math.log(n)),
}


def reader_of(name: str, n_letters: int) -> RecurrentClassifier:
    """A new reader with the layer of this name, started for this number of letters."""
    return RecurrentClassifier(N_KINDS, N_KINDS, LAYERS[name](n_letters))


class TorchReader(nn.Module):
    """The same reader with the fused layer of torch.nn: equal numbers in about half the time."""

    def __init__(self, reader: RecurrentClassifier):
        super().__init__()
        ours = reader.recurrent
        self.embedding, self.head = reader.embedding, reader.head
        kind = {RNN: nn.RNN, LSTM: nn.LSTM, GRU: nn.GRU}[type(ours)]
        self.recurrent = kind(ours.d_input, ours.d_output, batch_first=True)
        cell = ours.layers[0][0]
        both = cell.input_projection, cell.hidden_projection
        mine = [each.weight for each in both] + [each.bias for each in both]
        with torch.no_grad():
            for target, source in zip(self.recurrent.parameters(), mine, strict=True):
                target.copy_(source)

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B n_classes"]:
        outputs, _ = self.recurrent(embed(self.embedding, ids))
        return self.head(outputs[:, -1])


# ---------------------------------------------------------------- the comparisons, stored

# The others: fifty letters. Drawn biases need more than STEPS: `measure_longer` has them.
LENGTHS = {"plain": (50, 20, 10, 5), "LSTM, drawn": ()}
STEPS = (100, 250, 500, 1000)
RATES = (5e-3, 2e-2)
N_SEEDS = 4

# Without these the pages' sentences would not be true.
FLOORS = {
    f"{name}, 50 letters, 1000 steps, seed {seed}": 0.98
    for name in ("LSTM, both", "GRU, open")
    for seed in range(N_SEEDS)
}


def measure(folder: Path, seed: int) -> dict[str, float]:
    """Every network with fifty letters, from four seeds on, at its best learning rate.

    That rate is chosen with a seed that is used for nothing else. A run that is in `folder`
    already is taken from there.
    """
    numbers, kept = {}, KeptRuns(folder / "runs.json")
    runs = [(name, n) for name in LAYERS for n in LENGTHS.get(name, (50,))]
    for name, n in tqdm(runs, desc="networks"):
        tried = {rate: _run(kept, name, n, seed + 100, rate, (500,))[0] for rate in RATES}
        for rate, share in tried.items():
            numbers[f"{name}, {n} letters, rate {rate}"] = share
        best = max(tried, key=lambda rate: tried[rate])
        for each in range(N_SEEDS):
            shares = _run(kept, name, n, seed + each, best, STEPS)
            for steps, share in zip(STEPS, shares, strict=True):
                numbers[f"{name}, {n} letters, {steps} steps, seed {each}"] = share
    return numbers


LATE = (1000, 2000, 3000)
PATIENT = {"LSTM": LATE, "GRU": LATE, "LSTM, drawn": LATE[:1]}
N_PATIENT = 4  # seeds


def measure_longer(folder: Path, seed: int) -> dict[str, float]:
    """LSTM and GRU as torch starts them, with fifty letters, for longer; and an LSTM with a start
    that does not know how many letters there are, only the most that there may be.

    From four seeds on, at the larger of the two rates: after 500 steps nothing tells which rate is
    better, and at the smaller one a GRU has not begun after 5000 steps (seeds 0 to 3).
    """
    numbers, kept = {}, KeptRuns(folder / "runs.json")
    runs = [(each, name) for each in range(N_PATIENT) for name in PATIENT]
    for each, name in tqdm(runs, desc="patience"):
        shares = _run(kept, name, 50, seed + each, max(RATES), PATIENT[name])
        for steps, share in zip(PATIENT[name], shares, strict=True):
            numbers[f"{name}, {steps} steps, seed {each}"] = share
    return numbers


def late_shares(numbers: dict[str, float], name: str, steps: int) -> list[float]:
    """What each seed reached, in a result of `measure_longer`."""
    return [numbers[f"{name}, {steps} steps, seed {seed}"] for seed in range(N_PATIENT)]


def _run(
    kept: KeptRuns, name: str, n_letters: int, seed: int, rate: float, steps: Sequence[int]
) -> list[float]:
    def measured() -> list[float]:
        torch.manual_seed(seed)
        reader = TorchReader(reader_of(name, n_letters))
        return learning_curve(reader, n_letters, steps, seed, rate)

    return kept.get(
        f"{name}, {n_letters} letters, seed {seed}, rate {rate}, {max(steps)}", measured
    )


def shares_of(numbers: dict[str, float], name: str, n_letters: int, steps: int) -> list[float]:
    """What each seed reached, in a result of `measure`."""
    return [
        numbers[f"{name}, {n_letters} letters, {steps} steps, seed {seed}"]
        for seed in range(N_SEEDS)
    ]
