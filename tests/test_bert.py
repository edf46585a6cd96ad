"""lmcourse.bert: sees both sides, masks as the paper says, and what it is asked when trained.

That logits and gradients are those of transformers stands in test_transformers_weights.py.
"""

import math
from dataclasses import fields, replace
from statistics import NormalDist

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmcourse import checkpoints
from lmcourse.attention import causal_mask
from lmcourse.bert import (
    BERT,
    BERTConfig,
    fill_in,
    mask_tokens,
    masked_loss,
    mean_vector,
    sentence_vectors,
    word_numbers,
)
from lmcourse.neurons import cross_entropy

TINY = BERTConfig(vocab_size=11, context_length=13, d_model=12, n_heads=3, n_layers=2, d_ff=17)
ROBERTA = replace(TINY, n_segments=1, padding_id=1, norm_eps=1e-5)
KINDS = pytest.mark.parametrize("config", [TINY, ROBERTA], ids=["bert", "roberta"])
seeds = st.integers(0, 2**31)
MASK, SPECIAL = 3, (0, 1, 2)


def random_ids(*shape, seed=0, low=2, vocab_size=11):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, vocab_size, shape, generator=generator)


def make(config, seed=0):
    """Weights as after training: norms and biases no longer at one and zero."""
    torch.manual_seed(seed)
    model = BERT(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


# ---------------------------------------------------------------- what may be seen


@KINDS
def test_each_position_sees_all_others_and_itself(config):
    model, ids = make(config), random_ids(2, 9)
    logits = model(ids)
    for t in range(9):
        changed = ids.clone()
        changed[:, t] = (ids[:, t] - 2 + 1) % 9 + 2  # no padding, which would move positions
        assert ((model(changed) - logits).abs().amax((0, 2)) > 1e-4).all()


@KINDS
def test_with_a_causal_mask_no_position_sees_its_future(config):
    model, ids, mask = make(config), random_ids(2, 9), causal_mask(9)[None]
    logits = model(ids, mask)
    for t in range(9):
        changed = ids.clone()
        changed[:, t] = (ids[:, t] - 2 + 1) % 9 + 2
        difference = (model(changed, mask) - logits).abs().amax((0, 2))
        assert difference[:t].sum() < 1e-5
        assert difference[t:].min() > 1e-4


@KINDS
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4), seed=seeds)
def test_padding_changes_nothing(config, lengths, seed):
    model, n = make(config), max(lengths) + 2
    mask = torch.arange(n) < torch.tensor(lengths)[:, None]
    ids = random_ids(len(lengths), n, seed=seed).masked_fill(~mask, 1)
    logits = model(ids, mask)
    for row, length in enumerate(lengths):
        alone = model(ids[row : row + 1, :length])[0]
        torch.testing.assert_close(logits[row, :length], alone, rtol=0, atol=1e-4)


def test_a_row_of_padding_alone_gives_numbers():
    ids, mask = torch.ones(2, 4, dtype=torch.long), torch.zeros(2, 4, dtype=torch.bool)
    assert make(TINY)(ids, mask).isfinite().all()


def test_order_and_segments_matter():
    model, ids = make(TINY), random_ids(1, 5)
    segments = torch.tensor([[0, 0, 1, 1, 1]])
    swapped = ids[:, [1, 0, 2, 3, 4]]
    assert (model(ids)[:, 4] - model(swapped)[:, 4]).abs().max() > 1e-4
    assert (model(ids) - model(ids, segments=segments)).abs().max() > 1e-2
    torch.testing.assert_close(model(ids), model(ids, segments=torch.zeros_like(ids)))


def test_roberta_reads_as_many_ids_as_its_context_whatever_its_padding():
    for padding_id in (0, 5):
        model = make(replace(ROBERTA, padding_id=padding_id))
        assert len(model.positions.weight) == 13 + padding_id + 1
        assert model(random_ids(1, 13, low=6)).shape == (1, 13, 11)


# ---------------------------------------------------------------- training


@KINDS
def test_at_the_start_all_tokens_are_equally_likely(config):
    config = replace(config, vocab_size=64)
    ids = random_ids(8, 13, vocab_size=64)
    loss = cross_entropy(BERT(config)(ids), random_ids(8, 13, seed=1, vocab_size=64))
    assert abs(loss.item() - math.log(64)) < 0.05


