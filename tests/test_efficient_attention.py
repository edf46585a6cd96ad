"""lmcourse.efficient_attention against plain attention: cheaper, and the same numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import normal

from lmcourse.attention import MultiHeadAttention, attention, causal_mask, padding_mask
from lmcourse.efficient_attention import (
    GroupedQueryAttention,
    KVCache,
    Pattern,
    fused_attention,
)
from lmcourse.positions import rotary_angles, rotary_embedding

FLOAT32 = {"rtol": 2e-5, "atol": 2e-5}
FEW = settings(max_examples=10)
MASKS = pytest.mark.parametrize("kind", ["none", "causal", "padding", "both"])

sizes = st.integers(1, 6)
seeds = st.integers(0, 2**31)


def make_mask(kind, n, device="cpu"):
    """For a batch of two: the first item has one token at least, the second has all."""
    lengths = padding_mask(torch.tensor([(n + 1) // 2, n], device=device), n)
    causal = causal_mask(n, device)
    return {"none": None, "causal": causal, "padding": lengths, "both": causal & lengths}[kind]


def as_multi_head(ours):
    """The same layer by the book's `MultiHeadAttention`: shared heads are repeated."""
    d_model = ours.output_projection.in_features
    theirs = MultiHeadAttention(d_model, ours.n_heads).to(ours.output_projection.weight.device)
    group_size = ours.n_heads // ours.n_kv_heads

    def repeated(part):
        heads = part.view(ours.n_kv_heads, ours.d_head, -1)
        return heads.repeat_interleave(group_size, dim=0).reshape(d_model, *part.shape[1:])

    weights = ours.input_projection.weight.split(ours.widths)
    biases = ours.input_projection.bias.split(ours.widths)
    targets = (theirs.query_projection, theirs.key_projection, theirs.value_projection)
    with torch.no_grad():
        for target, weight, bias, one_each in zip(targets, weights, biases, (1, 0, 0), strict=True):
            target.weight.copy_(weight if one_each else repeated(weight))
            target.bias.copy_(bias if one_each else repeated(bias))
        theirs.output_projection.load_state_dict(ours.output_projection.state_dict())
    return theirs


# ---------------------------------------------------------------- the kernel


@MASKS
@given(n=sizes, n_groups=st.integers(1, 3), group_size=st.integers(1, 3), seed=seeds)
def test_the_fused_kernel_gives_the_values_of_attention(
    kind, device, n, n_groups, group_size, seed
):
    query = normal(2, n_groups * group_size, n, 4, seed=seed, device=device)
    key, value = (normal(2, n_groups, n, 4, seed=seed + i, device=device) for i in (1, 2))
    mask = make_mask(kind, n, device)
    mask = mask if mask is None or mask.dim() == 2 else mask[:, None]
    expected, _ = attention(
        query, key.repeat_interleave(group_size, 1), value.repeat_interleave(group_size, 1), mask
    )
    values = fused_attention(query, key, value, mask)
    torch.testing.assert_close(values, expected, **FLOAT32)
    if kind == "causal":
        by_rule = fused_attention(query, key, value, causal=True)
        torch.testing.assert_close(by_rule, expected, **FLOAT32)


def test_a_query_that_may_look_at_nothing_gets_zeros_and_finite_gradients(device):
    query, key, value = (normal(2, 3, 4, 5, seed=i, device=device) for i in range(3))
    mask = torch.ones(2, 1, 4, 4, dtype=torch.bool, device=device)
    mask[0, 0, 2] = False
    inputs = [x.requires_grad_() for x in (query, key, value)]
    values = fused_attention(*inputs, mask)
    # exact: sums of zeros
    assert (values[0, :, 2] == 0).all()
    for gradient in torch.autograd.grad(values.sum(), inputs):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("grad", [False, True])
def test_bfloat16_stays_bfloat16(grad):
    inputs = [normal(1, 2, 5, 8, seed=i).bfloat16().requires_grad_(grad) for i in range(3)]
    values = fused_attention(*inputs, causal=True)
    expected, _ = attention(*(x.float() for x in inputs), causal_mask(5))
    assert values.dtype == torch.bfloat16
    torch.testing.assert_close(values.float(), expected, rtol=2**-6, atol=2**-6)


def test_a_mask_of_numbers_is_refused(unchecked):
    x = torch.zeros(1, 2, 3, 4)
    with pytest.raises(ValueError, match=r"mask must be boolean.*got mask.dtype=torch.float32"):
        fused_attention(x, x, x, torch.ones(3, 3))


# ---------------------------------------------------------------- the cache


@given(pieces=st.lists(st.integers(1, 4), min_size=1, max_size=5), spare=st.integers(0, 3))
def test_a_cache_gives_back_what_it_was_given(pieces, spare):
    n = sum(pieces)
    cache = KVCache(2, 3, n + spare, 4)
    key, value = normal(2, 3, n, 4, seed=0), normal(2, 3, n, 4, seed=1)
    for keys, values in zip(key.split(pieces, 2), value.split(pieces, 2), strict=True):
        all_keys, all_values = cache.append(keys, values)
    # exact: copies
    assert torch.equal(all_keys, key)
    # exact: copies
    assert torch.equal(all_values, value)
    assert cache.length == n


