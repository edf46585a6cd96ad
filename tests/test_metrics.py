"""lmcourse.metrics against torch, and a model whose perplexity is known."""

import math

import pytest
import sacrebleu
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from lmcourse.metrics import (
    accuracy,
    average_precision,
    bits_per_byte,
    bleu,
    bleu_counts,
    bleu_of_counts,
    calibration_error,
    chrf,
    confusion_matrix,
    entropy,
    perplexity,
    precision_recall_curve,
    precision_recall_f1,
)
from lmcourse.tokenizers import BPETokenizer, CharTokenizer, WordTokenizer

sizes = st.integers(1, 9)
seeds = st.integers(0, 2**31)


@given(shape=st.lists(sizes, min_size=1, max_size=3), seed=seeds)
def test_entropy_agrees_with_torch(shape, seed):
    logits = torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()
    log_probs = F.log_softmax(logits, -1)
    expected = -(log_probs.exp() * log_probs).sum(-1)
    torch.testing.assert_close(entropy(logits.softmax(-1)), expected)
    moved = logits.softmax(-1).movedim(-1, 0)
    torch.testing.assert_close(entropy(moved, dim=0), expected)


def test_entropy_of_known_distributions():
    assert entropy(torch.tensor([1.0, 0.0, 0.0])).item() == 0
    assert math.isclose(entropy(torch.full((32,), 1 / 32)).item(), math.log(32), rel_tol=1e-6)


@given(right=st.integers(0, 20), wrong=st.integers(0, 20))
def test_accuracy_is_a_share(right, wrong):
    if right + wrong == 0:
        return
    targets = torch.arange(right + wrong)
    predictions = torch.where(targets < right, targets, targets + 1)
    assert accuracy(predictions, targets) == right / (right + wrong)


def test_accuracy_refuses_what_cannot_be_compared(unchecked):
    with pytest.raises(ValueError, match=r"one shape, and not be empty, got \(3,\) and \(3, 1\)"):
        accuracy(torch.arange(3), torch.zeros(3, 1).long())
    with pytest.raises(ValueError, match=r"got \(0,\) and \(0,\)"):
        accuracy(torch.arange(0), torch.arange(0))


