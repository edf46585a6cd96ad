"""Skip-gram beside gensim's, each for as long as it takes to the same loss on text held out."""

from benchmarks.runner import Row
from lmcourse.beside_gensim import Text, docs, gensims, ours

# Epochs and rate by `lmcourse.beside_gensim.search`: the same loss of the part held out.
GENSIM, OURS = (5, 0.1), (5, 0.12)


def rows(text: Text | None = None) -> list[Row]:
    """Both with one thread, the same width, window, negatives, noise and thinning out."""
    text = docs() if text is None else text
    return [
        Row(
            work="skip-gram on Python's documentation, to the same loss",
            ours=lambda: ours(text, *OURS, seed=0),
            peer=lambda: gensims(text, *GENSIM, seed=0),
            peer_name="Word2Vec of gensim",
            goal=0.65,
        )
    ]
