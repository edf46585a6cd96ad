"""Vectors for words: a table to look them up in, how to train one on raw text, and its answers.

Chapter: book/embeddings.md
"""

from collections.abc import Collection, Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lmcourse.co_occurrence import Vocabulary
from lmcourse.negative_sampling import (
    Block,
    keep_probs,
    text_blocks,
)
from lmcourse.neurons import embed

# ---------------------------------------------------------------- the table


class Embedding(nn.Module):
    """A row of numbers for each id, trained like any weight: one_hot(ids) @ table, by look-up.

    Args:
        spread: the standard deviation of the numbers it starts with.

    Example:
        >>> Embedding(vocab_size=50, d_model=8)(torch.tensor([[3, 1, 4], [1, 5, 9]])).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, vocab_size: int, d_model: int, spread: float | int = 0.1):
        super().__init__()
        check_sizes(vocab_size, d_model)
        self.table = nn.Parameter(torch.randn(vocab_size, d_model) * spread)

    def forward(self, ids: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch C"]:
        return embed(self.table, ids)


def embed_by_product(
    table: Float[Tensor, "V C"], ids: Int[Tensor, "*batch"]
) -> Float[Tensor, "*batch C"]:
    """one_hot(ids) @ table, as written: V products for each number, all but one of them with 0.

    Example:
        >>> embed_by_product(torch.tensor([[0.0, 0.5], [1.0, 1.5]]), torch.tensor([1, 0]))
        tensor([[1.0000, 1.5000],
                [0.0000, 0.5000]])
    """
    return F.one_hot(ids.long(), len(table)).to(table.dtype) @ table


def embedding_gradient(
    ids: Int[Tensor, "*batch"], gradient: Float[Tensor, "*batch C"], vocab_size: int
) -> Float[Tensor, "V C"]:
    """one_hot(ids)ᵀ @ gradient, by adding: what each use of a row says, and 0 for all other rows.

    Args:
        gradient: how fast the loss rises with what was looked up.
    """
    rows = gradient.reshape(-1, gradient.shape[-1])
    return rows.new_zeros(vocab_size, rows.shape[1]).index_add_(0, ids.reshape(-1), rows)


# ---------------------------------------------------------------- trained on neighbors


class SkipGram(nn.Module):
    """Two tables, of words as centers and as contexts; the score of a pair is a dot product.

    It learns by `negative_sampling_loss`, from `text_blocks`. At the best of that loss a score is
    how much oftener two words meet than the context comes as noise, as a logarithm, minus log k
    for k negatives (Levy and Goldberg, 2014).

    Reference: Mikolov et al. (2013), section 2, https://arxiv.org/abs/1310.4546

    Example:
        >>> from lmcourse.co_occurrence import Vocabulary
        >>> from lmcourse.negative_sampling import text_blocks
        >>> text = [["a", "cat", "sat"], ["a", "dog", "sat"]]
        >>> vocabulary = Vocabulary.count(text, min_count=1)
        >>> ids, rng = vocabulary.encode(text), torch.Generator().manual_seed(0)
        >>> block, near = next(text_blocks(ids, vocabulary.counts, rng, threshold=1, n_shared=9))
        >>> of_neighbors, of_noise = SkipGram(len(vocabulary), d_model=8)(block)
        >>> of_neighbors.shape == near.shape, of_noise.shape
        (True, torch.Size([1, 32, 9]))
    """

    def __init__(self, vocab_size: int, d_model: int):
        super().__init__()
        self.words = Embedding(vocab_size, d_model, spread=1 / d_model)
        self.contexts = Embedding(vocab_size, d_model, spread=0.0)

    @property
    def vectors(self) -> Float[Tensor, "V C"]:
        """The table that is kept, that of the words as centers."""
        return self.words.table.detach()

    def forward(self, block: Block) -> tuple[Float[Tensor, "B T S"], Float[Tensor, "B T K"]]:
        """The scores of each center with each word around it, and with each word of the noise."""
        centers = self.words(block.centers)
        around, noise = self.contexts(block.contexts), self.contexts(block.negatives)
        return centers @ around.mT, centers @ noise.T


@torch.no_grad()
def skip_gram_step(
    model: SkipGram,
    block: Block,
    near: Float[Tensor, "B T S"],
    rate: float | int,
    n_negatives: float | int = 5,
) -> None:
    """Gradient descent without autograd, in which only the rows move that were looked up.

    Autograd and an optimizer pass over both tables whole in each step, however few words are in
    it. Here each pair of a word and a neighbor moves its rows by `rate`, as in the word2vec
    program; that is plain gradient descent on `negative_sampling_loss`, at the rate times the
    number of pairs.

    Args:
        rate: for each pair. A word that comes often in a block moves by all its pairs at once, so
            that large blocks do not bear high rates.
    """
    words, contexts = model.words.table, model.contexts.table
    n_pieces, length = block.centers.shape
    n_around = block.contexts.numel()
    ids = block.centers.flatten(), torch.cat([block.contexts.flatten(), block.negatives])
    # Whole rows are fetched and added by functions for rows; general indexing is several times
    # slower, and so is `index_add_` with a factor of its own.
    centers, others = words.index_select(0, ids[0]), contexts.index_select(0, ids[1])
    pieces = centers.view(n_pieces, length, -1)
    around, noise = others[:n_around].view(n_pieces, -1, others.shape[-1]), others[n_around:]

    # Truth minus guess: 1 − σ(s) = σ(−s) for neighbors, −σ(s) for noise.
    pull = (pieces @ around.mT).neg_().sigmoid_().mul_(near).mul_(rate)
    share = near.sum(-1).mul_(-rate * n_negatives / len(noise))
    push = (centers @ noise.T).sigmoid_().mul_(share.view(-1, 1))

    by_neighbors, by_centers = pull @ around, torch.empty_like(others)
    torch.bmm(pull.mT, pieces, out=by_centers[:n_around].view_as(around))
    torch.mm(push.T, centers, out=by_centers[n_around:])
    words.index_add_(0, ids[0], by_neighbors.flatten(0, 1).addmm_(push, noise))
    contexts.index_add_(0, ids[1], by_centers)


def train_skip_gram(
    model: SkipGram,
    ids: Int[Tensor, "N"],
    counts: Int[Tensor, "V"],
    generator: torch.Generator,
    n_epochs: int = 5,
    rate: float | int = 0.08,
    threshold: float | int = 1e-3,
    window: int = 5,
) -> None:
    """Trains by `skip_gram_step`, the rate falling evenly to nothing, as in the word2vec program.

    Args:
        ids: of sentences, with BREAK after each, as `Vocabulary.encode` gives them.
        rate: to begin with. For a vocabulary of a few hundred words a lower one.
        threshold: for thinning frequent words out.

    Raises:
        FloatingPointError: the rate was too high.
    """
    # Larger steps take less time each, but bear lower rates, and so need more epochs.
    length, n_pieces = 10, 16
    # Where the average text of an epoch ends.
    kept = keep_probs(counts, threshold).to(ids.device)[ids[ids >= 0]].sum().item()
    n_steps = n_epochs * max(1.0, kept / (length * n_pieces))
    blocks = text_blocks(
        ids, counts, generator, window, n_epochs, threshold, length, n_pieces, n_shared=128
    )
    for n, (block, near) in enumerate(blocks):
        skip_gram_step(model, block, near, rate * max(1 - n / n_steps, 0.01))
    if not model.words.table.isfinite().all():
        raise FloatingPointError(f"the vectors grew without end at rate={rate}: try half of it")


class GloVe(nn.Module):
    """Two tables and two biases, w · w̃ + b + b̃, which learn the logarithm of a count.

    Reference: Pennington, Socher and Manning (2014), section 3, https://aclanthology.org/D14-1162
    """

    def __init__(self, vocab_size: int, d_model: int):
        super().__init__()
        self.words = Embedding(vocab_size, d_model)
        self.contexts = Embedding(vocab_size, d_model)
        self.word_bias = nn.Parameter(torch.zeros(vocab_size))
        self.context_bias = nn.Parameter(torch.zeros(vocab_size))

    @property
    def vectors(self) -> Float[Tensor, "V C"]:
        """w + w̃, since the two tables mean the same where counts are symmetric (section 4.2)."""
        return (self.words.table + self.contexts.table).detach()

    def forward(self, pairs: tuple[Int[Tensor, "P"], Int[Tensor, "P"]]) -> Float[Tensor, "P"]:
        """What the logarithm of each pair's count should be."""
        words, contexts = pairs
        together = (self.words(words) * self.contexts(contexts)).sum(-1)
        return together + self.word_bias[words] + self.context_bias[contexts]


