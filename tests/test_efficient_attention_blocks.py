"""Attention in blocks and in windows against attention with the whole table, gradients too."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import normal as normal_of_type

from lmcourse.attention import attention, causal_mask, padding_mask
from lmcourse.efficient_attention import (
    OnlineSoftmax,
    Pattern,
    flash_attention,
    fused_attention,
    measure_memory,
    sliding_window_attention,
)

# The sums are the same in another order: 1e-10 in float64 leaves room for that alone.
FLOAT64 = {"rtol": 1e-10, "atol": 1e-10}
FLOAT32 = {"rtol": 2e-5, "atol": 2e-5}

normal = partial(normal_of_type, dtype=torch.float64)

lengths = st.integers(1, 13)
block_sizes = st.integers(1, 6)
seeds = st.integers(0, 2**31)
patterns = st.builds(
    Pattern,
    causal=st.booleans(),
    window=st.one_of(st.none(), st.integers(1, 6)),
    n_global=st.integers(0, 3),
)


def options(pattern):
    return {
        "causal": pattern.causal,
        "window": pattern.window,
        "n_global": pattern.n_global,
    }


def values_and_gradients(function, inputs, direction):
    inputs = [x.detach().requires_grad_() for x in inputs]
    values = function(*inputs)
    return [values, *torch.autograd.grad((values * direction).sum(), inputs)]


# ---------------------------------------------------------------- patterns


@given(pattern=patterns, n_queries=lengths, n_past=st.integers(0, 5))
def test_a_pattern_is_what_it_says_pair_by_pair(pattern, n_queries, n_past):
    n_keys = n_queries + n_past
    table = pattern.table(n_queries, n_keys)
    for t in range(n_queries):
        for s in range(n_keys):
            place = t + n_past
            near = pattern.window is None or abs(place - s) < pattern.window
            free = min(place, s) < pattern.n_global
            expected = (near or free) and (s <= place or not pattern.causal)
            assert table[t, s].item() is expected, (t, s)


@given(pattern=patterns, n_queries=lengths, n_past=st.integers(0, 5), block_size=block_sizes)
def test_blocks_hold_every_pair_that_may_look_and_whole_ones_no_other(
    pattern, n_queries, n_past, block_size
):
    n_keys = n_queries + n_past
    table = pattern.table(n_queries, n_keys)
    covered = torch.zeros_like(table, dtype=torch.int64)
    for block in pattern.blocks(n_queries, n_keys, block_size):
        part = pattern.part(block, n_queries, n_keys)
        # exact: booleans
        assert torch.equal(part, table[block.queries, block.keys])
        assert not block.whole or part.all()
        assert part.any(), "a block in which nobody may look must be skipped"
        covered[block.queries, block.keys] += 1
    assert covered.max() == 1
    assert covered[table].min() == 1


@given(causal=st.booleans(), window=st.one_of(st.none(), st.integers(1, 6)), n=lengths)
def test_without_global_positions_all_blocks_that_need_no_mask_are_known(causal, window, n):
    pattern = Pattern(causal=causal, window=window)
    for block in pattern.blocks(n, n, 3):
        assert block.whole is pattern.part(block, n, n).all().item()


def test_a_window_leaves_a_number_of_blocks_that_grows_with_the_length_alone():
    window = Pattern(causal=True, window=16)
    counts = {n: len(window.blocks(n, n, 16)) for n in (256, 512, 1024)}
    assert counts == {n: 2 * n // 16 - 1 for n in counts}  # each row its own block and one before
    whole = {n: len(Pattern().blocks(n, n, 16)) for n in counts}
    assert whole == {n: (n // 16) ** 2 for n in counts}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, r"window must be at least 1, got window=0"),
        ({"n_global": -2}, r"n_global must be at least 0, got n_global=-2"),
    ],
)
def test_a_pattern_without_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Pattern(**arguments)


@pytest.mark.parametrize("pattern", [Pattern(causal=True), Pattern(window=2)])
def test_a_query_without_a_position_is_refused(pattern):
    with pytest.raises(ValueError, match=r"at least n_queries, got n_queries=4, n_keys=3"):
        pattern.table(4, 3)
    assert len(Pattern().blocks(4, 3, 2)) == 4  # where no position is compared, nothing is wrong


# ---------------------------------------------------------------- the softmax of pieces


@given(
    pieces=st.lists(st.integers(1, 4), min_size=1, max_size=5), size=st.floats(0, 300), seed=seeds
)
def test_pieces_give_the_softmax_of_the_whole(pieces, size, seed):
    n = sum(pieces)
    scores, value = size * normal(2, 3, n, seed=seed), normal(2, n, 4, seed=seed + 1)
    softmax = OnlineSoftmax()
    for part, values in zip(scores.split(pieces, -1), value.split(pieces, -2), strict=True):
        softmax.add(part, values)
    torch.testing.assert_close(softmax.result(), scores.softmax(-1) @ value, **FLOAT64)
    expected = scores.logsumexp(-1, keepdim=True)
    torch.testing.assert_close(softmax.log_total(), expected, **FLOAT64)


def test_scores_whose_exponentials_are_infinite_are_no_trouble():
    softmax = OnlineSoftmax()
    for score in (-2000.0, 1000.0, 1001.0):
        softmax.add(torch.tensor([[score]]), torch.tensor([[score]]))
    assert softmax.result().item() == pytest.approx(1000 + 1 / (1 + torch.e**-1), rel=1e-6)


def test_what_is_masked_counts_for_nothing_even_where_it_comes_first():
    softmax = OnlineSoftmax()
    no, yes = torch.tensor([[False]]), torch.tensor([[True]])
    softmax.add(torch.tensor([[1e30]]), torch.tensor([[5.0]]), no)
    # exact: a sum of nothing
    assert softmax.result().item() == 0
    softmax.add(torch.tensor([[-1e3]]), torch.tensor([[7.0]]), yes)
    softmax.add(torch.tensor([[1e30]]), torch.tensor([[5.0]]), no)
    assert softmax.result().item() == pytest.approx(7.0)


# ---------------------------------------------------------------- attention in blocks


@given(
    pattern=patterns,
    n_queries=lengths,
    n_past=st.integers(0, 5),
    block_size=block_sizes,
    masked=st.sampled_from(["no", "padding", "random"]),
    seed=seeds,
)
def test_blocks_give_values_and_gradients_of_attention(
    device, pattern, n_queries, n_past, block_size, masked, seed
):
    n_keys = n_queries + n_past
    dtype = torch.float64
    query = normal(2, 3, n_queries, 5, seed=seed, device=device, dtype=dtype)
    key = normal(2, 3, n_keys, 5, seed=seed + 1, device=device, dtype=dtype)
    value = normal(2, 3, n_keys, 4, seed=seed + 2, device=device, dtype=dtype)
    direction = normal(2, 3, n_queries, 4, seed=seed + 3, device=device, dtype=dtype)
    table = pattern.table(n_queries, n_keys, device)
    mask = None
    if masked == "padding":
        mask = padding_mask(torch.tensor([(n_keys + 1) // 2, n_keys], device=device), n_keys)
        mask = mask[:, None]
    elif masked == "random":  # rows without any True among them
        mask = normal(2, 3, n_queries, n_keys, seed=seed + 4, device=device) > 0.5
    expected = values_and_gradients(
        lambda *x: attention(*x, table if mask is None else table & mask)[0],
        (query, key, value),
        direction,
    )
    found = values_and_gradients(
        lambda *x: flash_attention(*x, mask, **options(pattern), block_size=block_size),
        (query, key, value),
        direction,
    )
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, **FLOAT64)


def test_a_row_without_anything_to_look_at_gets_zeros_and_finite_gradients(device):
    inputs = [normal(2, 4, 5, seed=i, device=device).requires_grad_() for i in range(3)]
    mask = torch.ones(4, 4, dtype=torch.bool, device=device)
    mask[2] = False
    values = flash_attention(*inputs, mask, block_size=2)
    # exact: sums of nothing
    assert (values[:, 2] == 0).all()
    for gradient in torch.autograd.grad(values.sum(), inputs):
        assert gradient.isfinite().all()


def test_the_gradient_is_that_of_small_differences():
    inputs = [normal(5, 3, seed=i).requires_grad_() for i in range(3)]
    for pattern in ({}, {"causal": True}, {"window": 2, "n_global": 1}):
        assert torch.autograd.gradcheck(
            lambda *x, pattern=pattern: flash_attention(*x, **pattern, block_size=2), inputs
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_type_of_the_inputs_stays_and_the_sums_are_in_float32(device, dtype):
    """Against the exact values of the same rounded inputs: one rounding of the result is left."""
    inputs = [normal(3, 200, 16, seed=i, device=device, dtype=dtype) for i in range(3)]
    values = flash_attention(*inputs, causal=True)
    assert values.dtype == dtype
    table = Pattern(causal=True).table(200, device=device)
    expected, _ = attention(*(x.double() for x in inputs), table)
    limit = {"rtol": max(torch.finfo(dtype).eps, 2e-5), "atol": 2e-5}
    torch.testing.assert_close(values.double(), expected, **limit)


def test_grouped_heads_are_views_and_their_gradients_are_summed(device):
    """Six heads of the query on two of the keys: expanded without a copy."""
    query = normal(2, 6, 7, 4, seed=0, device=device)
    key, value = (normal(2, 2, 7, 4, seed=i, device=device) for i in (1, 2))
    direction = normal(2, 6, 7, 4, seed=3, device=device)

    def grouped(query, key, value):
        shared = [x[:, :, None].expand(2, 2, 3, 7, 4) for x in (key, value)]
        return flash_attention(query.unflatten(1, (2, 3)), *shared, block_size=3).flatten(1, 2)

    found = values_and_gradients(grouped, (query, key, value), direction)
    expected = values_and_gradients(fused_attention, (query, key, value), direction)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, **FLOAT32)


@given(n=st.integers(1, 80), window=st.integers(1, 90), n_global=st.integers(0, 3), seed=seeds)
def test_a_sliding_window_is_attention_with_a_band_as_mask(device, n, window, n_global, seed):
    inputs = [normal(2, n, 3, seed=seed + i, device=device) for i in range(3)]
    table = torch.ones(n, n, dtype=torch.bool, device=device).tril().triu(1 - window)
    table[:, :n_global] = causal_mask(n, device)[:, :n_global]
    expected, _ = attention(*inputs, table)
    found = sliding_window_attention(*inputs, window, n_global=n_global)
    torch.testing.assert_close(found, expected, **FLOAT64)


def test_what_does_not_fit_is_refused(unchecked):
    x = torch.zeros(2, 3, 4)
    with pytest.raises(ValueError, match=r"the same width, got 4 and 5"):
        flash_attention(x, torch.zeros(2, 3, 5), x)
    with pytest.raises(ValueError, match=r"mask must be boolean.*got mask.dtype=torch.float32"):
        flash_attention(x, x, x, torch.ones(3, 3))
    with pytest.raises(ValueError, match=r"block_size must be at least 1, got block_size=0"):
        flash_attention(x, x, x, block_size=0)


# ---------------------------------------------------------------- memory


def test_tensors_are_counted_while_somebody_holds_them():
    x = torch.zeros(1000)
    held = measure_memory(lambda: [x + i for i in range(5)])
    assert (held.peak, held.largest) == (20_000, 4_000)

    def dropped():
        for i in range(5):
            y = x + i
        return y

    assert measure_memory(dropped).peak == 8_000  # the old one goes when the new one is there
    views = measure_memory(lambda: [x[1:], x.view(10, 100).mT, x.add_(1)])
    assert (views.peak, views.largest) == (0, 0)


def test_the_memory_of_blocks_grows_with_the_length_and_that_of_attention_with_its_square(device):
    """Twice the length: forward and backward in blocks take twice as much, the table four times."""

    def of(function, n):
        inputs = [
            normal(2, n, 8, seed=i, device=device, dtype=torch.float32).requires_grad_()
            for i in range(3)
        ]
        return measure_memory(lambda: function(*inputs).sum().backward())

    def plain(*inputs):
        return attention(*inputs)[0]

    def blocks(*inputs):
        return flash_attention(*inputs, causal=True, block_size=16)

    small, large = of(blocks, 256), of(blocks, 512)
    assert large.peak < 2.1 * small.peak
    assert large.largest == 2 * small.largest == 2 * 512 * 8 * 4  # one of the inputs' size
    small, large = of(plain, 256), of(plain, 512)
    assert large.peak > 3.5 * small.peak
    assert large.largest == 4 * small.largest == 2 * 512 * 512 * 4


def test_a_block_is_the_largest_tensor_where_it_is_larger_than_the_inputs():
    inputs = [normal(512, 2, seed=i, dtype=torch.float32).requires_grad_() for i in range(3)]
    taken = measure_memory(lambda: flash_attention(*inputs, block_size=64).sum().backward())
    assert taken.largest == 64 * 64 * 4
