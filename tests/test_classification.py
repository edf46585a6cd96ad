"""lmcourse.applications.classification: counted by hand, blind and not blind to order."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.applications.classification import (
    LogisticRegression,
    MeanClassifier,
    NaiveBayes,
    TransformerClassifier,
    classify,
    collate_texts,
    features,
    mean_pooling,
)
from lmcourse.corpora import generate_corpus
from lmcourse.recurrent import LSTM, RecurrentClassifier
from lmcourse.tokenizers import WordTokenizer
from lmcourse.training import TrainingConfig, train

NEGATIONS = {"not", "never", "hardly"}

# ---------------------------------------------------------------- naive Bayes


def test_naive_bayes_by_hand():
    model = NaiveBayes().fit([["good", "fun"], ["good"], ["bad"]], [1, 1, 0])
    # Three words are known: p(1) = 2/3, p(good | 1) = (2 + 1) / (3 + 3);
    # and p(0) = 1/3, p(good | 0) = (0 + 1) / (1 + 3).
    assert math.isclose(model._score(["good"], 1), math.log(2 / 3 * 3 / 6))
    assert math.isclose(model._score(["good"], 0), math.log(1 / 3 * 1 / 4))
    assert math.isclose(model._score(["new", "good"], 1), math.log(2 / 3 * 3 / 6)), (
        "new says nothing"
    )
    assert model.predict([["good"], ["bad", "bad"], []]) == [1, 0, 1]


def test_pairs_of_words_see_what_single_words_cannot():
    texts = [t.split() for t in ("not bad", "not good", "good", "bad")]
    labels = [1, 0, 1, 0]
    assert NaiveBayes(n=2).fit(texts, labels).predict(texts[:2]) == [1, 0]
    one_by_one = NaiveBayes(n=1).fit(texts, labels).predict(texts[:2])
    assert one_by_one[0] == one_by_one[1], "each word was seen as often with either class"


@given(
    rows=st.lists(
        st.tuples(st.lists(st.sampled_from("abcd"), max_size=6), st.integers(0, 2)),
        min_size=3,
        max_size=12,
    ).filter(lambda rows: any(text for text, _ in rows))
)
def test_naive_bayes_is_a_linear_classifier_of_counts(rows):
    """The same in matrices: log p(c) + counts · log p(word | c)."""
    texts, labels = [list(x) for x in zip(*rows, strict=True)]
    known = sorted({word for text in texts for word in text})
    classes = sorted(set(labels))
    counts = torch.tensor([[text.count(word) for word in known] for text in texts]).double()
    of_class = torch.tensor([[label == c for c in classes] for label in labels]).double()
    in_class = of_class.T @ counts + 1
    expected = of_class.mean(0).log() + counts @ (in_class / in_class.sum(1, keepdim=True)).log().T
    model = NaiveBayes().fit(texts, labels)
    actual = [[model._score(text, label) for label in model.classes] for text in texts]
    torch.testing.assert_close(torch.tensor(actual, dtype=torch.double), expected)


def test_naive_bayes_refusals():
    with pytest.raises(ValueError, match=r"at least one, got 2 and 1"):
        NaiveBayes().fit([["a"], ["b"]], [1])
    with pytest.raises(ValueError, match=r"at least one, got 0 and 0"):
        NaiveBayes().fit([], [])
    with pytest.raises(ValueError, match=r"got n=0, smoothing=1.0"):
        NaiveBayes(n=0)


# ---------------------------------------------------------------- logistic regression


def test_logistic_regression_by_hand():
    # One word praises, one pans. By symmetry b = 0 and the weights are w and −w, and the slope
    # λ w − σ(−w) vanishes: with λ = σ(−1) it does so at w = 1.
    penalty = 1 / (1 + math.e)
    model = LogisticRegression(penalty=penalty).fit([["good"], ["bad"]], [1, 0])
    assert model.weights_of(["good", "bad", "new"]) == pytest.approx([1, -1, 0], abs=1e-4)
    assert model.bias.item() == pytest.approx(0, abs=1e-5)
    probs = model.probabilities([["good", "good"], ["new"]])
    assert probs.tolist() == pytest.approx([1 / (1 + math.exp(-2)), 0.5], abs=1e-4)
    assert model.predict([["good"], ["bad"], []]) == [1, 0, 0]


@pytest.mark.parametrize("n", [1, 2])
def test_at_the_best_weights_nothing_pulls(n):
    """The gradient, written down in matrices of counts, is zero."""
    dice = torch.Generator().manual_seed(n)
    texts = [["abcd"[i] for i in torch.randint(4, (6,), generator=dice)] for _ in range(40)]
    labels = torch.randint(2, (40,), generator=dice)
    importance = 1 + torch.rand(40, generator=dice, dtype=torch.double)
    model = LogisticRegression(n, penalty=0.7).fit(texts, labels, importance)
    counts = torch.tensor(
        [[list(features(text, n)).count(f) for f in model.index] for text in texts]
    ).double()
    missing = (counts @ model.weight + model.bias).sigmoid() - labels
    slope = counts.T @ (importance * missing) + 0.7 * model.weight
    assert slope.abs().max() < 1e-3
    assert (importance * missing).sum().abs() < 1e-3


def test_pairs_give_logistic_regression_the_order_too():
    texts = [t.split() for t in ("not bad", "not good", "good", "bad")]
    assert LogisticRegression(2, penalty=0.01).fit(texts, [1, 0, 1, 0]).predict(texts) == [
        *(1, 0, 1, 0)
    ]


def test_a_text_that_counts_twice_counts_as_two_texts():
    texts, labels = [["a"], ["a", "b"], ["b"]], [1, 0, 0]
    twice = LogisticRegression().fit([*texts, texts[0]], [*labels, labels[0]])
    weighted = LogisticRegression().fit(texts, labels, torch.tensor([2.0, 1, 1]))
    torch.testing.assert_close(weighted.weight, twice.weight, atol=1e-4, rtol=0)


def test_logistic_regression_refusals():
    with pytest.raises(ValueError, match=r"got \[1\], 2 for 2 texts"):
        LogisticRegression().fit([["a"], ["b"]], [1, 1])
    with pytest.raises(ValueError, match=r"got \[0, 1\], 2 for 1 texts"):
        LogisticRegression().fit([["a"]], [1, 0])
    with pytest.raises(ValueError, match=r"got n=1, penalty=0.0"):
        LogisticRegression(penalty=0.0)


# ---------------------------------------------------------------- networks


@pytest.mark.parametrize(
    "build",
    [
        lambda: MeanClassifier(11, 3, 8),
        lambda: TransformerClassifier(11, 3, 8, n_heads=2, n_layers=2),
    ],
    ids=["mean", "transformer"],
)
def test_padding_does_not_change_a_class(build):
    model = build()
    ids = torch.randint(11, (2, 5))
    padded = torch.cat([ids, torch.full((2, 3), 7)], 1)
    mask = torch.arange(8).expand(2, 8) < 5
    torch.testing.assert_close(model(padded, mask), model(ids), atol=1e-5, rtol=0)
    assert not torch.allclose(model(padded), model(ids), atol=1e-3)


def test_the_mean_is_blind_to_order_and_the_transformer_is_not():
    ids = torch.randint(11, (1, 6))
    mean, transformer = MeanClassifier(11, 2, 8), TransformerClassifier(11, 2, 8, 2, 1)
    torch.testing.assert_close(mean(ids.flip(1)), mean(ids))
    assert not torch.allclose(transformer(ids.flip(1)), transformer(ids), atol=1e-4)


def test_a_text_without_words_has_the_mean_zero():
    x = torch.randn(2, 3, 4)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    mean = mean_pooling(x, mask)
    torch.testing.assert_close(mean, torch.stack([x[0, :2].mean(0), torch.zeros(4)]))


def negated(reviews):
    return [row for row in reviews if NEGATIONS & set(row[0].split())]


def test_word_order_decides_the_negated_reviews():
    """On the negation set counting words is a coin; a network that reads in order gets it right."""
    reviews = generate_corpus("reviews", n_examples=1400)
    training, held_out = reviews[:1000], negated(reviews[1000:])
    texts, labels = zip(*held_out, strict=True)
    tokenizer = WordTokenizer.train("\n".join(text for text, _ in training))
    counted = NaiveBayes().fit([t.split() for t, _ in training], [y for _, y in training])
    guesses = counted.predict([text.split() for text in texts])
    by_counting = sum(map(int.__eq__, guesses, labels)) / len(labels)
    assert by_counting < 0.6

    model = RecurrentClassifier(tokenizer.vocab_size, 2, LSTM(32, 32))
    config = TrainingConfig(n_steps=250, learning_rate=5e-3, n_warmup=20, weight_decay=0.01)
    train(model, training, config, collate=collate_texts(tokenizer))
    probs = classify(model, tokenizer, texts)
    torch.testing.assert_close(probs.sum(1), torch.ones(len(texts)))
    assert (probs.argmax(1) == torch.tensor(labels)).float().mean() > 0.9


def test_classify_leaves_the_model_as_it_was_and_refuses_nothing_to_do():
    tokenizer = WordTokenizer.train("good bad")
    model = MeanClassifier(tokenizer.vocab_size, 2, 8, dropout=0.5).train()
    first = classify(model, tokenizer, ["good", "good bad", "bad"], batch_size=2)
    torch.testing.assert_close(first, classify(model, tokenizer, ["good", "good bad", "bad"]))
    assert model.training
    with pytest.raises(ValueError, match="texts must be at least one"):
        classify(model, tokenizer, [])


@pytest.mark.parametrize("kind", ["mean", "transformer", "LSTM"])
def test_an_empty_text_is_read_alone_as_beside_others(kind):
    tokenizer = WordTokenizer.train("good bad")
    model = {
        "mean": lambda: MeanClassifier(tokenizer.vocab_size, 2, 8),
        "transformer": lambda: TransformerClassifier(tokenizer.vocab_size, 2, 8, 2, 1),
        "LSTM": lambda: RecurrentClassifier(tokenizer.vocab_size, 2, LSTM(8, 8)),
    }[kind]()
    alone = classify(model, tokenizer, [""])
    torch.testing.assert_close(alone, classify(model, tokenizer, ["", "good bad"])[:1])
    config = TrainingConfig(n_steps=4, batch_size=2, n_warmup=1)
    examples = [("", 0), ("", 1), ("good bad", 1), ("", 0)]
    result = train(model, examples, config, collate=collate_texts(tokenizer))
    assert math.isfinite(result.history[-1].loss)


def test_naive_bayes_takes_labels_and_ids_in_tensors():
    texts = [torch.tensor([1, 2]), torch.tensor([1]), torch.tensor([3])]
    model = NaiveBayes().fit(texts, torch.tensor([1, 1, 0]))
    assert model.predict([torch.tensor([1]), torch.tensor([3, 3])]) == [1, 0]
