"""The Transformer: attention, a feed-forward network, residuals and norms, stacked twice.

Chapter: book/transformer.md
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lmcourse.attention import MultiHeadAttention, causal_mask
from lmcourse.neurons import embed
from lmcourse.positions import sinusoidal_positions

Activation = Literal["relu", "gelu", "gelu_tanh", "swiglu"]


def _gelu_tanh(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


# GPT-2 was trained with the tanh approximation; the exact one is faster on a CPU.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": _gelu_tanh,
    "swiglu": F.silu,
}


class FeedForward(nn.Module):
    """W₂ activation(W₁ x + b₁) + b₂, the same network for each position, with no activation after.

    With "swiglu" the hidden numbers are multiplied by others: W₂ (silu(W x) · V x).

    Args:
        d_ff: the number of hidden numbers; 4 · d_model if None.

    Reference: Vaswani et al. (2017), section 3.3, https://arxiv.org/abs/1706.03762; SwiGLU: Shazeer
        (2020), https://arxiv.org/abs/2002.05202. Its W and V are the halves of our `up_projection`.
    """

    def __init__(
        self,
        d_model: int,
        d_ff: int | None = None,
        dropout: float = 0.0,
        activation: Activation = "relu",
        bias: bool = True,
    ):
        super().__init__()
        if activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ValueError(f"activation must be one of {known}, got activation={activation!r}")
        d_ff = 4 * d_model if d_ff is None else d_ff
        self.activation, self.gated = ACTIVATIONS[activation], activation == "swiglu"
        self.up_projection = nn.Linear(d_model, 2 * d_ff if self.gated else d_ff, bias=bias)
        self.down_projection = nn.Linear(d_ff, d_model, bias=bias)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        hidden = self.up_projection(x)
        if self.gated:
            gate, hidden = hidden.chunk(2, -1)
            hidden = self.activation(gate) * hidden
        else:
            hidden = self.activation(hidden)
        return self.down_projection(self.dropout(hidden))


class Residual(nn.Module):
    """x + sublayer(norm(x)), or norm(x + sublayer(x)): the way around a sublayer.

    Args:
        norm_first: the first of the two, which trains without a warm-up of the learning rate.

    Reference: Xiong et al. (2020), https://arxiv.org/abs/2002.04745, compare the two.
    """

    def __init__(self, d_model: int, dropout: float, norm_first: bool, norm_eps: float = 1e-5):
        super().__init__()
        self.norm = nn.LayerNorm(d_model, eps=norm_eps)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(
        self, x: Float[Tensor, "B T C"], sublayer: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "B T C"]:
        if self.norm_first:
            return x + self.dropout(sublayer(self.norm(x)))
        return self.norm(x + self.dropout(sublayer(x)))


class EncoderBlock(nn.Module):
    """Self-attention, then the feed-forward network, each with a residual.

    Reference: equal to nn.TransformerEncoderLayer(batch_first=True) with the same weights.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        d_ff: int | None = None,
        dropout: float = 0.0,
        norm_first: bool = True,
        activation: Activation = "relu",
        norm_eps: float = 1e-5,
    ):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads, dropout)
        self.attention_residual = Residual(d_model, dropout, norm_first, norm_eps)
        self.feed_forward = FeedForward(d_model, d_ff, dropout, activation)
        self.feed_forward_residual = Residual(d_model, dropout, norm_first, norm_eps)

    def forward(
        self, x: Float[Tensor, "B T C"], mask: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "B T C"]:
        x = self.attention_residual(x, lambda x: self.attention(x, mask=mask)[0])
        return self.feed_forward_residual(x, self.feed_forward)


