"""Which language is a text in? Runs of characters and how often each language has them.

Chapter: book/data.md
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lmcourse.duplicates import normalize


class Detected(NamedTuple):
    """The likeliest language, and the chance that it is this one if it is one of those known."""

    language: str
    chance: float


def runs(text: str, n: int = 3) -> list[str]:
    """All runs of one to n characters, the spaces around words among them.

    Example:
        >>> runs("Le a", 2)
        [' ', 'l', 'e', ' ', 'a', ' ', ' l', 'le', 'e ', ' a', 'a ']
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got n={n}")
    padded = f" {normalize(text)} "
    return [padded[i : i + k] for k in range(1, n + 1) for i in range(len(padded) - k + 1)]


class LanguageDetector:
    """A naive Bayes over runs of characters: p(language | text) as if all runs were independent.

    They are not, so its chances are too sure: they rank, and do not say how often it is right.

    Args:
        texts: of each language, by its name.
        n: the longest runs.
        smoothing: added to each count, so that a run that was never seen does not decide alone.

    Example:
        >>> detector = LanguageDetector({"en": ["the cat sat"], "de": ["die katze saß"]})
        >>> detector.detect("the hat").language
        'en'

    Reference: Dunning (1994), Statistical identification of language; by ranks of the same runs
        Cavnar and Trenkle (1994), N-gram-based text categorization.
    """

    def __init__(
        self, texts: Mapping[str, Iterable[str]], n: int = 3, smoothing: float | int = 0.5
    ):
        if len(texts) < 2:
            raise ValueError(f"texts must be of at least two languages, got {list(texts)}")
        if not smoothing > 0:
            raise ValueError(f"smoothing must be above 0, got smoothing={smoothing}")
        self.n = n
        counts = {
            name: Counter(run for text in some for run in runs(text, n))
            for name, some in texts.items()
        }
        known = set().union(*counts.values())
        self._log_probs = {}
        for name, each in counts.items():
            if len(each) <= 1:
                raise ValueError(f"texts must have characters of each language, got none of {name}")
            total = sum(each.values()) + smoothing * (len(known) + 1)
            unseen = math.log(smoothing / total)
            # What no language has is left out of a text: it could only favor the shortest one.
            table = {run: math.log((each[run] + smoothing) / total) for run in each}
            self._log_probs[name] = table, unseen
        self._known = known

    def log_likelihoods(self, text: str) -> dict[str, float]:
        """log p(text | language) of each, up to what is the same for all."""
        found = [run for run in runs(text, self.n) if run in self._known]
        return {
            name: sum(table.get(run, unseen) for run in found)
            for name, (table, unseen) in self._log_probs.items()
        }

    def chances(self, text: str) -> dict[str, float]:
        """p(language | text), all languages being equally likely before."""
        logs = self.log_likelihoods(text)
        most = max(logs.values())
        odds = {name: math.exp(value - most) for name, value in logs.items()}
        total = sum(odds.values())
        return {name: each / total for name, each in odds.items()}

    def detect(self, text: str) -> Detected:
        """The likeliest language; of equals the one that was named first."""
        chances = self.chances(text)
        best = max(chances, key=chances.__getitem__)
        return Detected(best, chances[best])
