"""What attention costs, and which kernels there are: figures, sizes and the same values."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import normal
from transformers import DeepseekV3Config, Gemma2Config, GPT2Config, LlamaConfig, MistralConfig

from lmcourse.attention import attention
from lmcourse.efficient_attention import (
    PUBLISHED,
    KVCache,
    LatentCache,
    Pattern,
    arithmetic_intensity,
    attention_bytes,
    attention_flops,
    curves,
    growth_exponent,
    measure_memory,
    measure_seconds,
    working_backends,
)
from lmcourse.efficient_attention.kernels import BACKENDS, sdpa_kernel

BY_NAME = {model.name: model for model in PUBLISHED}


# ---------------------------------------------------------------- operations and bytes


@given(n_queries=st.integers(1, 9), n_keys=st.integers(1, 9), d_head=st.integers(1, 9))
def test_operations_are_those_that_torch_counts(n_queries, n_keys, d_head):
    from torch.utils.flop_counter import FlopCounterMode

    query, key, value = (torch.zeros(3, n, d_head) for n in (n_queries, n_keys, n_keys))
    with FlopCounterMode(display=False) as counter:
        attention(query, key, value)
    assert counter.get_total_flops() == attention_flops(n_queries, n_keys, d_head, n_heads=3)


def test_twice_the_text_is_four_times_the_work():
    for n in (128, 1024, 16_384):
        assert attention_flops(2 * n, 2 * n, 64) == 4 * attention_flops(n, n, 64)


def test_bytes_are_those_of_the_tensors():
    query, key, value = normal(6, 5, 4, seed=0), normal(2, 9, 4, seed=1), normal(2, 9, 4, seed=2)
    moved = sum(x.nbytes for x in (query, key, value, query))  # the result is as large as a query
    assert attention_bytes(5, 9, 4, n_heads=6, n_kv_heads=2, bytes_per_number=4) == moved
    weights = 6 * 5 * 9 * 4
    stored = attention_bytes(5, 9, 4, 6, 2, 4, stored_weights=True)
    assert stored == moved + 4 * weights  # scores and weights, written and read


def test_a_prompt_is_bound_by_operations_and_a_token_by_memory():
    for n in (512, 4096):
        # exact: whole numbers
        assert arithmetic_intensity(n, n, 128) == n / 2
        assert arithmetic_intensity(1, n, 128) == pytest.approx(1, abs=0.01)
    shared = [arithmetic_intensity(1, 4096, 128, group_size) for group_size in (1, 2, 4, 8)]
    for smaller, larger in pairwise(shared):
        assert larger == pytest.approx(2 * smaller, rel=0.01)


# ---------------------------------------------------------------- caches of known models


@pytest.mark.parametrize("config", [LlamaConfig(), MistralConfig(), Gemma2Config(), GPT2Config()])
def test_layers_and_heads_are_those_of_the_configurations_in_transformers(config):
    name = {"llama": "Llama 2 7B", "mistral": "Mistral 7B", "gemma2": "Gemma 2 2B"}
    model = BY_NAME[name.get(config.model_type, "GPT-2")]
    n_heads = config.num_attention_heads
    assert model.n_layers == config.num_hidden_layers
    assert model.n_kv_heads == getattr(config, "num_key_value_heads", n_heads)
    d_head = getattr(config, "head_dim", config.hidden_size // n_heads)
    assert model.d_head == (d_head or config.hidden_size // n_heads)
    if model.window:
        assert model.window == config.sliding_window
        layers = getattr(config, "layer_types", None) or ["sliding_attention"] * model.n_layers
        assert model.n_window_layers == layers.count("sliding_attention")


def test_the_latents_are_those_of_deepseek_in_transformers():
    config, model = DeepseekV3Config(), BY_NAME["DeepSeek-V3"]
    assert model.n_layers == config.num_hidden_layers
    assert (model.d_latent, model.d_rotary) == (config.kv_lora_rank, config.qk_rope_head_dim)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_cache_is_as_large_as_the_tensors_that_hold_it(name):
    model = BY_NAME[name]

    def caches():
        if model.d_latent:
            kept = LatentCache(1, 3, model.d_latent, model.d_rotary, dtype=torch.bfloat16)
        else:
            kept = KVCache(1, model.n_kv_heads, 3, model.d_head, dtype=torch.bfloat16)
        return kept

    assert model.cache_bytes(3) == model.n_layers * measure_memory(caches).peak


def test_a_window_ends_the_growth():
    mistral, gemma = BY_NAME["Mistral 7B"], BY_NAME["Gemma 2 2B"]
    assert mistral.cache_bytes(100_000) == mistral.cache_bytes(4096)
    per_layer = gemma.numbers_per_layer * 2 * 13
    assert gemma.cache_bytes(8192) - gemma.cache_bytes(4096) == 4096 * per_layer


def test_worked_examples_of_the_sources():
    """Llama 2 7B keeps half a megabyte a token; DeepSeek's latent is 2.25 groups of a layer."""
    assert BY_NAME["Llama 2 7B"].cache_bytes(1) == 2**19
    assert BY_NAME["DeepSeek-V3"].numbers_per_layer == 2.25 * 2 * 128  # exact: whole numbers


