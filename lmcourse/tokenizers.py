"""Text to ids and back: characters, words, byte pairs.

Chapter: book/tokenizers.md
"""

import json
import operator
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from lmcourse.byte_pairs import (
    N_BYTES,
    MergeCache,
    Pair,
    chunks,
    count_words,
    learn_merges,
    split_special_tokens,
    split_words,
    token_bytes,
)
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
        check_unique("characters", self.tokens)

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
        with reading_json(cls, path) as content:
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
        check_unique("words", self.tokens[1:])

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
        return [self._ids.get(word, 0) for chunk in chunks(text) for word in split_words(chunk)]

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
        with reading_json(cls, path) as content:
            return cls(content["words"])


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
        check_unique("merges", self.merges)
        n_text_ids = N_BYTES + len(self.merges)
        self.tokens = token_bytes(self.merges) + [name.encode() for name in self.special_tokens]
        self._special_ids = {name: n_text_ids + i for i, name in enumerate(self.special_tokens)}
        self._words = MergeCache({pair: N_BYTES + i for i, pair in enumerate(self.merges)})

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
            for index, part in enumerate(
                split_special_tokens(text, self._allowed(allowed_special))
            ):
                if index % 2:  # the names stand between the texts
                    ids.append(self._special_ids[part])
                else:
                    for chunk in chunks(part):
                        ids += chain.from_iterable(map(self._words.__getitem__, split_words(chunk)))
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
        with reading_json(cls, path) as content:
            return cls([tuple(pair) for pair in content["merges"]], content["special_tokens"])


# As config.json, data.json and `lmcourse train --tokenizer` call them.
TOKENIZERS: dict[str, type] = {"chars": CharTokenizer, "bpe": BPETokenizer, "words": WordTokenizer}


def check_ids(ids: Iterable[int], vocab_size: int) -> list[int]:
    """The ids, which may come from an iterator or a tensor; refuses those that no token has."""
    checked = [operator.index(index) for index in ids]
    # Python would count -1 from the end, and decode a mistake as the last token.
    for index in checked:
        if not 0 <= index < vocab_size:
            raise ValueError(f"ids must lie in 0…{vocab_size - 1}, got {index}")
    return checked


def check_unique(what: str, things: Sequence[Hashable]) -> None:
    """Refuses things that are not all different, and names one."""
    if len(set(things)) < len(things):
        twice = Counter(things).most_common(1)[0][0]
        raise ValueError(f"{what} must be different, got {twice!r} more than once")


def write_json(path: str | Path, content: dict[str, Any]) -> None:
    """Writes a JSON file."""
    # Escaped: so even half of a surrogate pair survives, which UTF-8 could not hold.
    write_file(path, json.dumps(content, indent=1) + "\n")


@contextmanager
def reading_json(kind: type, path: str | Path) -> Iterator[dict[str, Any]]:
    """The content of a file, and one message for all that can be wrong with it."""
    try:
        yield json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"path must be a file that {kind.__name__}.save wrote, got {str(path)!r}:"
            f" {type(error).__name__}: {error}"
        ) from error


def _names(special_tokens: Iterable[str]) -> list[str]:
    names = list(special_tokens)  # once: it may be an iterator
    if isinstance(special_tokens, str) or "" in names:
        rule = "special_tokens must be a list of names, none of them empty"
        raise ValueError(f"{rule}, got special_tokens={special_tokens!r}")
    check_unique("special_tokens", names)
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
