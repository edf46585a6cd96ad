"""lmcourse.positions against transformers, plain loops, and what each kind of position promises."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import normal

from lmcourse.attention import MultiHeadAttention, causal_mask
from lmcourse.positions import (
    LearnedPositions,
    alibi_bias,
    apply_rotary,
    rotary_angles,
    rotary_embedding,
    sinusoidal_positions,
)

sizes = st.integers(1, 7)
seeds = st.integers(0, 2**31)


# ---------------------------------------------------------------- sinusoids


@given(n=sizes, half=sizes)
def test_sinusoids_are_those_of_the_formula(n, half):
    table = sinusoidal_positions(n, 2 * half)
    for p in range(n):
        for i in range(half):
            angle = p / 10_000 ** (2 * i / (2 * half))
            expected = torch.tensor([math.sin(angle), math.cos(angle)])
            torch.testing.assert_close(table[p, 2 * i : 2 * i + 2], expected, rtol=0, atol=1e-6)


@given(k=st.integers(-20, 20))
def test_a_shift_of_all_positions_is_one_rotation(k):
    """PE(p + k) = R PE(p) with R made of 2 × 2 rotations by k ωᵢ, whatever p."""
    d_model = 14
    table = sinusoidal_positions(101, d_model).double()
    blocks = []
    for i in range(d_model // 2):
        angle = k / 10_000 ** (2 * i / d_model)
        # The pair is (sin, cos), so the block is that of an angle addition formula.
        blocks.append([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    shift = torch.block_diag(*(torch.tensor(block, dtype=torch.float64) for block in blocks))
    start, end = max(0, -k), 101 - max(0, k)
    moved = table[start:end] @ shift.T
    assert (moved - table[start + k : end + k]).abs().max() < 1e-5


def test_no_two_positions_are_alike():
    table = sinusoidal_positions(500, 16)
    distances = torch.cdist(table, table).fill_diagonal_(math.inf)
    assert distances.min() > 0.1


@pytest.mark.parametrize("d_model", [0, -2, 7])
def test_sinusoids_come_in_pairs(d_model):
    with pytest.raises(ValueError, match=f"d_model must be even.*got d_model={d_model}"):
        sinusoidal_positions(5, d_model)


# ---------------------------------------------------------------- why positions are needed


def outputs_of_both_orders(positions):
    """What a layer makes of a sentence, and of the same words in another order, put back."""
    torch.manual_seed(0)
    layer = MultiHeadAttention(12, 3)
    words, order = normal(1, 7, 12, seed=1), torch.tensor([3, 0, 6, 1, 5, 2, 4])
    there, _ = layer(words + positions)
    back, _ = layer(words[:, order] + positions)
    return there[:, order], back


def test_without_positions_attention_does_not_know_the_order():
    there, back = outputs_of_both_orders(torch.zeros(7, 12))
    assert (there - back).abs().max() < 1e-6


@pytest.mark.parametrize("kind", ["sinusoidal", "learned"])
def test_positions_tell_attention_the_order(kind):
    learned = LearnedPositions(7, 12)
    torch.nn.init.normal_(learned.weight)
    table = sinusoidal_positions(7, 12) if kind == "sinusoidal" else learned(7)
    there, back = outputs_of_both_orders(table)
    assert (there - back).abs().max() > 0.05


# ---------------------------------------------------------------- learned positions


def test_learned_positions_are_rows_without_a_batch(device):
    positions = LearnedPositions(11, 6).to(device)
    # exact: copies of rows
    assert torch.equal(positions(5), positions.weight[:5])
    x = torch.zeros(3, 5, 6, device=device) + positions(5)
    message = "the same positions for each item of the batch"
    torch.testing.assert_close(x[0], x[2], msg=message)
    x.sum().backward()
    expected = torch.zeros(11, 6)
    expected[:5] = 3
    torch.testing.assert_close(positions.weight.grad.cpu(), expected)


@given(context_length=sizes, excess=sizes)
def test_learned_positions_refuse_more_than_they_have(context_length, excess):
    n = context_length + excess
    expected = rf"n must be at most context_length, got n={n}, context_length={context_length}"
    with pytest.raises(ValueError, match=expected):
        LearnedPositions(context_length, 4)(n)


# ---------------------------------------------------------------- rotary


@given(n_heads=sizes, n=sizes, half=sizes, seed=seeds)
def test_rotate_agrees_with_llama_in_transformers(n_heads, n, half, seed):
    from transformers import LlamaConfig
    from transformers.models.llama import modeling_llama as llama

    d_head = 2 * half
    config = LlamaConfig(hidden_size=n_heads * d_head, num_attention_heads=n_heads)
    query, key = normal(2, n_heads, n, d_head, seed=seed), normal(2, n_heads, n, d_head, seed=seed)
    positions = torch.randperm(50, generator=torch.Generator().manual_seed(seed))[:n]
    cosines, sines = llama.LlamaRotaryEmbedding(config)(query, positions[None])
    expected, _ = llama.apply_rotary_pos_emb(query, key, cosines, sines)
    torch.testing.assert_close(rotary_embedding(query, positions), expected, rtol=1e-5, atol=1e-5)


@given(n=sizes, half=sizes, seed=seeds)
def test_rotate_is_the_papers_product_of_complex_numbers(n, half, seed):
    """The paper's neighbors 2i, 2i + 1 are our i, i + D/2; each pair is one complex number."""
    x = normal(n, 2 * half, seed=seed)
    rotated = rotary_embedding(x)
    for p in range(n):
        for i in range(half):
            number = complex(x[p, i], x[p, i + half])
            angle = p * 10_000 ** (-2 * i / (2 * half))
            number *= complex(math.cos(angle), math.sin(angle))
            assert abs(number - complex(rotated[p, i], rotated[p, i + half])) < 1e-5


