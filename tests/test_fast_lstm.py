"""lmcourse.fast_lstm: values and gradients are those of autograd and of torch, by every way in."""

import pytest
import torch
from seeds import SEED, rng, start
from torch import nn

from lmcourse.fast_lstm import FastLSTM, _Steps
from lmcourse.recurrent import LSTM, RecurrentLM


def both(device="cpu", **options):
    """Ours and the one of autograd with the same weights, in double precision."""
    start()
    plain, fast = (kind(3, 5, **options).double().to(device) for kind in (LSTM, FastLSTM))
    fast.load_state_dict(plain.state_dict())
    return plain, fast


def answers(model, x, states, mask=None):
    """All that it says, and how a sum of all of it, each with a weight, rises with everything."""
    output, last = model(x, states, mask)
    said = [output, *(each for state in last for each in state)]
    weights = (torch.randn(each.shape, generator=rng(9), dtype=x.dtype) for each in said)
    loss = sum((each * w.to(x.device)).sum() for each, w in zip(said, weights, strict=True))
    sources = [x, *(each for state in states or [] for each in state), *model.parameters()]
    return said, torch.autograd.grad(loss, sources)


@pytest.mark.parametrize("n_steps", [1, 2, 7])
@pytest.mark.parametrize("with_states", [False, True], ids=["from zeros", "from states"])
@pytest.mark.parametrize("options", [{}, {"n_layers": 2}, {"bidirectional": True}])
def test_values_and_gradients_are_those_of_autograd(device, options, with_states, n_steps):
    plain, fast = both(device, **options)
    x = torch.randn(4, n_steps, 3, generator=rng(1), dtype=torch.float64).to(device)
    x.requires_grad_()
    n_cells = sum(len(cells) for cells in plain.layers)
    states = [
        tuple(
            torch.randn(4, 5, generator=rng(2 + k + 10 * n), dtype=torch.float64)
            .to(device)
            .requires_grad_()
            for k in range(2)
        )
        for n in range(n_cells)
    ]
    expected, found = (
        answers(model, x, states if with_states else None) for model in (plain, fast)
    )
    for mine, other in zip(found, expected, strict=True):
        for each, theirs in zip(mine, other, strict=True):
            torch.testing.assert_close(each, theirs, rtol=1e-10, atol=1e-10)


def test_the_gradient_is_the_slope():
    sources = [
        torch.randn(shape, generator=rng(k), dtype=torch.float64).requires_grad_()
        for k, shape in enumerate([(3, 2, 16), (16, 4), (2, 4), (2, 4)])
    ]
    assert torch.autograd.gradcheck(_Steps.apply, sources)


def test_a_gradient_may_come_by_the_last_state_alone():
    plain, fast = both()
    x = torch.randn(2, 4, 3, generator=rng(), dtype=torch.float64)
    found, expected = (
        torch.autograd.grad(model(x)[1][0][1].sum(), list(model.parameters()))
        for model in (fast, plain)
    )
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10)


def test_with_a_mask_it_computes_as_before():
    plain, fast = both(bidirectional=True)
    x = torch.randn(2, 4, 3, generator=rng(), dtype=torch.float64).requires_grad_()
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]])
    expected, found = (answers(model, x, None, mask) for model in (plain, fast))
    for mine, other in zip(found, expected, strict=True):
        for each, theirs in zip(mine, other, strict=True):
            torch.testing.assert_close(each, theirs, rtol=1e-10, atol=1e-10)


def test_it_is_torchs_lstm():
    start()
    fast, theirs = FastLSTM(3, 5), nn.LSTM(3, 5, batch_first=True)
    ((cell,),) = fast.layers
    with torch.no_grad():
        for own, name in (
            (cell.input_projection, "ih"),
            (cell.hidden_projection, "hh"),
        ):
            own.weight.copy_(getattr(theirs, f"weight_{name}_l0"))
            own.bias.copy_(getattr(theirs, f"bias_{name}_l0"))
    x = torch.randn(2, 6, 3, generator=rng())
    torch.testing.assert_close(fast(x)[0], theirs(x)[0])


def test_what_it_has_said_may_be_changed_in_place_and_used_again():
    """Neither the caller's tensors nor what is kept for the way back are touched."""
    _, fast = both()
    x = torch.randn(2, 4, 3, generator=rng(), dtype=torch.float64).requires_grad_()
    untouched = x.detach().clone()
    expected = torch.autograd.grad(fast(x)[0].sum(), x)[0]
    output, _ = fast(x)
    changed = output.mul_(1.0)
    torch.testing.assert_close(torch.autograd.grad(changed.sum(), x)[0], expected)
    assert torch.equal(x, untouched)  # exact: a copy


def test_its_gradient_has_no_gradient_and_says_so():
    _, fast = both()
    x = torch.randn(2, 4, 3, generator=rng(), dtype=torch.float64).requires_grad_()
    (first,) = torch.autograd.grad(fast(x)[0].square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_a_language_model_reads_piece_by_piece_with_it():
    start(SEED)
    model = RecurrentLM(9, FastLSTM(4, 6))
    ids = torch.randint(9, (2, 8), generator=rng())
    cache = model.new_cache(2)
    pieces = [model(ids[:, :3], cache), model(ids[:, 3:], cache)]
    torch.testing.assert_close(torch.cat(pieces, 1), model(ids))
