"""Windows that roll and latents that stand for keys and values, against the same without them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import normal
from transformers import DeepseekV3Config
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Attention

from lmcourse.attention import causal_mask, padding_mask
from lmcourse.efficient_attention import (
    GroupedQueryAttention,
    KVCache,
    LatentAttention,
    LatentCache,
    Pattern,
    RollingCache,
)
from lmcourse.positions import rotary_angles

FLOAT32 = {"rtol": 2e-5, "atol": 2e-5}
FEW = settings(max_examples=10)

pieces_of_text = st.lists(st.integers(1, 5), min_size=1, max_size=6)
seeds = st.integers(0, 2**31)


# ---------------------------------------------------------------- a window


@FEW
@given(n=st.integers(1, 9), window=st.integers(1, 6), n_sinks=st.integers(0, 2), seed=seeds)
def test_a_layer_with_a_window_is_the_layer_with_a_band_as_mask(device, n, window, n_sinks, seed):
    torch.manual_seed(seed)
    layer = GroupedQueryAttention(12, 6, 2, window=window, n_sinks=n_sinks).to(device)
    x = normal(2, n, 12, seed=seed, device=device)
    output = layer(x)
    real = padding_mask(torch.tensor([(n + 1) // 2, n], device=device), n)
    padded = layer(x, real)
    layer.pattern = Pattern()
    band = torch.ones(n, n, dtype=torch.bool, device=device).tril().triu(1 - window)
    band[:, :n_sinks] = causal_mask(n, device)[:, :n_sinks]
    torch.testing.assert_close(output, layer(x, band), **FLOAT32)
    torch.testing.assert_close(padded, layer(x, band & real), **FLOAT32)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("rolls", [False, True])
@FEW
@given(pieces=pieces_of_text, window=st.integers(1, 5), n_sinks=st.integers(0, 3), seed=seeds)
def test_with_a_cache_a_window_gives_what_the_whole_gives(
    rolls, masked, device, pieces, window, n_sinks, seed
):
    torch.manual_seed(seed)
    layer = GroupedQueryAttention(12, 6, 2, window=window, n_sinks=n_sinks).to(device)
    n = sum(pieces)
    x = normal(2, n, 12, seed=seed, device=device)
    mask = padding_mask(torch.tensor([1, n], device=device), n) if masked else None
    cosines, sines = rotary_angles(torch.arange(n, device=device), 2)
    whole = layer(x, mask, (cosines, sines))
    cache = KVCache(2, 2, n, 2, device)
    if rolls:
        cache = RollingCache(2, 2, window, 2, n_sinks, device)
    outputs = []
    for piece in x.split(pieces, 1):
        start, end = cache.length, cache.length + piece.shape[1]
        seen = None if mask is None else mask[..., :end]
        rotary = cosines[start:end], sines[start:end]
        outputs.append(layer(piece, seen, rotary, cache))
    torch.testing.assert_close(torch.cat(outputs, 1), whole, **FLOAT32)


@given(n=st.integers(1, 30), window=st.integers(1, 6), n_sinks=st.integers(0, 3))
def test_a_rolling_cache_holds_sinks_and_window_and_not_a_position_more(n, window, n_sinks):
    cache = RollingCache(1, 1, window, 1, n_sinks)
    for position in range(n):
        key = torch.full((1, 1, 1, 1), float(position))
        keys, values = cache.append(key, -key)
        expected = {p for p in range(position + 1) if p < n_sinks or p > position - window}
        held = cache.positions.tolist()
        assert expected <= set(held)
        assert len(held) == len(set(held)) == min(position + 1, n_sinks + window)
        # exact: copies of whole numbers
        assert keys.flatten().tolist() == held
        # exact: copies of whole numbers
        assert values.flatten().tolist() == [-p for p in held]
    assert cache.length == n


def test_a_rolling_cache_takes_the_same_memory_however_long_the_text():
    cache = RollingCache(1, 2, 4, 8, n_sinks=1)
    for _ in range(50):
        keys, _ = cache.append(torch.zeros(1, 2, 1, 8), torch.zeros(1, 2, 1, 8))
        assert keys.untyped_storage().nbytes() == 2 * (4 + 1) * 8 * 4


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"window must be at least 1, got window=0"):
        RollingCache(1, 1, 0, 4)


# ---------------------------------------------------------------- latents


sizes = st.fixed_dictionaries(
    {
        "d_model": st.integers(3, 9),
        "n_heads": st.integers(1, 4),
        "d_latent": st.integers(1, 7),
        "d_head": st.integers(1, 5),
        "d_rotary": st.sampled_from([2, 4]),
        "d_value": st.one_of(st.none(), st.integers(1, 5)),
        "d_query_latent": st.one_of(st.none(), st.integers(2, 5)),
    }
)


def angles(n, width, device="cpu"):
    return rotary_angles(torch.arange(n, device=device), width)


@pytest.mark.parametrize("masked", [False, True])
@given(config=sizes, n=st.integers(1, 7), seed=seeds)
def test_absorbed_and_expanded_are_the_same_in_values_and_gradients(
    masked, device, config, n, seed
):
    torch.manual_seed(seed)
    layer = LatentAttention(**config).to(device)
    x = normal(2, n, config["d_model"], seed=seed, device=device)
    mask = padding_mask(torch.tensor([1, n], device=device), n) if masked else None
    rotary = angles(n, config["d_rotary"], device)
    expanded = layer(x, rotary, mask)
    absorbed = layer(x, rotary, mask, absorbed=True)
    torch.testing.assert_close(absorbed, expanded, **FLOAT32)
    direction = normal(*x.shape, seed=seed + 1, device=device)
    parameters = list(layer.parameters())
    found = torch.autograd.grad((absorbed * direction).sum(), parameters)
    expected = torch.autograd.grad((expanded * direction).sum(), parameters)
    for ours, theirs in zip(found, expected, strict=True):
        # The norm of a latent that is nearly zero has large gradients.
        scale = theirs.abs().max().clamp(min=1)
        torch.testing.assert_close(ours / scale, theirs / scale, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("absorbed", [False, True])
@FEW
@given(config=sizes, pieces=pieces_of_text, seed=seeds)
def test_with_latents_kept_the_pieces_give_what_the_whole_gives(
    absorbed, device, config, pieces, seed
):
    torch.manual_seed(seed)
    layer = LatentAttention(**config).to(device)
    n = sum(pieces)
    x = normal(2, n, config["d_model"], seed=seed, device=device)
    cosines, sines = angles(n, config["d_rotary"], device)
    whole = layer(x, (cosines, sines))
    cache = LatentCache(2, n, config["d_latent"], config["d_rotary"], device)
    outputs = []
    for piece in x.split(pieces, 1):
        start, end = cache.length, cache.length + piece.shape[1]
        rotary = cosines[start:end], sines[start:end]
        outputs.append(layer(piece, rotary, cache=cache, absorbed=absorbed))
    torch.testing.assert_close(torch.cat(outputs, 1), whole, **FLOAT32)


def copy_weights(layer, theirs, interleaved):
    """Ours from DeepSeek's: they rotate neighbors, we a component and the one half a width on."""
    rotary = layer.d_rotary
    order = torch.arange(rotary)
    order = torch.cat([order[0::2], order[1::2]]) if interleaved else order

    def reordered(weight, n_heads):
        heads = weight.unflatten(0, (n_heads, -1))
        plain, rotated = heads[:, :-rotary], heads[:, -rotary:]
        return torch.cat([plain, rotated[:, order]], 1).flatten(0, 1)

    with torch.no_grad():
        if theirs.q_lora_rank is None:
            query = theirs.q_proj
        else:
            query = theirs.q_b_proj
            layer.query_latent[0].weight.copy_(theirs.q_a_proj.weight)
            layer.query_latent[1].weight.copy_(theirs.q_a_layernorm.weight)
        layer.query_projection.weight.copy_(reordered(query.weight, layer.n_heads))
        layer.down_projection.weight.copy_(reordered(theirs.kv_a_proj_with_mqa.weight, 1))
        layer.latent_norm.weight.copy_(theirs.kv_a_layernorm.weight)
        layer.up_projection.weight.copy_(theirs.kv_b_proj.weight)
        layer.output_projection.weight.copy_(theirs.o_proj.weight)


