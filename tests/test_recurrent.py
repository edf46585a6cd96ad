"""lmcourse.recurrent against torch.nn's cells and layers, and what a state must remember."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import normal, start
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lmcourse.attention import padding_mask
from lmcourse.neurons import cross_entropy
from lmcourse.recurrent import (
    GRU,
    LSTM,
    RNN,
    GRUCell,
    LSTMCell,
    RecurrentClassifier,
    RecurrentLM,
    RNNCell,
    scan,
    watch,
)

CELLS = {RNNCell: nn.RNNCell, LSTMCell: nn.LSTMCell, GRUCell: nn.GRUCell}
LAYERS = {RNN: nn.RNN, LSTM: nn.LSTM, GRU: nn.GRU}
EACH_CELL = pytest.mark.parametrize("kind", CELLS)
EACH_LAYER = pytest.mark.parametrize("kind", LAYERS)
FLOAT32 = {"rtol": 2e-5, "atol": 2e-5}

FEW = settings(max_examples=5)  # for tests of many kinds, each with its gradients

sizes = st.integers(1, 6)
seeds = st.integers(0, 2**31)


def parameters_of(cell):
    """In the order of torch's `weight_ih, weight_hh, bias_ih, bias_hh`."""
    both = (cell.input_projection, cell.hidden_projection)
    return [projection.weight for projection in both] + [projection.bias for projection in both]


def copied_to_torch(ours, bidirectional=False):
    first = ours.layers[0][0]
    theirs = LAYERS[type(ours)](
        ours.d_input,
        first.d_hidden,
        num_layers=len(ours.layers),
        bidirectional=bidirectional,
        batch_first=True,
    ).to(first.input_projection.weight.device)
    mine = [
        parameter for cells in ours.layers for cell in cells for parameter in parameters_of(cell)
    ]
    with torch.no_grad():
        for target, source in zip(theirs.parameters(), mine, strict=True):
            target.copy_(source)
    return mine, theirs


