"""Mixture of experts: many feed-forward networks, of which each token uses a few.

Chapter: book/experts.md
"""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lmcourse.transformer import Activation, FeedForward


@dataclass(frozen=True, kw_only=True)
class Routing:
    """To which experts N tokens go, K each.

    Args:
        probs: of all experts for each token, as the router sees them: its softmax.
        experts: the chosen ones, the likeliest first.
        weights: what the outputs of the chosen ones are multiplied by.
    """

    probs: Float[Tensor, "N E"]
    experts: Int[Tensor, "N K"]
    weights: Float[Tensor, "N K"]

    @property
    def load(self) -> Float[Tensor, "E"]:
        """The share of all choices that fell on each expert; they sum to 1."""
        counts = torch.bincount(self.experts.flatten(), minlength=self.probs.shape[-1])
        return counts / self.experts.numel()

    def kept(self, capacity: int) -> Bool[Tensor, "N K"]:
        """True for the choices that find room where each expert takes `capacity` tokens.

        All first choices come before all second ones; among equals the earlier token goes first.
        """
        chosen = F.one_hot(self.experts.T.flatten(), self.probs.shape[-1])
        place = (chosen.cumsum(0) * chosen).sum(-1)  # in the queue of its expert, from 1 on
        return (place <= capacity).view(self.experts.T.shape).T


def route(
    logits: Float[Tensor, "N E"],
    top_k: int,
    normalized: bool | None = None,
    bias: Float[Tensor, "E"] | None = None,
) -> Routing:
    """The K likeliest experts of each token, and their weights.

    Args:
        normalized: whether the weights of the chosen ones sum to 1. With one expert that would be
            the weight 1, whatever the router says, and it would learn nothing: None is True for two
            or more.
        bias: added to the probabilities to choose by; the weights are without it.

    Raises:
        ValueError: there are fewer than `top_k` experts, or none is asked for.

    Reference: Shazeer et al. (2017), https://arxiv.org/abs/1701.06538; with one expert: Fedus et
        al. (2021), https://arxiv.org/abs/2101.03961
    """
    n_experts = logits.shape[-1]
    if not 1 <= top_k <= n_experts:
        raise ValueError(
            f"top_k must be 1 to {n_experts}, the number of experts, got top_k={top_k}"
        )
    # In half precision the likeliest could come out alike.
    probs = logits.softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
    experts = (probs if bias is None else probs + bias).topk(top_k).indices
    weights = probs.gather(-1, experts)
    if normalized or (normalized is None and top_k > 1):
        weights = weights / weights.sum(-1, keepdim=True)
    return Routing(probs=probs, experts=experts, weights=weights)


def _check_top_k(top_k: int, n_experts: int) -> None:
    if not 1 <= top_k <= n_experts:
        raise ValueError(
            f"top_k must be 1 to {n_experts}, the number of experts, got top_k={top_k}"
        )


def balance_loss(routing: Routing) -> Float[Tensor, ""]:
    """The number of experts times Σ load · mean probability: 1 where all are used alike.

    The load has no gradient; the mean probabilities have, and those of busy experts are pushed
    down. It is as large as the number of experts where one of them gets everything.

    Reference: Fedus et al. (2021), section 2.2, https://arxiv.org/abs/2101.03961
    """
    return routing.probs.shape[-1] * (routing.load * routing.probs.mean(0)).sum()