class Bigram(nn.Module):
    """The next id depends on this one alone: windows of any length mean the same."""

    def __init__(self, vocab_size, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Parameter(torch.randn(vocab_size, vocab_size, generator=generator))
        self.dropout = nn.Dropout(0.5)

    def forward(self, ids):
        return self.dropout(self.table[ids])


@given(
    n=st.integers(2, 60),
    context_length=st.integers(1, 70),
    batch_size=st.integers(1, 4),
    seed=seeds,
)
def test_perplexity_weighs_every_id_alike(n, context_length, batch_size, seed):
    ids = torch.randint(7, (n,), generator=torch.Generator().manual_seed(seed))
    model = Bigram(7)
    expected = math.exp(F.cross_entropy(model.table[ids[:-1]], ids[1:]).item())
    actual = perplexity(model, ids, context_length, batch_size)
    assert math.isclose(actual, expected, rel_tol=1e-5)


def test_who_knows_nothing_sees_as_many_choices_as_ids():
    def uniform(ids):
        return torch.zeros(*ids.shape, 13)

    assert math.isclose(perplexity(uniform, torch.arange(13), 4), 13, rel_tol=1e-6)


def test_perplexity_leaves_the_model_as_it_was():
    model = Bigram(7)
    for training in (True, False):
        model.train(training)
        perplexity(model, torch.arange(7), 3)
        assert model.training is training
    assert model.table.grad is None


def test_a_failing_model_is_left_in_training():
    model = Bigram(3).train()
    with pytest.raises(IndexError):
        perplexity(model, torch.tensor([0, 5, 1]), 2)
    assert model.training


def test_perplexity_needs_something_to_predict():
    with pytest.raises(ValueError, match="ids must be at least two, one to start from, got 1"):
        perplexity(Bigram(3), torch.tensor([1]), 4)


# ---------------------------------------------------------------- bits per byte


def test_a_uniform_model_of_characters_needs_the_same_bits_for_each_byte():
    text = "abcdabcd" * 5
    tokenizer = CharTokenizer.train(text)

    def uniform(ids):
        return torch.zeros(*ids.shape, 4)

    assert math.isclose(bits_per_byte(uniform, tokenizer, text, 7), 2, rel_tol=1e-6)


def test_a_character_of_three_bytes_costs_a_third_per_byte():
    text = "我是一个程序员我是" * 3
    tokenizer = CharTokenizer.train(text)

    def uniform(ids):
        return torch.zeros(*ids.shape, 8)

    assert math.isclose(bits_per_byte(uniform, tokenizer, text, 5), 1, rel_tol=1e-6)


class Pairs:
    """Two letters a token: another way to read the same text."""

    vocab_size = 16
    tokens = [a + b for a in "abcd" for b in "abcd"]  # noqa: RUF012

    def encode(self, text):
        return [
            "abcd".index(a) * 4 + "abcd".index(b)
            for a, b in zip(text[::2], text[1::2], strict=True)
        ]

    def decode(self, ids):
        return "".join("abcd"[i // 4] + "abcd"[i % 4] for i in ids)


def test_bits_per_byte_do_not_depend_on_the_tokens_of_models_that_know_the_same():
    text = "".join("abcd"[i] for i in torch.randint(4, (400,)))

    def uniform(vocab_size):
        return lambda ids: torch.zeros(*ids.shape, vocab_size)

    letters, pairs = CharTokenizer.train("abcd"), Pairs()
    assert math.isclose(bits_per_byte(uniform(4), letters, text, 9), 2, rel_tol=1e-6)
    assert math.isclose(bits_per_byte(uniform(16), pairs, text, 9), 2, rel_tol=1e-6)


def test_a_text_that_begins_with_a_part_of_a_character_loses_no_bytes():
    bytes_alone = BPETokenizer([])

    def uniform(ids):
        return torch.zeros(*ids.shape, 256)

    assert math.isclose(bits_per_byte(uniform, bytes_alone, "我是😀", 4), 8, rel_tol=1e-6)


# ---------------------------------------------------------------- BLEU

words = st.lists(st.sampled_from(["the", "a", "cat", "dog", "sat", "on"]), min_size=1, max_size=12)
REFERENCE = ["the", "cat", "sat", "on", "a", "mat"]
CANDIDATE = ["the", "cat", "sat", "on", "the", "mat"]


@given(pairs=st.lists(st.tuples(words, words), min_size=1, max_size=6))
def test_bleu_is_that_of_sacrebleu(pairs):
    candidates, references = [list(x) for x in zip(*pairs, strict=True)]
    lines = [[" ".join(tokens) for tokens in side] for side in (candidates, references)]
    expected = sacrebleu.corpus_bleu(lines[0], [lines[1]], tokenize="none").score
    assert math.isclose(bleu(candidates, references), expected, abs_tol=1e-4)


def test_bleu_of_the_same_is_100_and_of_nothing_alike_0():
    assert math.isclose(bleu([REFERENCE], [REFERENCE]), 100)
    assert bleu([["x"] * 6], [REFERENCE]) == 0
    assert bleu([[]], [REFERENCE]) == 0


def test_bleu_by_hand():
    # 5 of 6 words, 3 of 5 pairs, 2 of 4 triples, 1 of 3; no shorter than the reference.
    by_hand = 100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    assert math.isclose(bleu([CANDIDATE], [REFERENCE]), by_hand)
    # Cut to its first four words: all of them right, and too short.
    assert math.isclose(bleu([CANDIDATE[:4]], [REFERENCE]), 100 * math.exp(1 - 6 / 4))
    # "the the the the": the reference has one "the".
    assert bleu([["the"] * 4], [REFERENCE]) < 25


def test_bleu_refuses_what_cannot_be_compared():
    with pytest.raises(ValueError, match=r"as many, and at least one, got 1 and 2"):
        bleu([["a"]], [["a"], ["b"]])
    with pytest.raises(ValueError, match=r"got 0 and 0"):
        bleu([], [])


# ---------------------------------------------------------------- chrF

texts = st.text("abc 是我", max_size=12)


@given(pairs=st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
def test_chrf_is_that_of_sacrebleu(pairs):
    candidates, references = [list(x) for x in zip(*pairs, strict=True)]
    expected = sacrebleu.corpus_chrf(candidates, [references]).score
    assert math.isclose(chrf(candidates, references), expected, abs_tol=1e-4)


def test_chrf_by_hand():
    # Runs of one character: 3 of 4 and 3 of 3; of two: 1 of 3 and 1 of 2. P = 13/24, R = 3/4.
    precision, recall = (3 / 4 + 1 / 3) / 2, (3 / 3 + 1 / 2) / 2
    by_hand = 100 * 5 * precision * recall / (4 * precision + recall)
    assert math.isclose(chrf(["abxc"], ["abc"], max_n=2), by_hand)
    assert math.isclose(chrf(["我是学生"], ["我是学生"]), 100)
    assert math.isclose(chrf(["a b c"], ["abc"]), 100), "spaces do not count"
    assert chrf(["xyz"], ["abc"]) == chrf([""], ["abc"]) == 0
    with pytest.raises(ValueError, match=r"as many, and at least one, got 1 and 0"):
        chrf(["a"], [])


def test_bleu_is_that_of_the_sums_of_the_counts_of_its_sentences():
    sentences = [(CANDIDATE, REFERENCE), (REFERENCE[:3], REFERENCE), (["a"], ["a", "cat"])]
    counts = bleu_counts(*zip(*sentences, strict=True))
    assert counts[1] == [3, 6, 3, 3, 2, 2, 1, 1, 0, 0]
    sums = [sum(column) for column in zip(*counts, strict=True)]
    assert math.isclose(bleu_of_counts(sums), bleu(*zip(*sentences, strict=True)))


# ---------------------------------------------------------------- calibration


def test_calibration_by_hand():
    probs = torch.tensor([0.9, 0.9, 0.6, 0.6])
    right = torch.tensor([True, True, True, False])
    # Two bins in use: |1 − 0.9| · 2/4 + |0.5 − 0.6| · 2/4.
    assert math.isclose(calibration_error(probs, right), 0.1, abs_tol=1e-6)


def test_who_is_as_right_as_sure_is_calibrated():
    probs = torch.rand(200_000)
    right = torch.rand(200_000) < probs
    # Each bin's gap has a standard deviation of about 0.003.
    assert calibration_error(probs, right) < 0.01
    assert calibration_error(torch.ones(7), torch.zeros(7).bool()) == 1
    assert calibration_error(torch.ones(7), torch.ones(7).bool()) == 0


def test_calibration_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match=r"from 0 to 1, and not empty, got -0.5 to 1.5"):
        calibration_error(torch.tensor([-0.5, 1.5]), torch.tensor([True, False]))
    with pytest.raises(ValueError, match=r"got none"):
        calibration_error(torch.zeros(0), torch.zeros(0).bool())


# ---------------------------------------------------------------- what must not bend a number


def uniform(ids):
    return torch.zeros(*ids.shape, 4)


@pytest.mark.parametrize(
    ("text", "n_predicted", "n_bytes"),
    [("中abcab", 5, 5), ("ab中ca", 4, 6), ("<abca", 4, 4)],
    ids=["unknown first", "unknown later", "like a name"],
)
def test_an_unknown_first_token_counts_with_the_bytes_of_the_text(text, n_predicted, n_bytes):
    tokenizer = CharTokenizer("abc", unknown=True)
    bits = bits_per_byte(uniform, tokenizer, text, context_length=8)
    assert bits == pytest.approx(2 * n_predicted / n_bytes)


def test_an_unknown_first_word_counts_with_its_bytes():
    tokenizer = WordTokenizer(["a", " b", " c"])
    bits = bits_per_byte(uniform, tokenizer, "程序员 b c b", context_length=8)
    assert bits == pytest.approx(2 * 3 / 6)


def test_the_perplexity_of_a_very_wrong_model_is_infinite():
    def sure_and_wrong(ids):
        return 1e4 * F.one_hot(ids, 5).float()

    assert perplexity(sure_and_wrong, torch.arange(20) % 5, context_length=8) == math.inf


@pytest.mark.parametrize(
    "texts", [["the cat sat"], [torch.tensor([1, 2, 3])], [list(torch.tensor([1, 2, 3]))]]
)
def test_bleu_refuses_what_is_no_list_of_tokens(texts, unchecked):
    good = [["a", "b", "c"]]
    with pytest.raises(ValueError, match=r"candidates must be lists .* got candidates\[0\]"):
        bleu(texts, good)
    with pytest.raises(ValueError, match=r"references must be lists .* got references\[0\]"):
        bleu(good, texts)


# ---------------------------------------------------------------- classes

labels = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30)


@given(pairs=labels)
def test_a_confusion_matrix_counts_truths_in_rows_and_what_was_said_in_columns(pairs):
    said, true = map(torch.tensor, zip(*pairs, strict=True))
    found = confusion_matrix(said, true, 3)
    assert found.tolist() == [[pairs.count((s, t)) for s in range(3)] for t in range(3)]
    assert found.diag().sum() == (said == true).sum()


@given(pairs=labels)
def test_precision_recall_and_f1_by_counting(pairs):
    said, true = map(torch.tensor, zip(*pairs, strict=True))
    for positive in range(3):
        hits = pairs.count((positive, positive))
        n_said = sum(s == positive for s, _ in pairs)
        n_true = sum(t == positive for _, t in pairs)
        precision, recall, f1 = precision_recall_f1(said, true, positive)
        assert precision == pytest.approx(hits / n_said if n_said else 0)
        assert recall == pytest.approx(hits / n_true if n_true else 0)
        # 2 P R / (P + R) is 2 · hits / (said + true)
        assert f1 == pytest.approx(2 * hits / (n_said + n_true) if hits else 0)


def test_the_reviews_of_the_chapter_by_hand():
    """A hundred reviews: 80 pass, 10 are false alarms, 4 pans are missed and 6 found."""
    true = torch.tensor([0] * 90 + [1] * 10)
    said = torch.tensor([0] * 80 + [1] * 10 + [0] * 4 + [1] * 6)
    assert confusion_matrix(said, true).tolist() == [[80, 10], [4, 6]]
    assert precision_recall_f1(said, true) == pytest.approx((6 / 16, 6 / 10, 12 / 26))
    assert accuracy(said, true) == pytest.approx(0.86)


@given(
    rows=st.lists(
        st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.8]), st.integers(0, 1)), min_size=1, max_size=20
    ).filter(lambda rows: any(target for _, target in rows))
)
def test_the_curve_holds_each_threshold_that_makes_a_difference(rows):
    scores, targets = map(torch.tensor, zip(*rows, strict=True))
    precision, recall, thresholds = precision_recall_curve(scores, targets)
    assert thresholds.tolist() == sorted(set(scores.tolist()), reverse=True)
    for p, r, threshold in zip(precision, recall, thresholds, strict=True):
        expected = precision_recall_f1((scores >= threshold).long(), targets)
        assert (p.item(), r.item()) == pytest.approx(expected[:2])
    assert recall[-1].item() == pytest.approx(1)