def glove_weights(
    counts: Float[Tensor, "P"], x_max: float | int = 100, power: float | int = 0.75
) -> Float[Tensor, "P"]:
    """min(1, count / x_max)^power: rare pairs, which chance has made, say less.

    Args:
        x_max: from this count on all pairs weigh the same; less for a small text.

    Example:
        >>> glove_weights(torch.tensor([0.0, 1.0, 16.0, 99.0]), x_max=16)
        tensor([0.0000, 0.1250, 1.0000, 1.0000])

    Reference: Pennington, Socher and Manning (2014), equation 9, https://aclanthology.org/D14-1162
    """
    return (counts / x_max).clamp(max=1) ** power


def glove_loss(
    predicted: Float[Tensor, "P"],
    counts: Float[Tensor, "P"],
    x_max: float | int = 100,
    power: float | int = 0.75,
) -> Float[Tensor, ""]:
    """The mean of weight · (predicted − log count)², over pairs that were seen.

    Pairs that were never seen must be left out: their weight is 0, but log 0 = −∞, and 0 · ∞ is no
    number. So GloVe learns nothing from two words' never meeting.
    """
    if float(counts.min()) <= 0:
        raise ValueError(
            f"counts must be positive, got {float(counts.min()):g}: leave out what was never seen,"
            " its logarithm is −∞"
        )
    errors = predicted - counts.log()
    return (glove_weights(counts, x_max, power) * errors.square()).mean()


