"""lmcourse.transformer against torch.nn's layers, and what an encoder and a decoder may see."""

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from seeds import normal
from torch import nn

from lmcourse.attention import MultiHeadAttention, causal_mask, padding_mask
from lmcourse.neurons import cross_entropy
from lmcourse.transformer import (
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    Transformer,
    TransformerConfig,
    shift_right,
)

FLOAT32 = {"rtol": 2e-5, "atol": 2e-5}
# The sizes are small already; to shrink a failing model takes minutes and tells little.
FEW = settings(max_examples=6, phases=[Phase.explicit, Phase.reuse, Phase.generate])
MASKS = pytest.mark.parametrize("kind", ["none", "causal", "padding", "both"])
ORDERS = pytest.mark.parametrize("norm_first", [False, True], ids=["post-norm", "pre-norm"])

sizes = st.integers(1, 6)
seeds = st.integers(0, 2**31)


def random_ids(vocab_size, *shape, seed):
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))


def make_masks(kind, n, device="cpu"):
    """Our mask for a batch of two, and torch's: True = may not look, and padding on its own."""
    lengths = torch.tensor([(n + 1) // 2, n], device=device)
    causal, padding = causal_mask(n, device), padding_mask(lengths, n)
    ours = {"none": None, "causal": causal, "padding": padding, "both": causal & padding}[kind]
    theirs = (
        ~causal if kind in ("causal", "both") else None,
        ~padding[:, 0] if kind in ("padding", "both") else None,
    )
    return ours, theirs


def tiny(**changes):
    sizes = {"source_vocab_size": 11, "target_vocab_size": 13, "context_length": 9}
    sizes |= {"d_model": 12, "n_heads": 3, "n_layers": 2}
    return TransformerConfig(**sizes | changes)


# ---------------------------------------------------------------- feed-forward


@pytest.mark.parametrize(
    ("activation", "reference"),
    [
        ("relu", nn.ReLU()),
        ("gelu", nn.GELU()),
        ("gelu_tanh", nn.GELU(approximate="tanh")),
    ],
)
def test_feed_forward_is_two_layers_and_nothing_after(activation, reference):
    layer, x = FeedForward(5, 7, activation=activation), normal(2, 3, 5, seed=0)
    expected = nn.Sequential(layer.up_projection, reference, layer.down_projection)(x)
    torch.testing.assert_close(layer(x), expected)
    assert expected.min() < 0, "an activation after the last layer would forbid this"


def test_a_gated_feed_forward_multiplies_two_projections():
    layer, x = FeedForward(5, 7, activation="swiglu", bias=False), normal(2, 3, 5, seed=0)
    gate, value = x @ layer.up_projection.weight[:7].T, x @ layer.up_projection.weight[7:].T
    expected = (gate * torch.sigmoid(gate) * value) @ layer.down_projection.weight.T
    torch.testing.assert_close(layer(x), expected)


def test_feed_forward_learns_to_negate():
    """y = −x has mean square error ½ for whoever cannot say a negative number."""
    layer, x = FeedForward(4, 32), normal(500, 4, seed=0)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    for _ in range(150):
        loss = (layer(x) + x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.02


@given(n=sizes, seed=seeds)
def test_feed_forward_treats_each_position_alone(n, seed):
    layer, x = FeedForward(6, activation="gelu"), normal(2, n, 6, seed=seed)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order], **FLOAT32)


def test_an_unknown_activation_is_named(unchecked):
    expected = "activation must be one of relu, gelu, gelu_tanh, swiglu, got activation='tanh'"
    with pytest.raises(ValueError, match=expected):
        FeedForward(4, activation="tanh")


# ---------------------------------------------------------------- blocks


def copy_attention(ours, theirs):
    parts = (ours.query_projection, ours.key_projection, ours.value_projection)
    theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
    theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    theirs.out_proj.load_state_dict(ours.output_projection.state_dict())


@torch.no_grad()
def copied_to_torch(ours, d_model, n_heads, d_ff, norm_first, activation):
    decoder = isinstance(ours, DecoderBlock)
    layer = nn.TransformerDecoderLayer if decoder else nn.TransformerEncoderLayer
    theirs = layer(
        d_model, n_heads, d_ff, 0.0, activation, batch_first=True, norm_first=norm_first
    ).to(ours.feed_forward.up_projection.weight.device)
    for parameter in ours.parameters():  # norms too must not be the identity
        parameter.add_(0.1 * torch.randn_like(parameter))
    copy_attention(ours.attention, theirs.self_attn)
    residuals = [ours.attention_residual, ours.feed_forward_residual]
    if decoder:
        copy_attention(ours.cross_attention, theirs.multihead_attn)
        residuals.insert(1, ours.cross_attention_residual)
    for target, residual in zip((theirs.norm1, theirs.norm2), residuals, strict=False):
        target.load_state_dict(residual.norm.state_dict())
    getattr(theirs, f"norm{len(residuals)}").load_state_dict(residuals[-1].norm.state_dict())
    theirs.linear1.load_state_dict(ours.feed_forward.up_projection.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.down_projection.state_dict())
    return theirs


def assert_same_gradient(ours, theirs, x, seed):
    direction = normal(*ours.shape, seed=seed).to(ours)
    gradients = [torch.autograd.grad((y * direction).sum(), x)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


@ORDERS
@MASKS
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@FEW
@given(n=sizes, n_heads=st.integers(1, 3), seed=seeds)
def test_an_encoder_block_agrees_with_torch(norm_first, kind, activation, device, n, n_heads, seed):
    torch.manual_seed(seed)
    sizes = {"d_model": 4 * n_heads, "n_heads": n_heads, "d_ff": 7}
    options = sizes | {"norm_first": norm_first, "activation": activation}
    ours = EncoderBlock(**options).to(device)
    theirs = copied_to_torch(ours, **options)
    x = normal(2, n, 4 * n_heads, seed=seed, device=device).requires_grad_()
    mask, (source_mask, padding) = make_masks(kind, n, device)
    output = ours(x, mask)
    expected = theirs(x, src_mask=source_mask, src_key_padding_mask=padding)
    torch.testing.assert_close(output, expected, **FLOAT32)
    assert_same_gradient(output, expected, x, seed)


@ORDERS
@MASKS
@FEW
@given(n=sizes, n_memory=sizes, n_heads=st.integers(1, 3), seed=seeds)
def test_a_decoder_block_agrees_with_torch(norm_first, kind, device, n, n_memory, n_heads, seed):
    torch.manual_seed(seed)
    sizes = {"d_model": 4 * n_heads, "n_heads": n_heads, "d_ff": 7}
    options = sizes | {"norm_first": norm_first, "activation": "relu"}
    ours = DecoderBlock(**options).to(device)
    theirs = copied_to_torch(ours, **options)
    x = normal(2, n, 4 * n_heads, seed=seed, device=device)
    memory = normal(2, n_memory, 4 * n_heads, seed=seed + 1, device=device).requires_grad_()
    mask, (target_mask, padding) = make_masks(kind, n, device)
    memory_mask, (_, memory_padding) = make_masks("padding", n_memory, device)
    output = ours(x, memory, mask, memory_mask)
    expected = theirs(
        x,
        memory,
        tgt_mask=target_mask,
        tgt_key_padding_mask=padding,
        memory_key_padding_mask=memory_padding,
    )
    torch.testing.assert_close(output, expected, **FLOAT32)
    assert_same_gradient(output, expected, memory, seed)


def test_dropout_acts_in_training_alone():
    block, x = EncoderBlock(8, 2, dropout=0.5), normal(1, 6, 8, seed=0)
    assert (block(x) - block(x)).abs().max() > 1e-3
    block.eval()
    torch.testing.assert_close(block(x), block(x))


# ---------------------------------------------------------------- the whole model


@ORDERS
def test_the_memory_has_a_vector_for_each_token(norm_first):
    model = Transformer(tiny(norm_first=norm_first))
    for n in (1, 3, 9):
        assert model.encode(random_ids(11, 5, n, seed=n)).shape == (5, n, 12)


def test_each_logit_follows_the_target_before_it_and_the_whole_source():
    model = Transformer(tiny())
    source, target = random_ids(11, 2, 7, seed=0), random_ids(13, 2, 5, seed=1)
    logits = model(source, target)
    assert logits.shape == (2, 5, 13)
    for t in range(5):
        changed = target.clone()
        changed[:, t] = (target[:, t] + 1) % 13
        difference = (model(source, changed) - logits).abs().amax((0, 2))
        assert difference[:t].sum() < 1e-5
        assert difference[t:].min() > 1e-4
    for s in range(7):
        changed = source.clone()
        changed[:, s] = (source[:, s] + 1) % 11
        assert ((model(changed, target) - logits).abs().amax((0, 2)) > 1e-4).all()


def test_items_of_a_batch_do_not_meet():
    model = Transformer(tiny())
    source, target = random_ids(11, 4, 7, seed=0), random_ids(13, 4, 5, seed=1)
    together = model(source, target)
    for b in range(4):
        alone = model(source[b : b + 1], target[b : b + 1])
        torch.testing.assert_close(together[b : b + 1], alone, **FLOAT32)


@given(n_padding=st.integers(0, 5), seed=seeds)
@FEW
def test_padding_of_the_source_does_not_matter(n_padding, seed):
    torch.manual_seed(seed)
    model = Transformer(tiny())
    source, target = random_ids(11, 2, 4, seed=seed), random_ids(13, 2, 5, seed=seed + 1)
    padding = random_ids(11, 2, n_padding, seed=seed + 2)
    mask = padding_mask(torch.tensor([4, 4]), 4 + n_padding)
    padded = model(torch.cat([source, padding], 1), target, mask)
    torch.testing.assert_close(padded, model(source, target), **FLOAT32)


def test_every_decoder_block_reads_the_last_encoder_blocks_output():
    """The edges of the diagram, as they are when the model runs."""
    model, read = Transformer(tiny(n_layers=3)), []
    encoded = []
    model.encoder_norm.register_forward_hook(lambda module, args, out: encoded.append(out))
    for block in model.decoder:
        block.cross_attention.register_forward_hook(lambda module, args, out: read.append(args[1]))
    source, target = random_ids(11, 2, 7, seed=0), random_ids(13, 2, 5, seed=1)
    model(source, shift_right(target, 0))
    assert len(read) == 3
    assert all(memory is encoded[0] for memory in read)


def test_every_parameter_takes_part():
    model = Transformer(tiny(n_layers=3))
    logits = model(random_ids(11, 2, 7, seed=0), random_ids(13, 2, 5, seed=1))
    cross_entropy(logits, random_ids(13, 2, 5, seed=2)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        # A key's bias adds the same to all scores of a query, so softmax does not see it.
        assert parameter.grad.abs().max() > 0 or "key_projection.bias" in name, name
    parts = {type(module).__name__ for module in model.modules()}
    assert {"MultiHeadAttention", "FeedForward", "Residual", "LayerNorm"} <= parts


def test_the_order_of_the_source_matters():
    model, source = Transformer(tiny()), torch.tensor([[1, 2, 3, 4]])
    order = [2, 0, 3, 1]
    assert (model.encode(source[:, order]) - model.encode(source)[:, order]).abs().max() > 0.01


def test_written_step_by_step_the_logits_are_those_of_training():
    model = Transformer(tiny())
    source, target = random_ids(11, 3, 7, seed=0), random_ids(13, 3, 6, seed=1)
    mask = padding_mask(torch.tensor([7, 4, 1]), 7)
    teacher_forced = model(source, target, mask)
    memory = model.encode(source, mask)
    for t in range(6):
        step = model.decode(target[:, : t + 1], memory, mask)[:, -1]
        torch.testing.assert_close(step, teacher_forced[:, t], **FLOAT32)


def test_it_learns_to_reverse():
    """Trained on random lists, tried on others: at least 95 of 100 ids right, without help."""
    n, vocab_size = 5, 8  # 8⁵ = 32,768 lists; at most 12,000 are seen
    vocabularies = {"source_vocab_size": vocab_size, "target_vocab_size": vocab_size + 1}
    model = Transformer(tiny(**vocabularies, d_model=32, n_heads=4, n_layers=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(250):
        source = torch.randint(vocab_size, (48, n))
        target = source.flip(1)
        logits = model(source, shift_right(target, start_id=vocab_size))
        loss = cross_entropy(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source = torch.randint(vocab_size, (100, n))
    written = torch.full((100, 1), vocab_size)
    memory = model.encode(source)
    for _ in range(n):
        written = torch.cat([written, model.decode(written, memory)[:, -1:].argmax(-1)], 1)
    assert (written[:, 1:] == source.flip(1)).float().mean() >= 0.95


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="n_layers must be at least 1, got n_layers=0"):
        tiny(n_layers=0)
    with pytest.raises(ValueError, match="multiple of n_heads, got d_model=12, n_heads=5"):
        Transformer(tiny(n_heads=5))
    model = Transformer(tiny())
    ids = torch.zeros(1, 10, dtype=torch.long)
    with pytest.raises(ValueError, match=r"source must have at most.*got 10, context_length=9"):
        model.encode(ids)
    with pytest.raises(ValueError, match=r"target must have at most.*got 10, context_length=9"):
        model(ids[:, :3], ids)
    with pytest.raises(ValueError, match="ids must lie in 0…10, got 12"):
        model.encode(torch.tensor([[12]]))


def test_the_weights_of_attention_can_still_be_seen():
    """Blocks use the book's attention, so that a chapter can look at who looks at whom."""
    model, seen = Transformer(tiny(n_layers=1)), []
    attention = model.decoder[0].cross_attention
    assert isinstance(attention, MultiHeadAttention)
    attention.register_forward_hook(lambda module, args, out: seen.append(out[1]))
    model(random_ids(11, 1, 7, seed=0), random_ids(13, 1, 5, seed=1))
    torch.testing.assert_close(seen[0].sum(-1), torch.ones(1, 3, 5))