def test_every_parameter_takes_part(device):
    model = make(replace(TINY, next_sentence=True)).to(device)
    ids, segments = random_ids(3, 13).to(device), (torch.arange(39).view(3, 13) % 2).to(device)
    loss = cross_entropy(model(ids, segments=segments), ids)
    loss = loss + cross_entropy(model.judge_next(ids, segments=segments), ids[:, 0] % 2)
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@KINDS
def test_the_loss_is_that_of_the_chosen_positions_alone(config):
    model, ids = make(config).double(), random_ids(4, 9)
    read, chosen = mask_tokens(ids, MASK, 11, SPECIAL, share=0.5)
    logits = model(read)
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), ids.flatten(), reduction="none"
    ).view(4, 9)
    loss = masked_loss(model, read, chosen, ids)
    torch.testing.assert_close(loss, losses[chosen].mean())
    with pytest.raises(ValueError, match="chosen must be True somewhere, got none of 36"):
        masked_loss(model, read, torch.zeros_like(chosen), ids)


@KINDS
def test_it_learns_a_batch_by_heart(config):
    torch.manual_seed(3)
    model, ids = BERT(config), random_ids(2, 10, low=4)
    chosen = torch.arange(20).view(2, 10) % 4 == 1
    read = ids.masked_fill(chosen, MASK)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(60):
        loss = masked_loss(model, read, chosen, ids)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1  # it starts at ln 11 = 2.4


def test_dropout_acts_in_training_alone():
    model, ids = BERT(replace(TINY, dropout=0.5)), random_ids(1, 9)
    assert (model(ids) - model(ids)).abs().max() > 1e-3
    model.eval()
    torch.testing.assert_close(model(ids), model(ids))


def test_weights_are_saved_and_loaded(tmp_path):
    model, other = make(replace(TINY, next_sentence=True)), BERT(replace(TINY, next_sentence=True))
    checkpoints.save(model, tmp_path / "model.safetensors")
    checkpoints.load(other, tmp_path / "model.safetensors")
    ids = random_ids(2, 9)
    torch.testing.assert_close(other.eval()(ids), model(ids))
    with pytest.raises(ValueError, match=r"hold weights of the model alone, it has no next_senten"):
        checkpoints.load(BERT(TINY), tmp_path / "model.safetensors")


# ---------------------------------------------------------------- masks to learn from

N_WORDS = 29  # ids 4 … 32


