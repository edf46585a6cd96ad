"""The LSTM with its gradient written out, over all steps at once: the same numbers, faster.

Chapter: book/lstm.md
"""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from lmcourse.recurrent import LSTM, LSTMCell, State, initial_state, scan

Steps = Float[Tensor, "T B d_hidden"]


class FastLSTM(LSTM):
    """`LSTM`, with its parameters, values and gradients, in less time (`python -m benchmarks`).

    Autograd notes every one of its small operations and undoes them one by one. Here the slopes of
    all steps are computed together, and a step back is one product and four small operations; the
    gradients of the weights are one product each, over all steps. Its gradient has no gradient of
    its own. With a mask it computes as `LSTM` does.
    """

    def scan(
        self,
        cell: LSTMCell,
        x: Float[Tensor, "B T d_input"],
        state: State | None,
        mask: Bool[Tensor, "B T"] | None,
        reverse: bool,
    ) -> tuple[Float[Tensor, "B T d_hidden"], State]:
        """What `recurrent.scan` gives."""
        if mask is not None:
            return scan(cell, x, state, mask, reverse)
        hidden, cell_state = initial_state(cell, x) if state is None else state
        projected = cell.project(x.transpose(0, 1))
        projected = projected.flip(0) if reverse else projected
        outputs, last_cell_state = _Steps.apply(
            projected, cell.hidden_projection.weight, hidden, cell_state
        )
        last = outputs[-1], last_cell_state
        return (outputs.flip(0) if reverse else outputs).transpose(0, 1), last


class _Steps(torch.autograd.Function):
    """All steps of an LSTM after the inputs were projected, and their gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        projected: Float[Tensor, "T B gates"],
        weight: Float[Tensor, "gates d_hidden"],
        hidden: Float[Tensor, "B d_hidden"],
        cell_state: Float[Tensor, "B d_hidden"],
    ) -> tuple[Steps, Float[Tensor, "B d_hidden"]]:
        n_steps, n_texts, _ = projected.shape
        # A copy of its own, in which the sums become gates where they stand.
        gates = projected.clone(memory_format=torch.contiguous_format)
        before = hidden.new_empty(n_steps + 1, n_texts, hidden.shape[-1])  # and one after
        kept, shown = torch.empty_like(before), torch.empty_like(before[1:])
        before[0], kept[0] = hidden, cell_state
        # All views are taken beforehand, in one go: in the loop each would cost as much as a step.
        i, f, g, o = (each.unbind() for each in gates.chunk(4, -1))
        input_and_forget = gates[..., : 2 * hidden.shape[-1]].unbind()
        sums, h, c, tanh_c = gates.unbind(), before.unbind(), kept.unbind(), shown.unbind()
        columns = weight.T.contiguous()
        for t in range(n_steps):
            sums[t].addmm_(h[t], columns)
            input_and_forget[t].sigmoid_()
            g[t].tanh_()
            o[t].sigmoid_()
            torch.mul(f[t], c[t], out=c[t + 1]).addcmul_(i[t], g[t])
            torch.tanh(c[t + 1], out=tanh_c[t])
            torch.mul(o[t], tanh_c[t], out=h[t + 1])
        ctx.save_for_backward(weight, gates, before, kept, shown)
        return before[1:].clone(), kept[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: FunctionCtx, at_outputs: Steps, at_last: Float[Tensor, "B d_hidden"]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        weight, gates, before, kept, shown = ctx.saved_tensors  # type: ignore[attr-defined]
        slopes = _slopes(gates, kept[:-1], shown)
        at_sums = torch.empty_like(gates)
        by_gate = (*gates.shape[:2], 4, weight.shape[1])
        # Into input gate, forget gate and candidate the gradient comes by the cell state.
        to_kept, to_shown = at_sums.view(by_gate).split([3, 1], 2)
        of_kept, of_shown = slopes.view(by_gate).split([3, 1], 2)
        to_kept, of_kept = to_kept.unbind(), of_kept.unbind()
        to_shown, of_shown = to_shown.squeeze(2).unbind(), of_shown.squeeze(2).unbind()
        f, at_h, at_z = gates.chunk(4, -1)[1].unbind(), at_outputs.unbind(), at_sums.unbind()
        # o (1 − tanh²), where o tanh is what was put out.
        through_tanh = torch.addcmul(gates.chunk(4, -1)[3], before[1:], shown, value=-1).unbind()
        at_hidden, at_cell = at_h[-1], at_last.clone()
        for t in reversed(range(len(at_z))):
            at_cell.addcmul_(at_hidden, through_tanh[t])
            torch.mul(at_cell[:, None], of_kept[t], out=to_kept[t])
            torch.mul(at_hidden, of_shown[t], out=to_shown[t])
            at_cell.mul_(f[t])
            at_hidden = torch.addmm(at_h[t - 1], at_z[t], weight) if t else at_z[t] @ weight
        at_weight = at_sums.flatten(0, 1).T @ before[:-1].flatten(0, 1)
        return at_sums, at_weight, at_hidden, at_cell


def _slopes(
    gates: Float[Tensor, "T B gates"], kept: Steps, shown: Steps
) -> Float[Tensor, "T B gates"]:
    """How fast each step's cell state rises with its sums, and its output with the last of them.

    Args:
        kept: the cell states before each step.
        shown: the tanh of those after it.
    """
    i, _, g, _ = gates.chunk(4, -1)
    slopes = torch.addcmul(gates, gates, gates, value=-1)  # of the sigmoid: s − s²
    of_i, of_f, of_g, of_o = slopes.chunk(4, -1)
    of_i.mul_(g)
    of_f.mul_(kept)
    torch.addcmul(i, i * g, g, value=-1, out=of_g)  # of the tanh, times i: i (1 − g²)
    of_o.mul_(shown)
    return slopes
