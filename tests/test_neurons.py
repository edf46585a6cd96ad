"""lmcourse.neurons against torch, autograd and pencils, and what a distribution promises."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from lmcourse.clusters import k_means, purity
from lmcourse.generation import generate
from lmcourse.metrics import entropy, perplexity
from lmcourse.neurons import (
    MLP,
    MultiTaskMLP,
    cross_entropy,
    embed,
    fit,
    neuron,
    neuron_gradients,
    softmax,
)
from lmcourse.optimization import SGD, Adam
from lmcourse.training import TrainingConfig, train

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


# ---------------------------------------------------------------- a neuron


def test_a_neuron_by_hand_goes_forward_and_back_and_learns():
    """The pencil of the chapter: 0.580, and after one step 0.301."""
    x, weights = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 0.5])
    bias = torch.tensor(-0.5)
    output = neuron(x, weights, bias)
    assert output.item() == pytest.approx(0.762, abs=5e-4)
    d_x, d_weights, d_bias = neuron_gradients(x, weights, bias, 2 * output)  # of output²
    torch.testing.assert_close(d_weights, torch.tensor([1.279, -0.640]), atol=1e-3, rtol=0)
    torch.testing.assert_close(d_x, torch.tensor([0.640, 0.320]), atol=1e-3, rtol=0)
    assert d_bias.item() == pytest.approx(0.640, abs=1e-3)
    moved = neuron(x, weights - 0.1 * d_weights, bias - 0.1 * d_bias)
    assert [output.item() ** 2, moved.item() ** 2] == pytest.approx([0.580, 0.301], abs=1e-3)


@given(shape=st.lists(sizes, max_size=2), width=sizes, seed=seeds)
def test_a_neuron_is_a_linear_layer_and_a_bend(device, shape, width, seed):
    x = normal(*shape, width, seed=seed, device=device)
    layer = nn.Linear(width, 1, dtype=x.dtype, device=device)
    ours = neuron(x, layer.weight[0], layer.bias[0])
    torch.testing.assert_close(ours, layer(x)[..., 0].tanh())
    direction = normal(*shape, seed=seed + 1, device=device).detach()
    theirs = torch.autograd.grad((ours * direction).sum(), (x, layer.weight, layer.bias))
    d_x, d_weights, d_bias = neuron_gradients(x, layer.weight[0], layer.bias[0], direction)
    torch.testing.assert_close((d_x, d_weights[None], d_bias[None]), theirs)


# ---------------------------------------------------------------- layers

CORNERS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = torch.tensor([0, 1, 1, 0])


def copied_into_torch(model, widths, activation):
    parts = []
    for place, (weights, bias) in enumerate(zip(model.weights, model.biases, strict=True)):
        layer = nn.Linear(*weights.shape, device=weights.device)
        layer.load_state_dict({"weight": weights.T, "bias": bias})
        parts += [layer] if place == len(widths) - 2 else [layer, activation]
    return nn.Sequential(*parts)


@pytest.mark.parametrize(("bend", "layer"), [(torch.relu, nn.ReLU()), (torch.tanh, nn.Tanh())])
@pytest.mark.parametrize("widths", [(3, 5), (3, 7, 5), (3, 7, 11, 2)])
def test_an_mlp_agrees_with_torch(device, widths, bend, layer):
    model = MLP(widths, bend).to(device)
    theirs = copied_into_torch(model, widths, layer)
    x = torch.randn(13, 2, 3, device=device)
    torch.testing.assert_close(model(x), theirs(x), rtol=1e-5, atol=1e-6)
    model(x).square().sum().backward()
    theirs(x).square().sum().backward()
    linear = [part for part in theirs if isinstance(part, nn.Linear)]
    for weights, bias, other in zip(model.weights, model.biases, linear, strict=True):
        torch.testing.assert_close(weights.grad, other.weight.grad.T, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(bias.grad, other.bias.grad, rtol=1e-4, atol=1e-4)


def test_layers_without_a_bend_are_one_layer():
    model = MLP([3, 7, 11, 2], bend=None).double()
    with torch.no_grad():
        bias = model(torch.zeros(1, 3, dtype=torch.double))
        matrix = model(torch.eye(3, dtype=torch.double)) - bias
    x = normal(13, 3, seed=0).detach()
    torch.testing.assert_close(model(x), x @ matrix + bias)
    bent = MLP([3, 7, 2]).double()
    assert (bent(x) + bent(-x) - 2 * bent(0 * x)).abs().max() > 1e-3


def test_two_neurons_solve_xor_by_their_bend():
    """relu(x + y) − 2 relu(x + y − 1) is 0, 1, 1, 0 at the four corners."""
    model = MLP([2, 2, 1])
    numbers = ([[1.0, 1.0], [1.0, 1.0]], [0.0, -1.0], [[1.0], [-2.0]], [0.0])
    first, shift, last, end = map(torch.tensor, numbers)
    with torch.no_grad():
        for own, value in zip(
            [*model.weights, *model.biases], [first, last, shift, end], strict=True
        ):
            own.copy_(value)
        said = model(CORNERS)[:, 0]
        torch.testing.assert_close(said, XOR.float())
        folded = model.features(CORNERS)
    torch.testing.assert_close(folded[1], folded[2])  # the fold lays them on each other


@pytest.mark.parametrize("bend", [torch.relu, torch.tanh], ids=["relu", "tanh"])
def test_a_trained_mlp_solves_xor_and_the_same_without_its_bend_does_not(bend):
    """No line has a cross-entropy below ln 2 there."""
    right, losses = {}, {}
    for name, kind in (("bent", bend), ("straight", None)):
        model = MLP([2, 16, 2], kind)
        fit(model, Adam(model.parameters(), 0.05), [(CORNERS, XOR)] * 200)
        logits = model(CORNERS)
        right[name] = int((logits.argmax(-1) == XOR).sum())
        losses[name] = cross_entropy(logits, XOR).item()
    assert right["bent"] == 4
    # Not its answers: near the best that a line can do, all logits are equal but for rounding.
    assert losses["straight"] > math.log(2) - 1e-5


def test_an_mlp_starts_as_linear_layers_of_torch_do():
    model = MLP([25, 400, 1])
    for weights, bias, most in zip(model.weights, model.biases, (0.2, 0.05), strict=True):
        for numbers in (weights, bias):
            assert numbers.abs().max() <= most
        # A uniform distribution between ±a has a standard deviation of a/√3.
        assert weights.std().item() == pytest.approx(most / 3**0.5, rel=0.1)


@pytest.mark.parametrize("widths", [[3], [], [3, 0, 2]])
def test_an_mlp_refuses_widths_that_are_no_layers(widths):
    found = str(widths).replace("[", r"\[").replace("]", r"\]")
    with pytest.raises(ValueError, match=rf"widths must be two or more.*widths={found}: give"):
        MLP(widths)


def test_one_network_answers_several_questions_from_shared_features():
    """What is below 0, and what is its sine? One body, two heads, mean squared error below 0.01."""
    x = torch.linspace(-3, 3, 60)[:, None]
    mood, height = (x[:, 0] > 0).long(), torch.sin(x)
    model = MultiTaskMLP([1, 32], {"mood": 2, "height": 1}, torch.tanh)

    def loss_of(said, true):
        return cross_entropy(said["mood"], true[0]) + (said["height"] - true[1]).square().mean()

    fit(model, Adam(model.parameters(), 0.03), [(x, (mood, height))] * 600, loss_of)
    said = model(x)
    assert (said["mood"].argmax(-1) == mood).float().mean() > 0.95
    assert (said["height"] - height).square().mean() < 0.01
    torch.testing.assert_close(model.heads["height"](model.features(x)), said["height"])


def test_learned_features_fall_into_the_classes_that_the_inputs_hide(seed):
    """Points on a ring within a ring: halves of the plane are no classes, halves of what the last
    hidden layer makes of it are.

    Not of all data, though: of the corners of XOR a class may keep its two, far from each other.
    """
    dice = torch.Generator().manual_seed(seed)
    ring = torch.arange(200) % 2
    radius = 1 + ring + 0.1 * torch.randn(200, generator=dice)
    angle = 2 * math.pi * torch.rand(200, generator=dice)
    points = radius[:, None] * torch.stack([angle.cos(), angle.sin()], -1)
    model = MLP([2, 16, 16, 2], torch.tanh)
    fit(model, Adam(model.parameters(), 0.03), [(points, ring)] * 300)
    learned = model.features(points).detach()
    assert purity(k_means(learned, 2, dice), ring) > 0.9
    assert purity(k_means(points, 2, dice), ring) < 0.7


def test_each_head_sends_its_gradient_into_the_shared_layers():
    model = MultiTaskMLP([3, 7], {"a": 2, "b": 5})
    said = model(torch.randn(11, 3))
    assert {name: tuple(each.shape) for name, each in said.items()} == {"a": (11, 2), "b": (11, 5)}
    for name, other in (("a", "b"), ("b", "a")):
        model.zero_grad()
        said[name].sum().backward(retain_graph=True)
        assert model.body.weights[0].grad.abs().sum() > 0
        assert model.heads[other].weights[0].grad is None


def test_a_network_without_a_head_is_refused():
    with pytest.raises(ValueError, match="heads must name one question or more"):
        MultiTaskMLP([3, 7], {})


# ---------------------------------------------------------------- softmax


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


@given(vocab_size=st.integers(2, 9), seed=seeds)
def test_cross_entropy_is_least_for_the_truth_and_then_the_entropy(vocab_size, seed):
    """H(p, q) ≥ H(p), with equality where q is p: Gibbs' inequality."""
    truth, other = normal(2, vocab_size, seed=seed, scale=2.0).detach()
    p = softmax(truth)
    floor = entropy(p).item()
    assert cross_entropy(truth[None], p[None]).item() == pytest.approx(floor, abs=1e-12)
    apart = (softmax(other) - p).abs().sum().item()
    # Pinsker: the excess is at least half the square of the distance.
    assert cross_entropy(other[None], p[None]).item() >= floor + apart**2 / 2 - 1e-12


