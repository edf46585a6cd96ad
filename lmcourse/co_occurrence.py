"""Words beside words: a vocabulary, pairs in a window, their counts, and vectors from counts alone.

Chapter: book/embeddings.md
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

BREAK = -1  # among ids: here a sentence ends, and no window reaches across
_WORD = re.compile(r"[^\W\d]\w*")
_Ids = Int[Tensor, "P"]


# ---------------------------------------------------------------- words


def words_of(text: str) -> list[str]:
    """The words of a text in lower case: letters, then letters, digits and underscores.

    Example:
        >>> words_of("A set, e.g. {1, x2}, has no __getitem__().")
        ['a', 'set', 'e', 'g', 'x2', 'has', 'no', '__getitem__']
    """
    return _WORD.findall(text.lower())


class Vocabulary:
    """Words with a number each, and how often each was seen; frequent words come first.

    Args:
        words: each once.
        counts: for each word.

    Example:
        >>> vocabulary = Vocabulary.count([["a", "cat"], ["a", "dog"], ["a", "cat"]], min_count=2)
        >>> vocabulary.words, vocabulary.encode([["a", "dog"], ["cat"]])
        (['a', 'cat'], tensor([ 0, -1,  1, -1]))
    """

    def __init__(self, words: Sequence[str], counts: Sequence[int]):
        if len(words) != len(counts):
            raise ValueError(
                f"words and counts must be equally many, got {len(words)} and {len(counts)}"
            )
        self.words, self.counts = list(words), torch.tensor(counts, dtype=torch.long)
        self._ids = {word: index for index, word in enumerate(self.words)}
        if len(self._ids) < len(self.words):
            twice = next(word for word, n in Counter(self.words).items() if n > 1)
            raise ValueError(f"words must be different, got {twice!r} more than once")

    @classmethod
    def count(cls, sentences: Iterable[Sequence[str]], min_count: int = 5) -> "Vocabulary":
        """The words that occur at least `min_count` times; of equally frequent ones in order."""
        counts = Counter(word for sentence in sentences for word in sentence)
        kept = [(word, n) for word, n in counts.items() if n >= min_count]
        if not kept:
            most = max(counts.values(), default=0)
            raise ValueError(
                f"min_count must leave a word, got min_count={min_count}, and the most frequent"
                f" of {len(counts)} words occurs {most} times"
            )
        kept.sort(key=lambda item: (-item[1], item[0]))
        return cls(*zip(*kept, strict=True))

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def index(self, word: str) -> int:
        """The number of a word."""
        if word not in self._ids:
            raise ValueError(f"word must be one of the {len(self)} known ones, got word={word!r}")
        return self._ids[word]

    def encode(self, sentences: Iterable[Sequence[str]]) -> Int[Tensor, "N"]:
        """The ids of all sentences in a row, BREAK after each; unknown words are left out.

        So the words around an unknown one become neighbors, as in the word2vec program.
        """
        ids = []
        for sentence in sentences:
            ids += [self._ids[word] for word in sentence if word in self._ids]
            ids.append(BREAK)
        return torch.tensor(ids, dtype=torch.long)


# ---------------------------------------------------------------- pairs and counts


def window_pairs(ids: Int[Tensor, "N"], window: int) -> tuple[_Ids, _Ids, _Ids]:
    """All words that stand at most `window` words apart in a sentence: center, context, distance.

    Each pair comes twice, either word being the center once.

    Args:
        ids: of sentences, with BREAK after each, as `Vocabulary.encode` gives them.

    Example:
        >>> centers, contexts, _ = window_pairs(torch.tensor([5, 6, 7, BREAK, 8]), window=1)
        >>> centers.tolist(), contexts.tolist()
        ([5, 6, 6, 7], [6, 7, 5, 6])
    """
    columns = [torch.cat(column) for column in zip(*_pairs_at(ids, window), strict=True)]
    return columns[0], columns[1], columns[2]


def _pairs_at(ids: Tensor, window: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The same for one distance after the other."""
    if window < 1:
        raise ValueError(f"window must be at least 1, got window={window}")
    sentences, words = split_sentences(ids)
    for distance in range(1, window + 1):
        together = sentences[distance:] == sentences[:-distance]
        left, right = words[:-distance][together], words[distance:][together]
        centers, contexts = torch.cat([left, right]), torch.cat([right, left])
        yield centers, contexts, torch.full_like(centers, distance)


def split_sentences(ids: Int[Tensor, "N"]) -> tuple[Int[Tensor, "M"], Int[Tensor, "M"]]:
    """For each word, the number of its sentence, and its id: ids without the breaks."""
    real = ids != BREAK
    return (~real).cumsum(0)[real], ids[real]


