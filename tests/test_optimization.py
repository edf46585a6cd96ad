"""lmcourse.optimization against torch.optim, and what a schedule and a clip promise."""

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lmcourse.optimization import (
    SGD,
    Adam,
    AdamW,
    Muon,
    clip_gradients,
    constant_schedule,
    cosine_schedule,
    linear_schedule,
    orthogonalize,
)

seeds = st.integers(0, 2**31)

share = st.floats(0, 0.99)
decay = st.sampled_from([0.0, 1e-3, 0.3])
yes_or_no = st.booleans()
# Every option that both have, by our name; `momentum` without Nesterov's form may be dampened.
SGD_OPTIONS = st.one_of(
    st.fixed_dictionaries(
        {"momentum": share, "dampening": share, "weight_decay": decay, "maximize": yes_or_no}
    ),
    st.fixed_dictionaries(
        {"momentum": st.floats(0.1, 0.99), "nesterov": st.just(True), "weight_decay": decay}
    ),
)
ADAM_OPTIONS = st.fixed_dictionaries(
    {
        # Where the mean remembers longer than the square, a step may be any number of rates long,
        # and so may be what rounding has left.
        "betas": st.tuples(share, st.floats(0.9, 0.9999)),
        "eps": st.sampled_from([1e-8, 1e-3, 1.0]),
        "weight_decay": decay,
        "amsgrad": yes_or_no,
        "maximize": yes_or_no,
    }
)
MUON_OPTIONS = st.fixed_dictionaries(
    {
        "momentum": share,
        "nesterov": yes_or_no,
        "weight_decay": decay,
        "n_iterations": st.integers(1, 7),
        "coefficients": st.sampled_from([(3.4445, -4.7750, 2.0315), (1.5, -0.5, 0.0)]),
        "eps": st.sampled_from([1e-7, 10.0]),
        "scale": st.sampled_from(["original", "match_rms_adamw"]),
    }
)
NAME_IN_TORCH = {
    "learning_rate": "lr", "n_iterations": "ns_steps", "coefficients": "ns_coefficients",
    "scale": "adjust_lr_fn",
}  # fmt: skip
KINDS = [SGD, Adam, AdamW, Muon]


def of_torch(kind, parameters, **options):
    renamed = {NAME_IN_TORCH.get(name, name): value for name, value in options.items()}
    return getattr(torch.optim, kind.__name__)(parameters, **renamed)


def twins(seed, device="cpu"):
    """Twice the same network, and inputs for it."""
    torch.manual_seed(seed)
    ours = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).to(device)
    theirs = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).to(device)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(10, 4, 5, generator=torch.Generator().manual_seed(seed)).to(device)
    return ours, theirs, x


def fifty_steps(kind, options, seed, device, dtype, rtol):
    """Of ours and of torch's, with another learning rate at each, side by side."""
    model, twin, inputs = (each.to(dtype) for each in twins(seed, device))
    if kind is Muon:  # vectors are not for it
        model, twin = (nn.Sequential(net[0], net[1], net[2]) for net in (model, twin))
    wanted = [
        [p for p in net.parameters() if p.dim() == 2 or kind is not Muon] for net in (model, twin)
    ]
    mine = kind(wanted[0], learning_rate=1.0, **options)
    other = of_torch(kind, wanted[1], learning_rate=1.0, **options)
    begin = torch.cat([p.detach().flatten() for p in wanted[0]])
    for step in range(50):
        rate = cosine_schedule(step, 50, 0.02, 0.001, n_warmup=5)
        mine.learning_rate = other.param_groups[0]["lr"] = rate
        for network, optimizer in ((model, mine), (twin, other)):
            network.zero_grad()
            network(inputs[step % len(inputs)]).square().mean().backward()
            optimizer.step()
        for one, two in zip(*wanted, strict=True):
            torch.testing.assert_close(one, two, rtol=rtol, atol=rtol)
    moved = torch.cat([p.detach().flatten() for p in wanted[0]]) - begin
    assert moved.abs().max() > 100 * rtol, "who does not move cannot be told apart"


@settings(max_examples=8)
@given(options=SGD_OPTIONS, seed=seeds)
def test_fifty_steps_of_sgd_are_those_of_torch(device, options, seed):
    fifty_steps(SGD, options, seed, device, torch.float64, 1e-7)


@pytest.mark.parametrize("kind", [Adam, AdamW])
@settings(max_examples=8)
@given(options=ADAM_OPTIONS, seed=seeds)
def test_fifty_steps_of_adam_are_those_of_torch(device, kind, options, seed):
    fifty_steps(kind, options, seed, device, torch.float64, 1e-7)


