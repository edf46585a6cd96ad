"""Is it text worth learning from? Rules that count words and lines, and say why they object.

Chapter: book/data.md
"""

import re
from collections import Counter
from dataclasses import dataclass

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_BULLETS = ("•", "-", "*", "‣", "·", "–")


@dataclass(frozen=True, kw_only=True)
class QualityRules:
    """The bounds of the rules; a bound that is None is not looked at.

    The numbers are those of Gopher, but for one. They were chosen for English pages of the web,
    and what is neither English nor prose breaks them without being bad.

    Args:
        min_words, max_words: the words of a document.
        min_word_length, max_word_length: the mean length of its words, in characters.
        max_symbols: `#` and `…` (or `...`), each per word.
        max_bullets: the share of its lines that begin with a bullet.
        max_ellipses: the share of its lines that end in an ellipsis.
        min_alphabetic: the share of its words that have a letter.
        min_stop_words: of eight frequent English words, how many it has.
        max_repeated_lines: the share of its lines that stood there before.

    Reference: Rae et al. (2021), appendix A.1.1, https://arxiv.org/abs/2112.11446.
    """

    min_words: int | None = 50
    max_words: int | None = 100_000
    min_word_length: float | int | None = 3
    max_word_length: float | int | None = 10
    max_symbols: float | int | None = 0.1
    max_bullets: float | int | None = 0.9
    max_ellipses: float | int | None = 0.3
    min_alphabetic: float | int | None = 0.8
    min_stop_words: int | None = 2
    max_repeated_lines: float | int | None = 0.3


GOPHER = QualityRules()


def measures(text: str) -> dict[str, float | int]:
    """What the rules look at, by the name of its bound without `min_` or `max_`.

    Example:
        >>> measures("- the cat\\n- the cat\\n- and 3 dogs ...")["bullets"]
        1.0
    """
    words = text.split()
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    n_words, n_lines = max(len(words), 1), max(len(lines), 1)
    ellipses = ("…", "...")
    plain = {re.sub(r"\W", "", word).casefold() for word in words}
    n_again = sum(count - 1 for count in Counter(lines).values())
    hashes, dots = text.count("#"), sum(map(text.count, ellipses))
    return {
        "words": len(words),
        "word_length": sum(map(len, words)) / n_words,
        "symbols": max(hashes, dots) / n_words,
        "bullets": sum(line.startswith(_BULLETS) for line in lines) / n_lines,
        "ellipses": sum(line.endswith(ellipses) for line in lines) / n_lines,
        "alphabetic": sum(any(map(str.isalpha, word)) for word in words) / n_words,
        "stop_words": sum(word in plain for word in STOP_WORDS),
        "repeated_lines": n_again / n_lines,
    }


def objections(text: str, rules: QualityRules = GOPHER) -> list[str]:
    """What the rules have against a text, with what was measured; it passes if there is nothing.

    Example:
        >>> objections("the cat sat")[0]
        'words must be at least 50, got 3'
    """
    found, measured = [], measures(text)
    for name, value in measured.items():
        low = getattr(rules, f"min_{name}", None)
        high = getattr(rules, f"max_{name}", None)
        words = name.replace("_", " ")
        if low is not None and value < low:
            found.append(f"{words} must be at least {low}, got {value:.3g}")
        if high is not None and value > high:
            found.append(f"{words} must be at most {high}, got {value:.3g}")
    return found