# ---------------------------------------------------------------- growth


@given(exponent=st.floats(0, 3), factor=st.floats(1e-6, 1e6), seed=st.integers(0, 2**31))
def test_the_exponent_of_a_power_is_found(exponent, factor, seed):
    sizes = [128, 256, 512, 1024]
    costs = [factor * size**exponent for size in sizes]
    assert growth_exponent(sizes, costs) == pytest.approx(exponent, abs=1e-6)
    noise = (1 + 0.01 * normal(4, seed=seed).clamp(-3, 3)).tolist()
    rough = [cost * x for cost, x in zip(costs, noise, strict=True)]
    assert growth_exponent(sizes, rough) == pytest.approx(exponent, abs=0.06)


@pytest.mark.parametrize(
    ("sizes", "costs", "message"),
    [
        ([1, 2], [1], r"got 2 sizes and 1 costs"),
        ([2, 2], [1, 1], r"at least two different ones"),
        ([1, 2], [0, 1], r"must be above 0, got 0"),
    ],
)
def test_what_has_no_exponent_is_refused(sizes, costs, message):
    with pytest.raises(ValueError, match=message):
        growth_exponent(sizes, costs)


def test_seconds_are_those_of_the_best_call_after_a_first(device):
    calls = []
    seconds = measure_seconds(lambda: calls.append(torch.ones(9, device=device)), 4, device)
    assert seconds >= 0
    assert len(calls) == 5
    with pytest.raises(ValueError, match=r"n_repeats must be at least 1, got n_repeats=0"):
        measure_seconds(lambda: None, 0)


def test_curves_measure_each_way_at_each_length_and_go_on_where_they_stopped(tmp_path):
    numbers = curves.measure(tmp_path, lengths=(64, 128), n_rounds=2)
    for name in curves.ways(64):
        lengths, rounds = curves.curve(numbers, name)
        assert lengths == [64, 128]
        assert [len(each) for each in rounds] == [2, 2]
        _, megabytes = curves.curve(numbers, name, "megabytes")
        assert all(each > 0 for [each] in megabytes)
    # exact: what was kept
    assert curves.measure(tmp_path, lengths=(64, 128), n_rounds=2) == numbers


def test_all_ways_of_attention_give_the_values_of_the_plain_one(device):
    torch.manual_seed(0)
    found = {name: call() for name, call in curves.ways(300, device).items()}
    for name in ("blocks", "fused"):
        torch.testing.assert_close(found[name], found["plain"], rtol=2e-3, atol=2e-3)
    assert found["layer"].shape == found["fused"].shape
    near = curves.WINDOW  # until then the window takes nothing away
    torch.testing.assert_close(
        found["window"][..., :near, :], found["plain"][..., :near, :], rtol=2e-3, atol=2e-3
    )
    assert (found["window"] - found["plain"])[..., near:, :].abs().max() > 1e-4


def test_the_longest_text_has_no_plain_way():
    assert "plain" not in curves.ways(2 * curves.MOST_STORED)


# ---------------------------------------------------------------- kernels


def test_each_backend_that_is_named_gives_the_values_of_attention(device):
    query, key, value = (normal(2, 4, 64, 32, seed=i, device=device) for i in range(3))
    names = working_backends(query, key, value, causal=True)
    assert "plain" in names
    assert len(names) >= 2, "there is no fused kernel here"
    expected, _ = attention(query, key, value, Pattern(causal=True).table(64, device=device))
    for name in names:
        with sdpa_kernel(BACKENDS[name]):
            values = torch.nn.functional.scaled_dot_product_attention(
                query, key, value, is_causal=True
            )
        torch.testing.assert_close(values, expected, rtol=2e-3, atol=2e-3)


def test_a_backend_that_refuses_is_not_named():
    """float64 has no kernel of cuDNN, and a CPU has none at all."""
    x = normal(1, 1, 4, 8, seed=0).double()
    assert "cuDNN" not in working_backends(x, x, x)


def test_on_a_cpu_the_plain_steps_store_the_weights_and_the_fused_ones_do_not():
    query, key, value = (normal(1, 2, 256, 8, seed=i) for i in range(3))
    taken = {}
    for name in ("flash", "plain"):
        with sdpa_kernel(BACKENDS[name]):
            taken[name] = measure_memory(
                lambda: torch.nn.functional.scaled_dot_product_attention(query, key, value)
            ).largest
    assert taken["plain"] >= 2 * 256 * 256 * 4
    assert taken["flash"] <= 2 * 256 * 8 * 4