def many_ids(n, seed):
    """Ids of all kinds, special ones and the mask's own among them."""
    return random_ids(n // 50, 50, seed=seed, low=0, vocab_size=4 + N_WORDS)


def likely(found, n, probability):
    """Whether a binomial count lies where all but one in ten million do.

    As the normal distribution has it, which is near enough where thousands are counted.
    """
    spread = NormalDist().inv_cdf(1 - 0.5e-7) * math.sqrt(n * probability * (1 - probability))
    return abs(found - n * probability) <= spread


@pytest.mark.parametrize("share", [0.15, 0.4])
def test_of_the_chosen_80_percent_are_masked_10_replaced_and_10_kept(seed, share):
    """Each bound fails by chance once in ten million times."""
    ids = many_ids(200_000, seed)
    generator = torch.Generator().manual_seed(seed)
    read, chosen = mask_tokens(ids, MASK, 4 + N_WORDS, SPECIAL, share=share, generator=generator)
    n_chosen, n_open = int(chosen.sum()), int((ids > 3).sum())
    assert likely(n_chosen, n_open, share)
    assert likely(int((read == MASK)[chosen].sum()), n_chosen, 0.8)
    # Of the tenth that is drawn anew, one in N_WORDS is what stood there.
    same, other = 0.1 + 0.1 / N_WORDS, 0.1 - 0.1 / N_WORDS
    assert likely(int((read == ids)[chosen].sum()), n_chosen, same)
    assert likely(int(((read != ids) & (read != MASK))[chosen].sum()), n_chosen, other)


@pytest.mark.parametrize(("masked", "replaced"), [(1.0, 0.0), (0.8, 0.2), (0.8, 0.0), (0.0, 0.5)])
def test_other_parts_of_the_chosen_can_be_masked_and_replaced(seed, masked, replaced):
    """Each bound fails by chance once in ten million times."""
    ids = many_ids(200_000, seed)
    generator = torch.Generator().manual_seed(seed)
    options = {"share": 0.3, "masked": masked, "replaced": replaced, "generator": generator}
    read, chosen = mask_tokens(ids, MASK, 4 + N_WORDS, SPECIAL, **options)
    n_chosen, other = int(chosen.sum()), replaced * (1 - 1 / N_WORDS)
    assert likely(int((read == MASK)[chosen].sum()), n_chosen, masked)
    assert likely(int((read == ids)[chosen].sum()), n_chosen, 1 - masked - other)
    assert torch.equal(read[~chosen], ids[~chosen])  # exact: ids


def test_what_is_put_in_is_any_word_as_often_as_any_other(seed):
    """Each of the 29 bounds fails by chance once in ten million times."""
    ids = many_ids(200_000, seed)
    generator = torch.Generator().manual_seed(seed)
    read, _ = mask_tokens(ids, MASK, 4 + N_WORDS, SPECIAL, share=1.0, generator=generator)
    replaced = read[(read != ids) & (read != MASK)]
    counts = replaced.bincount(minlength=4 + N_WORDS).tolist()
    assert sum(counts[:4]) == 0
    assert all(likely(count, len(replaced), 1 / N_WORDS) for count in counts[4:])


def test_neighbors_are_chosen_independently(seed):
    ids = torch.full((4000, 50), 9)
    generator = torch.Generator().manual_seed(seed)
    _, chosen = mask_tokens(ids, MASK, 33, SPECIAL, share=0.3, generator=generator)
    pairs = chosen[:, 0::2] & chosen[:, 1::2]
    assert likely(int(pairs.sum()), pairs.numel(), 0.09)
    assert likely(int((chosen[0::2] & chosen[1::2]).sum()), pairs.numel(), 0.09)


@given(seed=seeds, share=st.floats(0, 1))
def test_special_ids_padding_and_masks_are_never_touched(seed, share):
    ids = random_ids(7, 11, seed=seed, low=0, vocab_size=9)
    before = ids.clone()
    read, chosen = mask_tokens(ids, MASK, 9, SPECIAL, share=share)
    assert torch.equal(ids, before)  # exact: ids
    closed = ids <= 3
    assert not chosen[closed].any()
    assert torch.equal(read[~chosen], ids[~chosen])  # exact: ids
    assert not torch.isin(read[chosen], torch.tensor(SPECIAL)).any()
    if share == 1:
        assert (chosen | closed).all()
    if share == 0:
        assert not chosen.any()


def test_the_same_seed_chooses_the_same_and_another_does_not():
    ids = random_ids(5, 11, low=4)

    def masked(seed):
        generator = torch.Generator().manual_seed(seed)
        return mask_tokens(ids, MASK, 11, SPECIAL, share=0.5, generator=generator)

    for one, two in zip(masked(1), masked(1), strict=True):
        assert torch.equal(one, two)  # exact: ids
    assert not torch.equal(masked(1)[1], masked(2)[1])


def test_all_of_a_word_is_chosen_or_none_of_it(seed):
    pieces = ["the", "un", "##mask", "##ed", "word", "##s"]
    words = torch.tensor([word_numbers(pieces)]).expand(20_000, -1)
    ids = torch.tensor([[4, 5, 6, 7, 8, 9]]).expand(20_000, -1)
    _, chosen = mask_tokens(ids, MASK, 11, SPECIAL, share=0.3, words=words)
    assert torch.equal(chosen[:, 1], chosen[:, 2])  # exact: yes or no
    assert torch.equal(chosen[:, 1], chosen[:, 3])  # exact: yes or no
    assert torch.equal(chosen[:, 4], chosen[:, 5])  # exact: yes or no
    for place in (0, 1, 4):
        assert likely(int(chosen[:, place].sum()), 20_000, 0.3)
    assert likely(int((chosen[:, 0] & chosen[:, 1]).sum()), 20_000, 0.09)


def test_pieces_belong_to_the_word_before_them():
    assert word_numbers([]) == []
    assert word_numbers(["##s", "a", "##b", "c"]) == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"share": 1.5}, "share must be from 0 to 1, got share=1.5"),
        ({"masked": 0.8, "replaced": 0.3}, "at most 1 together, got masked=0.8, replaced=0.3"),
        ({"masked": -0.1}, "must be shares, at most 1 together, got masked=-0.1, replaced=0.1"),
        ({"mask_id": 11}, "mask_id and special_ids must lie in 0…10, got 11"),
        ({"special_ids": range(11)}, "must leave ids that are not special, got 11 special ones of"),
        ({"words": torch.full((2, 5), 7)}, "words must lie in 0…4, a number for each word, got 7"),
    ],
)
def test_masks_that_cannot_be_are_refused(changes, expected):
    options = {"mask_id": MASK, "vocab_size": 11, "special_ids": SPECIAL} | changes
    with pytest.raises(ValueError, match=expected):
        mask_tokens(random_ids(2, 5), **options)


