"""lmcourse.cluster_plan: what is planned against what is measured on small models."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lmcourse.cluster_plan import (
    Processor,
    activation_bytes,
    all_reduce_bytes,
    plan,
    ring_all_reduce,
    state_bytes,
    training_flops,
)
from lmcourse.gpt import GPT, GPTConfig, count_parameters

SMALL = GPTConfig(vocab_size=101, context_length=32, d_model=24, n_heads=3, n_layers=2)
VARIANTS = [
    SMALL,
    replace(SMALL, n_layers=4),
    replace(SMALL, d_model=48),
    replace(SMALL, d_ff=200),
    replace(SMALL, vocab_size=300, tied_head=False),
]
GPU = Processor(memory=80e9, flops=1e15, bandwidth=5e10, price=2.0)


def loss_of(model, n_rows):
    """On full windows; the pass is begun from the same ids each time."""
    config = model.config
    ids = torch.arange(n_rows * config.context_length).view(n_rows, -1) % config.vocab_size
    return F.cross_entropy(model(ids).flatten(0, 1), ids.flatten())


def test_weights_gradients_and_averages_are_those_of_a_real_training():
    model = GPT(SMALL)
    optimizer = torch.optim.AdamW(model.parameters())
    loss_of(model, 2).backward()
    optimizer.step()
    states = [each for state in optimizer.state.values() for each in state.values()]
    measured = {
        "weights": sum(p.nbytes for p in model.parameters()),
        "gradients": sum(p.grad.nbytes for p in model.parameters()),
        "Adam's two averages": sum(each.nbytes for each in states if each.dim()),
    }
    assert state_bytes(count_parameters(SMALL)) == measured  # exact: whole bytes


def kept_bytes(config, n_rows):
    """Of all that autograd keeps for the backward pass; parameters are there anyway."""
    model, kept = GPT(config), {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and tensor.is_floating_point():
            # Held by this table, so that no place in memory is used twice.
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss_of(model, n_rows)
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("config", VARIANTS, ids=range(len(VARIANTS)))
def test_activations_are_those_that_autograd_keeps(config):
    planned = activation_bytes(config, 3 * config.context_length)
    assert planned == pytest.approx(kept_bytes(config, 3), rel=0.01)


def test_what_is_computed_again_is_not_kept():
    """Left are the inputs of four blocks, one whole block, and both ends."""
    config = replace(SMALL, n_layers=4)
    block = 8 * 24 + 2 * 96 + 3 + 4
    expected = 4 * 24 + block + 2 * 24 + 101 + 2
    assert activation_bytes(config, 10, store_all=False) == 10 * 4 * expected
    assert activation_bytes(config, 10, 2, store_all=False) == 10 * 2 * expected
    assert activation_bytes(config, 10, store_all=False) < activation_bytes(config, 10) / 2


@pytest.mark.parametrize("config", VARIANTS, ids=range(len(VARIANTS)))
def test_operations_are_those_that_torch_counts(config):
    model = GPT(config)
    # The counter knows the kernel that is written out, on every version.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        loss_of(model, 2).backward()
    planned = training_flops(config, 2 * config.context_length)
    assert planned == pytest.approx(counter.get_total_flops())


def test_operations_are_about_six_for_each_parameter_and_token():
    config = GPTConfig(
        vocab_size=50_257, context_length=2048, d_model=2048, n_heads=16, n_layers=18
    )
    rule = 6 * count_parameters(config) * 1e9
    assert rule < training_flops(config, 1e9) < 1.2 * rule


@settings(max_examples=25, deadline=None)
@given(n_processes=st.integers(1, 7), n=st.integers(1, 40), seed=st.integers(0, 999))
def test_a_ring_gives_everybody_the_sum_and_sends_what_is_planned(n_processes, n, seed):
    numbers = torch.randn(
        n_processes, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    sums, sent = ring_all_reduce(list(numbers))
    for each in sums:
        torch.testing.assert_close(each, numbers.sum(0))
    planned = all_reduce_bytes(8 * n, n_processes) / 8
    assert sum(sent) == pytest.approx(n_processes * planned)
    assert max(sent) <= planned + 2  # pieces differ by one number at most


def test_messages_hardly_grow_with_the_processes():
    few, many = all_reduce_bytes(1e9, 8), all_reduce_bytes(1e9, 1024)
    assert all_reduce_bytes(1e9, 1) == 0
    assert few < many < 2e9
    assert many < 1.15 * few


def test_a_plan_adds_up():
    config = replace(SMALL, context_length=16)
    found = plan(config, 1e6, gpu=GPU, n_gpus=8, batch_tokens=1024, utilization=0.5)
    n_parameters = count_parameters(config)
    assert found.n_steps == 977
    assert found.state == 16 * n_parameters == 8 * found.shared_state
    assert found.activations == activation_bytes(config, 16, 2)
    assert found.step_compute == pytest.approx(training_flops(config, 1024) / (8 * 0.5e15))
    assert found.step_messages == pytest.approx(2 * 7 / 8 * 2 * n_parameters / 5e10)
    slower = max(found.step_compute, found.step_messages)
    assert found.hours == pytest.approx(977 * slower / 3600)
    assert found.cost == pytest.approx(found.hours * 8 * 2)


def test_twice_the_batch_halves_the_messages_of_a_training_and_not_its_operations():
    options = {"gpu": GPU, "n_gpus": 8}
    one = plan(SMALL, 2**20, batch_tokens=2**10, **options)
    two = plan(SMALL, 2**20, batch_tokens=2**11, **options)
    assert two.flops == pytest.approx(one.flops)
    assert two.n_steps * two.step_messages == pytest.approx(one.n_steps * one.step_messages / 2)
    assert two.n_steps * two.step_compute == pytest.approx(one.n_steps * one.step_compute)


def test_what_cannot_be_planned_is_refused():
    with pytest.raises(ValueError, match=r"at least 256, one micro-batch .*batch_tokens=255"):
        plan(SMALL, 1e6, gpu=GPU, n_gpus=8, batch_tokens=255)
    with pytest.raises(ValueError, match="at most 1, got 40"):
        plan(SMALL, 1e6, gpu=GPU, n_gpus=8, batch_tokens=256, utilization=40)
    for name, value in {"norm": "rms", "positions": "rotary", "dropout": 0.1}.items():
        with pytest.raises(ValueError, match=f"parts of GPT-2 .*{name}={value!r}"):
            activation_bytes(replace(SMALL, **{name: value}), 10)
    with pytest.raises(ValueError, match=r"as many numbers, got \[2, 3\]"):
        ring_all_reduce([torch.zeros(2), torch.zeros(3)])
