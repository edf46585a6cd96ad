"""GPT: a stack of decoder blocks that predicts the next token, from GPT-2's block to Llama's.

Chapter: book/gpt.md
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lmcourse.efficient_attention import GroupedQueryAttention, KVCache
from lmcourse.neurons import embed
from lmcourse.positions import LearnedPositions, rotary_angles
from lmcourse.transformer import FeedForward

_CHOICES = {
    "norm": ("layer", "rms"),
    "feed_forward": ("gelu", "gelu_tanh", "swiglu"),
    "positions": ("learned", "rotary"),
}


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """The sizes and parts of a `GPT`. As they stand the parts are those of GPT-2.

    Llama's are norm="rms", feed_forward="swiglu", positions="rotary", tied_head=False and d_ff
    about 8/3 · d_model; the larger models of Llama 2 have n_kv_heads below n_heads, too, and those
    of Llama 3 have rope_theta=500_000.

    Args:
        context_length: how many tokens the model can look back, itself included.
        d_model: the width, the numbers for each token.
        n_heads: the heads of attention in a block.
        n_layers: the blocks, one after another.
        dropout: the share of numbers that is set to zero in training.
        n_kv_heads: the heads of keys and values, a divisor of n_heads; n_heads if None.
        d_ff: the hidden numbers of the feed-forward network; 4 · d_model if None.
        norm: "layer" comes with biases in every layer, "rms" with none.
        feed_forward: "gelu" is exact; GPT-2's own weights were trained with "gelu_tanh".
        positions: "learned" vectors are added, "rotary" ones rotate queries and keys.
        tied_head: the embedding's vectors are the head's weights too.
        rope_theta: the base of the rotations: the larger, the slower the slowest pair turns.
        norm_eps: what the norms add to the variance, or to the mean square.
    """

    vocab_size: int
    context_length: int
    d_model: int
    n_heads: int
    n_layers: int
    dropout: float = 0.0
    n_kv_heads: int | None = None
    d_ff: int | None = None
    norm: Literal["layer", "rms"] = "layer"
    feed_forward: Literal["gelu", "gelu_tanh", "swiglu"] = "gelu"
    positions: Literal["learned", "rotary"] = "learned"
    tied_head: bool = True
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5

    def __post_init__(self):
        for name in ("vocab_size", "context_length", "d_model", "n_heads", "n_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {name}={getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got dropout={self.dropout}")
        for name in ("rope_theta", "norm_eps"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be above 0, got {name}={getattr(self, name)}")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                choices = " or ".join(map(repr, known))
                raise ValueError(f"{name} must be {choices}, got {name}={getattr(self, name)!r}")


GPT_TINY = GPTConfig(vocab_size=256, context_length=64, d_model=64, n_heads=4, n_layers=2)


class RMSNorm(nn.Module):
    """weight · x / √(mean of x² + ε): a layer norm that neither centers nor shifts.

    Reference: Zhang and Sennrich (2019), https://arxiv.org/abs/1910.07467
    """

    def __init__(self, d_model: int, eps: float = 1e-5):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(d_model)), eps

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def _norm(config: GPTConfig) -> nn.Module:
    kind = nn.LayerNorm if config.norm == "layer" else RMSNorm
    return kind(config.d_model, eps=config.norm_eps)


class GPTBlock(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, config: GPTConfig):
        super().__init__()
        bias, d_model, dropout = config.norm == "layer", config.d_model, config.dropout
        self.attention_norm = _norm(config)
        self.attention = GroupedQueryAttention(
            d_model, config.n_heads, config.n_kv_heads, dropout, bias
        )
        self.feed_forward_norm = _norm(config)
        self.feed_forward = FeedForward(d_model, config.d_ff, 0.0, config.feed_forward, bias)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        mask: Bool[Tensor, "B _ S"] | None = None,
        rotary: tuple[Tensor, Tensor] | None = None,
        cache: KVCache | None = None,
    ) -> Float[Tensor, "B T C"]:
        x = x + self.dropout(self.attention(self.attention_norm(x), mask, rotary, cache))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class GPT(nn.Module):
    """A stack of `GPTBlock`: each logit depends on the ids up to its position alone.

    Reference: Radford et al. (2019), section 2.3,
        https://openai.com/index/better-language-models/; Llama: Touvron et al. (2023), section 2.2,
        https://arxiv.org/abs/2302.13971. The head shares the embedding's weights as in Press and
        Wolf (2017), https://arxiv.org/abs/1608.05859.

    Example:
        >>> GPT(GPT_TINY)(torch.tensor([[72, 105, 33]])).shape
        torch.Size([1, 3, 256])
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.d_model))
        if config.positions == "learned":
            self.positions = LearnedPositions(config.context_length, config.d_model)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()
        self.blocks = nn.ModuleList(GPTBlock(config) for _ in range(config.n_layers))
        self.norm = _norm(config)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tied_head:
            self.head.weight = self.embedding
        self._initialize()

    @property
    def context_length(self) -> int:
        """How many ids may be read at once."""
        return self.config.context_length

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        cache: list[KVCache] | None = None,
        mask: Bool[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """The logits of the id that follows each position.

        Args:
            cache: from `new_cache`; what was read before is looked at, and ids are added to it.
            mask: True where an id is real, of all S ids including those in the cache. Positions
                are counted from the first real one, so that padding on the left changes nothing.
        """
        return self.head(self.encode(ids, cache, mask))

    def encode(
        self,
        ids: Int[Tensor, "B T"],
        cache: list[KVCache] | None = None,
        mask: Bool[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "B T C"]:
        """The vector of each position, of which the head makes logits; arguments as of a call."""
        start = cache[0].length if cache else 0
        n = start + ids.shape[1]
        self._check(n, mask)
        x, rotary = embed(self.embedding, ids), None
        if self.config.positions == "rotary":
            rotary = self._rotary(start, n, mask)
        elif mask is None:
            x = x + self.positions(n)[start:]
        else:
            x = x + self.positions(n)[_positions(mask)[:, start:]]
        x = self.dropout(x)
        mask = None if mask is None else mask[:, None, :]
        for i, block in enumerate(self.blocks):
            x = block(x, mask, rotary, cache[i] if cache else None)
        return self.norm(x)

    def new_cache(self, batch_size: int) -> list[KVCache]:
        """Room for the keys and values of `context_length` positions in each block."""
        weight = self.embedding
        attention = self.blocks[0].attention
        shape = (batch_size, attention.n_kv_heads, self.context_length, attention.d_head)
        return [KVCache(*shape, weight.device, weight.dtype) for _ in self.blocks]

    def _check(self, n: int, mask: Tensor | None) -> None:
        if n > self.context_length:
            raise ValueError(
                "ids must have at most context_length positions, "
                f"got {n}, context_length={self.context_length}"
            )
        if mask is not None and mask.shape[1] != n:
            raise ValueError(
                f"mask must have a column for each of the {n} ids so far, "
                f"got mask.shape={tuple(mask.shape)}"
            )

    def _rotary(self, start: int, n: int, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        options = self.config.d_model // self.config.n_heads, self.config.rope_theta
        if mask is None:
            return rotary_angles(torch.arange(start, n, device=self.embedding.device), *options)
        cosines, sines = rotary_angles(_positions(mask)[:, start:], *options)
        return cosines[:, None], sines[:, None]  # the same angles for every head

    def _initialize(self) -> None:
        """N(0, 0.02²), smaller by √(2 n_layers) where a sublayer writes to the residual stream."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2:
                writes = name.endswith(("output_projection.weight", "down_projection.weight"))
                scale = (2 * self.config.n_layers) ** -0.5 if writes else 1.0
                nn.init.normal_(parameter, std=0.02 * scale)


def _positions(mask: Bool[Tensor, "B S"]) -> Int[Tensor, "B S"]:
    return (mask.cumsum(-1) - 1).clamp(min=0)


def count_parameters(config: GPTConfig) -> int:
    """The number of parameters of `GPT(config)`, without the memory that they would take.

    Example:
        >>> count_parameters(GPT_TINY)  # 12 · n_layers · d_model² = 98,304 of them in the blocks
        120576
    """
    with torch.device("meta"):  # shapes without numbers
        return sum(parameter.numel() for parameter in GPT(config).parameters())


def forward_flops(config: GPTConfig, n: int) -> int:
    """The multiplications and additions of all matrix products that read n ids.

    They are 2 for each weight and id, and 4 · n² · d_model in each block for scores and values, as
    if every query looked at every key. A training step takes three times as many.

    Reference: Kaplan et al. (2020), section 2.1, https://arxiv.org/abs/2001.08361. Their total
        leaves out the head, and its term in n² is half of ours.
    """
    weights = config.n_layers * _matrices(config) + config.vocab_size * config.d_model
    return 2 * n * weights + config.n_layers * 4 * n**2 * config.d_model


def _widths(config: GPTConfig) -> tuple[int, int, int]:
    """What a block's projections put out: attention's first; d_ff; and d_ff with its gates."""
    n_kv_heads = config.n_kv_heads or config.n_heads
    attention = config.d_model + 2 * n_kv_heads * (config.d_model // config.n_heads)
    d_ff = config.d_ff or 4 * config.d_model
    return attention, d_ff, 2 * d_ff if config.feed_forward == "swiglu" else d_ff


def _matrices(config: GPTConfig) -> int:
    attention, d_ff, expanded = _widths(config)
    return config.d_model * (attention + config.d_model + d_ff + expanded)
