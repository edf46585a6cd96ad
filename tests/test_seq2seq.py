"""lmcourse.seq2seq against torch's cells in plain loops; what the decoder reads, and looks at."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import rng, start
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lmcourse.attention import padding_mask
from lmcourse.generation import beam_search, generate
from lmcourse.loop.batching import to_device
from lmcourse.neurons import cross_entropy
from lmcourse.seq2seq import Seq2Seq, Seq2SeqConfig, inverse_sigmoid_schedule, summary
from lmcourse.training import TrainingConfig, train
from lmcourse.transformer import shift_right

CONFIG = Seq2SeqConfig(
    source_vocab_size=11, target_vocab_size=7, context_length=9, d_embedding=5, d_hidden=4
)
START = 6
FLOAT32 = {"rtol": 2e-5, "atol": 2e-5}
FEW = settings(max_examples=5)
WITH_AND_WITHOUT = pytest.mark.parametrize("attention", [True, False])

seeds = st.integers(0, 2**31)
lengths = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def model_of(device="cpu", **changes):
    return Seq2Seq(replace(CONFIG, **changes)).to(device)


def texts(lengths, n_target, seed, device="cpu"):
    """Sources with padding, their mask, and targets that begin with the start."""
    generator, n = torch.Generator().manual_seed(seed), max(lengths)
    source = torch.randint(11, (len(lengths), n), generator=generator)
    target = torch.randint(6, (len(lengths), n_target), generator=generator)
    target[:, 0] = START
    mask = padding_mask(torch.tensor(lengths), n)
    return to_device((source, target, mask), torch.device(device))


# ---------------------------------------------------------------- a plain loop


def copied(theirs, projections):
    """A module of torch with the weights of our cells."""
    names = ("weight", "bias")
    pairs = [[getattr(p, name) for p in both for name in names] for both in projections]
    order = (0, 2, 1, 3)  # weight_ih, weight_hh, bias_ih, bias_hh
    mine = [parameters[k] for parameters in pairs for k in order]
    with torch.no_grad():
        for target, source in zip(theirs.parameters(), mine, strict=True):
            target.copy_(source)
    return mine, theirs


def cells_of(modules):
    return [(cell.input_projection, cell.hidden_projection) for cell in modules]


def read_by_torch(model, source, lengths):
    """The memory and the summary of nn.GRU, which is told the lengths; and its parameters."""
    config = model.config
    gru = nn.GRU(
        config.d_embedding, config.d_hidden, config.n_layers, batch_first=True, bidirectional=True
    ).to(source.device)
    mine, gru = copied(gru, cells_of(cell for cells in model.encoder.layers for cell in cells))
    packed = pack_padded_sequence(
        model.source_embedding[source], torch.tensor(lengths), True, enforce_sorted=False
    )
    memory, last = gru(packed)
    memory, _ = pad_packed_sequence(memory, batch_first=True)
    return memory, torch.cat([last[-2], last[-1]], -1), mine, list(gru.parameters())


def say_row_by_row(model, cells, memory, whole, target, lengths):
    """Logits and weights, one row and one token after the other, by the equations of the papers."""
    logits, weights = [], []
    n_layers, size = len(cells), model.config.d_hidden
    for b, n in enumerate(lengths):
        states = torch.tanh(model.bridge.weight @ whole[b] + model.bridge.bias).split(size)
        for token in target[b]:
            if model.attention is None:
                context = whole[b]
            else:
                w = model.attention.query_projection.weight @ states[-1]
                u = [model.attention.key_projection.weight @ memory[b, s] for s in range(n)]
                v = model.attention.score.weight[0]
                shares = torch.stack([(v @ torch.tanh(w + each)).exp() for each in u])
                shares = shares / shares.sum()
                context = sum(share * memory[b, s] for s, share in enumerate(shares))
                weights.append(nn.functional.pad(shares, (0, memory.shape[1] - n)))
            x = model.target_embedding[token]
            below, new = torch.cat([x, context]), []
            for k in range(n_layers):
                below = cells[k](below[None], states[k][None])[0]
                new.append(below)
            states = new
            logits.append(model.head(torch.cat([states[-1], context, x])))
    shape = (*target.shape, -1)
    return torch.stack(logits).view(shape), torch.stack(weights).view(shape) if weights else None


@WITH_AND_WITHOUT
@pytest.mark.parametrize("n_layers", [1, 2])
@FEW
@given(lengths=lengths, n_target=st.integers(1, 4), seed=seeds)
def test_logits_weights_and_gradients_are_those_of_a_plain_loop(
    attention, n_layers, device, lengths, n_target, seed
):
    """The encoder is nn.GRU with packed sequences, each step of the decoder an nn.GRUCell."""
    torch.manual_seed(seed)
    model = model_of(device, attention=attention, n_layers=n_layers)
    source, target, mask = texts(lengths, n_target, seed, device)
    theirs, mine = [], []
    memory, whole, *encoder = read_by_torch(model, source, lengths)
    cells = []
    for ours in model.decoder:
        d_input = ours.input_projection.in_features
        ours, cell = copied(nn.GRUCell(d_input, 4).to(device), cells_of([ours]))
        cells.append(cell)
        mine, theirs = mine + ours, theirs + list(cell.parameters())
    expected, shares = say_row_by_row(model, cells, memory, whole, target, lengths)
    logits, weights = model.look(source, target, mask)

    torch.testing.assert_close(logits, expected, **FLOAT32)
    torch.testing.assert_close(model(source, target, mask), expected, **FLOAT32)
    if attention:
        torch.testing.assert_close(weights[0, :, 0], shares, **FLOAT32)
    else:
        assert weights.shape == (0, len(lengths), 1, n_target, max(lengths))
    mine, theirs = mine + encoder[0], theirs + encoder[1]
    copies = {id(parameter) for parameter in mine}
    shared = [parameter for parameter in model.parameters() if id(parameter) not in copies]
    loss = (logits.square()).mean()
    ours = torch.autograd.grad(loss, mine + shared)
    other = torch.autograd.grad(expected.square().mean(), theirs + shared)
    for one, two in zip(ours, other, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- padding, weights, order


@WITH_AND_WITHOUT
@FEW
@given(lengths=lengths, seed=seeds)
def test_a_row_is_read_the_same_alone_and_beside_longer_ones(attention, lengths, seed):
    torch.manual_seed(seed)
    model = model_of(attention=attention, n_layers=2)
    source, target, mask = texts(lengths, 3, seed)
    together = model(source, target, mask)
    for b, n in enumerate(lengths):
        alone = model(source[b : b + 1, :n], target[b : b + 1])
        torch.testing.assert_close(together[b], alone[0], **FLOAT32)


def test_padding_that_is_not_masked_is_read(seed):
    """The control of the test above: without the mask, the logits are others."""
    start()
    source, target, mask = texts([2, 5], 3, seed)
    for attention in (True, False):
        model = model_of(attention=attention)
        difference = model(source, target) - model(source, target, mask)
        assert difference[0].abs().max() > 1e-4


@given(lengths=lengths, seed=seeds)
def test_weights_sum_to_one_and_are_zero_on_padding(lengths, seed):
    torch.manual_seed(seed)
    source, target, mask = texts(lengths, 3, seed)
    weights = model_of().look(source, target, mask)[1]
    assert weights.shape == (1, len(lengths), 1, 3, max(lengths))
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, len(lengths), 1, 3))
    # exact: set, not computed
    assert (weights[0].transpose(2, 3)[~mask] == 0).all()


@given(lengths=lengths, seed=seeds)
def test_the_summary_holds_the_end_of_each_direction(lengths, seed):
    memory = torch.randn(
        len(lengths), max(lengths), 6, generator=torch.Generator().manual_seed(seed)
    )
    whole = summary(memory, padding_mask(torch.tensor(lengths), max(lengths)))
    for row, n, vector in zip(memory, lengths, whole, strict=True):
        # exact: copies
        assert torch.equal(vector, torch.cat([row[n - 1, :3], row[0, 3:]]))
    # exact: copies
    assert torch.equal(summary(memory)[:, :3], memory[:, -1, :3])


@WITH_AND_WITHOUT
def test_each_logit_follows_the_tokens_before_it_and_the_whole_source(attention, seed):
    model = model_of(attention=attention)
    source, target, _ = texts([5, 5], 4, seed)
    logits = model(source, target)
    for t in range(4):
        changed = target.clone()
        changed[:, t] = (target[:, t] + 1) % 7
        difference = (model(source, changed) - logits).abs().amax((0, 2))
        assert difference[:t].sum() < 1e-5
        assert difference[t:].min() > 1e-6
    for s in range(5):
        changed = source.clone()
        changed[:, s] = (source[:, s] + 1) % 11
        assert (model(changed, target) - logits).abs().amax((0, 2)).min() > 1e-7


@WITH_AND_WITHOUT
def test_attention_is_all_that_the_two_models_differ_in(attention, seed):
    source, target, mask = texts([3, 5], 4, seed)
    model = model_of(attention=attention, n_layers=2)
    model(source, target, mask).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().max() > 0, name
    names = {name for name, _ in model.named_parameters() if not name.startswith("attention.")}
    assert names == {name for name, _ in model_of(attention=False, n_layers=2).named_parameters()}


def test_dropout_acts_in_training_alone(seed):
    source, target, mask = texts([3, 5], 4, seed)
    model = model_of(dropout=0.5, n_layers=2)
    assert (model(source, target, mask) - model(source, target, mask)).abs().max() > 1e-3
    model.eval()
    torch.testing.assert_close(model(source, target, mask), model(source, target, mask))


# ---------------------------------------------------------------- what the decoder reads


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


@WITH_AND_WITHOUT
def test_with_full_teacher_forcing_nothing_is_drawn_and_the_target_is_read(attention, seed):
    model = model_of(attention=attention)
    source, target, mask = texts([3, 5], 4, seed)
    generator = dice()
    before = generator.get_state()
    logits = model(source, target, mask, teacher_forcing=1, generator=generator)
    # exact: bytes of a state
    assert torch.equal(generator.get_state(), before)
    expected = model.decode(target, model.encode(source, mask), mask)
    torch.testing.assert_close(logits, expected, **FLOAT32)


@WITH_AND_WITHOUT
def test_without_teacher_forcing_the_decoder_reads_what_it_said(attention, seed):
    """As `generate` has it; the target is not looked at behind the start."""
    model = model_of(attention=attention)
    with torch.no_grad():
        model.head.weight.mul_(20)  # what is likeliest is so by more than rounding
    source, target, mask = texts([3, 5, 1], 5, seed)
    logits = model(source, target, mask, teacher_forcing=0)
    other = target.clone()
    other[:, 1:] = (target[:, 1:] + 1) % 6
    torch.testing.assert_close(model(source, other, mask, teacher_forcing=0), logits, **FLOAT32)
    memory = model.encode(source, mask)
    said = generate(lambda ids: model.decode(ids, memory, mask), target[:, :1], 5, temperature=0)[
        :, 1:
    ]
    # exact: ids
    assert torch.equal(logits.argmax(-1), said)
    assert (
        model(source, said.roll(1, 1).index_fill(1, torch.tensor([0]), START), mask) - logits
    ).abs().max() < 1e-4


@pytest.mark.parametrize("p", [0.25, 0.75])
def test_each_token_is_forced_with_the_given_probability(p):
    """1000 · 8 coins: 6 standard deviations of the share are at most 0.03.

    The model says 3 whatever it reads, the target holds no 3, and what is read is seen in the
    embedding alone: so the logits tell which tokens were read.
    """
    model = model_of(d_embedding=7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.target_embedding.copy_(torch.eye(7))
        model.head.weight[:, -7:] = torch.eye(7)
        model.head.bias[3] = 10.0
    target = torch.full((1000, 9), 1)
    source = torch.zeros(1000, 2, dtype=torch.long)
    logits = model(source, target, teacher_forcing=p, generator=rng())
    read_own = logits[..., 3] > 10.5  # its own 3 adds 1
    assert not read_own[:, 0].any(), "the start is always given"
    assert read_own[:, 1:].float().mean().item() == pytest.approx(1 - p, abs=0.03)
    rows = read_own[:, 1:].float().mean(1)
    assert 0 < rows.mean() < 1
    assert ((rows > 0) & (rows < 1)).float().mean() > 0.7, "each token has a coin of its own"
    again = model(source, target, teacher_forcing=p, generator=rng())
    # exact: zeros and ones, chosen by the same coins
    assert torch.equal(again[..., 3] > 10.5, read_own)
    other = model(source, target, teacher_forcing=p, generator=rng(1))
    assert not torch.equal(other[..., 3] > 10.5, read_own)


def test_the_attribute_counts_in_training_and_never_in_evaluation(seed):
    model = model_of(teacher_forcing=0.0)
    source, target, mask = texts([3, 5], 6, seed)
    with torch.no_grad():
        model.head.weight.mul_(20)
        free, forced = (model(source, target, mask, teacher_forcing=p) for p in (0, 1))
        assert (free - forced).abs().max() > 1e-3
        torch.testing.assert_close(model(source, target, mask), free, **FLOAT32)
        model.teacher_forcing = 1.0
        torch.testing.assert_close(model(source, target, mask), forced, **FLOAT32)
        model.teacher_forcing = 0.0
        model.eval()
        torch.testing.assert_close(model(source, target, mask), forced, **FLOAT32)


def test_a_schedule_is_half_way_where_it_is_told_and_falls():
    for n_half in (0.1, 1, 100, 1e5):
        # k / (k + exp(n_half / k)) is 1/2 where k ln k = n_half
        assert inverse_sigmoid_schedule(0, n_half) > 0.5
        if isinstance(n_half, int):
            assert inverse_sigmoid_schedule(n_half, n_half) == pytest.approx(0.5)
        steps = [inverse_sigmoid_schedule(round(n_half * share), n_half) for share in range(1, 9)]
        assert all(a >= b for a, b in itertools.pairwise(steps))
    assert inverse_sigmoid_schedule(10**9, 3) < 1e-300
    k = 10.0
    expected = k / (k + math.exp(40 / k))
    assert inverse_sigmoid_schedule(40, k * math.log(k)) == pytest.approx(expected)


# ---------------------------------------------------------------- writing


def test_greedy_is_a_beam_of_one_and_the_widest_beam_finds_the_best_of_all(seed):
    """5 ids and 4 tokens: 625 texts, fewer with an end; a beam of 625 holds them all."""
    model = model_of(target_vocab_size=5)
    with torch.no_grad():
        model.head.weight.mul_(5)
    source, n, end = torch.randint(11, (1, 4), generator=dice(seed)), 4, 4
    memory = model.encode(source)

    def language_model(ids):
        return model.decode(ids, memory.expand(len(ids), -1, -1))

    first = torch.tensor([3])
    options = {"stop_ids": (end,)}
    greedy = generate(language_model, first[None], n, temperature=0, **options)[0, 1:].tolist()
    one = beam_search(language_model, first, n, n_beams=1, **options)
    assert one.texts[0] == greedy
    best = {}
    for text in itertools.product(range(5), repeat=n):
        said = text[: text.index(end) + 1] if end in text else text
        best[said] = 0.0
    for said in best:
        ids = torch.tensor([[3, *said]])
        log_probs = language_model(ids[:, :-1]).log_softmax(-1)
        best[said] = log_probs.gather(-1, ids[:, 1:, None]).sum().item()
    assert sum(map(math.exp, best.values())) == pytest.approx(1, abs=1e-4)
    widest = beam_search(language_model, first, n, n_beams=625, **options)
    assert widest.scores[0] == pytest.approx(max(best.values()), abs=1e-4)
    assert widest.scores[0] >= one.scores[0] - 1e-4
    assert best[tuple(widest.texts[0])] == pytest.approx(max(best.values()), abs=1e-4)


# ---------------------------------------------------------------- learning


def reversed_letters(n, seed):
    """Examples of three letters and the same backwards, as `train` takes them."""
    source = torch.randint(6, (n, 3), generator=dice(seed))
    return source, source.flip(1)


def learned(seed, shuffled=False):
    """The share of right letters that are said greedily, after a training by `train`."""
    start(seed)
    model = model_of(source_vocab_size=6, d_embedding=12, d_hidden=24)
    source, target = reversed_letters(1200, seed)
    if shuffled:
        target = target[torch.randperm(len(target), generator=dice(seed))]
    examples = list(zip(source, shift_right(target, START), target, strict=True))

    def losses(model, batch):
        logits = model(*batch[:2])
        return cross_entropy(logits, batch[2])

    config = TrainingConfig(n_steps=100, batch_size=32, learning_rate=1e-2, n_warmup=5, seed=seed)
    train(model, examples[:1000], config, loss=losses, progress=False, device="cpu")
    with torch.no_grad():
        logits = model(source[1000:], shift_right(target[1000:], START), teacher_forcing=0)
    return (logits.argmax(-1) == source[1000:].flip(1)).float().mean().item()


def test_three_letters_are_learned_backwards():
    """By chance 1/6; the control is trained on the reversals of other words."""
    assert learned(0) > 0.8
    assert learned(0, shuffled=True) < 0.3


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("name", "value"), [("d_hidden", 0), ("n_layers", -1), ("source_vocab_size", 0)]
)
def test_counts_are_checked(name, value):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got {name}={value}"):
        replace(CONFIG, **{name: value})


def test_what_the_model_cannot_do_is_refused(unchecked):
    with pytest.raises(ValueError, match=r"from 0 to 1, got teacher_forcing=1\.5"):
        model_of(teacher_forcing=1.5)
    model, source = model_of(), torch.zeros(2, 3, dtype=torch.long)
    with pytest.raises(ValueError, match=r"from 0 to 1, got teacher_forcing=-1"):
        model(source, source, teacher_forcing=-1)
    with pytest.raises(ValueError, match="at least one position, the start, got T=0"):
        model(source, source[:, :0])
    with pytest.raises(ValueError, match="same number of rows, got 1 and 2"):
        model.decode(source[:1], model.encode(source))
    with pytest.raises(ValueError, match=r"ids must lie in 0…10, got 12"):
        model.encode(source + 12)
    with pytest.raises(ValueError, match="n_half above 0, got step=3, n_half=0"):
        inverse_sigmoid_schedule(3, 0)