def counted_pairs(
    counts: Float[Tensor, "V V"], generator: torch.Generator, batch_size: int, n_epochs: int = 1
) -> Iterator[tuple[tuple[Int[Tensor, "P"], Int[Tensor, "P"]], Float[Tensor, "P"]]]:
    """Batches of pairs that were seen, and their counts, in random order.

    Args:
        counts: sparse, as `count_neighbors` gives them.
    """
    counts = counts.to_sparse().coalesce()
    (words, contexts), values = counts.indices(), counts.values()
    for _ in range(n_epochs):
        order = torch.randperm(len(values), generator=generator).to(values.device)
        for chosen in order.split(batch_size):
            yield (words[chosen], contexts[chosen]), values[chosen]


# ---------------------------------------------------------------- questions to vectors


def nearest(
    vectors: Float[Tensor, "V C"],
    vocabulary: Vocabulary,
    query: str | Float[Tensor, "C"],
    n: int = 5,
    leave_out: Collection[str] = (),
) -> list[tuple[str, float]]:
    """The n words whose vectors have the largest cosine with the query's, and the cosines.

    Args:
        query: a word, which is not its own neighbor, or a vector.

    Example:
        >>> three = Vocabulary(["cat", "dog", "car"], [3, 2, 2])
        >>> nearest(torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]]), three, "cat", n=1)
        [('car', 0.800...)]
    """
    if len(vectors) != len(vocabulary):
        raise ValueError(
            f"vectors must be one for each word, got {len(vectors)} for {len(vocabulary)} words"
        )
    left_out = [vocabulary.index(word) for word in leave_out]
    if isinstance(query, str):
        left_out.append(vocabulary.index(query))
        query = vectors[left_out[-1]]
    cosines = F.cosine_similarity(vectors, query, dim=-1)
    cosines[left_out] = -torch.inf
    best = cosines.topk(min(n, len(vocabulary) - len(set(left_out))))
    found = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [(vocabulary.words[index], cosine) for index, cosine in found]


def analogy(
    vectors: Float[Tensor, "V C"],
    vocabulary: Vocabulary,
    question: Sequence[str],
    n: int = 1,
    leave_out: bool = True,
) -> list[tuple[str, float]]:
    """As a is to b, so is c to …: the words nearest to b − a + c, each of length 1.

    Args:
        question: a, b and c.
        leave_out: the question's own words are no answers. This is usual, and it helps: without
            it the answer is mostly b or c.

    Reference: Mikolov, Yih and Zweig (2013), section 4, https://aclanthology.org/N13-1090; for the
        weakness Linzen (2016), https://arxiv.org/abs/1606.07736
    """
    a, b, c = (F.normalize(vectors[vocabulary.index(word)], dim=0) for word in question)
    return nearest(vectors, vocabulary, b - a + c, n, question if leave_out else ())


def analogy_accuracy(
    vectors: Float[Tensor, "V C"],
    vocabulary: Vocabulary,
    questions: Collection[Sequence[str]],
    leave_out: bool = True,
) -> float:
    """The share of questions (a, b, c, d) whose first answer is d."""
    answers = [analogy(vectors, vocabulary, row[:3], 1, leave_out)[0][0] for row in questions]
    return _share([row[3] == answer for row, answer in zip(questions, answers, strict=True)])


def triple_accuracy(
    vectors: Float[Tensor, "V C"], vocabulary: Vocabulary, triples: Collection[Sequence[str]]
) -> float:
    """The share of triples (word, one of its class, one of another) whose first two are closer."""
    ids = torch.tensor([[vocabulary.index(word) for word in triple] for triple in triples])
    word, same, other = F.normalize(vectors, dim=-1)[ids.to(vectors.device)].unbind(1)
    return _share(((word * same).sum(-1) > (word * other).sum(-1)).tolist())


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right)


# ---------------------------------------------------------------- checks


def check_sizes(vocab_size: int, d_model: int) -> None:
    """Refuses a table without rows or columns."""
    if vocab_size < 1 or d_model < 1:
        raise ValueError(
            f"vocab_size and d_model must be at least 1, got vocab_size={vocab_size},"
            f" d_model={d_model}"
        )