def assert_same_gradients(ours, our_parameters, theirs, their_parameters, seed):
    direction = normal(*ours.shape, seed=seed).to(ours)
    mine = torch.autograd.grad((ours * direction).sum(), our_parameters)
    other = torch.autograd.grad((theirs * direction).sum(), their_parameters)
    for one, two in zip(mine, other, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


# ---------------------------------------------------------------- cells


@EACH_CELL
@FEW
@given(batch_size=sizes, d_input=sizes, d_hidden=sizes, seed=seeds)
def test_a_cell_agrees_with_torch(kind, device, batch_size, d_input, d_hidden, seed):
    torch.manual_seed(seed)
    ours, theirs = kind(d_input, d_hidden).to(device), CELLS[kind](d_input, d_hidden).to(device)
    with torch.no_grad():
        for target, source in zip(theirs.parameters(), parameters_of(ours), strict=True):
            target.copy_(source)
    x = normal(batch_size, d_input, seed=seed, device=device)
    first, expected_first = ours(x), theirs(x)  # from zeros
    second, expected = ours(x, first), theirs(x, expected_first)
    if kind is LSTMCell:
        second, expected = torch.cat(second, -1), torch.cat(expected, -1)
    torch.testing.assert_close(second, expected, **FLOAT32)
    assert_same_gradients(second, parameters_of(ours), expected, list(theirs.parameters()), seed)


def test_a_plain_step_by_hand():
    cell = RNNCell(1, 1)
    for parameter, value in zip(parameters_of(cell), [0.5, -2.0, 0.1, 0.2], strict=True):
        nn.init.constant_(parameter, value)
    hidden = cell(torch.tensor([[1.0]]), torch.tensor([[0.25]]))
    assert hidden.item() == pytest.approx(0.2913126)  # tanh(0.5 · 1 − 2 · 0.25 + 0.3)


def test_an_open_forget_gate_keeps_the_memory_and_its_gradient():
    cell = LSTMCell(3, 4, forget_bias=30.0)
    cell_state = normal(2, 4, seed=0).requires_grad_()
    state = (torch.zeros(2, 4), cell_state)
    with torch.no_grad():
        cell.input_projection.bias[:4] = -30.0  # and nothing enters
        cell.hidden_projection.bias[:4] = 0.0
    for t in range(50):
        state = cell(0.1 * normal(2, 3, seed=t), state)
    torch.testing.assert_close(state[1], cell_state)
    (gradient,) = torch.autograd.grad(state[1].sum(), cell_state)
    torch.testing.assert_close(gradient, torch.ones(2, 4))


@pytest.mark.parametrize(
    ("kind", "option", "gate"),
    [
        (LSTMCell, "input_bias", 0),
        (LSTMCell, "forget_bias", 1),
        (GRUCell, "update_bias", 1),
    ],
)
@given(d_hidden=sizes, bias=st.floats(-5, 5, width=32))
def test_a_gate_bias_is_the_sum_of_both_biases_of_that_gate_alone(
    kind, option, gate, d_hidden, bias
):
    start()
    cell = kind(3, d_hidden, **{option: bias})
    start()
    plain = kind(3, d_hidden)
    total = cell.input_projection.bias + cell.hidden_projection.bias
    gate = slice(gate * d_hidden, (gate + 1) * d_hidden)
    torch.testing.assert_close(total[gate], torch.full((d_hidden,), bias))
    others = torch.ones(len(total), dtype=torch.bool)
    others[gate] = False
    for ours, theirs in zip(parameters_of(cell)[2:], parameters_of(plain)[2:], strict=True):
        assert torch.equal(ours[others], theirs[others])  # exact: the same seed, nothing computed


@given(seed=seeds)
def test_the_gates_of_an_lstm_are_those_of_its_equation(seed):
    torch.manual_seed(seed)
    cell, x, hidden = LSTMCell(3, 5), normal(2, 3, seed=seed), normal(2, 5, seed=seed + 1)
    z = cell.input_projection(x) + cell.hidden_projection(hidden)
    gates = cell.gates(cell.project(x), hidden)
    functions = (torch.sigmoid, torch.sigmoid, torch.tanh, torch.sigmoid)
    for k, (gate, function) in enumerate(zip(gates, functions, strict=True)):
        torch.testing.assert_close(gate, function(z[:, 5 * k : 5 * (k + 1)]), **FLOAT32)


def test_a_watched_cell_state_is_the_sum_of_what_was_written_as_far_as_the_gates_kept_it():
    start()
    cell, x = LSTMCell(3, 5), normal(2, 7, 3, seed=1)
    (i, f, g, _), memory = watch(cell, x)
    assert memory.shape == (2, 7, 5)
    for t in range(7):
        total = sum(f[:, s + 1 : t + 1].prod(1) * i[:, s] * g[:, s] for s in range(t + 1))
        torch.testing.assert_close(memory[:, t], total, **FLOAT32)
    torch.testing.assert_close(memory[:, -1], scan(cell, x)[1][1], **FLOAT32)


@EACH_CELL
def test_initial_weights_are_spread_as_in_torch(kind):
    cell = kind(7, 100)
    for parameter in parameters_of(cell):
        assert parameter.abs().max() <= 0.1
        assert 0.04 < parameter.std() < 0.075  # 0.1 / √3 = 0.058


@EACH_CELL
def test_a_cell_needs_a_hidden_vector(kind):
    with pytest.raises(ValueError, match="d_hidden must be at least 1, got d_hidden=0"):
        kind(3, 0)


# ---------------------------------------------------------------- layers


@EACH_LAYER
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@FEW
@given(batch_size=sizes, n=sizes, d_hidden=sizes, seed=seeds)
def test_layers_agree_with_torch(
    kind, device, n_layers, bidirectional, batch_size, n, d_hidden, seed
):
    torch.manual_seed(seed)
    ours = kind(3, d_hidden, n_layers, bidirectional).to(device)
    mine, theirs = copied_to_torch(ours, bidirectional)
    x = normal(batch_size, n, 3, seed=seed, device=device)
    output, states = ours(x)
    expected, last = theirs(x)
    torch.testing.assert_close(output, expected, **FLOAT32)
    last = last if kind is LSTM else (last,)
    for ours_last, theirs_last in zip(zip(*states, strict=True), last, strict=True):
        torch.testing.assert_close(torch.stack(ours_last), theirs_last, **FLOAT32)
    assert_same_gradients(output, mine, expected, list(theirs.parameters()), seed)


@EACH_LAYER
@pytest.mark.parametrize("bidirectional", [False, True])
@FEW
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), seed=seeds)
def test_a_padded_batch_agrees_with_torch_and_its_packed_sequences(
    kind, device, bidirectional, lengths, seed
):
    torch.manual_seed(seed)
    n = max(lengths)
    ours = kind(3, 4, 2, bidirectional).to(device)
    mine, theirs = copied_to_torch(ours, bidirectional)
    x = normal(len(lengths), n, 3, seed=seed, device=device)
    lengths = torch.tensor(lengths)
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    expected, last = theirs(packed)
    expected, _ = pad_packed_sequence(expected, batch_first=True)
    output, states = ours(x, mask=padding_mask(lengths.to(device), n)[:, 0])
    torch.testing.assert_close(output, expected, **FLOAT32)
    hidden = torch.stack([state[0] for state in states])
    torch.testing.assert_close(hidden, last[0] if kind is LSTM else last, **FLOAT32)
    assert_same_gradients(output, mine, expected, list(theirs.parameters()), seed)