class MixtureOfExperts(nn.Module):
    """Σ weight · expert(x) over the K experts that a router chooses for each token.

    It takes the place of the feed-forward network of a block.

    Args:
        d_ff: the hidden numbers of each expert; 4 · d_model if None.
        top_k: the experts of a token.
        capacity_factor: how many times its fair share an expert takes at most, of the tokens that
            are computed together. What finds no room adds nothing: it has only the way around the
            layer. None for as many as come.
        n_shared: experts beside them that every token uses, with the weight 1.
        normalized: see `route`.

    Raises:
        ValueError: a number that cannot be.

    Reference: Shazeer et al. (2017), https://arxiv.org/abs/1701.06538; shared experts: Dai et al.
        (2024), https://arxiv.org/abs/2401.06066; the bias: Wang et al. (2024),
        https://arxiv.org/abs/2408.15664
    """

    bias: Float[Tensor, "E"]

    def __init__(
        self,
        d_model: int,
        n_experts: int,
        top_k: int = 2,
        d_ff: int | None = None,
        activation: Activation = "relu",
        capacity_factor: float | None = None,
        n_shared: int = 0,
        normalized: bool | None = None,
        linear_bias: bool = True,
    ):
        super().__init__()
        _check_top_k(top_k, n_experts)
        if capacity_factor is not None and not capacity_factor > 0:
            raise ValueError(
                f"capacity_factor must be positive, got capacity_factor={capacity_factor}"
            )
        if n_shared < 0:
            raise ValueError(f"n_shared must be 0 or more, got n_shared={n_shared}")
        self.top_k, self.capacity_factor, self.normalized = top_k, capacity_factor, normalized
        self.router = nn.Linear(d_model, n_experts, bias=False)
        networks = [
            FeedForward(d_model, d_ff, 0.0, activation, linear_bias)
            for _ in range(n_experts + n_shared)
        ]
        self.experts = nn.ModuleList(networks[:n_experts])
        self.shared = nn.ModuleList(networks[n_experts:])
        self.register_buffer("bias", torch.zeros(n_experts))

    def route(self, x: Float[Tensor, "*batch C"]) -> Routing:
        """Where the tokens go, all of them in one row."""
        return self._routing(self.router(x.flatten(end_dim=-2)))

    def capacity(self, n_tokens: int) -> int:
        """How many of so many tokens an expert takes at most."""
        if self.capacity_factor is None:
            return n_tokens
        fair = n_tokens * self.top_k / len(self.experts)
        return math.ceil(self.capacity_factor * fair)

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        tokens = x.reshape(-1, x.shape[-1])
        routing = self._routing(self.router(tokens))
        room = routing.kept(self.capacity(len(tokens)))
        # The choices in the order of their experts, so that each expert computes once.
        wanted = torch.where(room, routing.experts, len(self.experts)).flatten()
        order = wanted.argsort(stable=True)
        counts = torch.bincount(wanted, minlength=len(self.experts) + 1).tolist()
        weights = routing.weights.to(x.dtype).flatten()
        out = torch.zeros_like(tokens)
        for expert, chosen in zip(self.experts, order.split(counts), strict=False):
            rows = chosen // self.top_k
            out = out.index_add(0, rows, weights[chosen, None] * expert(tokens[rows]))
        for expert in self.shared:
            out = out + expert(tokens)
        return out.view_as(x)

    @torch.no_grad()
    def even_out(self, routing: Routing, step: float = 1e-3) -> None:
        """Make the choice of experts that have less than their share a little easier.

        No gradient pushes, so nothing is taken from what the model is trained for.
        """
        self.bias += step * (1 / len(self.experts) - routing.load).sign()

    def _routing(self, logits: Float[Tensor, "N E"]) -> Routing:
        return route(logits, self.top_k, self.normalized, self.bias)


@contextlib.contextmanager
def routings_of(model: nn.Module) -> Iterator[list[Routing]]:
    """A list that gets the routing of each mixture in the model, in the order in which they work.

    Their gradients reach the routers: add `balance_loss` of each to what is trained.
    """
    found: list[Routing] = []

    def listen(mixture: MixtureOfExperts):
        return mixture.router.register_forward_hook(
            lambda _module, _args, logits: found.append(mixture._routing(logits))
        )

    mixtures = [each for each in model.modules() if isinstance(each, MixtureOfExperts)]
    handles = [listen(each) for each in mixtures]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def parameters_used(mixture: MixtureOfExperts) -> tuple[int, int]:
    """The parameters that one token is multiplied by, and all that have to be kept."""
    router = mixture.router.weight.numel()
    shared = sum(each.numel() for each in mixture.shared.parameters())
    every = sum(each.numel() for each in mixture.experts.parameters())
    used = every // len(mixture.experts) * mixture.top_k
    return router + shared + used, router + shared + every


@dataclass(frozen=True, kw_only=True)
class PublishedMixture:
    """The mixtures of a published model, whose feed-forward networks are gated (`FeedForward`).

    Args:
        n_layers: those with a mixture.
    """

    name: str
    d_model: int
    d_ff: int
    n_layers: int
    n_experts: int
    top_k: int
    n_shared: int = 0

    @property
    def kept(self) -> int:
        """The parameters of all experts."""
        return (self.n_experts + self.n_shared) * self._one

    @property
    def used(self) -> int:
        """Those that one token is multiplied by."""
        return (self.top_k + self.n_shared) * self._one

    @property
    def _one(self) -> int:
        return self.n_layers * 3 * self.d_model * self.d_ff


PUBLISHED = (
    # Jiang et al. (2024), table 1, https://arxiv.org/abs/2401.04088
    PublishedMixture(
        name="Mixtral 8x7B", d_model=4096, d_ff=14336, n_layers=32, n_experts=8, top_k=2
    ),
    # DeepSeek-AI (2024), section 4.2, https://arxiv.org/abs/2412.19437
    PublishedMixture(
        name="DeepSeek-V3", d_model=7168, d_ff=2048, n_layers=58, n_experts=256, top_k=8,
        n_shared=1,
    ),
)  # fmt: skip
