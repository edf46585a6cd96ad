"""lmcourse.attention against torch's own attention, plain loops, and what attention promises."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from lmcourse.attention import (
    AdditiveAttention,
    MultiHeadAttention,
    attention,
    attention_weights,
    causal_mask,
    merge_heads,
    padding_mask,
    split_heads,
)
from lmcourse.efficient_attention import KVCache
from lmcourse.positions import LearnedPositions, alibi_bias, sinusoidal_positions

# bfloat16 keeps 8 bits: 2⁻⁸ is lost at each of about eight roundings (scores, exponential, sum, …).
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12, torch.bfloat16: 2**-5}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: str(dtype).split(".")[1])
MASKS = pytest.mark.parametrize("kind", ["none", "causal", "padding", "both"])

sizes = st.integers(1, 7)
seeds = st.integers(0, 2**31)


def normal(*shape, seed, dtype=torch.float32, device="cpu", grad=False):
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(shape, generator=generator, dtype=torch.float64)
    return numbers.to(device, dtype).requires_grad_(grad)


def make_mask(kind, batch_size, n, seed, device="cpu"):
    """A mask in which every query may look at one key at least."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, n + 1, (batch_size,), generator=generator).to(device)
    return {
        "none": None,
        "causal": causal_mask(n, device),
        "padding": padding_mask(lengths, n),
        "both": causal_mask(n, device) & padding_mask(lengths, n),
    }[kind]


def assert_close(actual, expected, dtype, factor=1.0):
    tolerance = factor * TOLERANCE[dtype]
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def gradients(output, inputs, seed):
    direction = normal(*output.shape, seed=seed).to(output)
    return torch.autograd.grad((output * direction).sum(), inputs)


# ---------------------------------------------------------------- attention


@DTYPES
@MASKS
@given(batch_size=sizes, n=sizes, d=sizes, e=sizes, seed=seeds)
def test_attention_agrees_with_torch(kind, dtype, device, batch_size, n, d, e, seed):
    options = {"dtype": dtype, "device": device, "grad": True}
    query = normal(batch_size, n, d, seed=seed, **options)
    key = normal(batch_size, n, d, seed=seed + 1, **options)
    value = normal(batch_size, n, e, seed=seed + 2, **options)
    mask = make_mask(kind, batch_size, n, seed, device)
    ours, _ = attention(query, key, value, mask)
    # For causal masks torch is asked by its own flag, so that its mask is not made by our function.
    rule = {"is_causal": True} if kind == "causal" else {"attn_mask": mask}
    theirs = F.scaled_dot_product_attention(query, key, value, **rule)
    assert_close(ours, theirs, dtype)
    inputs = (query, key, value)
    for mine, other in zip(
        gradients(ours, inputs, seed + 3), gradients(theirs, inputs, seed + 3), strict=True
    ):
        assert_close(mine, other, dtype, factor=4)  # a gradient sums up to T such products


@DTYPES
@given(n_queries=sizes, n_keys=sizes, d=sizes, seed=seeds)
def test_queries_may_be_more_or_fewer_than_keys(dtype, device, n_queries, n_keys, d, seed):
    options = {"dtype": dtype, "device": device}
    query = normal(2, 3, n_queries, d, seed=seed, **options)
    key = normal(2, 3, n_keys, d, seed=seed + 1, **options)
    values, weights = attention(query, key, key)
    assert weights.shape == (2, 3, n_queries, n_keys)
    assert_close(values, F.scaled_dot_product_attention(query, key, key), dtype)