@EACH_LAYER
@FEW
@given(n=st.integers(2, 6), cut=st.integers(1, 5), seed=seeds)
def test_reading_in_two_pieces_is_reading_at_once(kind, n, cut, seed):
    torch.manual_seed(seed)
    layer, x = kind(3, 4, n_layers=2), normal(2, n, 3, seed=seed)
    cut = min(cut, n - 1)
    whole, last = layer(x)
    first, states = layer(x[:, :cut])
    second, states = layer(x[:, cut:], states)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, **FLOAT32)
    torch.testing.assert_close(states, last, **FLOAT32)


def test_a_position_without_a_token_changes_nothing():
    cell, x = LSTMCell(3, 4), normal(1, 3, 3, seed=0)
    mask = torch.tensor([[True, False, True]])
    output, state = scan(cell, x, mask=mask)
    without, expected = scan(cell, x[:, [0, 2]])
    torch.testing.assert_close(state, expected, **FLOAT32)
    # exact: set, not computed
    assert (output[0, 1] == 0).all()
    torch.testing.assert_close(output[:, [0, 2]], without, **FLOAT32)


def test_dropout_stands_between_layers_in_training_alone():
    x = normal(2, 5, 3, seed=0)
    one, two = LSTM(3, 4, dropout=0.9), LSTM(3, 4, n_layers=2, dropout=0.9)
    torch.testing.assert_close(one(x)[0], one(x)[0])  # one layer has nothing between
    assert (two(x)[0] - two(x)[0]).abs().max() > 1e-3
    two.eval()
    torch.testing.assert_close(two(x)[0], two(x)[0])


def test_layers_refuse_what_they_cannot_do():
    with pytest.raises(ValueError, match="n_layers must be at least 1, got n_layers=0"):
        RNN(3, 4, n_layers=0)
    with pytest.raises(ValueError, match="x must have at least one position, got T=0"):
        GRU(3, 4)(torch.zeros(2, 0, 3))
    with pytest.raises(TypeError, match="forget_bias"):
        GRU(3, 4, forget_bias=1.0)


# ---------------------------------------------------------------- how far a gradient reaches


def gradient_ratio(layer, n, seed):
    """‖∂ output_n / ∂ x₁‖ over ‖∂ output_n / ∂ x_n‖."""
    x = normal(8, n, 16, seed=seed).requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[0][:, -1].sum(), x)
    return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()


@pytest.mark.parametrize("seed", range(3))
def test_gradients_vanish_in_each_network_unless_the_gate_is_open(seed):
    """Gates alone do not help: the gradient survives where the forget gate starts open."""
    torch.manual_seed(seed)
    for layer in (RNN(16, 16), LSTM(16, 16), GRU(16, 16)):
        assert gradient_ratio(layer, 50, seed) < 1e-6
    for layer in (
        LSTM(16, 16, forget_bias=4.0),
        LSTM(16, 16, forget_bias=4.0, input_bias=-4.0),
        GRU(16, 16, update_bias=4.0),
    ):
        assert gradient_ratio(layer, 50, seed) > 0.05


# ---------------------------------------------------------------- the language model


