"""BERT: an encoder that looks to both sides, trained to say what stood where tokens are masked.

Chapter: book/bert.md
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lmcourse.modes import mode
from lmcourse.neurons import cross_entropy, embed
from lmcourse.positions import LearnedPositions
from lmcourse.transformer import ACTIVATIONS, EncoderBlock

_AT_LEAST = {"vocab_size": 1, "context_length": 1, "d_model": 1, "n_layers": 1, "n_segments": 0}
_UNGATED = ("relu", "gelu", "gelu_tanh")


@dataclass(frozen=True, kw_only=True)
class BERTConfig:
    """The sizes and parts of a `BERT`. As they stand the parts are BERT's.

    RoBERTa's are n_segments=1 (the one vector that is always added), padding_id=1, norm_eps=1e-5
    and no next sentence.

    Args:
        context_length: the most tokens that can be read at once.
        d_ff: the hidden numbers of the feed-forward networks; 4 · d_model if None.
        dropout: the share of numbers, and of weights of attention, set to zero in training.
        n_segments: the kinds of text that can be told apart, such as question and answer; 0 for a
            model without.
        padding_id: with it positions are counted as RoBERTa does: over the ids that are no
            padding, from padding_id + 1 on. None counts all ids from 0 on.
        norm_eps: what the norms add to the variance.
        next_sentence: has a head that judges whether the second segment follows the first.
    """

    vocab_size: int
    context_length: int
    d_model: int
    n_heads: int
    n_layers: int
    d_ff: int | None = None
    dropout: float = 0.0
    n_segments: int = 2
    padding_id: int | None = None
    norm_eps: float = 1e-12
    activation: Literal["relu", "gelu", "gelu_tanh"] = "gelu"
    next_sentence: bool = False

    def __post_init__(self):
        for name, least in _AT_LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(
                    f"{name} must be at least {least}, got {name}={getattr(self, name)}"
                )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got dropout={self.dropout}")
        if self.padding_id is not None and not 0 <= self.padding_id < self.vocab_size:
            raise ValueError(
                f"padding_id must be one of the ids 0…{self.vocab_size - 1}, got"
                f" padding_id={self.padding_id}"
            )
        if self.activation not in _UNGATED:
            raise ValueError(
                f"activation must be one of {', '.join(_UNGATED)}, got"
                f" activation={self.activation!r}"
            )


class BERT(nn.Module):
    """A stack of encoder blocks; each logit depends on all ids, before and after its position.

    Reference: Devlin et al. (2019), section 3, https://arxiv.org/abs/1810.04805; RoBERTa: Liu et
        al. (2019), https://arxiv.org/abs/1907.11692. Our transform and transform_norm are the last
        layer before the logits, of which the paper does not speak and which its program has. The
        head's weights are the embedding's.

    Example:
        >>> config = BERTConfig(vocab_size=9, context_length=8, d_model=12, n_heads=3, n_layers=2)
        >>> BERT(config)(torch.tensor([[2, 5, 1, 7]])).shape
        torch.Size([1, 4, 9])
    """

    def __init__(self, config: BERTConfig):
        super().__init__()
        self.config, d_model = config, config.d_model
        self.embedding = nn.Parameter(torch.empty(config.vocab_size, d_model))
        # RoBERTa's first rows belong to no token: that of padding_id is padding's, others nobody's.
        n_before = 0 if config.padding_id is None else config.padding_id + 1
        self.positions = LearnedPositions(n_before + config.context_length, d_model)
        if config.n_segments:
            self.segments = nn.Parameter(torch.empty(config.n_segments, d_model))
        self.embedding_norm = nn.LayerNorm(d_model, eps=config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)
        options = config.d_ff, config.dropout, False, config.activation, config.norm_eps
        self.blocks = nn.ModuleList(
            EncoderBlock(d_model, config.n_heads, *options) for _ in range(config.n_layers)
        )
        self.transform = nn.Linear(d_model, d_model)
        self.transform_norm = nn.LayerNorm(d_model, eps=config.norm_eps)
        self.head_bias = nn.Parameter(torch.empty(config.vocab_size))
        if config.next_sentence:
            self.pooler, self.next_sentence = nn.Linear(d_model, d_model), nn.Linear(d_model, 2)
        self._initialize()

    @property
    def context_length(self) -> int:
        """How many ids may be read at once."""
        return self.config.context_length

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        mask: Bool[Tensor, "..."] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """The logits of the id at each position itself.

        Args:
            mask: True where an id is real, (B, T); or where each position may look, (B, T, T) or
                the same for the whole batch, (1, T, T).
            segments: which of the n_segments each id belongs to; all to the first if None.
        """
        return self.predict(self.encode(ids, mask, segments))

    def encode(
        self,
        ids: Int[Tensor, "B T"],
        mask: Bool[Tensor, "..."] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T C"]:
        """A vector for each id, made with all ids around it; the arguments are those of a call."""
        mask = self._check(ids, mask, segments)
        x = embed(self.embedding, ids) + self._places(ids)
        if segments is not None:
            x = x + embed(self.segments, segments)
        elif self.config.n_segments:
            x = x + self.segments[0]
        x = self.dropout(self.embedding_norm(x))
        for block in self.blocks:
            x = block(x, mask)
        return x

    def predict(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch V"]:
        """The logits of what `encode` made, or of the vectors of a few positions alone."""
        x = self.transform_norm(ACTIVATIONS[self.config.activation](self.transform(x)))
        return F.linear(x, self.embedding, self.head_bias)

    def judge_next(
        self,
        ids: Int[Tensor, "B T"],
        mask: Bool[Tensor, "..."] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B 2"]:
        """The logits that the second segment follows the first, and that it does not."""
        if not self.config.next_sentence:
            raise ValueError("config must have a next sentence, got next_sentence=False")
        pooled = self.pooler(self.encode(ids, mask, segments)[:, 0]).tanh()
        return self.next_sentence(pooled)

    def _places(self, ids: Tensor) -> Tensor:
        if self.config.padding_id is None:
            return self.positions(ids.shape[1])
        real = ids != self.config.padding_id
        return embed(self.positions.weight, real.cumsum(-1) * real + self.config.padding_id)

    def _check(self, ids: Tensor, mask: Tensor | None, segments: Tensor | None) -> Tensor | None:
        """Refuses what does not fit; the mask as attention takes it."""
        n = ids.shape[1]
        if n > self.context_length:
            raise ValueError(
                "ids must have at most context_length positions, "
                f"got {n}, context_length={self.context_length}"
            )
        if segments is not None and not self.config.n_segments:
            raise ValueError("segments must be None for a model that has none, got n_segments=0")
        if mask is not None and (mask.dim() not in (2, 3) or mask.shape[-1] != n):
            raise ValueError(
                f"mask must have the shape (B, T) or (B, T, T) with T={n}, got"
                f" mask.shape={tuple(mask.shape)}"
            )
        return mask[:, None] if mask is not None and mask.dim() == 2 else mask

    def _initialize(self) -> None:
        """N(0, 0.02²) for every matrix, 0 for every bias."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)