# ---------------------------------------------------------------- the loop


def test_the_loop_does_what_its_lines_say_with_our_optimizers_and_with_torchs():
    x, y = normal(13, 3, seed=1).detach(), torch.arange(13) % 2
    finals = []
    for make in (SGD, torch.optim.SGD):
        torch.manual_seed(0)
        model = MLP([3, 5, 2]).double()
        by_hand = [each.detach().clone().requires_grad_() for each in model.parameters()]
        losses = fit(model, make(model.parameters(), 0.3), [(x, y)] * 3)
        finals.append([*model.parameters()])
        assert len(losses) == 3
        assert losses[0] > losses[1] > losses[2]
        for _ in range(3):
            named = dict(zip(dict(model.named_parameters()), by_hand, strict=True))
            loss = cross_entropy(torch.func.functional_call(model, named, (x,)), y)
            gradients = torch.autograd.grad(loss, by_hand)
            by_hand = [
                (each - 0.3 * g).detach().requires_grad_()
                for each, g in zip(by_hand, gradients, strict=True)
            ]
        torch.testing.assert_close(finals[-1], by_hand)
        assert loss.item() == pytest.approx(losses[-1])
    torch.testing.assert_close(*finals)


def test_the_loop_forgets_gradients_from_before_it():
    model = MLP([3, 2])
    before = [each.detach().clone() for each in model.parameters()]
    model(torch.ones(1, 3)).sum().mul(1e6).backward()
    fit(model, SGD(model.parameters(), 0.1), [(torch.zeros(1, 3), torch.tensor([0]))])
    assert max((a - b).abs().max() for a, b in zip(model.parameters(), before, strict=True)) < 1


