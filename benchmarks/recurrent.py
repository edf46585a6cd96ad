"""Our LSTMs and GRU beside torch's, trained for a step over a batch of texts."""

import torch
from torch import nn

from benchmarks.runner import Row
from lmcourse.fast_lstm import FastLSTM
from lmcourse.recurrent import GRU, LSTM

BATCH_SIZE, N_POSITIONS = 16, 64


def rows() -> list[Row]:
    """Both sides read the same batch, forward and backward."""
    return [
        _row("LSTM", FastLSTM, nn.LSTM, 128, goal=0.58),
        _row("LSTM", FastLSTM, nn.LSTM, 256, goal=0.71),
        _row("LSTM by autograd", LSTM, nn.LSTM, 256),
        _row("GRU", GRU, nn.GRU, 256),
    ]


def _row(name: str, kind: type, torchs: type, width: int, goal: float | None = None) -> Row:
    torch.manual_seed(0)
    x = torch.randn(BATCH_SIZE, N_POSITIONS, width, requires_grad=True)
    ours, theirs = kind(width, width), torchs(width, width, batch_first=True)
    return Row(
        work=f"{name} of width {width}, forward and backward",
        ours=lambda: ours(x)[0].sum().backward(),
        peer=lambda: theirs(x)[0].sum().backward(),
        peer_name=f"nn.{torchs.__name__}",
        goal=goal,
    )
