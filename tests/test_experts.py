"""lmcourse.experts: each token uses the experts that its router likes most, and no other."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import normal as normal_of
from torch import nn

from lmcourse.experts import (
    PUBLISHED,
    MixtureOfExperts,
    balance_loss,
    parameters_used,
    route,
    routings_of,
)
from lmcourse.transformer import FeedForward

seeds = st.integers(0, 2**31)


def normal(*shape, seed=0):
    return normal_of(*shape, seed=seed, dtype=torch.float64)


def mixture(seed=0, **options):
    torch.manual_seed(seed)
    return MixtureOfExperts(6, **{"n_experts": 5, "top_k": 2, "d_ff": 7, **options}).double()


def plain(layer, x):
    """The same, token by token and choice by choice."""
    out = torch.zeros_like(x)
    flat, result = x.view(-1, x.shape[-1]), out.view(-1, x.shape[-1])
    probs = (flat @ layer.router.weight.T).softmax(-1)
    taken = [0] * len(layer.experts)
    chosen = (probs + layer.bias).sort(descending=True, stable=True).indices
    for choice in range(layer.top_k):
        for row, token in enumerate(flat):
            expert = int(chosen[row, choice])
            taken[expert] += 1
            if taken[expert] > layer.capacity(len(flat)):
                continue
            weight = probs[row, expert]
            if layer.normalized or (layer.normalized is None and layer.top_k > 1):
                weight = weight / probs[row, chosen[row, : layer.top_k]].sum()
            result[row] += weight * layer.experts[expert](token)
    for expert in layer.shared:
        result += expert(flat)
    return out


@pytest.mark.parametrize("normalized", [None, True, False])
@pytest.mark.parametrize("top_k", [1, 2, 5])
@pytest.mark.parametrize("activation", ["relu", "swiglu"])
def test_it_is_what_a_plain_loop_over_tokens_gives(top_k, activation, normalized):
    layer = mixture(top_k=top_k, activation=activation, normalized=normalized)
    x = normal(3, 4, 6, seed=1)
    torch.testing.assert_close(layer(x), plain(layer, x))


@given(
    seed=seeds, top_k=st.integers(1, 4), n_shared=st.integers(0, 2),
    factor=st.sampled_from([None, 0.3, 1.0, 1.25, 9.0]),
)  # fmt: skip
def test_with_shared_experts_capacity_and_bias_it_is_the_plain_loop(seed, top_k, n_shared, factor):
    layer = mixture(seed, top_k=top_k, n_shared=n_shared, capacity_factor=factor)
    layer.bias.copy_(0.1 * normal(5, seed=seed + 1))
    x = normal(11, 6, seed=seed + 2)
    torch.testing.assert_close(layer(x), plain(layer, x))


def test_gradients_are_those_of_the_plain_loop():
    layer = mixture(capacity_factor=1.0, n_shared=1)
    x = normal(9, 6, seed=3).requires_grad_()
    ours = torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()])
    theirs = torch.autograd.grad(plain_of_parts(layer, x).square().sum(), [x, *layer.parameters()])
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def plain_of_parts(layer, x):
    """Every expert for every token, times a matrix of weights that is mostly zero."""
    routing = layer.route(x)
    room = routing.kept(layer.capacity(len(x)))
    weights = torch.zeros(len(x), len(layer.experts), dtype=x.dtype)
    weights = weights.scatter(1, routing.experts, routing.weights.to(x.dtype) * room)
    outputs = torch.stack([expert(x) for expert in layer.experts], 1)
    return (weights[..., None] * outputs).sum(1) + sum(expert(x) for expert in layer.shared)


def test_it_is_transformers_mixtral_block_with_copied_weights():
    mixtral = pytest.importorskip("transformers.models.mixtral.modeling_mixtral")
    config = mixtral.MixtralConfig(
        hidden_size=6, intermediate_size=7, num_local_experts=5, num_experts_per_tok=2,
        hidden_act="silu", router_jitter_noise=0.0,
    )  # fmt: skip
    theirs = mixtral.MixtralSparseMoeBlock(config).double()
    ours = mixture(activation="swiglu", linear_bias=False)
    with torch.no_grad():
        theirs.gate.weight.copy_(ours.router.weight)
        for number, expert in enumerate(ours.experts):
            theirs.experts.gate_up_proj[number] = expert.up_projection.weight
            theirs.experts.down_proj[number] = expert.down_projection.weight
    x = normal(2, 7, 6, seed=4).requires_grad_()
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-6, rtol=1e-6)  # theirs is float32 here
    one, other = (torch.autograd.grad(each(x).square().sum(), x)[0] for each in (ours, theirs))
    torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)


def test_one_expert_that_is_always_chosen_is_a_feed_forward_network():
    layer = mixture(n_experts=1, top_k=1)
    x = normal(4, 6)
    torch.testing.assert_close(layer(x), layer.experts[0](x))


def test_only_the_chosen_experts_compute():
    layer, seen = mixture(), [0] * 5
    for number, expert in enumerate(layer.experts):
        expert.register_forward_hook(
            lambda _, args, out, number=number: seen.__setitem__(number, len(args[0]))
        )
    x = normal(20, 6)
    layer(x)
    assert torch.tensor(seen).div(40).tolist() == pytest.approx(layer.route(x).load.tolist())


def test_nothing_of_another_token_enters_unless_places_are_short():
    x = normal(8, 6)
    layer = mixture()
    torch.testing.assert_close(layer(x)[3:4], layer(x[3:4]))
    narrow = mixture(capacity_factor=0.5)
    assert not torch.allclose(narrow(x), torch.cat([narrow(row) for row in x.split(1)]))


def test_a_token_without_room_adds_nothing():
    layer = mixture(top_k=1, capacity_factor=0.5)
    layer.bias[2] = 10.0  # everybody wants the same
    x = normal(10, 6)
    out = layer(x)
    assert layer.capacity(10) == 1
    assert (out[1:] == 0).all()  # exact: nothing was added
    assert (out[0] != 0).any()


def test_first_choices_go_before_second_ones():
    logits = torch.tensor([[2.0, 1.0, -9.0], [1.0, 2.0, -9.0], [2.0, 1.0, -9.0]])
    routing = route(logits, 2)
    assert routing.experts.tolist() == [[0, 1], [1, 0], [0, 1]]
    assert routing.kept(2).tolist() == [[True, True], [True, False], [True, False]]
    assert routing.kept(1).tolist() == [[True, False], [True, False], [False, False]]


def test_the_weight_of_a_single_choice_is_what_teaches_the_router():
    """Normalized it would be 1 whatever the router says."""
    x = normal(7, 6)
    for normalized, learns in ((None, True), (True, False)):
        layer = mixture(top_k=1, normalized=normalized)
        gradient = torch.autograd.grad(layer(x).square().sum(), layer.router.weight)[0]
        assert (gradient.abs().max() > 1e-9) == learns


def test_a_bias_changes_the_choice_and_not_the_weights():
    logits = torch.tensor([[1.0, 0.0, -1.0]])
    probs = logits.softmax(-1)[0]
    routing = route(logits, 1, bias=torch.tensor([0.0, 0.0, 1.0]))
    assert routing.experts.tolist() == [[2]]
    torch.testing.assert_close(routing.weights, probs[None, 2:])


def test_balance_is_1_at_best_and_the_number_of_experts_at_worst():
    even = torch.eye(4).repeat(3, 1) * 1e-3
    assert balance_loss(route(even, 1)).item() == pytest.approx(1.0, abs=1e-3)
    uneven = torch.tensor([[50.0, 0, 0, 0]] * 12)
    assert balance_loss(route(uneven, 1)).item() == pytest.approx(4.0)


def test_its_gradient_takes_from_the_busy():
    logits = torch.tensor([[1.0, 0.0, 0.0]] * 5 + [[0.0, 1.0, 0.0]], requires_grad=True)
    balance_loss(route(logits, 1)).backward()
    assert logits.grad.sum(0)[0] > 0 > logits.grad.sum(0)[2]


def test_evening_out_gives_the_idle_a_better_chance():
    layer = mixture(top_k=1)
    layer.bias[0] = 0.5
    x = normal(400, 6)
    before = layer.route(x).load
    for _ in range(300):
        layer.even_out(layer.route(x), 0.01)
    after = layer.route(x).load
    assert before.max() > 0.9
    assert after.max() < 0.3  # 0.2 each, and some swing
    assert layer.router.weight.grad is None


def test_routings_are_heard_while_the_model_works_and_not_after():
    layers = nn.Sequential(mixture(1), nn.ReLU(), mixture(2, n_experts=3))
    x = normal(2, 5, 6)
    with routings_of(layers) as found:
        layers(x)
        assert [each.probs.shape for each in found] == [(10, 5), (10, 3)]
    torch.testing.assert_close(found[0].probs, layers[0].route(x).probs)
    sum(balance_loss(each) for each in found).backward()
    assert all(layers[at].router.weight.grad is not None for at in (0, 2))
    layers(x)
    assert len(found) == 2


def test_parameters_are_counted_as_they_are_used():
    layer = mixture(n_shared=1)
    each = sum(part.numel() for part in FeedForward(6, 7).parameters())
    used, kept = parameters_used(layer)
    assert used == 5 * 6 + 3 * each
    assert kept == sum(part.numel() for part in layer.parameters()) == 5 * 6 + 6 * each


@pytest.mark.parametrize(("factor", "n", "room"), [(1.0, 10, 4), (1.25, 10, 5), (None, 10, 10)])
def test_the_capacity_is_a_multiple_of_the_fair_share(factor, n, room):
    assert mixture(capacity_factor=factor).capacity(n) == room


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 0}, "top_k must be 1 to 5, the number of experts, got top_k=0"),
        ({"top_k": 6}, "top_k must be 1 to 5, the number of experts, got top_k=6"),
        ({"capacity_factor": 0.0}, "capacity_factor must be positive, got capacity_factor=0.0"),
        ({"n_shared": -1}, "n_shared must be 0 or more, got n_shared=-1"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        mixture(**options)


def test_published_mixtures_are_those_of_transformers():
    transformers = pytest.importorskip("transformers")
    mixtral, deepseek = PUBLISHED
    theirs = transformers.MixtralConfig()
    assert (mixtral.d_model, mixtral.d_ff) == (theirs.hidden_size, theirs.intermediate_size)
    assert (mixtral.n_layers, mixtral.n_experts) == (
        theirs.num_hidden_layers, theirs.num_local_experts,
    )  # fmt: skip
    assert mixtral.top_k == theirs.num_experts_per_tok
    theirs = transformers.DeepseekV3Config()
    assert (deepseek.d_model, deepseek.d_ff) == (theirs.hidden_size, theirs.moe_intermediate_size)
    assert deepseek.n_layers == theirs.num_hidden_layers - theirs.first_k_dense_replace
    assert (deepseek.n_experts, deepseek.n_shared) == (
        theirs.n_routed_experts, theirs.n_shared_experts,
    )  # fmt: skip
    assert deepseek.top_k == theirs.num_experts_per_tok


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published.name)
def test_parameters_of_published_mixtures_are_those_of_our_layer(published):
    with torch.device("meta"):
        layer = MixtureOfExperts(
            published.d_model, published.n_experts, published.top_k, published.d_ff, "swiglu",
            n_shared=published.n_shared, linear_bias=False,
        )  # fmt: skip
    used, kept = (each - layer.router.weight.numel() for each in parameters_used(layer))
    assert published.kept == published.n_layers * kept
    assert published.used == published.n_layers * used