@EACH_LAYER
@FEW
@given(pieces=st.lists(st.integers(1, 3), min_size=1, max_size=4), seed=seeds)
def test_a_language_model_fed_in_pieces_gives_the_same_logits(kind, pieces, seed):
    torch.manual_seed(seed)
    model = RecurrentLM(11, kind(5, 7, n_layers=2))
    ids = torch.randint(11, (3, sum(pieces)), generator=torch.Generator().manual_seed(seed))
    cache = model.new_cache(batch_size=3)
    logits = torch.cat([model(piece, cache) for piece in ids.split(pieces, 1)], 1)
    torch.testing.assert_close(logits, model(ids), **FLOAT32)


def test_a_language_model_skips_the_padding_on_the_left():
    model = RecurrentLM(11, GRU(5, 7))
    ids = torch.tensor([[9, 9, 1, 2], [3, 4, 5, 6]])
    mask = torch.tensor([[False, False, True, True], [True] * 4])
    torch.testing.assert_close(model(ids, mask=mask)[0, 2:], model(ids[:1, 2:])[0], **FLOAT32)
    cache = model.new_cache(2)
    model(ids[:, :3], cache, mask[:, :3])
    last = model(ids[:, 3:], cache, mask)
    torch.testing.assert_close(last, model(ids, mask=mask)[:, 3:], **FLOAT32)


def test_no_position_sees_its_future():
    model = RecurrentLM(11, LSTM(5, 7, n_layers=2))
    ids = torch.randint(11, (2, 6))
    for t in range(6):
        changed = ids.clone()
        changed[:, t] = (ids[:, t] + 1) % 11
        difference = (model(changed) - model(ids)).abs().amax((0, 2))
        assert difference[:t].sum() < 1e-5
        assert difference[t] > 1e-4
    with pytest.raises(ValueError, match="recurrent must read in one direction"):
        RecurrentLM(11, LSTM(5, 7, bidirectional=True))


def test_a_language_model_learns_a_cycle():
    model = RecurrentLM(5, GRU(8, 16))
    ids = (torch.arange(12) % 5)[None]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(60):
        loss = cross_entropy(model(ids[:, :-1]), ids[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1  # it starts at ln 5 = 1.61


def test_a_plain_network_recalls_the_first_of_five_ids():
    """Its state is all that is left of the first id when the last one is read."""
    model = RecurrentClassifier(8, 8, RNN(16, 32))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        ids = torch.randint(8, (64, 5))
        loss = cross_entropy(model(ids), ids[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    ids = torch.randint(8, (500, 5))
    assert (model(ids).argmax(-1) == ids[:, 0]).float().mean() > 0.95  # by chance 0.125


@pytest.mark.parametrize("worst", [11, -1])
def test_an_unknown_id_is_named(worst):
    with pytest.raises(ValueError, match=f"ids must lie in 0…10, got {worst}"):
        RecurrentLM(11, RNN(5, 7))(torch.tensor([[3, worst]]))


# ---------------------------------------------------------------- the classifier


@EACH_LAYER
@pytest.mark.parametrize("bidirectional", [False, True])
@FEW
@given(n_padding=st.integers(0, 4), seed=seeds)
def test_padding_does_not_change_a_class(kind, bidirectional, n_padding, seed):
    torch.manual_seed(seed)
    model = RecurrentClassifier(11, 3, kind(5, 7, bidirectional=bidirectional))
    ids = torch.randint(11, (2, 4), generator=torch.Generator().manual_seed(seed))
    padded = nn.functional.pad(ids, (0, n_padding))
    mask = torch.arange(4 + n_padding).expand(2, -1) < 4
    torch.testing.assert_close(model(padded, mask), model(ids), **FLOAT32)
    if n_padding:
        assert (model(padded) - model(ids)).abs().max() > 1e-4, "unmasked padding is read"


def test_a_classifier_learns_the_order_of_two_words():
    """Is the first id smaller? A bag of words says the same of both orders: half are right."""
    ids = torch.randint(9, (600, 2))
    ids = ids[ids[:, 0] != ids[:, 1]]
    classes = (ids[:, 0] < ids[:, 1]).long()
    model = RecurrentClassifier(9, 2, LSTM(16, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(80):
        loss = cross_entropy(model(ids), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    pairs = torch.cartesian_prod(torch.arange(9), torch.arange(9))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    right = model(pairs).argmax(-1) == (pairs[:, 0] < pairs[:, 1]).long()
    assert right.float().mean() > 0.95
