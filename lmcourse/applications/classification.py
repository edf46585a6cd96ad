"""Which class a text belongs to: counted words, averaged words, words in their order.

Chapter: book/classification.md
"""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lmcourse.data import pad_batch
from lmcourse.metrics import ngrams
from lmcourse.modes import mode
from lmcourse.neurons import embed, softmax
from lmcourse.positions import sinusoidal_positions
from lmcourse.tokenizers import Tokenizer
from lmcourse.transformer import EncoderBlock

Labeled = tuple[str, int]
Text = Sequence[Hashable] | Tensor  # tokens, or ids


class NaiveBayes:
    """argmax over classes c of log p(c) + Σ log p(feature | c), with counts for probabilities.

    Args:
        n: features are the tokens, and for n = 2 also the pairs of neighbors, and so on.
        smoothing: added to each count, so that a feature not seen with a class does not forbid it.

    Example:
        >>> model = NaiveBayes().fit([["good"], ["good", "fun"], ["bad"]], [1, 1, 0])
        >>> model.predict([["good"], ["bad", "bad"]])
        [1, 0]

    Reference: Manning, Raghavan and Schütze (2008), Introduction to Information Retrieval, ch. 13
    """

    def __init__(self, n: int = 1, smoothing: float = 1.0):
        if n < 1 or smoothing <= 0:
            raise ValueError(
                f"n must be at least 1 and smoothing above 0, got n={n}, smoothing={smoothing}"
            )
        self.n, self.smoothing = n, smoothing

    def fit(self, texts: Sequence[Text], labels: Sequence[int] | Int[Tensor, "N"]) -> "NaiveBayes":
        """Counts the features of each class."""
        labels = labels.tolist() if isinstance(labels, Tensor) else labels
        if not len(texts) or len(texts) != len(labels):
            raise ValueError(
                "texts and labels must be as many, and at least one, got"
                f" {len(texts)} and {len(labels)}"
            )
        self.classes = sorted(set(labels))
        self.n_texts = Counter(labels)
        self.counts: dict[int, Counter] = {label: Counter() for label in self.classes}
        for text, label in zip(texts, labels, strict=True):
            self.counts[label].update(features(text, self.n))
        self.known = set().union(*self.counts.values())
        return self

    def predict(self, texts: Sequence[Text]) -> list[int]:
        """The likelier class of each text; what was never seen with any class counts for none."""
        return [max(self.classes, key=lambda c, text=text: self._score(text, c)) for text in texts]

    def _score(self, text: Text, label: int) -> float:
        counts = self.counts[label]
        total = counts.total() + self.smoothing * len(self.known)
        score = math.log(self.n_texts[label] / self.n_texts.total())
        for feature in features(text, self.n):
            if feature in self.known:
                score += math.log((counts[feature] + self.smoothing) / total)
        return score


class LogisticRegression:
    """p(1 | text) = σ(b + Σ w[feature]): one weight for each feature, fitted and not counted.

    What is made small is the surprise about the labels, −Σ log p(label | text), and half of
    `penalty` times the squares of the weights. There is one smallest place, and it is found.

    Args:
        n: features are the tokens, and for n = 2 also the pairs of neighbors, and so on.
        penalty: more of it keeps the weights nearer to 0; scikit-learn calls 1 / penalty C.

    Example:
        >>> model = LogisticRegression().fit([["good"], ["good", "fun"], ["bad"]], [1, 1, 0])
        >>> model.predict([["good"], ["bad", "bad"]])
        [1, 0]

    Reference: Jurafsky and Martin, Speech and Language Processing, chapter on logistic regression
    """

    def __init__(self, n: int = 1, penalty: float = 1.0):
        if n < 1 or penalty <= 0:
            raise ValueError(
                f"n must be at least 1 and penalty above 0, got n={n}, penalty={penalty}"
            )
        self.n, self.penalty = n, penalty

    def fit(
        self,
        texts: Sequence[Text],
        labels: Sequence[int] | Int[Tensor, "N"],
        importance: Float[Tensor, "N"] | None = None,
    ) -> "LogisticRegression":
        """Finds the weights.

        Args:
            importance: how much each text counts; all alike if None.
        """
        labels = torch.as_tensor(labels)
        if not len(texts) or len(texts) != len(labels) or labels.unique().tolist() != [0, 1]:
            raise ValueError(
                "labels must be 0 and 1, both of them, one for each text, got"
                f" {labels.unique().tolist()}, {len(labels)} for {len(texts)} texts"
            )
        known = dict.fromkeys(f for text in texts for f in features(text, self.n))
        self.index = {feature: place for place, feature in enumerate(known)}
        # In float64: the last digits decide where the descent ends.
        self.weight = torch.zeros(len(known), dtype=torch.double, requires_grad=True)
        self.bias = torch.zeros((), dtype=torch.double, requires_grad=True)
        places, sign = self._places(texts), 2 * labels.double() - 1
        optimizer = torch.optim.LBFGS(
            [self.weight, self.bias],
            max_iter=300,
            tolerance_grad=1e-5,
            tolerance_change=1e-9,
            line_search_fn="strong_wolfe",
        )

        def loss() -> Tensor:
            optimizer.zero_grad()
            surprise = -nn.functional.logsigmoid(sign * self._logits(places))
            surprise = surprise if importance is None else surprise * importance
            total = surprise.sum() + self.penalty / 2 * self.weight.square().sum()
            total.backward()
            return total

        optimizer.step(loss)
        self.weight, self.bias = self.weight.detach(), self.bias.detach()
        return self

    def probabilities(self, texts: Sequence[Text]) -> Float[Tensor, "N"]:
        """p(1 | text) for each text; what was never seen in training counts for nothing."""
        return self._logits(self._places(texts)).sigmoid()

    def predict(self, texts: Sequence[Text]) -> list[int]:
        """The likelier class of each text."""
        return (self.probabilities(texts) > 0.5).int().tolist()

    def weights_of(self, text: Text) -> list[float]:
        """What each token adds to the logit, 0 if it was never seen."""
        known = [self.index.get(feature) for feature in features(text, 1)]
        return [0.0 if place is None else self.weight[place].item() for place in known]

    def _logits(self, places: tuple[Tensor, Tensor, int]) -> Tensor:
        features, text, n_texts = places
        zeros = torch.zeros(n_texts, dtype=torch.double)
        return zeros.index_add(0, text, self.weight[features]) + self.bias

    def _places(self, texts: Sequence[Text]) -> tuple[Tensor, Tensor, int]:
        """Each known feature, beside the number of the text that it stands in."""
        pairs = [
            (self.index[feature], number)
            for number, text in enumerate(texts)
            for feature in features(text, self.n)
            if feature in self.index
        ]
        columns = torch.tensor(pairs, dtype=torch.long).view(-1, 2)
        return columns[:, 0], columns[:, 1], len(texts)


