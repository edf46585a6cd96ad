"""lmcourse.optimization against torch.optim, and what a schedule and a clip promise."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lmcourse.optimization import SGD, Adam, AdamW, clip_gradients, cosine_schedule

seeds = st.integers(0, 2**31)

SETTINGS = [
    (SGD, torch.optim.SGD, {}),
    (SGD, torch.optim.SGD, {"momentum": 0.9}),
    (SGD, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.1}),
    (Adam, torch.optim.Adam, {}),
    (Adam, torch.optim.Adam, {"betas": (0.9, 0.99)}),
    (Adam, torch.optim.Adam, {"weight_decay": 0.1, "eps": 1e-3}),
    (AdamW, torch.optim.AdamW, {"weight_decay": 0.1, "betas": (0.8, 0.95)}),
]


def twins(seed, device="cpu"):
    """Twice the same network, and inputs for it."""
    torch.manual_seed(seed)
    ours = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).to(device)
    theirs = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).to(device)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(10, 4, 5, generator=torch.Generator().manual_seed(seed)).to(device)
    return ours, theirs, x


@pytest.mark.parametrize(("ours", "theirs", "options"), SETTINGS)
@settings(max_examples=3)
@given(seed=seeds)
def test_ten_steps_are_those_of_torch(device, ours, theirs, options, seed):
    model, twin, inputs = twins(seed, device)
    mine = ours(model.parameters(), learning_rate=3e-2, **options)
    other = theirs(twin.parameters(), lr=3e-2, **options)
    for x in inputs:
        for network, optimizer in ((model, mine), (twin, other)):
            optimizer.zero_grad()
            network(x).square().sum().backward()
            optimizer.step()
        for one, two in zip(model.parameters(), twin.parameters(), strict=True):
            torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_a_parameter_without_a_gradient_stays_and_starts_late_as_in_torch(kind):
    def run(optimizer, first, second):
        for step in range(4):
            optimizer.zero_grad()
            (first.square().sum() + (second.square().sum() if step > 1 else 0.0)).backward()
            optimizer.step()
            if step == 1:
                # exact: nothing was computed
                assert torch.equal(second, torch.full((3,), 2.0))
        return first, second

    def parameters():
        return [torch.full((3,), value).requires_grad_() for value in (1.0, 2.0)]

    mine, other = parameters(), parameters()
    results = run(kind(mine, learning_rate=0.1), *mine)
    theirs = getattr(torch.optim, kind.__name__)(other, lr=0.1, weight_decay=0.0)
    for one, two in zip(results, run(theirs, *other), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6)


def test_the_first_step_of_adam_by_hand():
    """m̂ = g and v̂ = g², so each number moves by the learning rate, whatever its gradient."""
    parameter = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)
    parameter.grad = torch.tensor([1e-3, -5.0, 0.0])
    Adam([parameter], learning_rate=0.1).step()
    torch.testing.assert_close(parameter, torch.tensor([0.9, 1.1, 1.0]), rtol=0, atol=2e-6)


def test_decay_shrinks_the_parameter_or_enters_the_average():
    """Without a gradient AdamW shrinks by lr · decay; Adam makes it a step of its own size."""
    for kind, expected in ((AdamW, 2.0 * (1 - 0.1 * 0.7)), (Adam, 2.0 - 0.1)):
        parameter = torch.tensor([2.0], requires_grad=True)
        parameter.grad = torch.zeros(1)
        kind([parameter], learning_rate=0.1, weight_decay=0.7).step()
        assert parameter.item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_each_optimizer_finds_the_bottom_of_a_bowl(kind):
    parameter = torch.tensor([3.0, -2.0], requires_grad=True)
    optimizer = kind([parameter], learning_rate=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        (parameter - torch.tensor([1.0, 0.5])).square().sum().backward()
        optimizer.step()
    torch.testing.assert_close(parameter, torch.tensor([1.0, 0.5]), rtol=0, atol=0.02)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_optimizers_refuse_what_cannot_be_meant(kind):
    model = nn.Linear(2, 2)
    with pytest.raises(
        ValueError, match=r"learning_rate must be at least 0, got learning_rate=-0.1"
    ):
        kind(model.parameters(), learning_rate=-0.1)
    with pytest.raises(ValueError, match="parameters must not be empty"):
        kind([], learning_rate=0.1)
    if kind is not SGD:
        with pytest.raises(ValueError, match=r"below 1, got betas=\(0.9, 1.0\)"):
            kind(model.parameters(), betas=(0.9, 1.0))


BAD = [
    (SGD, "momentum", -1.0),
    *[(kind, "weight_decay", -1.0) for kind in (SGD, Adam, AdamW)],
    *[(kind, "learning_rate", -1e-9) for kind in (SGD, Adam, AdamW)],
    *[(kind, "eps", -1.0) for kind in (Adam, AdamW)],
    *[(kind, "betas", (low, 0.9)) for kind in (Adam, AdamW) for low in (-0.1, 1.0)],
    *[(kind, "betas", (0.9, high)) for kind in (Adam, AdamW) for high in (-0.1, 1.5)],
]


@pytest.mark.parametrize(("kind", "name", "value"), BAD)
def test_what_torch_refuses_is_refused_by_name(kind, name, value):
    theirs = {"lr" if name == "learning_rate" else name: value}
    with pytest.raises(ValueError, match="Invalid"):
        getattr(torch.optim, kind.__name__)([torch.zeros(1, requires_grad=True)], **theirs)
    ours = {"learning_rate": 0.1, name: value}
    with pytest.raises(ValueError, match=rf"^{name} must be at least 0.*, got {name}="):
        kind([torch.zeros(1)], **ours)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *[(SGD, name) for name in ("learning_rate", "weight_decay", "momentum")],
        *[(k, name) for k in (Adam, AdamW) for name in ("learning_rate", "weight_decay", "eps")],
    ],
)
def test_no_option_may_be_no_number(kind, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 0, got {name}=nan"):
        kind([torch.zeros(1)], **{"learning_rate": 0.1, name: math.nan})


@pytest.mark.parametrize(
    ("kind", "options"), [(SGD, {"momentum": 0.9}), (Adam, {}), (AdamW, {"weight_decay": 0.1})]
)
def test_from_its_state_an_optimizer_goes_on_as_if_it_had_never_stopped(kind, options):
    one, two, inputs = twins(3)
    first = kind(one.parameters(), learning_rate=0.05, **options)

    def step(model, optimizer, x):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()

    for x in inputs[:5]:
        step(one, first, x)
    state = first.state_dict()
    two.load_state_dict(one.state_dict())
    second = kind(two.parameters(), learning_rate=1.0, **options)
    second.load_state_dict(state)
    for x in inputs[5:]:
        step(one, first, x)
    for x in inputs[5:]:  # the state that was given is a copy, and so is what was taken of it
        step(two, second, x)
    for mine, other in zip(one.parameters(), two.parameters(), strict=True):
        # The same kernels on the same shapes, in the same order.
        # exact: the same steps with the same kernels
        assert torch.equal(mine, other)
    other = kind([torch.zeros(2)], learning_rate=0.1)
    with pytest.raises(ValueError, match=r"must have the shapes \[\(2,\)\], got \[\(7, 5\), "):
        other.load_state_dict(state)
    with pytest.raises(ValueError, match=r"state must hold learning_rate, .*, got step"):
        other.load_state_dict({"step": 3})


# ---------------------------------------------------------------- schedule


@given(n_steps=st.integers(2, 40), highest=st.floats(0.1, 2), lowest=st.floats(0, 0.1))
def test_without_a_warm_up_it_is_the_cosine_of_torch(n_steps, highest, lowest):
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=highest)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, n_steps - 1, eta_min=lowest)
    for step in range(n_steps):
        ours = cosine_schedule(step, n_steps, highest, lowest)
        assert ours == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-5, abs=1e-7)
        theirs.step()
        schedule.step()


@given(n_steps=st.integers(1, 40), share=st.floats(0, 0.95), lowest=st.floats(0, 0.5))
def test_it_rises_on_a_line_and_falls_to_the_lowest(n_steps, share, lowest):
    n_warmup = int(share * n_steps)
    rates = [cosine_schedule(step, n_steps, 1.0, lowest, n_warmup) for step in range(n_steps + 3)]
    for step in range(n_warmup):
        assert rates[step] == pytest.approx((step + 1) / n_warmup)
    top = max(n_warmup - 1, 0)
    assert rates[top] == pytest.approx(1.0)
    assert rates[top:] == sorted(rates[top:], reverse=True)
    if n_steps - 1 > top:
        assert rates[n_steps - 1 :] == pytest.approx([lowest] * 4)
    assert all(rate > 0 for rate in rates[: n_steps - 1])


@pytest.mark.parametrize("n_warmup", [-1, 10, 11])
def test_a_warm_up_ends_before_the_training(n_warmup):
    with pytest.raises(ValueError, match=f"got n_warmup={n_warmup}, n_steps=10"):
        cosine_schedule(0, 10, 1.0, n_warmup=n_warmup)


# ---------------------------------------------------------------- clipping


@given(max_norm=st.floats(1e-3, 10), seed=seeds)
def test_clipping_is_that_of_torch(max_norm, seed):
    model, twin, inputs = twins(seed)
    for network in (model, twin):
        network(inputs[0]).square().sum().backward()
    norm = clip_gradients(model.parameters(), max_norm)
    expected = nn.utils.clip_grad_norm_(twin.parameters(), max_norm)
    torch.testing.assert_close(norm, expected)
    for one, two in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad, rtol=1e-5, atol=1e-6)


@given(seed=seeds, max_norm=st.floats(0.01, 100))
def test_clipping_keeps_the_direction_and_short_gradients(seed, max_norm):
    parameters = [torch.zeros(n, requires_grad=True) for n in (2, 3, 1)]
    for i, parameter in enumerate(parameters[:2]):  # the third has no gradient
        generator = torch.Generator().manual_seed(seed + i)
        parameter.grad = torch.randn(len(parameter), generator=generator)
    before = torch.cat([parameter.grad for parameter in parameters[:2]]).clone()
    norm = clip_gradients(parameters, max_norm)
    after = torch.cat([parameter.grad for parameter in parameters[:2]])
    assert norm.item() == pytest.approx(before.norm().item(), rel=1e-5)
    assert after.norm() <= max_norm * (1 + 1e-5)
    torch.testing.assert_close(after, before * min(1.0, max_norm / before.norm().item()))


def test_clipping_nothing_is_no_error():
    parameter = torch.zeros(3, requires_grad=True)
    assert clip_gradients([parameter], 1.0) == 0
    parameter.grad = torch.zeros(3)
    assert clip_gradients([parameter], 1.0) == 0
    # exact: zeros times any number
    assert (parameter.grad == 0).all(), "0 / 0 must not become NaN"
    with pytest.raises(ValueError, match=r"max_norm must be above 0, got max_norm=0.0"):
        clip_gradients([parameter], 0.0)


def test_a_nan_is_told_and_not_hidden():
    parameter = torch.zeros(2, requires_grad=True)
    parameter.grad = torch.tensor([math.nan, 1.0])
    assert clip_gradients([parameter], 1.0).isnan()
