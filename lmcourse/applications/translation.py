"""From a sentence to its translation: an encoder–decoder with a tokenizer on each side.

Chapter: book/translation.md
"""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lmcourse.data import pad_batch
from lmcourse.generation import Beams, beam_search, generate
from lmcourse.loop.gradient_step import IGNORE_INDEX
from lmcourse.modes import mode
from lmcourse.seq2seq import Seq2Seq
from lmcourse.tokenizers import Tokenizer
from lmcourse.transformer import Transformer, TransformerConfig, shift_right

Pair = tuple[str, str]
Batch = tuple[Int[Tensor, "B S"], Int[Tensor, "B T"], Bool[Tensor, "B 1 S"], Int[Tensor, "B T"]]


_NEARLY = 2.5  # nats behind the best text of a step, a factor of twelve


def _rounded(table: Tensor) -> list[list[float]]:
    return [[round(weight, 4) for weight in row] for row in table.tolist()]


class Translator:
    """A model between two tokenizers; `train(t.model, pairs, config, collate=t.collate)`.

    Two ids stand after those of the target's tokenizer: the start, which the decoder reads first,
    and the end, which it writes last.

    Args:
        source, target: what cuts the sentences into tokens, on each side.
        context_length: the most tokens of a sentence, the end among them.
        model: a `Seq2Seq` or `Transformer` of these sizes: source.vocab_size, target.vocab_size + 2
            and context_length. If None, a new Transformer is made, with the sizes that follow.

    Raises:
        ValueError: the model has other sizes.
    """

    def __init__(
        self,
        source: Tokenizer,
        target: Tokenizer,
        *,
        context_length: int,
        model: Transformer | Seq2Seq | None = None,
        d_model: int = 64,
        n_heads: int = 4,
        n_layers: int = 2,
        dropout: float = 0.0,
    ):
        self.source, self.target = source, target
        self.start_id, self.end_id = target.vocab_size, target.vocab_size + 1
        sizes = {
            "source_vocab_size": source.vocab_size,
            "target_vocab_size": target.vocab_size + 2,
            "context_length": context_length,
        }
        if model is None:
            blocks = {"d_model": d_model, "n_heads": n_heads, "n_layers": n_layers}
            model = Transformer(TransformerConfig(**sizes, **blocks, dropout=dropout))
        for name, size in sizes.items():
            if getattr(model.config, name) != size:
                raise ValueError(
                    f"model must have {name}={size}, to fit the tokenizers and the context, got"
                    f" {name}={getattr(model.config, name)}"
                )
        self.model = model

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

    def translate(
        self, sentences: Sequence[str], batch_size: int = 64, n_beams: int = 1
    ) -> list[str]:
        """The likeliest next token, again and again, until the end is said or the room is full.

        Args:
            batch_size: how many are translated at a time; a beam takes one sentence after another.
            n_beams: how many texts are kept at each step. The best of those that ended is the
                one with the highest mean log-probability of its tokens.
        """
        if n_beams > 1:
            return [self._read(self._search(each, n_beams).texts[0]) for each in sentences]
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

    @torch.no_grad()
    def _search(self, sentence: str, n_beams: int) -> Beams:
        """What a beam finds, the best first, and its tree; texts are without the start."""
        device = next(self.model.parameters()).device
        source, mask = (part.to(device) for part in self._sources([sentence]))
        with mode(self.model, training=False):
            memory = self.model.encode(source, mask)
            return beam_search(
                lambda target: self.model.decode(
                    target, memory.expand(len(target), -1, -1), mask.expand(len(target), -1, -1)
                ),
                torch.tensor([self.start_id], device=device),
                self.model.config.context_length - 1,
                n_beams=n_beams,
                length_penalty=1.0,
                stop_ids=(self.end_id,),
            )

    def watch(self, sentence: str, n_beams: int = 3, n_likeliest: int = 4) -> dict[str, Any]:
        """A translation step by step, for `live_figures.decoder`; all of it is plain and fits JSON.

        Returns:
            Under source, written and beam the tokens of the sentence, of what is said greedily,
            and of what a beam finds; under weights, for "all heads" on average and for each head,
            a row for each token written; under likeliest, before each of them, the tokens that
            are likeliest, with their probability; under branches the tree of the beam, for
            `plots.search_tree`.
        """
        answer = self.translate([sentence])[0]
        weights, probs = self.look(sentence, answer)
        maps = {"all heads": weights.mean((0, 1))}
        for layer, heads in enumerate(weights, 1):
            maps |= {f"layer {layer}, head {n}": head for n, head in enumerate(heads, 1)}
        beams = self._search(sentence, n_beams)
        likeliest = [
            {self._name(index): round(row[index].item(), 4) for index in row.topk(n_likeliest)[1]}
            for row in probs
        ]
        return {
            "source": [self.source.decode([i]).strip() for i in self.source.encode(sentence)],
            "written": [*map(self._name, self.target.encode(answer)), "end"],
            "beam": [self._name(index) for index in beams.texts[0]],
            "weights": {name: _rounded(table) for name, table in maps.items()},
            "likeliest": likeliest,
            "branches": self._tree(beams),
        }

    def _tree(self, beams: Beams) -> list[dict[str, Any]]:
        """What the beam went on with, and what it dropped although it was nearly as likely."""
        texts = {tuple(text) for text in beams.texts}
        branches: list[dict[str, Any]] = []
        drawn: list[tuple[int, ...]] = []  # the text that each branch ends
        before = {-1: -1}
        for nodes in beams.tree:
            least, here = max(node.total for node in nodes) - _NEARLY, {}
            for index, node in enumerate(nodes):
                if not node.kept and node.total <= least:
                    continue
                parent, here[index] = before[node.parent], len(branches)
                drawn.append((*(drawn[parent] if parent >= 0 else ()), node.id))
                branches.append(
                    {
                        "parent": parent,
                        "token": self._name(node.id),
                        "log_prob": round(node.total, 4),
                        "kept": node.kept,
                    }
                )
            before = here
        followed = {branch["parent"] for branch in branches}
        for place, text in enumerate(drawn):
            # What was kept for a step and led to nothing was dropped, too.
            branches[place]["kept"] &= text in texts or place in followed
        return branches

    def _name(self, index: int | Tensor) -> str:
        """A token of the target, as a figure shows it."""
        names = {self.start_id: "start", self.end_id: "end"}
        return names.get(int(index)) or self.target.decode([int(index)])

    @torch.no_grad()
    def look(
        self, sentence: str, translation: str
    ) -> tuple[Float[Tensor, "L H T S"], Float[Tensor, "T V"]]:
        """Where each head of cross-attention looked while this was said, and what else might be.

        Row t belongs to the token of the translation that is said next, the end among them.
        """
        device = next(self.model.parameters()).device
        batch = self.collate([(sentence, translation)])
        source, read, mask = (part.to(device) for part in batch[:3])
        with mode(self.model, training=False):
            logits, weights = self.model.look(source, read, mask)
        return weights[:, 0].cpu(), logits[0].softmax(-1).cpu()

    @torch.no_grad()
    def hide(
        self,
        sentence: str,
        translation: str,
        places: Collection[int],
        from_encoder: bool = False,
    ) -> Float[Tensor, "T"]:
        """The probability of each token of the translation if the decoder cannot see these words.

        The end counts as a token.

        Args:
            places: of tokens of the source; none of them hides nothing.
            from_encoder: no other word may look at them either. Without it the encoder has read
                them, and what it has put of them into other words stays.
        """
        device = next(self.model.parameters()).device
        source, read, mask, said = (
            part.to(device) for part in self.collate([(sentence, translation)])
        )
        with mode(self.model, training=False):
            fewer = mask.clone()
            fewer[..., sorted(places)] = False
            memory = self.model.encode(source, fewer if from_encoder else mask)
            probs = self.model.decode(read, memory, fewer)[0].softmax(-1)
        return probs.gather(1, said[0, :, None])[:, 0].cpu()

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

    The share is that of the words in both among those in either; of equally near ones the first
    is taken.

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