# ---------------------------------------------------------------- masks to learn from


def mask_tokens(
    ids: Int[Tensor, "B T"],
    mask_id: int,
    vocab_size: int,
    special_ids: Collection[int] = (),
    *,
    share: float | int = 0.15,
    masked: float | int = 0.8,
    replaced: float | int = 0.1,
    words: Int[Tensor, "B T"] | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """The ids to read, and where a model shall say what stood there.

    Each id is chosen with probability `share`. Of those that are, 80% become mask_id, 10% another
    one at random, which may be the same again, and 10% stay, so that what is read may be wrong
    wherever it stands.

    Args:
        special_ids: are never chosen and never put anywhere, nor is mask_id: padding, the signs at
            the start and the end.
        masked, replaced: other shares than 0.8 and 0.1 of the chosen ones; the rest stay.
        words: the number of the word that each id is a part of, 0 … T − 1 in each row, see
            `word_numbers`: then all of a word is chosen or none of it.
        generator: where the random numbers come from; the same seed chooses the same.

    Reference: Devlin et al. (2019), appendix A.1. Liu et al. (2019), section 4.1, choose anew each
        time that a text is read, as a call does. Words that are masked whole are those of BERT's
        program since May 2019, https://github.com/google-research/bert.

    Example:
        >>> seed = torch.Generator().manual_seed(2)
        >>> mask_tokens(torch.tensor([[0, 4, 5, 6, 0]]), 1, 9, [0], share=0.5, generator=seed)
        (tensor([[0, 1, 5, 1, 0]]), tensor([[False,  True, False,  True, False]]))
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, got share={share}")
    if min(masked, replaced) < 0 or masked + replaced > 1 + 1e-9:
        raise ValueError(
            "masked and replaced must be shares, at most 1 together, got"
            f" masked={masked}, replaced={replaced}"
        )
    closed = torch.tensor(sorted({mask_id, *special_ids}), device=ids.device)
    ordinary = _ordinary_ids(vocab_size, closed)

    def uniform() -> Tensor:
        device = ids.device if generator is None else generator.device
        return torch.rand(ids.shape, generator=generator, device=device).to(ids.device)

    drawn = uniform()
    if words is not None:
        drawn = drawn.gather(1, _checked_words(words))
    chosen = (drawn < share) & ~torch.isin(ids, closed)
    what = uniform()
    others = ordinary[(uniform() * len(ordinary)).long().clamp(max=len(ordinary) - 1)].to(ids.dtype)
    read = torch.where(chosen & (what < masked + replaced), others, ids)
    return read.masked_fill(chosen & (what < masked), mask_id), chosen


def _ordinary_ids(vocab_size: int, closed: Tensor) -> Tensor:
    outside = [index for index in closed.tolist() if not 0 <= index < vocab_size]
    if outside:
        raise ValueError(
            f"mask_id and special_ids must lie in 0…{vocab_size - 1}, got {outside[0]}"
        )
    if len(closed) == vocab_size:
        raise ValueError(
            f"vocab_size must leave ids that are not special, got {vocab_size} special ones of"
            f" vocab_size={vocab_size}"
        )
    all_ids = torch.arange(vocab_size, device=closed.device)
    return all_ids[~torch.isin(all_ids, closed)]


def _checked_words(words: Tensor) -> Tensor:
    n = words.shape[1]
    if words.numel() and not 0 <= int(words.min()) <= int(words.max()) < n:
        worst = int(words.max()) if int(words.max()) >= n else int(words.min())
        raise ValueError(f"words must lie in 0…{n - 1}, a number for each word, got {worst}")
    return words.long()


def word_numbers(tokens: Sequence[str]) -> list[int]:
    """The number of the word that each piece is a part of; pieces with `##` go on with a word.

    Example:
        >>> word_numbers(["the", "un", "##mask", "##ed", "word"])
        [0, 1, 1, 1, 2]
    """
    numbers: list[int] = []
    for token in tokens:
        goes_on = bool(numbers) and token.startswith("##")
        numbers.append(numbers[-1] + (not goes_on) if numbers else 0)
    return numbers


def masked_loss(
    model: BERT,
    read: Int[Tensor, "B T"],
    chosen: Bool[Tensor, "B T"],
    ids: Int[Tensor, "B T"],
    mask: Bool[Tensor, "..."] | None = None,
    segments: Int[Tensor, "B T"] | None = None,
) -> Float[Tensor, ""]:
    """The mean of −log p of the ids at the chosen positions, in nats.

    Logits are made for these positions alone: of 15% of the ids instead of all.

    Args:
        read, chosen: from `mask_tokens`.
        ids: what stood there.
    """
    if not chosen.any():
        raise ValueError(
            f"chosen must be True somewhere, got none of {chosen.numel()}: a larger batch or share"
            " has more"
        )
    x = model.encode(read, mask, segments)[chosen]
    return cross_entropy(model.predict(x), ids[chosen])


# ---------------------------------------------------------------- what a trained model is asked


def fill_in(
    model: BERT,
    ids: Int[Tensor, "T"],
    mask_id: int,
    tokens: Sequence[str],
    k: int = 5,
) -> list[list[tuple[str, float]]]:
    """For each mask of a sentence its k likeliest tokens and their probabilities, best first.

    Args:
        tokens: what each id stands for, as `tokenizer.tokens`.
    """
    if not (ids == mask_id).any():
        raise ValueError(f"ids must hold mask_id at least once, got no {mask_id} in {ids.tolist()}")
    if len(tokens) != model.config.vocab_size or not 1 <= k <= len(tokens):
        raise ValueError(
            f"tokens must be as many as the model has ids, {model.config.vocab_size}, and k from 1"
            f" to as many, got {len(tokens)} tokens, k={k}"
        )
    with mode(model, training=False), torch.no_grad():
        probs = model(ids[None])[0, ids == mask_id].softmax(-1)
    best = probs.topk(k, -1)
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [[(tokens[i], p) for i, p in zip(*row, strict=True)] for row in pairs]


def mean_vector(
    x: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T"] | None = None
) -> Float[Tensor, "B C"]:
    """The mean of the vectors of all real ids, one for each sentence; of none it is zero.

    Reference: Reimers and Gurevych (2019), section 3, https://arxiv.org/abs/1908.10084
    """
    if mask is None:
        return x.mean(1)
    # Not by a product with 0: what stands at padding may be anything.
    total = x.masked_fill(~mask[..., None], 0.0).sum(1)
    return total / mask.sum(1, keepdim=True).clamp(min=1)


def sentence_vectors(
    model: BERT,
    ids: Int[Tensor, "B T"],
    mask: Bool[Tensor, "B T"] | None = None,
    pooling: Literal["mean", "first"] = "mean",
) -> Float[Tensor, "B C"]:
    """One vector for each sentence, without a gradient.

    Args:
        mask: True where an id is real.
        pooling: the mean over the real ids, or the vector of the first id, which is [CLS] in BERT.
    """
    if pooling not in ("mean", "first"):
        raise ValueError(f"pooling must be 'mean' or 'first', got pooling={pooling!r}")
    with mode(model, training=False), torch.no_grad():
        x = model.encode(ids, mask)
    return mean_vector(x, mask) if pooling == "mean" else x[:, 0]
