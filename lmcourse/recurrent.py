"""Recurrent networks (and book/lstm.md): read token by token, and carry what was read in a state.

Chapter: book/recurrent.md
"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lmcourse.neurons import embed

Hidden = Float[Tensor, "B d_hidden"]
# What a cell carries on: (hidden,), and in an LSTM (hidden, cell_state).
State = tuple[Hidden, ...]


class RNNCell(nn.Module):
    """hidden′ = tanh(W x + U hidden + b): one step of the plain recurrent network.

    Reference: Elman (1990), https://doi.org/10.1207/s15516709cog1402_1. Our input_projection and
        hidden_projection are `weight_ih`, `bias_ih` and `weight_hh`, `bias_hh` of nn.RNNCell.
    """

    n_states = 1

    def __init__(self, d_input: int, d_hidden: int):
        super().__init__()
        self.d_hidden = d_hidden
        self.input_projection, self.hidden_projection = _projections(d_input, d_hidden, n_gates=1)

    def forward(self, x: Float[Tensor, "B d_input"], hidden: Hidden | None = None) -> Hidden:
        """The next hidden vectors; the first ones follow zeros."""
        state = initial_state(self, x) if hidden is None else (hidden,)
        return self.step(self.project(x), state)[0]

    def project(self, x: Float[Tensor, "*steps d_input"]) -> Float[Tensor, "*steps d_hidden"]:
        """W x + b: what does not wait for the step before; `step` does the rest."""
        return _project_with_both_biases(self, x)

    def step(self, projected: Hidden, state: State) -> State:
        """The next state, from what `project` made of the input."""
        return (torch.addmm(projected, state[0], self.hidden_projection.weight.T).tanh(),)


class LSTMCell(nn.Module):
    """c′ = f · c + i · g and hidden′ = o · tanh(c′): a cell state c, and gates i, f, o in 0 … 1.

    With f near 1 state and gradient pass a step unchanged; with torch's initial weights f is ½.

    Args:
        forget_bias: where the bias of the forget gate starts; None leaves torch's small random one.
        input_bias: the same of the input gate. To keep things for about n steps, log(n), −log(n).

    Reference: Hochreiter and Schmidhuber (1997), https://doi.org/10.1162/neco.1997.9.8.1735, with
        the forget gate of Gers et al. (2000), https://doi.org/10.1162/089976600300015015; the two
        biases: Tallec and Ollivier (2018), section 2, https://arxiv.org/abs/1804.11188
    """

    n_states = 2

    def __init__(
        self,
        d_input: int,
        d_hidden: int,
        forget_bias: float | None = None,
        input_bias: float | None = None,
    ):
        super().__init__()
        self.d_hidden = d_hidden
        self.input_projection, self.hidden_projection = _projections(d_input, d_hidden, n_gates=4)
        _set_gate_bias(self, 0, input_bias)
        _set_gate_bias(self, 1, forget_bias)

    def forward(self, x: Float[Tensor, "B d_input"], state: State | None = None) -> State:
        """The next (hidden, cell_state); the first ones follow zeros."""
        return self.step(self.project(x), initial_state(self, x) if state is None else state)

    def project(self, x: Float[Tensor, "*steps d_input"]) -> Float[Tensor, "*steps gates"]:
        """What does not wait for the step before."""
        return _project_with_both_biases(self, x)

    def step(self, projected: Float[Tensor, "B gates"], state: State) -> State:
        """The next state, from what `project` made of the input."""
        hidden, cell_state = state
        i, f, g, o = self.gates(projected, hidden)
        cell_state = f * cell_state + i * g
        return o * cell_state.tanh(), cell_state

    def gates(
        self, projected: Float[Tensor, "B gates"], hidden: Hidden
    ) -> tuple[Hidden, Hidden, Hidden, Hidden]:
        """Input gate, forget gate, candidate, output gate, as in nn.LSTMCell."""
        z = torch.addmm(projected, hidden, self.hidden_projection.weight.T)
        i, f, g, o = z.chunk(4, -1)
        return i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()


class GRUCell(nn.Module):
    """hidden′ = z · hidden + (1 − z) · n, where n looks at the hidden vector through a reset gate.

    Args:
        update_bias: where the bias of z starts; None leaves torch's small random one. To keep
            things for about n steps, log(n).

    Reference: Cho et al. (2014), section 2.3, https://arxiv.org/abs/1406.1078. As in nn.GRUCell the
        reset gate acts after the product with U, not before it: n = tanh(W x + r · (U hidden + b)).
    """

    n_states = 1

    def __init__(self, d_input: int, d_hidden: int, update_bias: float | None = None):
        super().__init__()
        self.d_hidden = d_hidden
        self.input_projection, self.hidden_projection = _projections(d_input, d_hidden, n_gates=3)
        _set_gate_bias(self, 1, update_bias)

    def forward(self, x: Float[Tensor, "B d_input"], hidden: Hidden | None = None) -> Hidden:
        """The next hidden vectors; the first ones follow zeros."""
        state = initial_state(self, x) if hidden is None else (hidden,)
        return self.step(self.project(x), state)[0]

    def project(self, x: Float[Tensor, "*steps d_input"]) -> Float[Tensor, "*steps gates"]:
        """What does not wait for the step before."""
        return self.input_projection(x)  # the other bias belongs inside the reset gate

    def step(self, projected: Float[Tensor, "B gates"], state: State) -> State:
        """The next state, from what `project` made of the input."""
        (hidden,) = state
        r, z, n = projected.chunk(3, -1)  # in nn.GRUCell's order
        to_r, to_z, to_n = self.hidden_projection(hidden).chunk(3, -1)
        r, z = (r + to_r).sigmoid(), (z + to_z).sigmoid()
        n = (n + r * to_n).tanh()
        return (n + z * (hidden - n),)


def _projections(d_input: int, d_hidden: int, n_gates: int) -> tuple[nn.Linear, nn.Linear]:
    if d_hidden < 1:
        raise ValueError(f"d_hidden must be at least 1, got d_hidden={d_hidden}")
    projections = nn.Linear(d_input, n_gates * d_hidden), nn.Linear(d_hidden, n_gates * d_hidden)
    for parameter in nn.ModuleList(projections).parameters():
        nn.init.uniform_(parameter, -(d_hidden**-0.5), d_hidden**-0.5)  # as torch does
    return projections


def _set_gate_bias(cell: nn.Module, gate: int, bias: float | None) -> None:
    if bias is not None:  # of two biases that are added, one is enough
        rows = slice(gate * cell.d_hidden, (gate + 1) * cell.d_hidden)
        nn.init.constant_(cell.input_projection.bias[rows], bias)
        nn.init.zeros_(cell.hidden_projection.bias[rows])


def _project_with_both_biases(cell: nn.Module, x: Tensor) -> Tensor:
    bias = cell.input_projection.bias + cell.hidden_projection.bias
    return F.linear(x, cell.input_projection.weight, bias)


def initial_state(cell: nn.Module, x: Float[Tensor, "B ..."]) -> State:
    """The state before anything was read: zeros."""
    return (x.new_zeros(x.shape[0], cell.d_hidden),) * cell.n_states


def scan(
    cell: nn.Module,
    x: Float[Tensor, "B T d_input"],
    state: State | None = None,
    mask: Bool[Tensor, "B T"] | None = None,
    reverse: bool = False,
) -> tuple[Float[Tensor, "B T d_hidden"], State]:
    """The hidden vectors after each position, and the last state.

    Where the mask is False the state waits, and the output is zero.
    """
    state = initial_state(cell, x) if state is None else state
    projected = cell.project(x.transpose(0, 1)).unbind()  # all positions in one product
    real = None if mask is None else mask.T[..., None].unbind()
    outputs = [state[0]] * len(projected)
    for t in reversed(range(len(projected))) if reverse else range(len(projected)):
        new = cell.step(projected[t], state)
        if real is not None:
            new = tuple(torch.where(real[t], n, o) for n, o in zip(new, state, strict=True))
        state = new
        outputs[t] = state[0]
    stacked = torch.stack(outputs, 1)
    return (stacked if mask is None else stacked * mask[..., None]), state


def watch(
    cell: LSTMCell, x: Float[Tensor, "B T d_input"]
) -> tuple[Float[Tensor, "4 B T d_hidden"], Float[Tensor, "B T d_hidden"]]:
    """Input gate, forget gate, candidate and output gate at each position; cell state after it."""
    hidden, cell_state = initial_state(cell, x)
    gates, cell_states = [], []
    for projected in cell.project(x.transpose(0, 1)).unbind():
        gates.append(torch.stack(cell.gates(projected, hidden)))
        hidden, cell_state = cell.step(projected, (hidden, cell_state))
        cell_states.append(cell_state)
    return torch.stack(gates, 2), torch.stack(cell_states, 1)


class Recurrent(nn.Module):
    """Layers of cells, each reading the outputs of the layer below; see `RNN`, `LSTM`, `GRU`.

    Args:
        bidirectional: beside each cell another one reads from the end; their outputs are joined.
        dropout: the share of numbers set to zero between two layers, in training.
    """

    cell: type[nn.Module]

    def __init__(
        self,
        d_input: int,
        d_hidden: int,
        n_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        **cell_options: Any,
    ):
        super().__init__()
        if n_layers < 1:
            raise ValueError(f"n_layers must be at least 1, got n_layers={n_layers}")
        self.n_directions = 2 if bidirectional else 1
        self.d_input, self.d_output = d_input, self.n_directions * d_hidden
        self.layers = nn.ModuleList()
        for width in [d_input] + [self.d_output] * (n_layers - 1):
            cells = (self.cell(width, d_hidden, **cell_options) for _ in range(self.n_directions))
            self.layers.append(nn.ModuleList(cells))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "B T d_input"],
        states: list[State] | None = None,
        mask: Bool[Tensor, "B T"] | None = None,
    ) -> tuple[Float[Tensor, "B T d_output"], list[State]]:
        """The outputs of the last layer, and the last state of every cell.

        Args:
            states: of every cell, layer by layer, forward before backward; zeros if None.
            mask: True where a token is real; `padding_mask(lengths, n)[:, 0]` for a padded batch.
        """
        if x.shape[1] == 0:
            raise ValueError("x must have at least one position, got T=0")
        last: list[State] = []
        for depth, cells in enumerate(self.layers):
            x = self.dropout(x) if depth else x
            outputs = []
            for reverse, cell in enumerate(cells):
                before = None if states is None else states[len(last)]
                output, after = self.scan(cell, x, before, mask, bool(reverse))
                outputs.append(output)
                last.append(after)
            x = torch.cat(outputs, -1)
        return x, last

    def scan(
        self,
        cell: nn.Module,
        x: Float[Tensor, "B T d_input"],
        state: State | None,
        mask: Bool[Tensor, "B T"] | None,
        reverse: bool,
    ) -> tuple[Float[Tensor, "B T d_hidden"], State]:
        """What `scan` gives, for one cell."""
        return scan(cell, x, state, mask, reverse)


class RNN(Recurrent):
    """Layers whose cells are `RNNCell`; equal to nn.RNN(batch_first=True)."""

    cell = RNNCell


class LSTM(Recurrent):
    """Layers whose cells are `LSTMCell`, with its biases; equal to nn.LSTM(batch_first=True)."""

    cell = LSTMCell


class GRU(Recurrent):
    """Layers whose cells are `GRUCell`, with `update_bias`; equal to nn.GRU(batch_first=True)."""

    cell = GRUCell


class RecurrentCache:
    """What a `RecurrentLM` has read so far: the state of every cell, None at the start."""

    states: list[State] | None = None


def _embedding(vocab_size: int, d_embedding: int) -> nn.Parameter:
    # torch's N(0, 1) would be so large that it saturates the gates of a small model.
    return nn.Parameter(0.1 * torch.randn(vocab_size, d_embedding))


class RecurrentLM(nn.Module):
    """A language model: embedding, recurrent layers, logits of the next token at each position."""

    def __init__(self, vocab_size: int, recurrent: Recurrent, dropout: float = 0.0):
        super().__init__()
        if recurrent.n_directions != 1:
            raise ValueError("recurrent must read in one direction, got bidirectional=True")
        self.embedding = _embedding(vocab_size, recurrent.d_input)
        self.recurrent, self.dropout = recurrent, nn.Dropout(dropout)
        self.head = nn.Linear(recurrent.d_output, vocab_size)

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        cache: RecurrentCache | None = None,
        mask: Bool[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """The logits, after all that the cache has read before.

        Args:
            mask: True where an id is real, of all S ids including those that the cache has read.
        """
        x = self.dropout(embed(self.embedding, ids))
        mask = None if mask is None else mask[:, -ids.shape[1] :]
        x, states = self.recurrent(x, None if cache is None else cache.states, mask)
        if cache is not None:
            cache.states = states
        return self.head(self.dropout(x))

    def new_cache(self, batch_size: int) -> RecurrentCache:
        """An empty cache: with it the ids may be given piece by piece."""
        return RecurrentCache()


class RecurrentClassifier(nn.Module):
    """A class for each text: its logits, from the state after its last real token."""

    def __init__(self, vocab_size: int, n_classes: int, recurrent: Recurrent, dropout: float = 0.0):
        super().__init__()
        self.embedding = _embedding(vocab_size, recurrent.d_input)
        self.recurrent, self.dropout = recurrent, nn.Dropout(dropout)
        self.head = nn.Linear(recurrent.d_output, n_classes)

    def forward(
        self, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B n_classes"]:
        x = self.dropout(embed(self.embedding, ids))
        _, states = self.recurrent(x, mask=mask)
        last = [state[0] for state in states[-self.recurrent.n_directions :]]
        return self.head(self.dropout(torch.cat(last, -1)))
