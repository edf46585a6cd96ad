"""lmcourse.layer_sizes: sizes against a plain computation, and what an audit says of a start."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lmcourse.gpt import GPT, GPT_TINY
from lmcourse.layer_sizes import LayerSize, complaints, initialize, layer_sizes

N_LAYERS, WIDTH = 12, 64


def tower(gain, bend=nn.ReLU, seed=0):
    layers = [nn.Sequential(nn.Linear(WIDTH, WIDTH), bend()) for _ in range(N_LAYERS)]
    model = nn.Sequential(*layers)
    initialize(model, gain, torch.Generator().manual_seed(seed))
    return model


def sizes_of(model, seed=0, layers=None):
    generator = torch.Generator().manual_seed(seed + 1)
    x = torch.randn(32, WIDTH, generator=generator)
    direction = torch.randn(32, WIDTH, generator=generator)
    return layer_sizes(model, lambda: (model(x) * direction).sum(), layers)


@settings(max_examples=5)
@given(seed=st.integers(0, 2**31))
def test_sizes_are_those_of_a_plain_loop(seed):
    """With f = Σ direction · h, where h is the output of the last layer, ∂f/∂h is the direction."""
    model = tower(1.4, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    x, direction = torch.randn(2, 32, WIDTH, generator=generator)
    names = [str(i) for i in range(N_LAYERS)]
    found = layer_sizes(model, lambda: (model(x) * direction).sum(), names)
    hidden = [x.clone().requires_grad_()]
    for layer in model:
        hidden.append(layer(hidden[-1]))
        hidden[-1].retain_grad()
    (hidden[-1] * direction).sum().backward()
    assert [each.name for each in found] == names
    for each, plain in zip(found, hidden[1:], strict=True):
        assert each.activation == pytest.approx(plain.square().mean().sqrt().item(), rel=1e-4)
        assert each.gradient == pytest.approx(plain.grad.square().mean().sqrt().item(), rel=1e-4)


def test_the_audit_leaves_gradients_and_hooks_as_they_were():
    model = tower(1.4)
    sizes_of(model)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(not module._forward_hooks for module in model.modules())
    with pytest.raises(ZeroDivisionError):
        layer_sizes(model, lambda: 1 / 0)
    assert all(not module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("seed", range(3))
def test_the_right_gain_has_no_complaints_and_others_are_named(seed):
    blocks = [str(i) for i in range(N_LAYERS)]
    assert complaints(sizes_of(tower(math.sqrt(2), seed=seed), seed, blocks)) == []
    small = complaints(sizes_of(tower(0.7, seed=seed), seed, blocks))
    large = complaints(sizes_of(tower(2.8, seed=seed), seed, blocks))
    assert [line.split(" by ")[0] for line in small] == ["activations shrink", "gradients shrink"]
    assert [line.split(" by ")[0] for line in large] == ["activations grow", "gradients grow"]
    assert small[0].endswith("from 0 to 11")
    assert small[1].endswith("from 11 to 0")


def test_a_dead_network_is_named():
    dead = complaints(sizes_of(tower(0.0), layers=["0", "11"]))
    assert dead[0] == "activations are 0 at 0, 0 at 11"
    assert dead[1].startswith("gradients are ")
    nan = [LayerSize(name=name, activation=math.nan, gradient=1.0) for name in "ab"]
    assert complaints(nan) == ["activations are nan at a, nan at b"]


def test_a_fresh_gpt_has_no_complaints():
    torch.manual_seed(0)
    model, ids = GPT(GPT_TINY), torch.arange(64)[None]
    blocks = [f"blocks.{i}" for i in range(GPT_TINY.n_layers)]
    sizes = layer_sizes(model, lambda: model(ids).square().mean(), blocks)
    assert complaints(sizes) == []
    everything = layer_sizes(model, lambda: model(ids).square().mean())
    assert len(everything) > 10
    assert everything[-1].name == "head"


@given(gain=st.floats(0.1, 3))
@settings(max_examples=5)
def test_matrices_are_as_spread_as_they_are_said_to_be(gain):
    model = nn.Sequential(nn.Linear(100, 400), nn.Linear(400, 100, bias=False))
    said = initialize(model, gain, torch.Generator().manual_seed(0))
    assert said == pytest.approx({"0.weight": gain / 10, "1.weight": gain / 20})
    for name, std in said.items():
        assert model.get_parameter(name).std().item() == pytest.approx(std, rel=0.03)
    assert model[0].bias.abs().max() == 0  # exact: set to zero


def test_what_cannot_be_meant_is_refused():
    model = tower(1.0)
    with pytest.raises(ValueError, match=r"layers must be among 0, .*, got \['twelve'\]"):
        sizes_of(model, layers=["0", "twelve"])
    with pytest.raises(ValueError, match=r"layers must be used by the pass, got \['11'\]"):
        layer_sizes(model, lambda: model[:3](torch.randn(2, WIDTH)).sum(), ["0", "11"])
    with pytest.raises(ValueError, match="must be of two layers at least, got 1"):
        complaints(sizes_of(model, layers=["3"]))
    with pytest.raises(ValueError, match="gain must be at least 0, got gain=-1"):
        initialize(model, -1.0)
