"""lmcourse.loop.gradient_step: one gradient, however the batch was cut; decay where it belongs."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import start
from torch import nn
from torch.nn import functional as F

from lmcourse.gpt import GPT, GPTConfig
from lmcourse.loop.gradient_step import (
    BETAS,
    IGNORE_INDEX,
    ModelWithLoss,
    Updater,
    measure,
    parameter_groups,
    target_losses,
)
from lmcourse.optimization import AdamW

CPU = torch.device("cpu")


def bigram_model():
    start()
    return nn.Embedding(7, 7).double()


def updater(model, loss=target_losses, max_norm=None):
    return Updater(ModelWithLoss(model, loss, "fp32"), 0.1, max_norm, CPU)


# ---------------------------------------------------------------- the loss


@given(shape=st.sampled_from([(5,), (2, 5), (2, 3, 5)]), seed=st.integers(0, 99))
def test_losses_are_those_of_torch_without_what_is_ignored(shape, seed):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(7, shape, generator=generator)
    targets = torch.randint(7, shape, generator=generator)
    targets[torch.rand(shape, generator=generator) < 0.3] = IGNORE_INDEX
    model = bigram_model()
    losses = target_losses(model, (ids, targets))
    assert losses.shape == ((targets != IGNORE_INDEX).sum(),)
    if len(losses):
        expected = F.cross_entropy(model(ids).flatten(0, -2), targets.flatten())
        torch.testing.assert_close(losses.mean(), expected)


def test_one_of_many_and_any_of_many_need_different_losses():
    """Labels that can hold together are learned with binary cross-entropy, all of them counted."""
    x = torch.randn(64, 6)
    labels = (x[:, :5] > 0).float()  # five questions, each with an answer of its own
    model = nn.Linear(6, 5)

    def multilabel_loss(model, batch):
        inputs, targets = batch
        return F.binary_cross_entropy_with_logits(model(inputs), targets, reduction="none")

    update = updater(model, multilabel_loss)
    losses = []
    for _ in range(150):
        gradient = update.accumulate_gradients([((x, labels), 64)])
        losses.append(gradient.loss)
        update.step(0.1)
    assert losses[0] == pytest.approx(
        multilabel_loss(nn.Linear(6, 5), (x, labels)).mean().item(), abs=0.3
    )
    assert gradient.n_predictions == 64 * 5
    assert (labels.bool() == (model(x) > 0)).float().mean() > 0.95
    ids = torch.randint(5, (64,))
    with pytest.raises(ValueError, match="must be the same as input size"):  # class ids
        multilabel_loss(model, (x, ids))
    with pytest.raises(RuntimeError, match="can't be cast"):  # one-hot integers
        multilabel_loss(model, (x, F.one_hot(ids, 5)))
    with pytest.raises(ValueError, match=r"must be ids of the shape \(64,\).*got torch.float32"):
        target_losses(model, (x, labels))


# ---------------------------------------------------------------- pieces


@given(cuts=st.sets(st.integers(1, 5)), seed=st.integers(0, 99))
def test_uneven_pieces_give_the_gradient_of_the_whole(cuts, seed):
    """A piece with little to predict counts for little: the mean of means would be wrong."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(7, (6, 4), generator=generator)
    targets = torch.randint(7, (6, 4), generator=generator)
    targets[torch.rand(6, 4, generator=generator) < 0.5] = IGNORE_INDEX
    targets[0, 0] = 1
    model = bigram_model()
    expected = F.cross_entropy(model(ids).flatten(0, 1), targets.flatten())
    (gradient,) = torch.autograd.grad(expected, [model.weight])
    edges = [0, *sorted(cuts), 6]
    pieces = [((ids[a:b], targets[a:b]), b - a) for a, b in itertools.pairwise(edges)]
    measured = updater(model).accumulate_gradients(pieces)
    torch.testing.assert_close(model.weight.grad, gradient, rtol=1e-6, atol=1e-7)
    assert measured.loss == pytest.approx(expected.item(), rel=1e-6)
    assert measured.norm == pytest.approx(gradient.norm().item(), rel=1e-6)
    assert measured.n_predictions == int((targets != IGNORE_INDEX).sum())


