"""lmcourse.metrics against torch, and a model whose perplexity is known."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from lmcourse.metrics import accuracy, entropy, perplexity

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