def features(text: Text, n: int) -> Iterator[tuple[Hashable, ...]]:
    """The tokens, and for n = 2 also the pairs of neighbors, and so on."""
    for length in range(1, n + 1):
        yield from ngrams(text, length)


class MeanClassifier(nn.Module):
    """A class for each text: its logits, from the mean of its tokens' vectors, blind to order."""

    def __init__(self, vocab_size: int, n_classes: int, d_model: int, dropout: float = 0.0):
        super().__init__()
        self.embedding = nn.Parameter(0.1 * torch.randn(vocab_size, d_model))
        self.hidden, self.dropout = nn.Linear(d_model, d_model), nn.Dropout(dropout)
        self.head = nn.Linear(d_model, n_classes)

    def forward(
        self, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B n_classes"]:
        x = mean_pooling(self.dropout(embed(self.embedding, ids)), mask)
        return self.head(self.dropout(torch.relu(self.hidden(x))))


class TransformerClassifier(nn.Module):
    """A class for each text: its logits, from the mean of what the encoder says of each token."""

    def __init__(
        self,
        vocab_size: int,
        n_classes: int,
        d_model: int,
        n_heads: int,
        n_layers: int,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.embedding = nn.Parameter(0.1 * torch.randn(vocab_size, d_model))
        blocks = (EncoderBlock(d_model, n_heads, dropout=dropout) for _ in range(n_layers))
        self.blocks, self.norm = nn.ModuleList(blocks), nn.LayerNorm(d_model)
        self.head, self.dropout = nn.Linear(d_model, n_classes), nn.Dropout(dropout)

    def forward(
        self, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B n_classes"]:
        x = embed(self.embedding, ids)
        # Of the size of the embedding's numbers, or the words would drown in their places.
        positions = 0.1 * sinusoidal_positions(ids.shape[1], x.shape[2]).to(x)
        x = self.dropout(x + positions)
        for block in self.blocks:
            x = block(x, None if mask is None else mask[:, None])
        return self.head(self.dropout(self.norm(mean_pooling(x, mask))))


def mean_pooling(
    x: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T"] | None = None
) -> Float[Tensor, "B C"]:
    """The mean over the real positions; zeros for a text without any."""
    if mask is None:
        return x.mean(1)
    return (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp_min(1)


def collate_texts(
    tokenizer: Tokenizer,
) -> Callable[[list[Labeled]], tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"], Int[Tensor, "B"]]]:
    """For `train`: makes of texts with labels a batch (ids, mask, labels)."""

    def collate(examples: list[Labeled]) -> tuple[Tensor, Tensor, Tensor]:
        ids, mask = pad_batch([tokenizer.encode(text) for text, _ in examples])
        return ids, mask, torch.tensor([label for _, label in examples])

    return collate


def classify(
    model: nn.Module, tokenizer: Tokenizer, texts: Sequence[str], batch_size: int = 64
) -> Float[Tensor, "N n_classes"]:
    """The probability of each class for each text."""
    device = next(model.parameters()).device
    probs = []
    with mode(model, training=False), torch.no_grad():
        for start in range(0, len(texts), batch_size):
            batch = [tokenizer.encode(text) for text in texts[start : start + batch_size]]
            ids, mask = pad_batch(batch)
            probs.append(softmax(model(ids.to(device), mask.to(device))).cpu())
    if not probs:
        raise ValueError("texts must be at least one, got none")
    return torch.cat(probs)