@MASKS
@given(batch_size=sizes, n=sizes, d=sizes, seed=seeds)
def test_weights_are_those_of_a_plain_loop(kind, batch_size, n, d, seed):
    query, key = normal(batch_size, n, d, seed=seed), normal(batch_size, n, d, seed=seed + 1)
    mask = make_mask(kind, batch_size, n, seed)
    seen = torch.ones(batch_size, n, n, dtype=torch.bool) if mask is None else mask
    seen = seen.expand(batch_size, n, n)
    expected = torch.zeros(batch_size, n, n)
    for b in range(batch_size):
        for t in range(n):
            scores = [float(query[b, t] @ key[b, s]) / math.sqrt(d) for s in range(n)]
            total = sum(math.exp(scores[s]) for s in range(n) if seen[b, t, s])
            for s in range(n):
                if seen[b, t, s]:
                    expected[b, t, s] = math.exp(scores[s]) / total
    weights = attention_weights(query, key, mask)
    assert_close(weights, expected, torch.float32)
    # exact: a masked weight is set to zero, not computed
    assert (weights[~seen] == 0).all(), "a masked weight must be exactly zero"


def test_two_words_by_hand():
    # Scores 1·2/√4 = 1 and 0; e / (e + 1) = 0.7311.
    query = torch.tensor([[1.0, 0, 0, 0]])
    key = torch.tensor([[2.0, 0, 0, 0], [0, 2.0, 0, 0]])
    values, weights = attention(query, key, torch.tensor([[10.0], [20.0]]))
    torch.testing.assert_close(weights, torch.tensor([[0.731059, 0.268941]]))
    torch.testing.assert_close(values, torch.tensor([[12.689414]]))


@given(n=sizes, seed=seeds)
def test_the_order_of_the_keys_does_not_matter(n, seed):
    query, key, value = (normal(n, 5, seed=seed + i) for i in range(3))
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    values, weights = attention(query, key, value)
    shuffled_values, shuffled_weights = attention(query, key[order], value[order])
    assert_close(shuffled_values, values, torch.float32)
    assert_close(shuffled_weights, weights[:, order], torch.float32)


def test_scaling_keeps_the_entropy_whatever_the_width():
    """Unit-variance inputs: scores of variance 1 for each D; unscaled it would be D."""
    entropies = []
    for d in (4, 64, 1024):
        query, key = normal(200, d, seed=d), normal(32, d, seed=d + 1)
        weights = attention_weights(query, key)
        entropies.append(-(weights * weights.log()).sum(-1).mean().item())
    # E[entropy] is about log 32 − 1/2 = 2.97; over 200 rows its standard error is about 0.02.
    assert max(entropies) - min(entropies) < 0.15
    assert min(entropies) > 2.8


def test_large_scores_stay_finite(device):
    query = torch.full((1, 2, 4), 200.0, device=device, requires_grad=True)
    values, weights = attention(query, query, query, causal_mask(2, device))
    values.sum().backward()
    assert weights.isfinite().all()
    assert query.grad.isfinite().all()


@DTYPES
def test_a_masked_key_never_wins_however_low_the_others_score(dtype, device):
    query = torch.tensor([[1000.0]], dtype=dtype, device=device)
    key = torch.tensor([[-1000.0], [5.0]], dtype=dtype, device=device)
    mask = torch.tensor([[True, False]], device=device)
    expected = torch.tensor([[1.0, 0.0]], dtype=dtype, device=device)
    torch.testing.assert_close(attention_weights(query, key, mask), expected)