def test_a_cache_reserves_its_memory_once():
    cache = KVCache(1, 2, 8, 4)
    first, _ = cache.append(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 4))
    second, _ = cache.append(torch.ones(1, 2, 1, 4), torch.ones(1, 2, 1, 4))
    assert first.data_ptr() == second.data_ptr()


@given(capacity=sizes, length=sizes, excess=sizes)
def test_a_full_cache_says_so(capacity, length, excess):
    length = min(length, capacity)
    cache = KVCache(1, 1, capacity, 2)
    piece = torch.zeros(1, 1, length, 2)
    cache.append(piece, piece)
    piece = torch.zeros(1, 1, capacity - length + excess, 2)
    expected = rf"at most capacity={capacity} positions, got {capacity + excess}"
    with pytest.raises(ValueError, match=expected):
        cache.append(piece, piece)
    assert cache.length == length, "a refusal must change nothing"


# ---------------------------------------------------------------- grouped queries


@MASKS
@FEW
@given(n=sizes, n_groups=st.integers(1, 3), group_size=st.integers(1, 3), seed=seeds)
def test_grouped_queries_are_multi_head_attention_with_shared_keys(
    kind, device, n, n_groups, group_size, seed
):
    torch.manual_seed(seed)
    n_heads = n_groups * group_size
    layer = GroupedQueryAttention(2 * n_heads, n_heads, n_groups, causal=False).to(device)
    x, mask = normal(2, n, 2 * n_heads, seed=seed, device=device), make_mask(kind, n, device)
    expected, _ = as_multi_head(layer)(x, mask=mask)
    torch.testing.assert_close(layer(x, mask), expected, **FLOAT32)
    if kind in ("causal", "both"):
        layer.pattern = Pattern(causal=True)
        without_causal = make_mask("padding" if kind == "both" else "none", n, device)
        torch.testing.assert_close(layer(x, without_causal), expected, **FLOAT32)


@FEW
@given(n=sizes, seed=seeds)
def test_rotation_turns_queries_and_keys_but_not_values(n, seed):
    torch.manual_seed(seed)
    layer = GroupedQueryAttention(8, 2)
    x = normal(2, n, 8, seed=seed)
    book = as_multi_head(layer)
    query, key, value = (
        projection(x).view(2, n, 2, 4).transpose(1, 2)
        for projection in (book.query_projection, book.key_projection, book.value_projection)
    )
    values, _ = attention(rotary_embedding(query), rotary_embedding(key), value, causal_mask(n))
    expected = book.output_projection(values.transpose(1, 2).flatten(2))
    output = layer(x, rotary=rotary_angles(torch.arange(n), 4))
    torch.testing.assert_close(output, expected, **FLOAT32)


@pytest.mark.parametrize("masked", [False, True])
@FEW
@given(pieces=st.lists(st.integers(1, 3), min_size=1, max_size=4), seed=seeds)
def test_with_a_cache_the_pieces_give_what_the_whole_gives(masked, device, pieces, seed):
    torch.manual_seed(seed)
    layer = GroupedQueryAttention(12, 6, 2).to(device)
    n = sum(pieces)
    x = normal(2, n, 12, seed=seed, device=device)
    mask = padding_mask(torch.tensor([1, n], device=device), n) if masked else None
    whole = layer(x, mask)
    cache = KVCache(2, 2, n, 2, device)
    outputs = []
    for piece in x.split(pieces, 1):
        seen = cache.length + piece.shape[1]
        outputs.append(layer(piece, None if mask is None else mask[..., :seen], cache=cache))
    torch.testing.assert_close(torch.cat(outputs, 1), whole, **FLOAT32)


def test_no_position_sees_its_future():
    layer, x = GroupedQueryAttention(12, 6, 2), normal(2, 7, 12, seed=0)
    for t in range(7):
        changed = x.clone()
        changed[:, t] += 1
        difference = (layer(changed) - layer(x)).abs().amax((0, 2))
        assert difference[:t].sum() < 1e-5
        assert difference[t:].min() > 1e-3


@pytest.mark.parametrize(("n_kv_heads", "expected"), [(None, 4), (4, 4), (2, 3), (1, 2.5)])
def test_shared_keys_save_parameters(n_kv_heads, expected):
    """Query and output take C² each, keys and values C² · G / H each."""
    layer = GroupedQueryAttention(16, 4, n_kv_heads, bias=False)
    assert sum(parameter.numel() for parameter in layer.parameters()) == expected * 16**2


def test_dropout_acts_in_training_alone():
    layer, x = GroupedQueryAttention(8, 2, dropout=0.5), normal(1, 6, 8, seed=0)
    assert (layer(x) - layer(x)).abs().max() > 1e-3
    layer.eval()
    torch.testing.assert_close(layer(x), layer(x))


def test_heads_must_divide():
    with pytest.raises(ValueError, match=r"multiple of n_heads, got d_model=10, n_heads=4"):
        GroupedQueryAttention(10, 4)
    expected = r"multiple of n_kv_heads, got n_heads=4, n_kv_heads=3"
    with pytest.raises(ValueError, match=expected):
        GroupedQueryAttention(8, 4, 3)