class DecoderBlock(nn.Module):
    """Self-attention, attention to the encoder's output, then the feed-forward network.

    Reference: equal to nn.TransformerDecoderLayer(batch_first=True) with the same weights.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        d_ff: int | None = None,
        dropout: float = 0.0,
        norm_first: bool = True,
        activation: Activation = "relu",
    ):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads, dropout)
        self.attention_residual = Residual(d_model, dropout, norm_first)
        self.cross_attention = MultiHeadAttention(d_model, n_heads, dropout)
        self.cross_attention_residual = Residual(d_model, dropout, norm_first)
        self.feed_forward = FeedForward(d_model, d_ff, dropout, activation)
        self.feed_forward_residual = Residual(d_model, dropout, norm_first)

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        memory: Float[Tensor, "B S C"],
        mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "B T C"]:
        """The new x.

        Args:
            mask: which positions of x each position of x may look at; `causal_mask(T)` as a rule.
            memory_mask: which positions of the memory it may look at.
        """
        x = self.attention_residual(x, lambda x: self.attention(x, mask=mask)[0])
        x = self.cross_attention_residual(
            x, lambda x: self.cross_attention(x, memory, memory_mask)[0]
        )
        return self.feed_forward_residual(x, self.feed_forward)


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """The sizes of a `Transformer`.

    Args:
        context_length: the most positions that a source or a target may have.
        n_layers: the number of encoder blocks, and that of decoder blocks.
        d_ff: the hidden numbers of the feed-forward networks; 4 · d_model if None.
    """

    source_vocab_size: int
    target_vocab_size: int
    context_length: int
    d_model: int
    n_heads: int
    n_layers: int
    d_ff: int | None = None
    dropout: float = 0.0
    norm_first: bool = True
    activation: Activation = "relu"

    def __post_init__(self):
        for name in ("source_vocab_size", "target_vocab_size", "context_length", "n_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {name}={getattr(self, name)}")


def _stack(block: type[nn.Module], config: TransformerConfig) -> nn.ModuleList:
    names = ("d_model", "n_heads", "d_ff", "dropout", "norm_first", "activation")
    options = {name: getattr(config, name) for name in names}
    return nn.ModuleList(block(**options) for _ in range(config.n_layers))


def _embedding(vocab_size: int, d_model: int) -> nn.Parameter:
    return nn.Parameter(d_model**-0.5 * torch.randn(vocab_size, d_model))


class Transformer(nn.Module):
    """An encoder that reads the source, and a decoder that writes the target, token by token.

    Reference: Vaswani et al. (2017), https://arxiv.org/abs/1706.03762
    """

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        d_model = config.d_model
        self.source_embedding = _embedding(config.source_vocab_size, d_model)
        self.target_embedding = _embedding(config.target_vocab_size, d_model)
        positions = sinusoidal_positions(config.context_length, d_model)
        self.register_buffer("positions", positions, persistent=False)
        self.encoder, self.decoder = _stack(EncoderBlock, config), _stack(DecoderBlock, config)
        # Pre-norm blocks leave the sum of all sublayers unnormalized: each stack needs a last norm.
        last = nn.LayerNorm if config.norm_first else nn.Identity
        self.encoder_norm, self.decoder_norm = last(d_model), last(d_model)
        self.head = nn.Linear(d_model, config.target_vocab_size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        source: Int[Tensor, "B S"],
        target: Int[Tensor, "B T"],
        source_mask: Bool[Tensor, "B 1 S"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """The logits of the token that follows each position of the target.

        Args:
            target: what has been written so far, in training `shift_right` of what is to be.
            source_mask: `padding_mask` of the source.
        """
        return self.decode(target, self.encode(source, source_mask), source_mask)

    def encode(
        self, source: Int[Tensor, "B S"], mask: Bool[Tensor, "B 1 S"] | None = None
    ) -> Float[Tensor, "B S C"]:
        """The memory: one vector for each token of the source, not one for all."""
        x = self._embed(self.source_embedding, source, "source")
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(
        self,
        target: Int[Tensor, "B T"],
        memory: Float[Tensor, "B S C"],
        memory_mask: Bool[Tensor, "B 1 S"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """The logits; every decoder block looks at the same memory, that of the last encoder block.

        With the memory fixed this is a language model: `generate` takes it as such.
        """
        x = self._embed(self.target_embedding, target, "target")
        mask = causal_mask(target.shape[1], target.device)
        for block in self.decoder:
            x = block(x, memory, mask, memory_mask)
        return self.head(self.decoder_norm(x))

    def look(
        self,
        source: Int[Tensor, "B S"],
        target: Int[Tensor, "B T"],
        source_mask: Bool[Tensor, "B 1 S"] | None = None,
    ) -> tuple[Float[Tensor, "B T V"], Float[Tensor, "L B H T S"]]:
        """The logits, and where each head of cross-attention of each decoder block looked."""
        seen: list[Tensor] = []
        hooks = [
            block.cross_attention.register_forward_hook(lambda _, given, out: seen.append(out[1]))
            for block in self.decoder
        ]
        try:
            return self(source, target, source_mask), torch.stack(seen)
        finally:
            for hook in hooks:
                hook.remove()

    def _embed(self, table: Tensor, ids: Tensor, name: str) -> Tensor:
        n = ids.shape[1]
        if n > self.config.context_length:
            raise ValueError(
                f"{name} must have at most context_length positions, "
                f"got {n}, context_length={self.config.context_length}"
            )
        # Section 3.4 of the paper: the numbers become as large as those of the positions.
        x = embed(table, ids) * math.sqrt(self.config.d_model)
        return self.dropout(x + self.positions[:n])


def shift_right(ids: Int[Tensor, "B T"], start_id: int) -> Int[Tensor, "B T"]:
    """What the decoder has read when it must say `ids`: the start, then all but the last of them.

    Example:
        >>> shift_right(torch.tensor([[5, 6, 7]]), start_id=1)
        tensor([[1, 5, 6]])
    """
    return F.pad(ids[:, :-1], (1, 0), value=start_id)