@settings(max_examples=8)
@given(options=MUON_OPTIONS, seed=seeds)
def test_fifty_steps_of_muon_are_those_of_torch(device, options, seed):
    """In bfloat16, as torch multiplies: a rounding that falls otherwise moves the fifth digit."""
    fifty_steps(Muon, options, seed, device, torch.float32, 1e-4)


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
    (SGD, {"momentum": -1.0}),
    (SGD, {"nesterov": True}),
    (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
    *[(kind, {"weight_decay": -1.0}) for kind in KINDS],
    *[(kind, {"learning_rate": -1e-9}) for kind in KINDS],
    *[(kind, {"eps": -1.0}) for kind in (Adam, AdamW)],
    *[(kind, {"betas": (low, 0.9)}) for kind in (Adam, AdamW) for low in (-0.1, 1.0)],
    *[(kind, {"betas": (0.9, high)}) for kind in (Adam, AdamW) for high in (-0.1, 1.5)],
    (Muon, {"momentum": -0.1}),
    (Muon, {"scale": "larger"}),
]


@pytest.mark.parametrize(("kind", "options"), BAD)
def test_what_torch_refuses_is_refused_by_name(kind, options):
    matrix = [torch.zeros(2, 3, requires_grad=True)]
    with pytest.raises(ValueError, match=r"Invalid|should be|Nesterov|not supported"):
        of_torch(kind, matrix, **options)
    name, value = next(iter(options.items()))
    got = re.escape(f"got {name}={value!r}") if name != "nesterov" else "got momentum=0"
    with pytest.raises(ValueError, match=rf"^{name} must .*, {got}"):
        kind(matrix, **{"learning_rate": 0.1} | options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1, got momentum=1.0"),
        ({"n_iterations": 0}, "n_iterations must be 1 to 99, got n_iterations=0"),
        ({"n_iterations": 100}, "n_iterations must be 1 to 99, got n_iterations=100"),
        ({"eps": -1.0}, "eps must be at least 0, got eps=-1.0"),
    ],
)
def test_muon_refuses_what_would_never_step(options, message):
    with pytest.raises(ValueError, match=message):
        Muon([torch.zeros(2, 3)], **options)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_list_of_parameters_is_named(kind):
    model = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="must be a list of tensors, got one tensor"):
        kind(model.weight, learning_rate=0.1)
    with pytest.raises(ValueError, match=r"got a tuple: give model.parameters\(\), not"):
        kind(model.named_parameters(), learning_rate=0.1)
    with pytest.raises(ValueError, match="got one of them twice"):
        kind([model.weight, model.weight], learning_rate=0.1)


def test_muon_takes_matrices_alone():
    with pytest.raises(ValueError, match=r"must be matrices, got the shape \(2,\): leave"):
        Muon(nn.Linear(2, 2).parameters())


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
    ("kind", "options"),
    [
        (SGD, {"momentum": 0.9, "dampening": 0.5}),
        (Adam, {}),
        (Adam, {"amsgrad": True}),
        (AdamW, {"weight_decay": 0.1}),
        (Muon, {}),
    ],
)
def test_from_its_state_an_optimizer_goes_on_as_if_it_had_never_stopped(kind, options):
    one, two, inputs = twins(3)
    bias = kind is not Muon
    if kind is Muon:
        one, two = (nn.Sequential(nn.Linear(5, 7, bias), nn.Linear(7, 3, bias)) for _ in "ab")
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
    other = kind([torch.zeros(2, 1)], learning_rate=0.1, **options)
    with pytest.raises(ValueError, match=r"must have the shapes \[\(2, 1\)\], got \[\(7, 5\), "):
        other.load_state_dict(state)
    with pytest.raises(ValueError, match=r"state must hold learning_rate, .*, got step"):
        other.load_state_dict({"step": 3})
    with pytest.raises(ValueError, match="n_steps must be 1 counts, got 2"):
        other.load_state_dict(other.state_dict() | {"n_steps": [1, 2]})


def test_the_state_of_another_kind_is_refused():
    parameter = [torch.zeros(2, 2)]
    with pytest.raises(ValueError, match=r"state must hold .*, largest, got .*, squares$"):
        Adam(parameter, amsgrad=True).load_state_dict(Adam(parameter).state_dict())
    with pytest.raises(ValueError, match=r"state must hold .*, velocities, got .*, means, squares"):
        SGD(parameter, 0.1).load_state_dict(Adam(parameter).state_dict())


# ---------------------------------------------------------------- Muon


def singular_values(matrix):
    return torch.linalg.svdvals(matrix.double())


