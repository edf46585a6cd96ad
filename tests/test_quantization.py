"""lmcourse.quantization: levels as published, errors within their bounds, memory as it is held."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lmcourse.gpt import GPT, GPT_TINY
from lmcourse.quantization import (
    QuantizedLinear,
    dequantize,
    largest_error,
    levels,
    linears,
    n_bytes,
    quantize,
    quantize_linears,
)

KINDS = ("int8", "int4", "nf4")
# Dettmers et al. (2023), appendix E, to six decimals.
NF4 = [
    *(-1.0, -0.696193, -0.525073, -0.394917, -0.284441, -0.184773, -0.09105, 0.0),
    *(0.07958, 0.16093, 0.246112, 0.337915, 0.44071, 0.562617, 0.722957, 1.0),
]
each_kind = pytest.mark.parametrize("kind", KINDS)
some_weights = {
    "kind": st.sampled_from(KINDS),
    "rows": st.integers(1, 5),
    "n_groups": st.integers(1, 4),
    "half_group": st.integers(1, 9),
    "log_size": st.integers(-20, 20),
    "seed": st.integers(0, 2**31),
}


def drawn(rows, columns, log_size=0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2.0**log_size * torch.randn(rows, columns, generator=generator)


def round_trip(weight, kind, group_size):
    return dequantize(*quantize(weight, kind, group_size), kind)


# ---------------------------------------------------------------- levels


def test_the_levels_of_nf4_are_those_of_the_paper():
    torch.testing.assert_close(levels("nf4"), torch.tensor(NF4), rtol=0, atol=1e-6)


@each_kind
def test_levels_rise_from_minus_one_to_one_and_zero_is_among_them(kind):
    found = levels(kind)
    assert (found.diff() > 0).all()
    assert found[0] == -1
    assert found[-1] == 1
    assert (found == 0).any()
    assert len(found) == {"int8": 255, "int4": 15, "nf4": 16}[kind]


def test_nf4_uses_all_levels_about_equally_on_normal_weights_and_int4_does_not():
    """In groups of 64 the largest is about 2.4 σ, so the outer levels are taken less often."""
    weight = drawn(256, 256, seed=1)
    shares = {}
    for kind in ("int4", "nf4"):
        codes, _ = quantize(weight, kind, 64)
        each = torch.stack([codes & 15, codes >> 4]).flatten()
        counts = torch.bincount(each.long(), minlength=len(levels(kind)))
        shares[kind] = counts[1:-1] / counts.sum()  # without the ends
    assert shares["nf4"].max() / shares["nf4"].min() < 3
    assert shares["int4"].max() / shares["int4"].min() > 5


# ---------------------------------------------------------------- codes


@given(**some_weights)
def test_no_weight_is_farther_from_its_level_than_the_bound(
    kind, rows, n_groups, half_group, log_size, seed
):
    size = 2 * half_group
    weight = drawn(rows, n_groups * size, log_size, seed)
    error = (round_trip(weight, kind, size) - weight).abs().view(rows, n_groups, size)
    largest = weight.abs().view(rows, n_groups, size).amax(-1, keepdim=True)
    assert (error <= (largest_error(kind) + 1e-6) * largest).all()


@given(**some_weights)
def test_each_weight_becomes_the_nearest_level(kind, rows, n_groups, half_group, log_size, seed):
    size = 2 * half_group
    weight = drawn(rows, n_groups * size, log_size, seed)
    found = round_trip(weight, kind, size)
    scale = weight.view(rows, n_groups, size).abs().amax(-1).repeat_interleave(size, 1)
    every = levels(kind) * scale[..., None]
    nearest = (every - weight[..., None]).abs().amin(-1)
    assert ((found - weight).abs() <= nearest + 1e-6 * scale).all()


@given(**some_weights)
def test_what_is_on_its_levels_stays(kind, rows, n_groups, half_group, log_size, seed):
    weight = round_trip(
        drawn(rows, n_groups * 2 * half_group, log_size, seed), kind, 2 * half_group
    )
    again = round_trip(weight, kind, 2 * half_group)
    torch.testing.assert_close(again, weight, rtol=1e-6, atol=0)


@each_kind
def test_the_largest_of_a_group_and_zeros_are_kept(kind):
    weight = torch.tensor([[0.0, 0.0, 0.3, -8.0], [0.0, 0.0, 0.0, 0.0]])
    found = round_trip(weight, kind, 2)
    assert found[0, 3].item() == pytest.approx(-8)
    assert found[0, :2].abs().max() == 0
    assert found[1].abs().max() == 0


def test_two_codes_share_a_byte_the_first_in_the_lower_half():
    codes, scales = quantize(torch.tensor([[-7.0, 1.0, 7.0, 0.0]]), "int4", 4)
    assert codes.tolist() == [[0 + 16 * 8, 14 + 16 * 7]]
    assert scales.tolist() == [[pytest.approx(7.0)]]


def test_an_outlier_costs_its_group_alone():
    weight = drawn(1, 128, seed=3)
    weight[0, 5] = 1000.0
    error = (round_trip(weight, "int8", 64) - weight).abs()
    assert error[0, 64:].max() < 0.02
    assert error[0, :64].max() > 0.5
    whole = (round_trip(weight, "int8", 128) - weight).abs()
    assert whole[0, 64:].max() > 0.5


def spread(kind, weight):
    """The root of the mean square error, as a share of the weights' own."""
    error = round_trip(weight, kind, 64) - weight
    return (error.square().mean() / weight.square().mean()).sqrt().item()


