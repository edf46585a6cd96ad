"""Which note came last? Readers that differ in their positions alone, and streams of any length.

Chapter: book/positions.md
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from tqdm import tqdm

from lmcourse.attention import causal_mask, merge_heads, split_heads
from lmcourse.devices import default_device
from lmcourse.kept_runs import KeptRuns
from lmcourse.neurons import check_counts, cross_entropy, embed
from lmcourse.positions import (
    LearnedPositions,
    alibi_bias,
    rotary_embedding,
    sinusoidal_positions,
)

N_NOTES, N_SIGNS = 8, 16  # the first signs are notes, the others are not
KINDS = ("none", "learned", "sinusoidal", "rotary", "ALiBi")
TASKS = ("last", "first")

Streams = tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]


def streams(n: int, batch_size: int, generator: torch.Generator, task: str = "last") -> Streams:
    """Signs, and at each place the note that came last (or first), the place itself included.

    Every stream begins with a note.
    """
    check_counts(n=n, batch_size=batch_size)
    if task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got task={task!r}")
    ids = torch.randint(N_SIGNS, (batch_size, n), generator=generator)
    ids[:, :1] %= N_NOTES
    if task == "first":
        return ids, ids[:, :1].expand(-1, n)
    places = torch.where(ids < N_NOTES, torch.arange(n), -1)
    return ids, ids.gather(1, places.cummax(1).values)


class NoteReader(nn.Module):
    """One layer of causal attention, and a guess at each place.

    Args:
        kind: of positions, one of `KINDS`; nothing else differs.
        context_length: how many rows a learned table has.
    """

    def __init__(self, kind: str, context_length: int, width: int = 64, n_heads: int = 8):
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got kind={kind!r}")
        self.kind, self.n_heads = kind, n_heads
        self.table = nn.Parameter(torch.randn(N_SIGNS, width))
        self.learned = LearnedPositions(context_length, width)
        self.projections = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(3))
        self.guess = nn.Linear(width, N_NOTES)

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        places: Int[Tensor, "T"] | None = None,
        window: int | None = None,
    ) -> Float[Tensor, "B T notes"]:
        """The logits of the notes.

        Args:
            places: what each place is told to be; 0 … T − 1 if None. ALiBi always counts itself.
            window: how many signs a place sees, itself included; all before it if None.
        """
        n = ids.shape[1]
        places = torch.arange(n, device=ids.device) if places is None else places
        n_rows = int(places.max()) + 1 if n else 0
        x = embed(self.table, ids)
        if self.kind == "sinusoidal":
            x = x + sinusoidal_positions(n_rows, x.shape[-1], x.device)[places]
        elif self.kind == "learned":
            x = x + self.learned(n_rows)[places]
        q, k, v = (split_heads(project(x), self.n_heads) for project in self.projections)
        if self.kind == "rotary":
            q, k = rotary_embedding(q, places), rotary_embedding(k, places)
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        if self.kind == "ALiBi":
            scores = scores + alibi_bias(self.n_heads, n, x.device)
        mask = causal_mask(n, x.device)
        if window is not None:
            if window < 1:
                raise ValueError(
                    f"window must be at least 1, got window={window}: a place sees itself"
                )
            mask = mask.triu(1 - window)
        weights = scores.masked_fill(~mask, -math.inf).softmax(-1)
        return self.guess(merge_heads(weights @ v))


# ---------------------------------------------------------------- trained on short streams

TRAINED = 16
LENGTHS = (16, 32, 64, 128)


@dataclass(frozen=True)
class Entrant:
    """A reader and the places that it is told in training.

    Args:
        places: `counted` from 0 on; `shuffled`, the same without their order, in the exam too;
            `shifted`, counted from anywhere in 0 … 112, so that no position in the exam is new;
            `elsewhere`, as varied, from anywhere in 128 … 240, so that all of them are new;
            `spread`, sixteen of 0 … 127 in order, so that no offset is new either.
    """

    kind: str
    places: str = "counted"

    def draw(self, n: int, generator: torch.Generator) -> Int[Tensor, "T"]:
        """What the places of one stream are told to be."""
        if self.places == "shuffled":
            return torch.randperm(n, generator=generator)
        if self.places in ("shifted", "elsewhere"):
            start = torch.randint(LENGTHS[-1] - n + 1, (1,), generator=generator)
            return start + torch.arange(n) + LENGTHS[-1] * (self.places == "elsewhere")
        if self.places == "spread":
            return torch.randperm(LENGTHS[-1], generator=generator)[:n].sort().values
        return torch.arange(n)


def train_reader(
    entrant: Entrant,
    seed: int,
    n_steps: int,
    task: str = "last",
    learning_rate: float = 3e-3,
    batch_size: int = 32,
) -> NoteReader:
    """A reader after so many steps of Adam on new streams of 16 signs."""
    torch.manual_seed(seed)
    device = default_device()
    longest = {"shifted": LENGTHS[-1], "spread": LENGTHS[-1], "elsewhere": 2 * LENGTHS[-1]}
    rows = longest.get(entrant.places, TRAINED)
    reader = NoteReader(entrant.kind, rows).to(device)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(reader.parameters(), lr=learning_rate)
    for _ in range(n_steps):
        ids, notes = streams(TRAINED, batch_size, generator, task)
        places = entrant.draw(TRAINED, generator)
        logits = reader(ids.to(device), places.to(device))
        loss = cross_entropy(logits.flatten(0, 1), notes.flatten().to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return reader


@torch.no_grad()
def share_right(
    reader: NoteReader,
    entrant: Entrant,
    n: int,
    seed: int,
    task: str = "last",
    window: int | None = None,
) -> float:
    """Of 500 streams, the share of places in their second halves with the right note.

    Where streams are longer than those of training, these are places that training did not have.
    """
    generator = torch.Generator().manual_seed(10_000 + seed)
    ids, notes = streams(n, 500, generator, task)
    places = entrant.draw(n, generator) if entrant.places == "shuffled" else torch.arange(n)
    device = reader.table.device
    right = reader(ids.to(device), places.to(device), window).argmax(-1).cpu() == notes
    return right[:, n // 2 :].double().mean().item()


# ---------------------------------------------------------------- the comparison, stored

N_SEEDS = 5
N_STEPS = 1000
RATES = (3e-3, 1e-2)
ENTRANTS = {kind: Entrant(kind) for kind in KINDS} | {
    "sinusoidal, shuffled": Entrant("sinusoidal", "shuffled"),
    "sinusoidal, shifted": Entrant("sinusoidal", "shifted"),
    "rotary, shifted": Entrant("rotary", "shifted"),
    "sinusoidal, spread": Entrant("sinusoidal", "spread"),
    "rotary, spread": Entrant("rotary", "spread"),
}


def measure(folder: Path, seed: int) -> dict[str, float]:
    """Each entrant on the last note and each kind on the first one, over lengths and five seeds.

    All are trained alike. The learning rate of a kind of positions is chosen once for each task, on
    counted streams of the trained length, with a seed that is used for nothing else.
    """
    runs, numbers = KeptRuns(folder / "runs.json"), {}
    wanted = [("last", name) for name in ENTRANTS] + [("first", name) for name in KINDS]
    for task, name in tqdm(wanted, desc="positions"):
        kind = ENTRANTS[name].kind
        tried = {rate: _run(runs, task, kind, seed + 100, rate) for rate in RATES}
        best = max(RATES, key=lambda rate: tried[rate][0])
        numbers[f"{task}, {kind}, rate"] = best
        for each in range(N_SEEDS):
            shares = _run(runs, task, name, seed + each, best)
            for n, share in zip(LENGTHS, shares, strict=False):
                numbers[_key(task, name, n, each)] = share
    return numbers


def _run(runs: KeptRuns, task: str, name: str, seed: int, rate: float) -> list[float]:
    """The share of right notes at each length; at the first one only where a table ends."""
    entrant = ENTRANTS[name]
    ends = entrant == Entrant("learned")

    def measured() -> list[float]:
        reader = train_reader(entrant, seed, N_STEPS, task, rate)
        lengths = LENGTHS[:1] if ends else LENGTHS
        return [share_right(reader, entrant, n, seed, task) for n in lengths]

    return runs.get(f"{task}, {name}, seed {seed}, rate {rate}, {N_STEPS} steps", measured)


def _key(task: str, name: str, n: int, seed: int) -> str:
    return f"{task}, {name}, length {n}, seed {seed}"


def shares_of(numbers: dict[str, float], name: str, task: str = "last") -> list[list[float]]:
    """A row for each seed, a column for each length, in a result of `measure`; NaN past a table."""
    return [
        [numbers.get(_key(task, name, n, seed), math.nan) for n in LENGTHS]
        for seed in range(N_SEEDS)
    ]
