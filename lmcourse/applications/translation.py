"""From a sentence to its translation: an encoder–decoder with a tokenizer on each side.

Chapter: book/translation.md
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from lmcourse.data import pad_batch
from lmcourse.generation import generate
from lmcourse.loop.gradient_step import IGNORE_INDEX
from lmcourse.modes import mode
from lmcourse.tokenizers import Tokenizer
from lmcourse.transformer import Transformer, TransformerConfig, shift_right

Pair = tuple[str, str]
Batch = tuple[Int[Tensor, "B S"], Int[Tensor, "B T"], Bool[Tensor, "B 1 S"], Int[Tensor, "B T"]]


class Translator:
    """A Transformer between two tokenizers; `train(t.model, pairs, config, collate=t.collate)`.

    Two ids stand after those of the target's tokenizer: the start, which the decoder reads first,
    and the end, which it writes last.

    Args:
        source, target: what cuts the sentences into tokens, on each side.
        context_length: the most tokens of a sentence, the end among them.
    """

    def __init__(
        self,
        source: Tokenizer,
        target: Tokenizer,
        *,
        context_length: int,
        d_model: int = 64,
        n_heads: int = 4,
        n_layers: int = 2,
        dropout: float = 0.0,
    ):
        self.source, self.target = source, target
        self.start_id, self.end_id = target.vocab_size, target.vocab_size + 1
        self.model = Transformer(
            TransformerConfig(
                source_vocab_size=source.vocab_size,
                target_vocab_size=target.vocab_size + 2,
                context_length=context_length,
                d_model=d_model,
                n_heads=n_heads,
                n_layers=n_layers,
                dropout=dropout,
            )
        )

    def collate(self, pairs: Sequence[Pair]) -> Batch:
        """Source, what the decoder has read, the source's mask, and what the decoder is to say."""
        source, source_mask = self._sources([source for source, _ in pairs])
        written = [[*self.target.encode(target), self.end_id] for _, target in pairs]
        targets, real = pad_batch(written, self.end_id)
        return (
            source,
            shift_right(targets, self.start_id),
            source_mask,
            targets.masked_fill(~real, IGNORE_INDEX),
        )

    def translate(self, sentences: Sequence[str], batch_size: int = 64) -> list[str]:
        """The likeliest next token, again and again, until the end is said or the room is full."""
        return [
            translation
            for start in range(0, len(sentences), batch_size)
            for translation in self._translate(sentences[start : start + batch_size])
        ]

    @torch.no_grad()
    def _translate(self, sentences: Sequence[str]) -> list[str]:
        device = next(self.model.parameters()).device
        source, mask = (part.to(device) for part in self._sources(sentences))
        with mode(self.model, training=False):
            memory = self.model.encode(source, mask)
            ids = generate(
                lambda target: self.model.decode(target, memory, mask),
                torch.full((len(sentences), 1), self.start_id, device=device),
                self.model.config.context_length - 1,
                temperature=0,
                stop_ids=(self.end_id,),
            )
        return [self._read(row) for row in ids[:, 1:].tolist()]

    def _read(self, ids: list[int]) -> str:
        ids = ids[: ids.index(self.end_id)] if self.end_id in ids else ids
        # A model that has learned little may say the start again, which is no text.
        return self.target.decode([index for index in ids if index < self.target.vocab_size])

    def _sources(self, sentences: Sequence[str]) -> tuple[Tensor, Tensor]:
        longest = self.model.config.context_length
        ids = [self.source.encode(sentence) for sentence in sentences]
        for sentence, encoded in zip(sentences, ids, strict=True):
            if not 0 < len(encoded) <= longest:
                raise ValueError(
                    f"sentences must have 1 to context_length={longest} tokens,"
                    f" got {len(encoded)}: {sentence!r}"
                )
        source, real = pad_batch(ids)
        return source, real[:, None]


def copy_nearest(pairs: Sequence[Pair], sentences: Sequence[str]) -> list[str]:
    """The translation of the known sentence that shares most words: what a network must beat.

    The share is |words of both| / |words of either|; of equally near ones the first is taken.

    Example:
        >>> known = [("I am happy", "我很高兴"), ("you sing", "你唱歌")]
        >>> copy_nearest(known, ["I am busy"])
        ['我很高兴']
    """
    if not pairs:
        raise ValueError("pairs must be at least one, got none")
    known = [(set(source.lower().split()), target) for source, target in pairs]
    found = []
    for sentence in sentences:
        words = set(sentence.lower().split())
        nearest = max(known, key=lambda row: len(words & row[0]) / max(len(words | row[0]), 1))
        found.append(nearest[1])
    return found
