"""Negative sampling: words that stand together, told from words drawn at random.

Chapter: book/embeddings.md
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from lmcourse.co_occurrence import check_words, split_sentences

# ---------------------------------------------------------------- the loss


def negative_sampling_loss(
    scores: tuple[Float[Tensor, "*batch T S"], Float[Tensor, "*batch T K"]],
    near: Float[Tensor, "*batch T S"],
    n_negatives: float | int = 5,
) -> Float[Tensor, ""]:
    """−log σ(score) of neighbors, −log σ(−score) of noise: in nats, for each pair of neighbors.

    Args:
        scores: of each center with each word around it, and with each word of the noise.
        near: how much each of the pairs counts; 0 for words that are no neighbors.
        n_negatives: how many words of the noise each pair is set against. All K of them share this
            weight: their mean stands for what so many draws give on average.

    Reference: Mikolov et al. (2013), equation 4, https://arxiv.org/abs/1310.4546
    """
    of_neighbors, of_noise = scores
    together = (near * F.softplus(-of_neighbors)).sum()
    apart = (near.sum(-1) * F.softplus(of_noise).mean(-1)).sum()
    return (together + n_negatives * apart) / _n_pairs(near)


def negative_sampling_gradients(
    scores: tuple[Float[Tensor, "*batch T S"], Float[Tensor, "*batch T K"]],
    near: Float[Tensor, "*batch T S"],
    n_negatives: float | int = 5,
) -> tuple[Float[Tensor, "*batch T S"], Float[Tensor, "*batch T K"]]:
    """How fast that loss rises with each score: the guess, minus 1 for neighbors and 0 for noise.

    The arguments are those of `negative_sampling_loss`.
    """
    of_neighbors, of_noise = scores
    share = n_negatives / of_noise.shape[-1] / _n_pairs(near)
    at_neighbors = near * (of_neighbors.sigmoid() - 1) / _n_pairs(near)
    return at_neighbors, share * near.sum(-1, keepdim=True) * of_noise.sigmoid()


def _n_pairs(near: Tensor) -> Tensor:
    """At least a little: words that are all alone have a loss of 0."""
    return near.sum().clamp(min=1e-6)


# ---------------------------------------------------------------- which words, how often


def keep_probs(counts: Int[Tensor, "V"], threshold: float | int = 1e-3) -> Float[Tensor, "V"]:
    """min(1, √(threshold / share of the text)): how likely an occurrence is kept in an epoch.

    Args:
        threshold: words that are a smaller share of the text than this are always kept.

    Reference: Mikolov et al. (2013), equation 5, https://arxiv.org/abs/1310.4546
    """
    if not threshold > 0:
        raise ValueError(f"threshold must be positive, got threshold={threshold}")
    return (threshold * counts.sum() / counts).sqrt().clamp(max=1)


def subsample(
    ids: Int[Tensor, "N"],
    counts: Int[Tensor, "V"],
    generator: torch.Generator,
    threshold: float | int = 1e-3,
) -> Int[Tensor, "M"]:
    """The ids without most occurrences of frequent words; what stood around them moves closer.

    Args:
        ids: of sentences, with BREAK after each; the breaks stay.
        generator: draws what is kept; on the CPU.
    """
    check_words(ids, len(counts))
    probs = keep_probs(counts, threshold).to(ids.device)
    always = F.pad(probs, (0, 1), value=1.0)  # BREAK is −1: the last
    return ids[torch.rand(len(ids), generator=generator).to(ids.device) < always[ids]]


def noise_probs(counts: Int[Tensor, "V"], power: float | int = 0.75) -> Float[Tensor, "V"]:
    """count^power, made to sum to 1: how likely each word is drawn as noise.

    Reference: Mikolov et al. (2013), section 2.2, https://arxiv.org/abs/1310.4546
    """
    weights = counts.float() ** power
    return weights / weights.sum()


# ---------------------------------------------------------------- blocks of text


class Block(NamedTuple):
    """Pieces of a text, (B, T) centers in the midst of (B, S) words, and K words of noise.

    S is T and a window at either side.
    """

    centers: Int[Tensor, "B T"]
    contexts: Int[Tensor, "B S"]
    negatives: Int[Tensor, "K"]


def neighbor_weights(sentences: Int[Tensor, "B S"], window: int) -> Float[Tensor, "B T S"]:
    """How much each center counts with each word: 1 for the next, down to 1/window; 0 beyond.

    In the word2vec program each center looks a random 1…window words far; this is how often it
    sees each of them on average.

    Args:
        sentences: in which each word stands; the first and last `window` words are no centers.

    Example:
        >>> neighbor_weights(torch.tensor([[0, 0, 0, 1, 1, 1]]), window=2)
        tensor([[[0.5000, 1.0000, 0.0000, 0.0000, 0.0000, 0.0000],
                 [0.0000, 0.0000, 0.0000, 0.0000, 1.0000, 0.5000]]])
    """
    if window < 1:
        raise ValueError(f"window must be at least 1, got window={window}")
    places = torch.arange(sentences.shape[1], device=sentences.device)
    distances = (places[window : len(places) - window, None] - places).abs()
    weights = ((window + 1 - distances) / window).clamp(min=0) * (distances > 0)
    same = sentences[:, window : len(places) - window, None] == sentences[:, None]
    return weights.where(same, 0)


def text_blocks(
    ids: Int[Tensor, "N"],
    counts: Int[Tensor, "V"],
    generator: torch.Generator,
    window: int = 5,
    n_epochs: int = 1,
    threshold: float | int = 1e-3,
    length: int = 32,
    batch_size: int = 64,
    n_shared: int = 256,
) -> Iterator[tuple[Block, Float[Tensor, "B T S"]]]:
    """A text as batches of blocks, and who is near whom in each: every word is a center once.

    A block is multiplied with itself at once, its neighbors being a band of the product, and with
    one set of noise: that is as exact as pair after pair, and many times faster.

    Args:
        ids: of sentences, with BREAK after each, as `Vocabulary.encode` gives them.
        counts: of each word; frequent ones are thinned out (`subsample`), anew in each epoch.
        generator: draws what is kept, the order and the noise; on the CPU.
        length: T, the centers of a block.
        batch_size: B, in blocks.
        n_shared: K, the words of noise of a batch.
    """
    for name, value in {"length": length, "batch_size": batch_size, "n_shared": n_shared}.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {name}={value}")
    noise = noise_probs(counts)
    for _ in range(n_epochs):
        contexts, sentences = _cut(subsample(ids, counts, generator, threshold), window, length)
        for chosen in torch.randperm(len(contexts), generator=generator).split(batch_size):
            drawn = torch.multinomial(noise, n_shared, replacement=True, generator=generator)
            chosen = chosen.to(ids.device)
            words = contexts.index_select(0, chosen)
            near = neighbor_weights(sentences.index_select(0, chosen), window)
            yield Block(words[:, window:-window], words, drawn.to(ids.device)), near


def _cut(ids: Tensor, window: int, length: int) -> tuple[Tensor, Tensor]:
    """Overlapping pieces of a text, as words and as the numbers of their sentences."""
    if window < 1:
        raise ValueError(f"window must be at least 1, got window={window}")
    sentences, words = split_sentences(ids)
    if not len(words):
        raise ValueError("ids must hold words, got none: use a higher threshold or a longer text")
    right = window + -len(words) % length
    # Padding is in no sentence, not even in one with other padding, and so nobody's neighbor.
    alone = -1 - torch.arange(window + right, device=ids.device)
    sentences = torch.cat([alone[:window], sentences, alone[window:]])
    size = length + 2 * window
    return F.pad(words, (window, right)).unfold(0, size, length), sentences.unfold(0, size, length)