def test_average_precision_of_a_perfect_order_and_of_equal_scores():
    targets = torch.tensor([1, 1, 0, 0, 0])
    assert average_precision(torch.tensor([5.0, 4, 3, 2, 1]), targets) == pytest.approx(1)
    assert average_precision(torch.ones(5), targets) == pytest.approx(2 / 5)
    # found at places 4 and 5 of five: 1/2 · 1/4 + 1/2 · 2/5
    assert average_precision(torch.tensor([1.0, 2, 3, 4, 5]), targets) == pytest.approx(0.325)


def test_measures_of_classes_refuse_what_cannot_be_counted(unchecked):
    two, three = torch.tensor([0, 1]), torch.tensor([0, 1, 2])
    with pytest.raises(ValueError, match=r"as many, and at least one, got 2 and 3"):
        confusion_matrix(two, three)
    with pytest.raises(ValueError, match=r"from 0 to n_classes - 1, got 0 to 2 with n_classes=2"):
        confusion_matrix(three, three)
    with pytest.raises(ValueError, match=r"one shape, and not be empty, got \(2,\) and \(3,\)"):
        precision_recall_f1(two, three)
    with pytest.raises(ValueError, match=r"one of these be 1, got \(2,\) and \(2,\), 0 of them"):
        precision_recall_curve(torch.rand(2), torch.zeros(2).long())