def test_nf4_is_nearer_on_normal_weights_and_int4_on_even_ones():
    normal, even = drawn(256, 256), 2 * torch.rand(256, 256) - 1
    assert spread("nf4", normal) < 0.95 * spread("int4", normal)
    assert spread("int4", even) < 0.95 * spread("nf4", even)
    assert spread("int8", normal) < spread("nf4", normal) / 10


# ---------------------------------------------------------------- layers


@each_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_quantized_layer_computes_with_the_weights_of_its_codes(kind, dtype):
    torch.manual_seed(0)
    linear = nn.Linear(12, 5, dtype=dtype)
    layer, x = QuantizedLinear(linear, kind, 4), torch.randn(3, 2, 12, dtype=dtype)
    expected = x @ dequantize(layer.codes, layer.scales, kind).T + linear.bias
    torch.testing.assert_close(layer(x), expected)
    assert layer(x).dtype == dtype
    assert not list(layer.parameters())


def test_a_quantized_layer_comes_back_from_its_state():
    torch.manual_seed(0)
    layer, other = (QuantizedLinear(nn.Linear(8, 6), "nf4", 4) for _ in range(2))
    other.load_state_dict(layer.state_dict())
    torch.testing.assert_close(other.weight, layer.weight, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("kind", "bits"), [("int8", 8.5), ("int4", 4.5), ("nf4", 4.5)])
def test_memory_is_what_the_storages_hold(kind, bits):
    layer = QuantizedLinear(nn.Linear(128, 32, bias=False), kind, 64)
    assert n_bytes(layer) == 128 * 32 * bits / 8  # a scale of 32 bits for each 64 weights
    assert n_bytes(nn.Linear(128, 32, bias=False)) == 128 * 32 * 4


def test_memory_that_is_shared_counts_once():
    model = GPT(GPT_TINY)
    assert n_bytes(model) == 4 * sum(each.numel() for each in model.parameters())


def test_all_layers_of_a_gpt_but_its_tied_head_are_quantized():
    torch.manual_seed(0)
    model = GPT(GPT_TINY)
    before, ids = n_bytes(model), torch.arange(20)[None]
    logits = model(ids)
    names = quantize_linears(model, "int8", 64)
    assert len(names) == 4 * GPT_TINY.n_layers
    assert "head" not in names
    assert model.head.weight is model.embedding
    assert not linears(model)
    n_weights = 12 * GPT_TINY.n_layers * GPT_TINY.d_model**2
    assert before - n_bytes(model) == n_weights * (4 - 8.5 / 8)
    torch.testing.assert_close(model(ids), logits, rtol=0.02, atol=0.02)
    with pytest.raises(ValueError, match=r"model must have an nn\.Linear of its own, got GPT"):
        quantize_linears(model)


# ---------------------------------------------------------------- refusals


def test_what_cannot_be_is_refused():
    weight = torch.ones(2, 6)
    with pytest.raises(ValueError, match="divisor of the 6 columns, got group_size=4"):
        quantize(weight, "int4", 4)
    with pytest.raises(ValueError, match="divisor of the 6 columns, got group_size=0"):
        quantize(weight, "int4", 0)
    with pytest.raises(ValueError, match="even to be packed in pairs, got 3"):
        quantize(torch.ones(2, 3), "nf4", 3)
    for bad in (math.inf, math.nan):
        with pytest.raises(ValueError, match="weight must hold finite numbers"):
            quantize(weight * bad, "int8", 6)
    assert quantize(torch.ones(2, 3), "int8", 3)[0].shape == (2, 3)