def test_the_loop_reaches_the_entropy_of_its_labels_and_no_less():
    """Labels are wrong one time in ten: the floor is H(0.1), and knowing nothing costs ln 2."""
    wrong = torch.tensor([0.9, 0.1])
    floor = entropy(wrong).item()

    def batches(n, generator):
        for _ in range(n):
            corners = torch.randint(4, (256,), generator=generator)
            flips = (torch.rand(256, generator=generator) < 0.1).long()
            yield CORNERS[corners], XOR[corners] ^ flips

    generator = torch.Generator().manual_seed(0)
    model = MLP([2, 16, 2])
    losses = fit(model, Adam(model.parameters(), 0.02), batches(500, generator))
    # A batch's mean loss has a standard error of 0.041, the mean of a hundred 0.0041.
    assert sum(losses[-100:]) / 100 == pytest.approx(floor, abs=0.02)
    assert losses[0] == pytest.approx(math.log(2), abs=0.2)


# ---------------------------------------------------------------- the contracts of the course


class PairModel(nn.Module):
    """A vector for each id and an MLP on it: a language model that sees one id back."""

    def __init__(self, vocab_size):
        super().__init__()
        self.table = nn.Parameter(torch.randn(vocab_size, 8))
        self.mlp = MLP([8, 32, vocab_size])

    def forward(self, ids):
        return self.mlp(embed(self.table, ids))


def test_an_mlp_is_a_language_model_that_is_trained_judged_and_made_to_write():
    """Each id is followed by its successor or by 0, as a coin falls, and 4 by 0 in any case.

    One step in 31 starts from 4 and is certain, so the best perplexity is 2 to the power of 30/31.
    """
    dice = torch.Generator().manual_seed(0)
    ids = [0]
    for coin in torch.randint(2, (3000,), generator=dice).tolist():
        ids.append((ids[-1] + 1) % 5 if coin else 0)
    ids = torch.tensor(ids)
    model = PairModel(5)
    plan = {"n_steps": 150, "batch_size": 16, "learning_rate": 0.02, "context_length": 16}
    train(model, ids, TrainingConfig(**plan))
    found = perplexity(model, ids, context_length=16)
    assert found == pytest.approx(2 ** (30 / 31), rel=0.04)
    written = generate(model, torch.tensor([[1]]), 200, top_k=2, generator=dice)[0].tolist()
    allowed = [b in (0, (a + 1) % 5) for a, b in itertools.pairwise(written)]
    assert sum(allowed) > 0.95 * len(allowed)


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
