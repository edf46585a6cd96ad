"""Sequence to sequence: one recurrent network reads the source, another writes the target.

Chapter: book/seq2seq.md
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lmcourse.attention import AdditiveAttention
from lmcourse.neurons import embed
from lmcourse.recurrent import GRU, GRUCell


@dataclass(frozen=True, kw_only=True)
class Seq2SeqConfig:
    """The sizes of a `Seq2Seq`, and how it is trained.

    Args:
        context_length: how many tokens a `Translator` writes at most; the network has no limit.
        d_embedding: the numbers of a token.
        d_hidden: the numbers of a state of the decoder, and of each direction of the encoder.
        n_layers: the number of layers of the encoder, and that of the decoder.
        attention: at each step the decoder looks at all vectors of the encoder anew. Without it,
            one vector that stands for the whole source is all it gets.
        teacher_forcing: the probability that in training a token is read as it should be; else the
            decoder reads what it said itself.
    """

    source_vocab_size: int
    target_vocab_size: int
    context_length: int
    d_embedding: int
    d_hidden: int
    n_layers: int = 1
    dropout: float = 0.0
    attention: bool = True
    teacher_forcing: float = 1.0

    def __post_init__(self):
        counts = ("source_vocab_size", "target_vocab_size", "context_length")
        for name in (*counts, "d_embedding", "d_hidden", "n_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {name}={getattr(self, name)}")
        _check_probability(self.teacher_forcing)


class Seq2Seq(nn.Module):
    """A GRU reads the source in both directions, and a GRU writes the target, token by token.

    Each step of the decoder is given the token before it and a context: what additive attention
    fetches from the encoder's vectors, or, without attention, the same summary every time.

    `train`, `Translator`, `generate` and `beam_search` take it as they take a `Transformer`.

    Args:
        config: its `teacher_forcing` is where the attribute of that name starts; a schedule may
            change the attribute from step to step.

    Reference: Cho et al. (2014), https://arxiv.org/abs/1406.1078, for one vector; Bahdanau, Cho and
        Bengio (2015), https://arxiv.org/abs/1409.0473, for attention. Two differences: the decoder
        starts from both directions of the encoder, not one, and one linear layer makes logits of
        state, context and token, where the paper puts a maxout layer before it.
    """

    def __init__(self, config: Seq2SeqConfig):
        super().__init__()
        self.config, self.teacher_forcing = config, config.teacher_forcing
        d_hidden, d_memory = config.d_hidden, 2 * config.d_hidden
        self.source_embedding = _embedding(config.source_vocab_size, config.d_embedding)
        self.target_embedding = _embedding(config.target_vocab_size, config.d_embedding)
        self.encoder = GRU(
            config.d_embedding, d_hidden, config.n_layers, bidirectional=True,
            dropout=config.dropout,
        )  # fmt: skip
        self.bridge = nn.Linear(d_memory, config.n_layers * d_hidden)
        self.attention = (
            AdditiveAttention(d_hidden, d_memory, d_hidden) if config.attention else None
        )
        widths = [config.d_embedding + d_memory] + [d_hidden] * (config.n_layers - 1)
        self.decoder = nn.ModuleList(GRUCell(width, d_hidden) for width in widths)
        self.head = nn.Linear(d_hidden + d_memory + config.d_embedding, config.target_vocab_size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        source: Int[Tensor, "B S"],
        target: Int[Tensor, "B T"],
        source_mask: Bool[Tensor, "B 1 S"] | None = None,
        teacher_forcing: float | int | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "B T V"]:
        """The logits of the token that follows each position of the target.

        Args:
            target: what the decoder should have read: the start, then what is to be said.
            source_mask: `padding_mask` of the source.
            teacher_forcing: with this probability it reads a token of the target, else its own
                likeliest one; each token after the start is decided alone. If None, it is the
                attribute of that name in training, and 1 otherwise.
            generator: decides, on the CPU.

        Reference: Bengio et al. (2015), scheduled sampling, https://arxiv.org/abs/1506.03099
        """
        if teacher_forcing is None:
            teacher_forcing = self.teacher_forcing if self.training else 1.0
        _check_probability(teacher_forcing)
        given = None
        if teacher_forcing < 1:  # torch.rand is below 1: with 1 no token would be replaced
            given = torch.rand(target.shape, generator=generator) < teacher_forcing
            given = given.to(target.device)
        memory = self.encode(source, source_mask)
        return self._write(target, memory, source_mask, given)[0]

    def encode(
        self, source: Int[Tensor, "B S"], mask: Bool[Tensor, "B 1 S"] | None = None
    ) -> Float[Tensor, "B S C"]:
        """The memory: of each token what was read up to it, from the left and from the right."""
        x = self.dropout(embed(self.source_embedding, source))
        return self.encoder(x, mask=None if mask is None else mask[:, 0])[0]

    def decode(
        self,
        target: Int[Tensor, "B T"],
        memory: Float[Tensor, "B S C"],
        memory_mask: Bool[Tensor, "B 1 S"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """The logits, where the decoder reads the target as it is.

        With the memory fixed this is a language model: `generate` takes it as such.
        """
        return self._write(target, memory, memory_mask)[0]

    def look(
        self,
        source: Int[Tensor, "B S"],
        target: Int[Tensor, "B T"],
        source_mask: Bool[Tensor, "B 1 S"] | None = None,
    ) -> tuple[Float[Tensor, "B T V"], Float[Tensor, "L B H T S"]]:
        """The logits, and the weights of attention: the alignment of target and source.

        There is one layer of them with one head, and without attention none.
        """
        return self._write(target, self.encode(source, source_mask), source_mask)

    def _write(
        self, target: Tensor, memory: Tensor, mask: Tensor | None, given: Tensor | None = None
    ) -> tuple[Float[Tensor, "B T V"], Float[Tensor, "L B H T S"]]:
        """Logits and weights, step by step.

        Args:
            given: True where the decoder reads the target; what it said itself elsewhere.
        """
        _check_target(target, memory)
        whole = summary(memory, mask)
        hidden = list(self.bridge(whole).tanh().chunk(len(self.decoder), -1))
        keys = None if self.attention is None else self.attention.key_projection(memory)
        said: list[Tensor] = []
        looked: list[Tensor] = []
        for t in range(target.shape[1]):
            read = target[:, t]
            if given is not None and t:
                read = torch.where(given[:, t], read, said[-1].argmax(-1))
            x, context = self.dropout(embed(self.target_embedding, read)), whole
            if self.attention is not None:
                # The state before the step asks: which words of the source are needed next?
                weights = self.attention.weigh(hidden[-1][:, None], keys, mask)
                context = (weights @ memory)[:, 0]
                looked.append(weights)
            hidden = self._step(torch.cat([x, context], -1), hidden)
            said.append(self.head(self.dropout(torch.cat([hidden[-1], context, x], -1))))
        nothing = memory.new_zeros(0, len(memory), 1, target.shape[1], memory.shape[1])
        return torch.stack(said, 1), torch.cat(looked, 1)[None, :, None] if looked else nothing

    def _step(self, x: Tensor, hidden: list[Tensor]) -> list[Tensor]:
        """The next state of each layer, which reads that of the layer below."""
        new: list[Tensor] = []
        for cell, before in zip(self.decoder, hidden, strict=True):
            new.append(cell(self.dropout(new[-1]) if new else x, before))
        return new


def summary(
    memory: Float[Tensor, "B S C"], mask: Bool[Tensor, "B 1 S"] | None = None
) -> Float[Tensor, "B C"]:
    """One vector for the whole source: what each direction had read when it came to its end.

    That is the first half of the last vector, and the second half of the first one.

    Example:
        >>> memory = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
        >>> summary(memory, torch.tensor([[[True, True, False]]]))
        tensor([[3., 2.]])
    """
    n_positions = memory.shape[1]
    place = torch.arange(n_positions, device=memory.device)
    real = torch.ones_like(place, dtype=torch.bool) if mask is None else mask[:, 0]
    last = torch.where(real, place, 0).amax(-1).expand(len(memory))
    first = torch.where(real, place, n_positions - 1).amin(-1).expand(len(memory))
    forward, backward = memory.chunk(2, -1)
    row = torch.arange(len(memory), device=memory.device)
    return torch.cat([forward[row, last], backward[row, first]], -1)


def inverse_sigmoid_schedule(step: int, n_half: float | int) -> float:
    """k / (k + exp(step / k)): a teacher forcing that falls to 0, slowly at first and at the end.

    Args:
        n_half: the number of steps after which it is 1/2; it determines k, by k ln k = n_half.

    Example:
        >>> [round(inverse_sigmoid_schedule(step, 100), 3) for step in (0, 100, 200)]
        [0.967, 0.5, 0.033]

    Reference: Bengio et al. (2015), section 2.4, https://arxiv.org/abs/1506.03099
    """
    if step < 0 or n_half <= 0:
        raise ValueError(
            f"step must be at least 0 and n_half above 0, got step={step}, n_half={n_half}"
        )
    k = 1.0 + n_half
    for _ in range(50):  # Newton's method: from the right of the root it never jumps over it
        k = (k + n_half) / (math.log(k) + 1)
    return 1 / (1 + math.exp(min(step / k - math.log(k), 700)))  # exp(710) overflows


def _embedding(vocab_size: int, d_embedding: int) -> nn.Parameter:
    return nn.Parameter(0.1 * torch.randn(vocab_size, d_embedding))


def _check_probability(teacher_forcing: float | int) -> None:
    if not 0 <= teacher_forcing <= 1:
        raise ValueError(
            f"teacher_forcing must be from 0 to 1, got teacher_forcing={teacher_forcing}"
        )


def _check_target(target: Tensor, memory: Tensor) -> None:
    if target.shape[1] == 0:
        raise ValueError("target must have at least one position, the start, got T=0")
    if len(target) != len(memory):
        raise ValueError(
            "target and memory must have the same number of rows, got"
            f" {len(target)} and {len(memory)}"
        )