@DTYPES
@given(n=sizes, seed=seeds)
def test_a_query_that_may_look_at_nothing_gets_zeros(dtype, device, n, seed):
    options = {"dtype": dtype, "device": device, "grad": True}
    inputs = [normal(2, n, 3, seed=seed + i, **options) for i in range(3)]
    mask = make_mask("both", 2, n, seed, device).clone()
    mask[0, n // 2] = False
    values, weights = attention(*inputs, mask)
    # exact: a masked weight is set to zero, not computed
    assert (weights[0, n // 2] == 0).all()
    # exact: sums of zeros
    assert (values[0, n // 2] == 0).all()
    for gradient in gradients(values, inputs, seed):
        assert gradient.isfinite().all()
    # The other item of the batch is as it would be alone.
    alone, _ = attention(*(x[1:] for x in inputs), mask[1:])
    assert_close(values[1:], alone, dtype)


@DTYPES
def test_dtype_device_and_inputs_are_kept(dtype, device):
    inputs = [normal(2, 3, 5, seed=i, dtype=dtype, device=device) for i in range(3)]
    mask = causal_mask(3, device)
    copies = [x.clone() for x in (*inputs, mask)]
    for result in attention(*inputs, mask):
        assert result.dtype == dtype
        assert result.device.type == device.type
    for x, copy in zip((*inputs, mask), copies, strict=True):
        # exact: copies
        assert torch.equal(x, copy)


def test_attention_refuses_what_it_cannot_mean(unchecked):
    x = torch.zeros(2, 3, 5)
    with pytest.raises(ValueError, match="query and key must have the same width, got 5 and 4"):
        attention(x, torch.zeros(2, 3, 4), x)
    with pytest.raises(ValueError, match=r"mask must be boolean.*got mask.dtype=torch.float32"):
        attention(x, x, x, torch.ones(3, 3))
    with pytest.raises(ValueError, match="mask must be boolean"):
        AdditiveAttention(5, 5, 7)(x, x, x, torch.ones(3, 3).int())


# ---------------------------------------------------------------- masks


@given(n=st.integers(0, 9))
def test_a_causal_mask_shows_the_past_and_the_present(n):
    mask = causal_mask(n)
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[s <= t for s in range(n)] for t in range(n)]


@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_a_padding_mask_shows_the_first_keys(lengths):
    mask = padding_mask(torch.tensor(lengths), 6)
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[[s < length for s in range(6)]] for length in lengths]


def test_masks_live_where_they_are_needed(device):
    assert causal_mask(3, device).device.type == device.type
    assert padding_mask(torch.tensor([1, 2], device=device), 3).device.type == device.type


@pytest.mark.parametrize(
    "ask",
    [
        lambda: causal_mask(-1),
        lambda: padding_mask(torch.tensor([], dtype=torch.long), -1),
        lambda: sinusoidal_positions(-1, 4),
        lambda: LearnedPositions(5, 4)(-1),
        lambda: alibi_bias(2, -1),
    ],
    ids=["causal", "padding", "sinusoids", "learned", "alibi"],
)
def test_a_negative_number_of_positions_is_refused(ask):
    with pytest.raises(ValueError, match="n must be at least 0, got n=-1"):
        ask()


def test_a_negative_size_is_refused():
    with pytest.raises(ValueError, match="capacity must be at least 0, got capacity=-2"):
        KVCache(2, 3, -2, 4)
    with pytest.raises(ValueError, match="batch_size must be at least 0, got batch_size=-1"):
        KVCache(-1, 3, 2, 4)
    with pytest.raises(ValueError, match=r"context_length must be at least 0, got .*-1"):
        LearnedPositions(-1, 4)


@pytest.mark.parametrize("lengths", [[2, 7], [-1, 3]])
def test_padding_mask_refuses_lengths_outside_the_batch(lengths):
    worst = max(lengths, key=lambda length: abs(length - 3))
    with pytest.raises(ValueError, match=rf"lengths must lie in 0…6, got {worst}"):
        padding_mask(torch.tensor(lengths), 6)


# ---------------------------------------------------------------- heads


@given(batch_size=sizes, n=sizes, n_heads=sizes, d_head=sizes, seed=seeds)
def test_split_heads_gives_each_head_its_slice(batch_size, n, n_heads, d_head, seed):
    x = normal(batch_size, n, n_heads * d_head, seed=seed)
    heads = split_heads(x, n_heads)
    assert heads.shape == (batch_size, n_heads, n, d_head)
    for head in range(n_heads):
        # exact: numbers that are moved, not computed
        assert torch.equal(heads[:, head], x[..., head * d_head : (head + 1) * d_head])
    # exact: numbers that are moved, not computed
    assert torch.equal(merge_heads(heads), x)


def test_split_heads_takes_what_is_not_contiguous():
    x = normal(3, 2, 10, seed=0).transpose(0, 1)
    # exact: numbers that are moved, not computed
    assert torch.equal(split_heads(x, 5), split_heads(x.contiguous(), 5))


@pytest.mark.parametrize("n_heads", [4, 0, -5])
def test_heads_must_divide_the_width(n_heads):
    expected = rf"d_model=10, n_heads={n_heads}"
    with pytest.raises(ValueError, match=expected):
        MultiHeadAttention(10, n_heads)
    with pytest.raises(ValueError, match=expected):
        split_heads(torch.zeros(2, 3, 10), n_heads)


def copied_to_torch(ours):
    d_model = ours.output_projection.in_features
    example = ours.output_projection.weight
    theirs = nn.MultiheadAttention(
        d_model, ours.n_heads, batch_first=True, dtype=example.dtype, device=example.device
    )
    thirds = (ours.query_projection, ours.key_projection, ours.value_projection)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([third.weight for third in thirds]))
        theirs.in_proj_bias.copy_(torch.cat([third.bias for third in thirds]))
        theirs.out_proj.weight.copy_(ours.output_projection.weight)
        theirs.out_proj.bias.copy_(ours.output_projection.bias)
    return theirs


def torch_mask(mask, batch_size, n_heads, n_queries, n_keys):
    """Torch's convention is the opposite: True = may not look; one mask for each item and head."""
    if mask is None:
        return None
    mask = mask if mask.dim() == 3 else mask[None]
    return (~mask).expand(batch_size, n_queries, n_keys).repeat_interleave(n_heads, 0)


@DTYPES
@MASKS
@given(batch_size=sizes, n=sizes, n_heads=st.integers(1, 4), d_head=st.integers(1, 4), seed=seeds)
def test_multi_head_attention_agrees_with_torch(
    kind, dtype, device, batch_size, n, n_heads, d_head, seed
):
    torch.manual_seed(seed)
    ours = MultiHeadAttention(n_heads * d_head, n_heads).to(device, dtype)
    theirs = copied_to_torch(ours)
    options = {"dtype": dtype, "device": device, "grad": True}
    x = normal(batch_size, n, n_heads * d_head, seed=seed, **options)
    mask = make_mask(kind, batch_size, n, seed, device)
    output, weights = ours(x, mask=mask)
    expected, expected_weights = theirs(
        x,
        x,
        x,
        attn_mask=torch_mask(mask, batch_size, n_heads, n, n),
        average_attn_weights=False,
    )
    assert_close(output, expected, dtype)
    assert_close(weights, expected_weights, dtype)
    ours_in = (x, ours.query_projection.weight, ours.output_projection.bias)
    theirs_in = (x, theirs.in_proj_weight, theirs.out_proj.bias)
    mine, other = gradients(output, ours_in, seed), gradients(expected, theirs_in, seed)
    n_rows = batch_size * n  # the gradient of a parameter sums over all positions
    assert_close(mine[0], other[0], dtype, factor=4)
    assert_close(mine[1], other[1][: n_heads * d_head], dtype, factor=n_rows)
    assert_close(mine[2], other[2], dtype, factor=n_rows)


@given(n_queries=sizes, n_keys=sizes, seed=seeds)
def test_cross_attention_takes_keys_and_values_from_memory(n_queries, n_keys, seed):
    torch.manual_seed(seed)
    ours = MultiHeadAttention(6, 3)
    x, memory = normal(2, n_queries, 6, seed=seed), normal(2, n_keys, 6, seed=seed + 1)
    mask = make_mask("padding", 2, n_keys, seed)
    output, weights = ours(x, memory, mask)
    expected, _ = copied_to_torch(ours)(x, memory, memory, key_padding_mask=~mask[:, 0])
    assert weights.shape == (2, 3, n_queries, n_keys)
    assert_close(output, expected, torch.float32)


def test_no_position_sees_its_future():
    layer = MultiHeadAttention(12, 3)
    x = normal(2, 7, 12, seed=0)
    before, _ = layer(x, mask=causal_mask(7))
    for t in range(7):
        changed = x.clone()
        changed[:, t:] += 1
        after, _ = layer(changed, mask=causal_mask(7))
        torch.testing.assert_close(after[:, :t], before[:, :t])
        assert (after - before)[:, t:].abs().amax(-1).min() > 1e-3


def test_what_stands_in_the_padding_does_not_matter():
    layer = MultiHeadAttention(12, 3)
    x = normal(2, 7, 12, seed=0)
    mask = padding_mask(torch.tensor([3, 7]), 7)
    changed = x.clone()
    changed[0, 3:] = 100.0
    before, after = layer(x, mask=mask)[0], layer(changed, mask=mask)[0]
    torch.testing.assert_close(after[0, :3], before[0, :3])
    torch.testing.assert_close(after[1], before[1])


def test_self_attention_without_a_mask_does_not_know_the_order():
    layer = MultiHeadAttention(12, 3)
    x = normal(2, 7, 12, seed=0)
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    assert_close(layer(x[:, order])[0], layer(x)[0][:, order], torch.float32)


def cycles(weights):
    """log w[r, s] + log w[s, t] + log w[t, r] less the same the other way round, for all r, s, t.

    What depends on a row alone cancels out: it is zero if the scores are symmetric.
    """
    logs = weights.log()
    ways = logs - logs.mT
    return ways[:, :, None] + ways[None] + ways.mT[:, None]


def test_learned_projections_break_the_symmetry(seed):
    """Without projections who looks at whom is mutual, and each word looks most at itself.

    That one of 10 random vectors in 64 dimensions has a larger score with another than with itself
    was not seen in 200,000 draws.
    """
    x = normal(1, 10, 64, seed=seed)
    everyone = torch.arange(10)
    weights = attention_weights(x, x)[0]
    torch.testing.assert_close(cycles(weights), torch.zeros(10, 10, 10), rtol=0, atol=1e-4)
    # exact: places
    assert weights.argmax(-1).equal(everyone)

    _, weights = MultiHeadAttention(64, 1)(x)
    assert cycles(weights[0, 0]).abs().max() > 0.1
    # exact: places
    assert not weights[0, 0].argmax(-1).equal(everyone)


@pytest.mark.parametrize("n_heads", [1, 2, 4, 16])
def test_the_number_of_heads_does_not_change_the_number_of_parameters(n_heads):
    layer = MultiHeadAttention(16, n_heads)
    assert sum(parameter.numel() for parameter in layer.parameters()) == 4 * (16**2 + 16)


def test_every_head_looks_in_its_own_way():
    layer = MultiHeadAttention(12, 3)
    _, weights = layer(normal(1, 7, 12, seed=0))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert (weights[0, first] - weights[0, second]).abs().max() > 0.01


def test_dropout_drops_weights_in_training_alone():
    layer = MultiHeadAttention(8, 2, dropout=0.5)
    x = normal(50, 9, 8, seed=0)
    _, dropped = layer.train()(x)
    _, kept = layer.eval()(x)
    # 8,100 weights: a share outside 0.45 … 0.55 has a chance below 1e-18.
    assert 0.45 < (dropped == 0).float().mean() < 0.55
    survivors = dropped != 0
    assert_close(dropped[survivors], 2 * kept[survivors], torch.float32)
    torch.testing.assert_close(layer(x)[0], layer(x)[0])


def test_the_first_of_a_hundred_positions_is_one_step_away():
    """One layer carries a gradient over 99 positions as well as over one; an RNN loses it."""
    x = normal(1, 100, 16, seed=0, grad=True)
    layer = MultiHeadAttention(16, 2)
    output, _ = layer(x, mask=causal_mask(100))
    (gradient,) = torch.autograd.grad(output[0, 99].sum(), x)
    far, near = gradient[0, 0].norm(), gradient[0, 98].norm()
    assert far > 0.1 * near
    (gradient,) = torch.autograd.grad(nn.RNN(16, 16, batch_first=True)(x)[0][0, 99].sum(), x)
    assert gradient[0, 0].norm() < 1e-6 * gradient[0, 98].norm()


# ---------------------------------------------------------------- additive attention


@MASKS
@given(n=sizes, d_query=sizes, d_key=sizes, d_hidden=sizes, seed=seeds)
def test_additive_scores_are_those_of_a_plain_loop(kind, device, n, d_query, d_key, d_hidden, seed):
    torch.manual_seed(seed)
    layer = AdditiveAttention(d_query, d_key, d_hidden).to(device)
    query = normal(2, n, d_query, seed=seed, device=device)
    key = normal(2, n, d_key, seed=seed + 1, device=device)
    value = normal(2, n, 3, seed=seed + 2, device=device)
    mask = make_mask(kind, 2, n, seed, device)
    values, weights = layer(query, key, value, mask)

    seen = torch.ones(2, n, n, dtype=torch.bool) if mask is None else mask.expand(2, n, n)
    projections = (layer.query_projection, layer.key_projection, layer.score)
    w, u, (v,) = (projection.weight.detach() for projection in projections)
    for b in range(2):
        for t in range(n):
            keys = [s for s in range(n) if seen[b, t, s]]
            scores = [float(v @ torch.tanh(w @ query[b, t] + u @ key[b, s])) for s in keys]
            total = sum(map(math.exp, scores))
            row = torch.zeros(n, device=device)
            for s, score in zip(keys, scores, strict=True):
                row[s] = math.exp(score) / total
            assert_close(weights[b, t].detach(), row, torch.float32)
            assert_close(values[b, t].detach(), row @ value[b], torch.float32)


def test_additive_attention_has_no_biases():
    layer = AdditiveAttention(3, 5, 7)
    assert sum(parameter.numel() for parameter in layer.parameters()) == 3 * 7 + 5 * 7 + 7


def test_additive_attention_gives_zeros_and_finite_gradients_to_a_blind_query(device):
    layer = AdditiveAttention(3, 5, 7).to(device)
    query = normal(2, 4, 3, seed=0, device=device, grad=True)
    key = normal(2, 6, 5, seed=1, device=device, grad=True)
    mask = padding_mask(torch.tensor([0, 4], device=device), 6)
    values, weights = layer(query, key, key, mask)
    # exact: a masked weight is set to zero, not computed
    assert (weights[0] == 0).all()
    # exact: sums of zeros
    assert (values[0] == 0).all()
    inputs = (query, key, *layer.parameters())
    assert all(gradient.isfinite().all() for gradient in gradients(values, inputs, 2))


@pytest.mark.parametrize("kind", ["multi-head", "additive"])
def test_every_parameter_learns_but_the_bias_of_the_keys(kind):
    x = normal(2, 6, 12, seed=1)
    layer = MultiHeadAttention(12, 3) if kind == "multi-head" else AdditiveAttention(12, 12, 7)
    output, _ = layer(x) if kind == "multi-head" else layer(x, x, x)
    names, parameters = zip(*layer.named_parameters(), strict=True)
    for name, gradient in zip(names, gradients(output, parameters, 3), strict=True):
        # It adds the same number to all scores of a query, and softmax does not see that.
        learns = name != "key_projection.bias"
        assert (gradient.abs().max() > 1e-3) == learns, name


@pytest.mark.parametrize("n_queries", [0, 4])
def test_without_keys_the_values_are_zeros(n_queries):
    query, nothing = torch.randn(2, n_queries, 3), torch.zeros(2, 0, 3)
    values, weights = attention(query, nothing, nothing)
    assert weights.shape == (2, n_queries, 0)
    torch.testing.assert_close(values, torch.zeros(2, n_queries, 3))
    values, _ = AdditiveAttention(3, 3, 5)(query, nothing, nothing)
    torch.testing.assert_close(values, torch.zeros(2, n_queries, 3))
    mask = torch.zeros(2, n_queries, 0, dtype=torch.bool)
    torch.testing.assert_close(attention(query, nothing, nothing, mask)[0], torch.zeros_like(query))


def test_an_empty_text_has_no_vectors():
    layer = MultiHeadAttention(12, 3)
    values, weights = layer(torch.zeros(2, 0, 12), mask=causal_mask(0))
    assert values.shape == (2, 0, 12)
    assert weights.shape == (2, 3, 0, 0)
