"""lmcourse.neurons against torch's softmax and cross-entropy, and what a distribution promises."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from lmcourse.neurons import cross_entropy, embed, softmax

# bfloat16 keeps 8 bits: 2⁻⁸ is lost at each of about eight roundings.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 2**-5}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: str(dtype).split(".")[1])

sizes = st.integers(1, 9)
seeds = st.integers(0, 2**31)


def normal(*shape, seed, dtype=torch.float64, device="cpu", scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    numbers = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
    return numbers.to(device, dtype).requires_grad_()


def assert_close(actual, expected, dtype):
    tolerance = TOLERANCE[dtype]
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@DTYPES
@given(shape=st.lists(sizes, min_size=1, max_size=4), seed=seeds, data=st.data())
def test_softmax_agrees_with_torch(dtype, device, shape, seed, data):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    logits = normal(*shape, seed=seed, dtype=dtype, device=device)
    ours, theirs = softmax(logits, dim), F.softmax(logits, dim)
    assert ours.dtype == dtype
    assert_close(ours, theirs, dtype)
    # Between -1 and 1, so that the gradient is of the size of the probabilities.
    direction = normal(*shape, seed=seed + 1, dtype=dtype, device=device).detach().clamp(-1, 1)
    (mine,) = torch.autograd.grad((ours * direction).sum(), logits)
    (other,) = torch.autograd.grad((theirs * direction).sum(), logits)
    assert_close(mine, other, dtype)


@given(n=sizes, shift=st.floats(-1e4, 1e4), seed=seeds)
def test_softmax_sees_differences_alone(n, shift, seed):
    logits = normal(n, seed=seed).detach()
    torch.testing.assert_close(softmax(logits + shift), softmax(logits), rtol=1e-9, atol=1e-9)


@given(shape=st.lists(sizes, min_size=1, max_size=3), seed=seeds)
def test_softmax_gives_distributions(shape, seed):
    probs = softmax(normal(*shape, seed=seed).detach())
    assert (probs >= 0).all()
    torch.testing.assert_close(probs.sum(-1), torch.ones_like(probs[..., 0]))


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_softmax_does_not_overflow(size, device):
    logits = torch.tensor([size, size, -size], device=device, requires_grad=True)
    probs = softmax(logits)
    probs[0].backward()
    torch.testing.assert_close(probs.cpu(), torch.tensor([0.5, 0.5, 0.0]))
    assert logits.grad.isfinite().all()


def test_softmax_leaves_its_input_alone():
    logits = normal(3, 5, seed=0).detach()
    copy = logits.clone()
    softmax(logits, 0)
    # exact: copies
    assert torch.equal(logits, copy)


@DTYPES
@given(batch_size=sizes, n=sizes, vocab_size=sizes, seed=seeds)
def test_cross_entropy_of_ids_agrees_with_torch(dtype, device, batch_size, n, vocab_size, seed):
    logits = normal(batch_size, n, vocab_size, seed=seed, dtype=dtype, device=device)
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(vocab_size, (batch_size, n), generator=generator).to(device)
    ours, theirs = cross_entropy(logits, targets), F.cross_entropy(logits.mT, targets)
    assert_close(ours, theirs, dtype)
    (mine,), (other,) = torch.autograd.grad(ours, logits), torch.autograd.grad(theirs, logits)
    assert_close(mine, other, dtype)


@DTYPES
@given(batch_size=sizes, vocab_size=sizes, seed=seeds)
def test_cross_entropy_of_distributions_agrees_with_torch(
    dtype, device, batch_size, vocab_size, seed
):
    options = {"dtype": dtype, "device": device}
    logits = normal(batch_size, vocab_size, seed=seed, **options)
    targets = softmax(normal(batch_size, vocab_size, seed=seed + 1, **options).detach())
    ours, theirs = cross_entropy(logits, targets), F.cross_entropy(logits, targets)
    assert_close(ours, theirs, dtype)
    (mine,), (other,) = torch.autograd.grad(ours, logits), torch.autograd.grad(theirs, logits)
    assert_close(mine, other, dtype)


def test_ids_are_distributions_that_know_the_answer():
    logits = normal(7, 5, seed=0)
    ids = torch.tensor([4, 0, 2, 2, 1, 3, 0])
    one_hot = F.one_hot(ids, 5).double()
    torch.testing.assert_close(cross_entropy(logits, ids), cross_entropy(logits, one_hot))


def test_knowing_nothing_costs_the_logarithm_of_the_vocabulary():
    for vocab_size in (2, 27, 50_257):
        loss = cross_entropy(torch.zeros(3, vocab_size), torch.tensor([0, 1, vocab_size - 1]))
        assert math.isclose(loss.item(), math.log(vocab_size), rel_tol=1e-5)


def test_cross_entropy_does_not_overflow():
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = cross_entropy(logits, torch.tensor([1]))
    loss.backward()
    assert loss.item() == pytest.approx(2e4)
    torch.testing.assert_close(logits.grad, torch.tensor([[1.0, -1.0]]))


@pytest.mark.parametrize(("wrong", "ids"), [(5, [0, 5]), (-1, [-1, 4]), (9, [9, 3])])
def test_cross_entropy_refuses_ids_that_no_class_has(wrong, ids):
    with pytest.raises(ValueError, match=rf"targets must lie in 0…4, got {wrong}"):
        cross_entropy(torch.zeros(2, 5), torch.tensor(ids))


def test_cross_entropy_refuses_shapes_that_would_broadcast(unchecked):
    logits = torch.zeros(2, 3, 5)
    with pytest.raises(ValueError, match=r"targets must have the shape \(2, 3\).*got \(2,\)"):
        cross_entropy(logits, torch.zeros(2, dtype=torch.long))
    with pytest.raises(ValueError, match=r"targets must have the shape \(2, 3, 5\).*got \(5,\)"):
        cross_entropy(logits, torch.zeros(5))


# ---------------------------------------------------------------- look-up


@given(n_rows=sizes, width=sizes, seed=seeds)
def test_looking_up_is_a_product_with_one_hot_vectors(device, n_rows, width, seed):
    table = normal(n_rows, width, seed=seed, device=device)
    ids = torch.randint(n_rows, (2, 3), generator=torch.Generator().manual_seed(seed)).to(device)
    one_hot = F.one_hot(ids, n_rows).to(table)
    rows, expected = embed(table, ids), one_hot @ table
    torch.testing.assert_close(rows, expected)
    direction = normal(2, 3, width, seed=seed + 1, device=device).detach()
    mine, other = (torch.autograd.grad((x * direction).sum(), table)[0] for x in (rows, expected))
    torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("worst", [5, -1])
def test_an_id_without_a_row_is_named(worst):
    with pytest.raises(ValueError, match=rf"ids must lie in 0…4, got {worst}: were they"):
        embed(torch.zeros(5, 2), torch.tensor([[3, worst, 0]]))