def count_neighbors(
    ids: Int[Tensor, "N"], vocab_size: int, window: int, by_distance: bool = True
) -> Float[Tensor, "V V"]:
    """How often each word stood near each other word: a sparse tensor, which holds no zeros.

    Args:
        ids: of sentences, with BREAK after each.
        by_distance: words d places apart count 1/d, as in GloVe; if False, each pair counts 1.

    Example:
        >>> count_neighbors(torch.tensor([0, 1, 2]), vocab_size=3, window=2).to_dense()
        tensor([[0.0000, 1.0000, 0.5000],
                [1.0000, 0.0000, 1.0000],
                [0.5000, 1.0000, 0.0000]])

    Reference: Pennington, Socher and Manning (2014), section 4.2, https://aclanthology.org/D14-1162
    """
    check_words(ids, vocab_size)
    none = torch.empty(2, 0, dtype=torch.long, device=ids.device)
    counts = _sparse(none, torch.empty(0, device=ids.device), (vocab_size, vocab_size))
    for centers, contexts, distances in _pairs_at(ids, window):
        weights = 1 / distances if by_distance else torch.ones(distances.shape, device=ids.device)
        # One distance after the other, so that what is held grows with the table, not the text.
        counts = (
            counts + _sparse(torch.stack([centers, contexts]), weights, counts.shape)
        ).coalesce()
    return counts


def check_words(ids: Int[Tensor, "N"], vocab_size: int) -> None:
    """Refuses ids that are neither words nor BREAK."""
    if len(ids) and not BREAK <= int(ids.min()) <= int(ids.max()) < vocab_size:
        worst = int(ids.max()) if int(ids.min()) >= BREAK else int(ids.min())
        raise ValueError(
            f"ids must lie in 0…{vocab_size - 1}, or be {BREAK} where a sentence ends, got {worst}:"
            " were they made by another vocabulary?"
        )


def _sparse(indices: Tensor, values: Tensor, shape: Sequence[int]) -> Tensor:
    return torch.sparse_coo_tensor(indices, values, shape, check_invariants=True).coalesce()


# ---------------------------------------------------------------- vectors from counts


def ppmi(
    counts: Float[Tensor, "V V"], power: float | int = 1, shift: float | int = 0
) -> Float[Tensor, "V V"]:
    """max(0, log p(w, c) / (p(w) p(c)) − shift): how much oftener than by chance; sparse, too.

    Pairs that were never seen have log 0 = −∞, and so 0: they need no place in the table.

    Args:
        power: contexts are drawn in proportion to their count to this power, for p(c). With 0.75
            rare contexts are no longer as surprising.
        shift: log k makes it what skip-gram with k negatives approximates.

    Reference: Levy and Goldberg (2014), section 4,
        https://papers.nips.cc/paper/5477-neural-word-embedding-as-implicit-matrix-factorization;
        for the power, Levy, Goldberg and Dagan (2015), section 3.2,
        https://aclanthology.org/Q15-1016
    """
    counts = counts.to_sparse().coalesce()
    (rows, columns), values = counts.indices(), counts.values()
    if not len(values) or float(values.min()) < 0:
        least = float(values.min()) if len(values) else 0
        raise ValueError(f"counts must be positive, one at least, got a least of {least:g}")
    of_words, of_contexts = (
        torch.zeros(n, dtype=values.dtype, device=values.device).index_add_(0, index, values)
        for n, index in zip(counts.shape, (rows, columns), strict=True)
    )
    chances = of_contexts**power / (of_contexts**power).sum()
    surprise = (values / (of_words[rows] * chances[columns])).log() - shift
    above = surprise > 0
    return _sparse(torch.stack([rows[above], columns[above]]), surprise[above], counts.shape)


def truncated_svd(
    matrix: Float[Tensor, "M N"], rank: int, generator: torch.Generator, n_rounds: int = 7
) -> tuple[Float[Tensor, "M K"], Float[Tensor, "K"], Float[Tensor, "N K"]]:
    """U, S, V of the `rank` largest singular values: of such a rank, U diag(S) Vᵀ is nearest.

    Random directions are multiplied by the matrix and its transpose, again and again, until they
    span what the largest values stretch; the small rest is decomposed exactly.

    Args:
        matrix: dense or sparse.
        generator: draws the directions; on the CPU.
        n_rounds: more of them where the values fall slowly.

    Reference: Halko, Martinsson and Tropp (2011), algorithms 4.4 and 5.1,
        https://doi.org/10.1137/090771806
    """
    most = min(matrix.shape)
    if not 1 <= rank <= most:
        raise ValueError(f"rank must lie in 1…{most}, got rank={rank} for {tuple(matrix.shape)}")
    width = min(most, rank + 10)  # a few more than asked for, so that the last is right, too
    start = torch.randn(matrix.shape[1], width, generator=generator, dtype=matrix.dtype)
    basis = torch.linalg.qr(matrix @ start.to(matrix.device)).Q
    for _ in range(n_rounds):
        basis = torch.linalg.qr(matrix.T @ basis).Q
        basis = torch.linalg.qr(matrix @ basis).Q
    # B = Qᵀ A, from its transpose: a sparse matrix stands on the left of a product.
    right, values, left = torch.linalg.svd(matrix.T @ basis, full_matrices=False)
    return basis @ left.T[:, :rank], values[:rank], right[:, :rank]


def svd_vectors(
    matrix: Float[Tensor, "V V"], d_model: int, generator: torch.Generator, power: float | int = 0.5
) -> Float[Tensor, "V C"]:
    """U diag(S)^power, a vector for each word: mostly of what `ppmi` gives.

    Args:
        power: 1 keeps the distances of the table's rows, 0 makes all directions count alike; 0.5
            lies between, and does best in most tests.

    Reference: Levy, Goldberg and Dagan (2015), section 3.3, https://aclanthology.org/Q15-1016
    """
    left, values, _ = truncated_svd(matrix, d_model, generator)
    return left * values**power
