"""Text to ids and back: characters, words, byte pairs.

Chapter: book/tokenizers.md
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Literal

from lmcourse.byte_pairs import (
    N_BYTES,
    MergedWords,
    Pair,
    count_words,
    cut_out,
    learn_merges,
    pieces,
    spell,
    split_words,
)
from lmcourse.simple_tokenizers import CharTokenizer as CharTokenizer
from lmcourse.simple_tokenizers import Tokenizer as Tokenizer
from lmcourse.simple_tokenizers import WordTokenizer as WordTokenizer
from lmcourse.simple_tokenizers import check_different, check_ids, write_json, written_by


class BPETokenizer:
    """Byte pairs: ids 0 to 255 are the bytes of UTF-8, then come merges, and last special tokens.

    Every text has ids and comes back from them. The ids are those of rustbpe and tiktoken for the
    same merges.

    Args:
        merges: the pairs of ids to merge, in order; the first makes id 256.
        special_tokens: names of signs that are no text, such as the end of a document.

    Example:
        >>> tokenizer = BPETokenizer.train("low low lower lowest", vocab_size=258)
        >>> tokenizer.tokens[256:]
        [b'lo', b'low']
        >>> tokenizer.encode("slow")
        [115, 257]

    Reference: Radford et al. (2019), section 2.2, for bytes and for merges inside of words.
    """

    def __init__(self, merges: Iterable[Pair], special_tokens: Iterable[str] = ()):
        self.merges = list(merges)
        self.special_tokens = _names(special_tokens)
        check_different("merges", self.merges)
        n_text_ids = N_BYTES + len(self.merges)
        self.tokens = spell(self.merges) + [name.encode() for name in self.special_tokens]
        self._special_ids = {name: n_text_ids + i for i, name in enumerate(self.special_tokens)}
        self._words = MergedWords({pair: N_BYTES + i for i, pair in enumerate(self.merges)})

    @classmethod
    def train(
        cls, text: str, vocab_size: int, special_tokens: Iterable[str] = ()
    ) -> "BPETokenizer":
        """A tokenizer with the most frequent pairs of `text`; a bar shows if it takes long.

        Args:
            vocab_size: the number of ids in all, 256 bytes and the special tokens among them.

        Raises:
            ValueError: a text that UTF-8 cannot hold, or one with too few pairs.
        """
        if not text:
            raise ValueError("text must have at least one character, got text=''")
        special_tokens = _names(special_tokens)
        n_merges = vocab_size - N_BYTES - len(special_tokens)
        if n_merges < 0:
            raise ValueError(
                f"vocab_size must be at least {vocab_size - n_merges}, for {N_BYTES} bytes and"
                f" {len(special_tokens)} special tokens, got vocab_size={vocab_size}"
            )
        with _naming_surrogates(text):
            words = {word.encode(): count for word, count in count_words(text).items()}
        merges = learn_merges(words, n_merges)
        if len(merges) < n_merges:
            raise ValueError(
                f"text is too short for {n_merges} merges: it ran out of pairs after"
                f" {len(merges)}; give a longer text or a smaller vocab_size"
            )
        return cls(merges, special_tokens)

    @property
    def vocab_size(self) -> int:
        """The number of ids, for bytes, merges and special tokens."""
        return len(self.tokens)

    def encode(self, text: str, allowed_special: Literal["all"] | Iterable[str] = ()) -> list[int]:
        """The ids of the words, one word after the other.

        Args:
            allowed_special: the special tokens whose names in `text` mean them, or "all". The
                other names are text: what a user types must not end a document.
        """
        ids: list[int] = []
        with _naming_surrogates(text):
            for index, part in enumerate(cut_out(text, self._allowed(allowed_special))):
                if index % 2:  # the names stand between the texts
                    ids.append(self._special_ids[part])
                else:
                    for piece in pieces(part):
                        ids += chain.from_iterable(map(self._words.__getitem__, split_words(piece)))
        return ids

    def _allowed(self, names: Literal["all"] | Iterable[str]) -> Collection[str]:
        if names == "all":
            return self.special_tokens
        allowed = list(names)  # once: it may be an iterator
        if isinstance(names, str) or any(name not in self._special_ids for name in allowed):
            raise ValueError(
                f"allowed_special must be 'all' or a list with some of {self.special_tokens}, got"
                f" allowed_special={names!r}"
            )
        return allowed

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str:
        """The text of the ids; `\ufffd` where bytes are not UTF-8, as when a character is cut.

        Args:
            skip_special_tokens: leave them out, instead of showing their names.
        """
        checked = check_ids(ids, self.vocab_size)
        end = N_BYTES + len(self.merges) if skip_special_tokens else self.vocab_size
        spelled = b"".join(self.tokens[index] for index in checked if index < end)
        return spelled.decode("utf-8", errors="replace")

    def save(self, path: str | Path) -> None:
        """Writes merges and special tokens to a JSON file, readable in any editor."""
        write_json(path, {"merges": self.merges, "special_tokens": self.special_tokens})

    @classmethod
    def load(cls, path: str | Path) -> "BPETokenizer":
        """The tokenizer that `save` wrote."""
        with written_by(cls, path) as content:
            return cls([tuple(pair) for pair in content["merges"]], content["special_tokens"])


def _names(special_tokens: Iterable[str]) -> list[str]:
    names = list(special_tokens)  # once: it may be an iterator
    if isinstance(special_tokens, str) or "" in names:
        rule = "special_tokens must be a list of names, none of them empty"
        raise ValueError(f"{rule}, got special_tokens={special_tokens!r}")
    check_different("special_tokens", names)
    return names


@contextmanager
def _naming_surrogates(text: str) -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError:
        place = next(i for i, character in enumerate(text) if "\ud800" <= character <= "\udfff")
        raise ValueError(
            "text must have no half of a surrogate pair, since UTF-8 cannot hold it, got"
            f" {text[place]!r} at {place}: text.encode('utf-16', 'surrogatepass')"
            ".decode('utf-16', 'replace') joins halves and replaces those that are alone"
        ) from None
