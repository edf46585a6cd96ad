"""Facts drawn at random, which a feed-forward network can only learn by heart: what do experts buy?

Chapter: book/experts.md
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from lmcourse.efficient_attention import measure_seconds
from lmcourse.experts import MixtureOfExperts, balance_loss, routings_of
from lmcourse.kept_runs import KeptRuns
from lmcourse.neurons import cross_entropy
from lmcourse.optimization import AdamW
from lmcourse.transformer import FeedForward

Numbers = dict[str, float]

WIDTH = 32
N_HIDDEN = 16  # of one expert
N_EXPERTS = 8
N_SUBJECTS, N_RELATIONS, N_OBJECTS = 256, 8, 32
N_STEPS = 300
RATES = (0.01, 0.03)
N_SEEDS = 5
SEARCH_SEED = 100  # used for nothing else
TIMES = (1, 2, 4, 8)  # as wide, or as many experts
TOKENS = (1, 8, 64, 512, 4096)
N_ROUNDS = 15


def facts(
    n_subjects: int = N_SUBJECTS, common: float = 1.0, seed: int = 0
) -> tuple[Float[Tensor, "N C"], Int[Tensor, "N"]]:
    """Vectors that stand for a subject and a relation, and the objects, drawn alike for each.

    No vector is ever trained, so what is learned stands in the network alone.

    Args:
        common: how much all vectors have in common, as those inside a trained model have.
    """
    generator = torch.Generator().manual_seed(seed)
    subjects = torch.randn(n_subjects, 1, WIDTH, generator=generator)
    relations = torch.randn(N_RELATIONS, WIDTH, generator=generator)
    all_of_them = F.layer_norm(torch.randn(WIDTH, generator=generator), (WIDTH,))
    x = F.layer_norm(subjects + relations, (WIDTH,)) + common * all_of_them
    objects = torch.randint(N_OBJECTS, (n_subjects, N_RELATIONS), generator=generator)
    return F.layer_norm(x, (WIDTH,)).flatten(0, 1), objects.flatten()


class FactModel(nn.Module):
    """logits = W norm(x + network(x)): one block without attention."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network, self.norm = network, nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, N_OBJECTS)

    def forward(self, x: Float[Tensor, "N C"]) -> Float[Tensor, "N V"]:
        return self.head(self.norm(x + self.network(x)))


@dataclass(frozen=True, kw_only=True)
class Way:
    """A network, and how the use of its experts is evened out.

    Args:
        by_loss: the weight of `balance_loss`.
        by_bias: the step of `MixtureOfExperts.even_out`.
        drawn: the router stays as it was drawn.
    """

    make: Callable[[], nn.Module]
    by_loss: float = 0.0
    by_bias: float = 0.0
    drawn: bool = False


def _one_always() -> MixtureOfExperts:
    mixture = MixtureOfExperts(WIDTH, N_EXPERTS, 1, N_HIDDEN)
    mixture.bias[0] = 10.0
    return mixture


def _experts(
    n: int = N_EXPERTS, top_k: int = 1, n_hidden: int = N_HIDDEN, normalized: bool | None = None
) -> Callable[[], MixtureOfExperts]:
    return lambda: MixtureOfExperts(WIDTH, n, top_k, n_hidden, normalized=normalized)


WAYS: dict[str, Way] = {
    **{f"dense {n}": Way(make=lambda n=n: FeedForward(WIDTH, n * N_HIDDEN)) for n in TIMES},
    **{f"experts {n}": Way(make=_experts(n), by_loss=0.1) for n in TIMES},
    "as they come": Way(make=_experts()),
    "bias": Way(make=_experts(), by_bias=0.01),
    "one always": Way(make=_one_always),
    # A router that is never trained has no say in how much comes out, either.
    "drawn": Way(make=_experts(normalized=True), by_bias=0.01, drawn=True),
    "halves": Way(make=_experts(2 * N_EXPERTS, 2, N_HIDDEN // 2), by_loss=0.1),
}


def learn(
    way: Way, rate: float, seed: int, n_steps: int = N_STEPS
) -> tuple[FactModel, list[Float[Tensor, "E"]]]:
    """A model that learned all facts of a seed, and the load of its experts at each step."""
    x, objects = facts(seed=seed)
    torch.manual_seed(seed)
    model = FactModel(way.make())
    mixture = model.network
    if way.drawn:
        mixture.router.requires_grad_(False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = AdamW(trained, rate, weight_decay=0.0)
    loads = []
    for step in range(n_steps):
        optimizer.learning_rate = rate * (1 + math.cos(math.pi * step / n_steps)) / 2
        with routings_of(model) as routings:
            loss = cross_entropy(model(x), objects)
        for routing in routings:
            loss = loss + way.by_loss * balance_loss(routing)
            loads.append(routing.load)
            if way.by_bias:
                mixture.even_out(routing, way.by_bias)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, loads


@torch.inference_mode()
def known(model: FactModel, seed: int) -> float:
    """The share of the facts of a seed that the model knows."""
    x, objects = facts(seed=seed)
    return (model(x).argmax(-1) == objects).float().mean().item()


def measure(folder: Path, seed: int) -> Numbers:
    """What each way knows after as many steps, five seeds, at the better of two rates each.

    The rate is chosen on facts that are used for nothing else. With it comes how many times as long
    a dense network takes as a mixture of as many parameters, of which each token uses an eighth.
    """
    kept = KeptRuns(folder / "runs.json")

    def run(name: str, rate: float, seed: int) -> Numbers:
        def found() -> Numbers:
            model, loads = learn(WAYS[name], rate, seed, N_STEPS)
            return {
                "known": known(model, seed),
                "busiest": loads[-1].max().item() if loads else 1.0,
            }

        return kept.get(f"{name}, rate {rate}, seed {seed}", found)

    numbers = {}
    for name in tqdm(WAYS, desc="ways"):
        tried = {rate: run(name, rate, seed + SEARCH_SEED)["known"] for rate in RATES}
        best = max(RATES, key=lambda rate: tried[rate])
        numbers[f"{name}, rate"] = best
        for each in range(N_SEEDS):
            for what, value in run(name, best, seed + each).items():
                numbers[f"{name}, seed {each}, {what}"] = value
    return numbers | kept.get("times", compare_times)


def compare_times() -> Numbers:
    """By tokens at once: seconds of a dense network over those of a mixture as large, forward.

    Both have d_model = 256. Fifteen rounds in turn; the median of their ratios.
    """
    dense = FeedForward(256, N_EXPERTS * 512)
    mixture = MixtureOfExperts(256, N_EXPERTS, 1, 512)
    ratios = {}
    with torch.inference_mode():
        for n_tokens in TOKENS:
            x = torch.randn(n_tokens, 256, generator=torch.Generator().manual_seed(0))
            found = [
                measure_seconds(partial(dense, x)) / measure_seconds(partial(mixture, x))
                for _ in range(N_ROUNDS)
            ]
            ratios[f"dense / experts, {n_tokens} tokens"] = statistics.median(found)
    return ratios


def of_seeds(numbers: Numbers, name: str, what: str = "known") -> list[float]:
    """What each seed gave, in a result of `measure`."""
    return [numbers[f"{name}, seed {seed}, {what}"] for seed in range(N_SEEDS)]