# ---------------------------------------------------------------- what a trained model is asked


def test_the_likeliest_tokens_of_each_mask_come_first():
    model, tokens = make(TINY), [f"w{i}" for i in range(11)]
    model.train()
    ids = torch.tensor([5, MASK, 7, MASK, 9])
    found = fill_in(model, ids, MASK, tokens, k=4)
    assert model.training
    probs = model(ids[None])[0].softmax(-1)
    assert [len(row) for row in found] == [4, 4]
    for place, row in zip((1, 3), found, strict=True):
        order = probs[place].argsort(descending=True)[:4].tolist()
        assert [token for token, _ in row] == [f"w{i}" for i in order]
        assert [p for _, p in row] == pytest.approx(probs[place][order].tolist())
    everything = fill_in(model, ids, MASK, tokens, k=11)[0]
    assert sum(p for _, p in everything) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"mask_id at least once, got no 3 in \[5, 6\]"):
        fill_in(model, torch.tensor([5, 6]), MASK, tokens)
    with pytest.raises(ValueError, match=r"model has ids, 11, .* got 11 tokens, k=12"):
        fill_in(model, ids, MASK, tokens, k=12)


@KINDS
def test_the_vector_of_a_sentence_is_the_mean_of_its_real_ids_or_the_first(config):
    model, ids = make(config), random_ids(3, 7)
    mask = torch.arange(7) < torch.tensor([[7], [4], [1]])
    ids = ids.masked_fill(~mask, 1)
    x = model.encode(ids, mask)
    for row, n in enumerate((7, 4, 1)):
        alone = ids[row : row + 1, :n]
        mean = sentence_vectors(model, ids, mask)[row]
        torch.testing.assert_close(mean, x[row, :n].mean(0), rtol=0, atol=1e-4)
        torch.testing.assert_close(mean, sentence_vectors(model, alone)[0], rtol=0, atol=1e-4)
        torch.testing.assert_close(sentence_vectors(model, ids, mask, "first")[row], x[row, 0])
    assert not sentence_vectors(model, ids, mask).requires_grad


def test_the_mean_takes_nothing_from_padding():
    x = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [math.nan, math.inf]]])
    mask = torch.tensor([[True, True, False]])
    torch.testing.assert_close(mean_vector(x, mask), torch.tensor([[2.0, 4.0]]))
    # exact: a sum of nothing
    assert torch.equal(mean_vector(x, ~mask & False), torch.zeros(1, 2))


# ---------------------------------------------------------------- refusals


def test_a_config_has_at_most_sixteen_fields_and_never_changes():
    assert len(fields(BERTConfig)) <= 16
    with pytest.raises(AttributeError):
        TINY.d_model = 3


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"n_layers": 0}, "n_layers must be at least 1, got n_layers=0"),
        ({"n_segments": -1}, "n_segments must be at least 0, got n_segments=-1"),
        ({"dropout": 1.0}, r"dropout must be at least 0 and below 1, got dropout=1.0"),
        ({"padding_id": 11}, "padding_id must be one of the ids 0…10, got padding_id=11"),
        ({"activation": "swiglu"}, "activation must be one of relu, gelu, .*, got .*'swiglu'"),
        ({"n_heads": 5}, "multiple of n_heads, got d_model=12, n_heads=5"),
    ],
)
def test_sizes_are_checked(unchecked, changes, expected):
    with pytest.raises(ValueError, match=expected):
        BERT(replace(TINY, **changes))


def test_input_that_does_not_fit_is_refused(unchecked):
    model = make(TINY)
    with pytest.raises(ValueError, match="at most context_length positions, got 14, context_le"):
        model(random_ids(1, 14))
    with pytest.raises(ValueError, match=r"ids must lie in 0…10, got 11"):
        model(torch.tensor([[11]]))
    with pytest.raises(ValueError, match=r"\(B, T, T\) with T=5, got mask.shape=\(1, 4\)"):
        model(random_ids(1, 5), torch.ones(1, 4, dtype=torch.bool))
    without = make(replace(TINY, n_segments=0))
    with pytest.raises(ValueError, match=r"None for a model that has none, got n_segments=0"):
        without(random_ids(1, 5), segments=random_ids(1, 5))
    with pytest.raises(ValueError, match="pooling must be 'mean' or 'first', got pooling='max'"):
        sentence_vectors(model, random_ids(1, 5), pooling="max")
