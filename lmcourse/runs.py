"""The folder of a training: its best weights, a table of what happened, all it takes to go on.

Chapter: book/training.md
"""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lmcourse.checkpoints import load, load_tensors, read_notes, save, save_tensors

BEST, LAST, METRICS = "model.safetensors", "training.safetensors", "metrics.csv"


class DivergenceError(ArithmeticError):
    """The loss or the gradient is no number any more; the message says why that may be."""


class Row(NamedTuple):
    """One step: what was measured before the weights changed, and after it perhaps a validation.

    Args:
        loss: the mean over what the step predicted, in nats for a cross-entropy.
        gradient_norm: the length of the gradient before it was clipped.
        n_predictions: over how many predictions the loss is the mean.
        seconds: of training so far, with all validations.
    """

    step: int
    loss: float
    validation_loss: float | None
    learning_rate: float
    gradient_norm: float
    n_predictions: int
    seconds: float


@dataclass
class Progress:
    """Where a training stands, beside its weights.

    Args:
        best_step: the step after which the validation loss was lowest; 0 if there was none.
        n_worse: how many validations there were since.
    """

    step: int = 0
    best_step: int = 0
    best_loss: float = float("inf")
    n_worse: int = 0
    seconds: float = 0.0


class Run:
    """What a training leaves behind, in a folder or, without one, in memory.

    `model.safetensors` holds the best weights, `training.safetensors` all it takes to go on (the
    last weights, the optimizer's averages, the step) and `metrics.csv` a row for each step. Each
    file is replaced at once, so that there is a whole one at any moment.

    Args:
        settings: what may not change between the start of a training and its continuation.
        writes: False in all processes but one.
    """

    def __init__(self, folder: Path | None, settings: Mapping[str, Any], writes: bool = True):
        self.folder, self.settings, self.writes = folder, dict(settings), writes
        self.history: list[Row] = []
        self._best: dict[str, Tensor] = {}
        self._table: Any = None

    @property
    def exists(self) -> bool:
        """Is there something to go on from?"""
        return self.folder is not None and (self.folder / LAST).is_file()

    def start(self) -> None:
        """Begins a table, in a folder that holds no training yet."""
        if self.exists:
            raise ValueError(
                f"folder must hold no training yet, got folder={str(self.folder)!r}: choose another"
                " one, or go on with resume=True"
            )
        if self.folder is not None and self.writes:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / BEST).unlink(missing_ok=True)  # of a run that ended before it saved
        self._write_table()

    def resume(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
        """Puts model, optimizer and table where the last save left them.

        Raises:
            ValueError: the folder is of another training; the first setting that differs is named.
        """
        path = self.folder / LAST
        notes = read_notes(path)
        for name, before in json.loads(notes["settings"]).items():
            if (now := self.settings.get(name)) != before:
                raise ValueError(
                    f"{name} must be {before!r} as in {path}, got {name}={now!r}: go on with the"
                    " same settings, or start in another folder"
                )
        tensors = load_tensors(path)
        _put_weights(model, {name[6:]: x for name, x in tensors.items() if name[:6] == "model."})
        _put_averages(model, optimizer, tensors)
        progress = Progress(**json.loads(notes["progress"]))
        # What was written after the save will be written again, and no row may stand there twice.
        self.history = [row for row in read_metrics(self.folder) if row.step <= progress.step]
        self._write_table()
        return progress

    def add(self, row: Row) -> None:
        """Appends to the table, and to the disk, so that a killed training has told its steps."""
        self.history.append(row)
        if self._table is not None:
            _write_row(self._table, row)
            self._table.flush()

    def keep_best(self, model: nn.Module) -> None:
        """Remembers the weights as the best so far."""
        if self.folder is None:
            self._best = {name: x.clone() for name, x in _weights(model).items()}
        elif self.writes:
            save(model, self.folder / BEST)

    def load_best(self, model: nn.Module) -> None:
        """Gives the model the weights that were kept."""
        if self.folder is None:
            _put_weights(model, self._best)
        else:
            load(model, self.folder / BEST)

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
        """Writes all it takes to go on from here, in one file."""
        if self.folder is None or not self.writes:
            return
        tensors = {f"model.{name}": x for name, x in _weights(model).items()}
        for name, parameter in model.named_parameters():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = value
        notes = {"progress": json.dumps(asdict(progress)), "settings": json.dumps(self.settings)}
        save_tensors(tensors, self.folder / LAST, notes)

    def close(self) -> None:
        """Ends the table."""
        if self._table is not None:
            self._table.close()

    def _write_table(self) -> None:
        if self.folder is None or not self.writes:
            return
        path = self.folder / METRICS
        part = path.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(Row._fields)
            for row in self.history:
                _write_row(file, row)
        os.replace(part, path)
        self._table = path.open("a", newline="", encoding="utf-8")


def read_metrics(folder: str | Path) -> list[Row]:
    """The rows of a training's table; a last line that was cut off is left out."""
    rows = []
    with (Path(folder) / METRICS).open(newline="", encoding="utf-8") as file:
        for line in file:
            fields = next(csv.reader([line]), [])
            if line.endswith("\n") and len(fields) == len(Row._fields) and fields[0] != "step":
                step, loss, validation, rate, norm, count, seconds = fields
                rows.append(
                    Row(
                        step=int(step),
                        loss=float(loss),
                        validation_loss=float(validation) if validation else None,
                        learning_rate=float(rate),
                        gradient_norm=float(norm),
                        n_predictions=int(count),
                        seconds=float(seconds),
                    )
                )
    return rows


def why_it_diverged(history: Sequence[Row], model: nn.Module) -> str:
    """The likely cause of a loss that is no number, from the steps before it, and what to do."""
    if not history:
        return (
            "it happened at the first step, so the step size is not to blame: look for inf or NaN"
            " in the data, a log(0) or 0 / 0 in the loss, a mask that lets nothing through"
        )
    last, least = history[-1], min(row.loss for row in history)
    rate = max(row.learning_rate for row in history)
    if last.loss > 1.5 * least or not all(bool(x.isfinite().all()) for x in model.parameters()):
        return (
            f"the loss had been {least:.3g} and rose to {last.loss:.3g}, the steps are too long:"
            f" try learning_rate={rate / 3:.2g}, more n_warmup or a smaller max_norm"
        )
    return (
        f"the loss was {last.loss:.3g} one step before, so one batch must be unlike the others:"
        " look for inf or NaN in the data, a log(0) or 0 / 0 in the loss, or a mask that lets"
        " nothing through"
    )


def _write_row(file: Any, row: Row) -> None:
    # repr, so that every number comes back to the bit.
    csv.writer(file).writerow(["" if value is None else repr(value) for value in row])


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: x.detach() for name, x in _named(model)}


def _named(model: nn.Module) -> list[tuple[str, Tensor]]:
    """Weights and buffers; of several names for one tensor only the first."""
    found: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        found.setdefault(id(tensor), (name, tensor))
    return list(found.values())


def _put_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in _named(model):
            tensor.copy_(weights[name])


def _put_averages(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    for name, parameter in model.named_parameters():
        for key in ("step", "exp_avg", "exp_avg_sq"):
            if (value := tensors.get(f"optimizer.{key}.{name}")) is not None:
                # AdamW counts its steps on the parameter's device only if it is fused.
                optimizer.state[parameter][key] = value.to(parameter.device)