@given(rows=st.integers(1, 30), columns=st.integers(1, 30), seed=seeds)
def test_a_matrix_that_is_made_orthogonal_keeps_its_directions(rows, columns, seed):
    """Singular values above a hundredth of all come near 1; U and V stay, so Uᵀ O V is diagonal."""
    generator = torch.Generator().manual_seed(seed)
    u, before, v = torch.linalg.svd(
        torch.randn(rows, columns, generator=generator, dtype=torch.float64), full_matrices=False
    )
    found = orthogonalize(u * before @ v, dtype=torch.float64)
    inside = u.mT @ found @ v.mT
    large = before > 0.01 * before.norm()
    assert ((inside.diagonal()[large] > 0.65) & (inside.diagonal()[large] < 1.25)).all()
    assert (inside - inside.diagonal().diag()).abs().max() < 1e-6
    in_bfloat16 = orthogonalize((u * before @ v).float())
    assert in_bfloat16.dtype == torch.bfloat16
    assert (in_bfloat16.double() - found).abs().max() < 0.1


def test_by_hand_one_round_takes_a_number_through_the_polynomial():
    """A matrix of one number is 1 after the division, and 3.4445 − 4.775 + 2.0315 = 0.701 then."""
    for number in (5.0, -0.01):
        found = orthogonalize(torch.tensor([[number]]), n_iterations=1, dtype=torch.float32)
        assert found.item() == pytest.approx(math.copysign(0.701, number), abs=1e-4)
    assert orthogonalize(torch.zeros(3, 2)).abs().max() == 0  # no 0 / 0


def test_muon_steps_equally_far_in_each_direction_and_sgd_does_not():
    """A gradient with singular values 100 and 1: SGD's step has them too, Muon's are about 1."""
    gradient = torch.diag(torch.tensor([100.0, 1.0]))
    steps = {}
    for kind in (SGD, Muon):
        parameter = torch.zeros(2, 2, requires_grad=True)
        parameter.grad = gradient.clone()
        kind([parameter], learning_rate=1.0, weight_decay=0.0).step()
        steps[kind] = singular_values(parameter.detach())
    assert steps[SGD].tolist() == pytest.approx([100, 1])
    assert steps[Muon].max() / steps[Muon].min() < 2


@pytest.mark.parametrize(("shape", "ratio"), [((8, 2), 2.0), ((2, 8), 1.0), ((3, 3), 1.0)])
def test_a_tall_matrix_takes_longer_steps(shape, ratio):
    torch.manual_seed(0)
    gradient = torch.randn(shape)
    lengths = {}
    for scale in ("original", "match_rms_adamw"):
        parameter = torch.zeros(shape, requires_grad=True)
        parameter.grad = gradient
        Muon([parameter], 1.0, weight_decay=0.0, scale=scale, dtype=torch.float32).step()
        update = orthogonalize(gradient, dtype=torch.float32)
        lengths[scale] = (parameter.detach().norm() / update.norm()).item()
    assert lengths["original"] == pytest.approx(ratio, rel=0.001)
    assert lengths["match_rms_adamw"] == pytest.approx(0.2 * math.sqrt(max(shape)), rel=0.001)


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


@given(n_steps=st.integers(2, 40), highest=st.floats(0.1, 2), lowest=st.floats(0, 0.1))
def test_without_a_warm_up_the_line_is_that_of_torch(n_steps, highest, lowest):
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=highest)
    schedule = torch.optim.lr_scheduler.LinearLR(theirs, 1.0, lowest / highest, n_steps - 1)
    for step in range(n_steps + 3):
        ours = linear_schedule(step, n_steps, highest, lowest)
        assert ours == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-5, abs=1e-7)
        theirs.step()
        schedule.step()


@given(n_steps=st.integers(3, 40), share=st.floats(0, 0.95))
def test_all_schedules_rise_alike_and_then_part(n_steps, share):
    n_warmup = int(share * n_steps)
    kinds = (constant_schedule, linear_schedule, cosine_schedule)
    for step in range(n_steps + 3):
        constant, line, cosine = (kind(step, n_steps, 2.0, n_warmup=n_warmup) for kind in kinds)
        if step < n_warmup:
            assert [line, cosine] == pytest.approx([constant, constant])
            assert constant == pytest.approx(2.0 * (step + 1) / n_warmup)
        else:
            assert constant == pytest.approx(2.0)
            left = 1 - (step - max(n_warmup - 1, 0)) / max(n_steps - 1 - max(n_warmup - 1, 0), 1)
            assert line == pytest.approx(2.0 * max(left, 0), abs=1e-9)


@pytest.mark.parametrize("kind", [constant_schedule, linear_schedule, cosine_schedule])
@pytest.mark.parametrize("n_warmup", [-1, 10, 11])
def test_a_warm_up_ends_before_the_training(kind, n_warmup):
    with pytest.raises(ValueError, match=f"got n_warmup={n_warmup}, n_steps=10"):
        kind(0, 10, 1.0, n_warmup=n_warmup)


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