@pytest.mark.parametrize("interleaved", [False, True])
@FEW
@given(config=sizes, n=st.integers(1, 7), seed=seeds)
def test_latent_attention_is_that_of_deepseek_in_transformers(interleaved, config, n, seed):
    torch.manual_seed(seed)
    layer = LatentAttention(**config)
    theirs = DeepseekV3Attention(
        DeepseekV3Config(
            hidden_size=config["d_model"],
            num_attention_heads=config["n_heads"],
            num_key_value_heads=config["n_heads"],
            kv_lora_rank=config["d_latent"],
            q_lora_rank=config["d_query_latent"],
            qk_nope_head_dim=config["d_head"],
            qk_rope_head_dim=config["d_rotary"],
            v_head_dim=layer.d_value,
            rope_interleave=interleaved,
            attn_implementation="eager",
        ),
        0,
    )
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    copy_weights(layer, theirs, interleaved)
    x = normal(2, n, config["d_model"], seed=seed)
    cosines, sines = angles(n, config["d_rotary"])
    both = [torch.cat([part, part], -1).expand(2, -1, -1) for part in (cosines, sines)]
    added = torch.zeros(n, n).masked_fill(~causal_mask(n), -torch.inf)[None, None]
    expected, _ = theirs(x, tuple(both), added)
    scale = expected.abs().max().clamp(min=1)
    torch.testing.assert_close(layer(x, (cosines, sines)) / scale, expected / scale, **FLOAT32)


def test_a_latent_is_smaller_than_keys_and_values_and_so_is_its_cache():
    """DeepSeek-V2's widths: as much as grouped queries with 2.25 groups, says its section 2.1.4."""
    cache = LatentCache(1, 5, d_latent=512, d_rotary=64)
    latents, rotary_keys = cache.append(torch.zeros(1, 5, 512), torch.zeros(1, 5, 64))
    bytes_per_token = latents.untyped_storage().nbytes() / 5
    assert bytes_per_token == 4 * 576
    assert latents.untyped_storage().data_ptr() == rotary_keys.untyped_storage().data_ptr()
    assert bytes_per_token / (4 * 2 * 128) == 2.25  # exact: whole numbers


def test_a_full_latent_cache_says_so():
    cache = LatentCache(1, 3, 2, 2)
    cache.append(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2))
    with pytest.raises(ValueError, match=r"at most capacity=3 positions, got 4"):
        cache.append(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2))
    assert cache.length == 2, "a refusal must change nothing"


def test_no_position_sees_its_future():
    torch.manual_seed(0)
    layer, x = LatentAttention(9, 3, 5, 4, 2), normal(2, 7, 9, seed=0)
    rotary = angles(7, 2)
    for t in range(7):
        changed = x.clone()
        changed[:, t] += 1
        difference = (layer(changed, rotary) - layer(x, rotary)).abs().amax((0, 2))
        assert difference[:t].sum() < 1e-5
        assert difference[t:].min() > 1e-4


def test_an_odd_width_cannot_be_rotated():
    with pytest.raises(ValueError, match=r"d_rotary must be even and positive, got d_rotary=3"):
        LatentAttention(8, 2, 4, 4, 3)