def test_gradients_of_the_step_before_are_forgotten_and_long_ones_clipped():
    model = bigram_model()
    update = updater(model, max_norm=0.01)
    piece = (torch.tensor([1, 2]), torch.tensor([3, 4])), 2
    first = update.accumulate_gradients([piece])
    assert first.norm > 0.01
    assert model.weight.grad.norm().item() == pytest.approx(0.01, rel=1e-5)
    assert update.accumulate_gradients([piece]) == first


def test_a_wish_to_stop_is_passed_on():
    piece = (torch.tensor([1, 2]), torch.tensor([3, 4])), 2
    assert not updater(bigram_model()).accumulate_gradients([piece]).stop
    assert updater(bigram_model()).accumulate_gradients([piece], signals=[2]).stop


# ---------------------------------------------------------------- the step


def test_a_step_is_that_of_our_adamw_with_decay_on_matrices_alone():
    model = GPT(GPTConfig(vocab_size=7, context_length=5, d_model=6, n_heads=2, n_layers=1))
    twin = GPT(model.config)
    twin.load_state_dict(model.state_dict())
    matrices = AdamW([p for p in twin.parameters() if p.dim() == 2], 0.01, BETAS, 1e-8, 0.1)
    vectors = AdamW([p for p in twin.parameters() if p.dim() == 1], 0.01, BETAS)
    update = updater(model)
    for _ in range(4):
        ids = torch.randint(7, (3, 6))
        batch = ids[:, :-1], ids[:, 1:]
        update.accumulate_gradients([(batch, 3)])
        update.step(0.01)
        twin.zero_grad()
        target_losses(twin, batch).mean().backward()
        matrices.step(), vectors.step()
    for one, two in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


def test_decay_is_for_matrices_and_frozen_weights_are_left_out():
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    model[2].weight.requires_grad = False
    with_decay, without = parameter_groups(model, 0.1)
    assert [p.shape for p in with_decay["params"]] == [(4, 3)]
    assert [tuple(p.shape) for p in without["params"]] == [(4,), (4,), (4,), (2,)]
    # exact: settings
    assert (with_decay["weight_decay"], without["weight_decay"]) == (0.1, 0.0)
    with pytest.raises(ValueError, match="model must have parameters to train, got none in ReLU"):
        parameter_groups(nn.ReLU(), 0.1)


# ---------------------------------------------------------------- the mean


def test_the_mean_is_over_predictions_not_over_batches():
    model = bigram_model()
    ids = torch.tensor([1, 2, 3, 4])
    targets = torch.tensor([2, IGNORE_INDEX, IGNORE_INDEX, 0])
    batches = [((ids[:1], targets[:1]), 1), ((ids[1:], targets[1:]), 3)]
    expected = F.cross_entropy(model(ids), targets).item()
    losses = ModelWithLoss(model, target_losses, "fp32")
    assert measure(losses, batches, CPU).loss == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="data must hold at least one target, got none"):
        measure(losses, [((ids, torch.full((4,), IGNORE_INDEX)), 4)], CPU)


def test_accuracy_is_the_share_of_right_predictions_and_of_targets_alone():
    table = torch.tensor([[0.0, 9.0, 0.0], [0.0, 0.0, 9.0], [0.0, 9.0, 0.0]])
    model = nn.Embedding.from_pretrained(table, freeze=False)
    ids, targets = torch.tensor([[0, 1], [2, 0]]), torch.tensor([[1, 1], [IGNORE_INDEX, 2]])
    batches = [((ids[:1], targets[:1]), 1), ((ids[1:], targets[1:]), 1)]
    found = measure(ModelWithLoss(model, target_losses, "fp32"), batches, CPU)
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.loss == pytest.approx(F.cross_entropy(model(ids).mT, targets).item(), rel=1e-6)

    def own(model, batch):
        return target_losses(model, batch)

    without = measure(ModelWithLoss(model, own, "fp32"), batches, CPU)
    assert (without.loss, without.accuracy) == (pytest.approx(found.loss), None)
