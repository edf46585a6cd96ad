"""Text to ids and back by characters or words: one id for each, `<unk>` for all others.

Chapter: book/tokenizers.md
"""

import json
import operator
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lmcourse.byte_pairs import count_words, pieces, split_words
from lmcourse.files import write_file

UNKNOWN = "<unk>"


@runtime_checkable
class Tokenizer(Protocol):
    """What every tokenizer can do; `decode(encode(text))` is the text, or says what was unknown."""

    tokens: list[str] | list[bytes]  # what each id stands for; bytes may be a part of a character

    @property
    def vocab_size(self) -> int:
        """The number of ids, which are 0 to vocab_size - 1."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids."""


class CharTokenizer:
    """One id for each character (Unicode code point), in their order; id 0 may be `<unk>`.

    Args:
        characters: all that it knows, each once.
        unknown: encode what it does not know as id 0, `<unk>`, instead of refusing it.

    Example:
        >>> tokenizer = CharTokenizer.train("a cat")
        >>> tokenizer.encode("cat")
        [2, 1, 3]
        >>> tokenizer.decode([3, 1, 2])
        'tac'
    """

    def __init__(self, characters: Iterable[str], unknown: bool = False):
        self.tokens = [UNKNOWN] * unknown + list(characters)
        self.unknown = unknown
        self._ids = {token: index for index, token in enumerate(self.tokens)}
        for token in self.tokens[unknown:]:
            if len(token) != 1:
                raise ValueError(f"characters must be single characters, got {token!r}")
        check_different("characters", self.tokens)

    @classmethod
    def train(cls, text: str, vocab_size: int | None = None) -> "CharTokenizer":
        """A tokenizer for the characters of `text`.

        Args:
            vocab_size: keep the most frequent ones, so that they and `<unk>` are at most as many;
                all characters and no `<unk>` if None.
        """
        if not text:
            raise ValueError("text must have at least one character, got text=''")
        if vocab_size is None:
            return cls(sorted(set(text)))
        if vocab_size < 2:
            raise ValueError(
                f"vocab_size must be at least 2, {UNKNOWN} and a character, got"
                f" vocab_size={vocab_size}"
            )
        # Of equally frequent ones the first in the alphabet, not the first in the text.
        counts = sorted(Counter(text).items(), key=lambda item: (-item[1], item[0]))
        return cls(sorted(token for token, _ in counts[: vocab_size - 1]), unknown=True)

    @property
    def vocab_size(self) -> int:
        """The number of ids, `<unk>` among them if there is one."""
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """The id of each character.

        Raises:
            ValueError: a character is not known, and the tokenizer was made without `<unk>`.
        """
        if self.unknown:
            return [self._ids.get(character, 0) for character in text]
        try:
            return [self._ids[character] for character in text]
        except KeyError as error:
            character = error.args[0]
            raise ValueError(
                f"text must have known characters only, got {character!r} (U+{ord(character):04X})"
                f" at {text.index(character)}: train on a text that has it, or give train() a"
                f" vocab_size, and it becomes {UNKNOWN}"
            ) from None

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str:
        """The characters side by side; `<unk>` where one was unknown, unless it is skipped."""
        first = int(self.unknown and skip_special_tokens)
        checked = check_ids(ids, self.vocab_size)
        return "".join(self.tokens[index] for index in checked if index >= first)

    def save(self, path: str | Path) -> None:
        """Writes the characters to a JSON file, readable in any editor."""
        write_json(path, {"characters": self.tokens[self.unknown :], "unknown": self.unknown})

    @classmethod
    def load(cls, path: str | Path) -> "CharTokenizer":
        """The tokenizer that `save` wrote."""
        with written_by(cls, path) as content:
            return cls(content["characters"], content["unknown"])


class WordTokenizer:
    """One id for each word as GPT-4 cuts words, the space before it included; id 0 is `<unk>`.

    Args:
        words: all that it knows, each once.

    Example:
        >>> tokenizer = WordTokenizer.train("a cat and a dog and a cow")
        >>> tokenizer.encode("a cat and a yak")
        [6, 3, 2, 1, 0]
    """

    def __init__(self, words: Iterable[str]):
        self.tokens = [UNKNOWN, *words]
        self._ids = {word: index for index, word in enumerate(self.tokens) if index}
        check_different("words", self.tokens[1:])

    @classmethod
    def train(cls, text: str, vocab_size: int | None = None) -> "WordTokenizer":
        """A tokenizer for the words of `text`, the most frequent first.

        Args:
            vocab_size: keep no more words than fit, with `<unk>`; all of them if None.
        """
        if not text:
            raise ValueError("text must have at least one character, got text=''")
        if vocab_size is not None and vocab_size < 2:
            raise ValueError(
                f"vocab_size must be at least 2, {UNKNOWN} and a word, got vocab_size={vocab_size}"
            )
        counts = sorted(count_words(text).items(), key=lambda item: (-item[1], item[0]))
        n_words = None if vocab_size is None else vocab_size - 1
        return cls(word for word, _ in counts[:n_words])

    @property
    def vocab_size(self) -> int:
        """The number of ids, `<unk>` among them."""
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """The id of each word, 0 for those that are not known."""
        return [self._ids.get(word, 0) for piece in pieces(text) for word in split_words(piece)]

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str:
        """The words side by side; `<unk>` where one was unknown, unless it is skipped."""
        checked = check_ids(ids, self.vocab_size)
        return "".join(self.tokens[index] for index in checked if index or not skip_special_tokens)

    def save(self, path: str | Path) -> None:
        """Writes the words to a JSON file, readable in any editor."""
        write_json(path, {"words": self.tokens[1:]})

    @classmethod
    def load(cls, path: str | Path) -> "WordTokenizer":
        """The tokenizer that `save` wrote."""
        with written_by(cls, path) as content:
            return cls(content["words"])


def check_ids(ids: Iterable[int], vocab_size: int) -> list[int]:
    """The ids, which may come from an iterator or a tensor; refuses those that no token has."""
    checked = [operator.index(index) for index in ids]
    # Python would count -1 from the end, and decode a mistake as the last token.
    for index in checked:
        if not 0 <= index < vocab_size:
            raise ValueError(f"ids must lie in 0…{vocab_size - 1}, got {index}")
    return checked


def check_different(what: str, things: Sequence[Hashable]) -> None:
    """Refuses things that are not all different, and names one."""
    if len(set(things)) < len(things):
        twice = Counter(things).most_common(1)[0][0]
        raise ValueError(f"{what} must be different, got {twice!r} more than once")


def write_json(path: str | Path, content: dict[str, Any]) -> None:
    """Writes a JSON file."""
    # Escaped: so even half of a surrogate pair survives, which UTF-8 could not hold.
    write_file(path, json.dumps(content, indent=1) + "\n")


@contextmanager
def written_by(kind: type, path: str | Path) -> Iterator[dict[str, Any]]:
    """The content of a file, and one message for all that can be wrong with it."""
    try:
        yield json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"path must be a file that {kind.__name__}.save wrote, got {str(path)!r}:"
            f" {type(error).__name__}: {error}"
        ) from error