@given(p=st.integers(0, 500), q=st.integers(0, 500), shift=st.integers(0, 500), seed=seeds)
def test_the_score_of_turned_vectors_depends_on_their_distance_alone(p, q, shift, seed):
    query, key = normal(1, 16, seed=seed), normal(1, 16, seed=seed + 1)

    def score(query_position, key_position):
        query_position, key_position = torch.tensor([query_position]), torch.tensor([key_position])
        return rotary_embedding(query, query_position) @ rotary_embedding(key, key_position).T

    # Angles of up to 1,000 radians in float32 are known to about 1,000 · 2⁻²⁴ = 6e-5.
    torch.testing.assert_close(score(p, q), score(p + shift, q + shift), rtol=0, atol=3e-3)


@given(n=sizes, half=sizes, seed=seeds)
def test_turning_keeps_lengths_and_leaves_position_zero(n, half, seed):
    x = normal(3, n, 2 * half, seed=seed)
    rotated = rotary_embedding(x, 7 * torch.arange(n))
    torch.testing.assert_close(rotated.norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(rotated[:, 0], x[:, 0])


def test_each_item_of_a_batch_may_have_its_own_positions(device):
    x = normal(2, 3, 5, 8, seed=0).to(device)
    positions = torch.tensor([[0, 1, 2, 3, 4], [9, 2, 4, 4, 0]], device=device)
    together = rotary_embedding(x, positions[:, None])
    for b in range(2):
        torch.testing.assert_close(together[b], rotary_embedding(x[b], positions[b]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_turning_keeps_the_type_and_far_positions_apart(dtype):
    x = torch.ones(1, 2, 8, dtype=dtype)
    rotated = rotary_embedding(x, torch.tensor([256, 257]))
    assert rotated.dtype == dtype
    assert (rotated[0, 0] - rotated[0, 1]).abs().max() > 0.1


def test_a_larger_base_turns_more_slowly():
    (slow, _), (fast, _) = (
        rotary_angles(torch.tensor(9), 8, base=500_000.0),
        rotary_angles(torch.tensor(9), 8),
    )
    assert (slow[1:] > fast[1:]).all()
    torch.testing.assert_close(apply_rotary(torch.ones(1, 8), slow, torch.zeros(4))[0, :4], slow)


@pytest.mark.parametrize("d_head", [0, 5])
def test_rotation_needs_pairs(d_head):
    with pytest.raises(ValueError, match=f"d_head must be even.*got d_head={d_head}"):
        rotary_angles(torch.arange(3), d_head)


# ---------------------------------------------------------------- ALiBi


@pytest.mark.parametrize("n_heads", [1, 2, 3, 4, 6, 8, 12, 16])
def test_alibi_agrees_with_bloom_in_transformers(n_heads):
    """Bloom adds slope · s. On s ≤ t ours differs by slope · t, which a softmax does not see."""
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    n = 7
    theirs = build_alibi_tensor(torch.ones(1, n), n_heads, torch.float32).view(n_heads, 1, n)
    scores, mask = normal(n_heads, n, n, seed=0), causal_mask(n)
    ours = (scores + alibi_bias(n_heads, n)).masked_fill(~mask, -math.inf).softmax(-1)
    expected = (scores + theirs).masked_fill(~mask, -math.inf).softmax(-1)
    torch.testing.assert_close(ours, expected)


@given(n_heads=st.integers(1, 20), n=st.integers(2, 9))
def test_alibi_falls_in_a_straight_line_with_the_distance(n_heads, n):
    bias = alibi_bias(n_heads, n)
    torch.testing.assert_close(bias, bias.mT)
    slopes = -bias[:, 1, 0]
    assert (slopes > 0).all()
    for distance in range(n):
        torch.testing.assert_close(bias[:, distance, 0], -slopes * distance)


def test_alibi_needs_a_head():
    with pytest.raises(ValueError, match="n_heads must be at least 1, got n_heads=0"):
        alibi_bias(0, 3)
