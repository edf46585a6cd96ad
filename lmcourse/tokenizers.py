"""Text to ids and back: characters first.

Chapter: book/tokenizers.md
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

UNKNOWN = "<unk>"


@runtime_checkable
class Tokenizer(Protocol):
    """What every tokenizer can do; `decode(encode(text))` is the text, or says what was unknown."""

    @property
    def vocab_size(self) -> int:
        """The number of ids, which are 0 to vocab_size - 1."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""

    def decode(self, ids: Sequence[int]) -> str:
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
        if len(self._ids) < len(self.tokens):
            twice = Counter(self.tokens).most_common(1)[0][0]
            raise ValueError(f"characters must be different, got {twice!r} more than once")

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

    def decode(self, ids: Sequence[int]) -> str:
        """The characters of the ids, side by side; `<unk>` where one was unknown."""
        for index in ids:
            if not 0 <= index < len(self.tokens):
                raise ValueError(f"ids must lie in 0…{len(self.tokens) - 1}, got {int(index)}")
        return "".join(self.tokens[index] for index in ids)

    def save(self, path: str | Path) -> None:
        """Writes the characters to a JSON file, readable in any editor."""
        content = {"characters": self.tokens[self.unknown :], "unknown": self.unknown}
        # Escaped: so even half of a surrogate pair survives, which UTF-8 could not hold.
        Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")

    @classmethod
    def load(cls, path: str | Path) -> "CharTokenizer":
        """The tokenizer that `save` wrote."""
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            characters, unknown = content["characters"], content["unknown"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"path must be a file that CharTokenizer.save wrote, got {str(path)!r}:"
                f" {type(error).__name__}: {error}"
            ) from error
        return cls(characters, unknown)
