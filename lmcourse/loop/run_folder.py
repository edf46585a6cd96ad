"""The folder of a training: its best weights, a table of what happened, all it takes to go on.

Chapter: book/training.md
"""

import csv
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lmcourse.checkpoints import plain_name, restored, save, save_tensors
from lmcourse.files import missing_folders, remove_folders, replacing, write_file
from lmcourse.loop import sharding
from lmcourse.loop.shards import (
    SHARDS,
    SavedTensors,
    ShardWriter,
    refuse_pickle,
    shard_writer,
    whole_saves,
)

BEST, LAST, METRICS = "model.safetensors", "training.safetensors", "metrics.csv"
DAMAGED = "metrics.damaged.csv"  # the table as it was, where lines of it could not be read


class LostRowsWarning(UserWarning):
    """A training goes on, but rows of its table are missing or damaged."""


class DivergenceError(ArithmeticError):
    """The loss or the gradient is no number any more; the message says why that may be."""


class Row(NamedTuple):
    """One step: what was measured before the weights changed, and after it perhaps a validation.

    Args:
        loss: the mean over what the step predicted, in nats for a cross-entropy.
        gradient_norm: the length of the gradient before it was clipped.
        n_predictions: over how many predictions the loss is the mean.
        seconds: of training so far, with all validations.
        accuracy: of the validation, the share of predictions whose likeliest class was right.
        predictions_per_second: of the step alone, without a validation.
    """

    step: int
    loss: float
    validation_loss: float | None
    learning_rate: float
    gradient_norm: float
    n_predictions: int
    seconds: float
    accuracy: float | None = None
    predictions_per_second: float | None = None


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
    file is replaced at once, so that there is a whole one at any moment. A model in shards leaves
    a folder of parts instead of `training.safetensors`, see `shards`; from either a training goes
    on, with one process or several.

    Args:
        settings: what may not change between the start of a training and its continuation, but for
            n_steps, which may become more.
        writes: False in all processes but one.
    """

    def __init__(self, folder: Path | None, settings: Mapping[str, Any], writes: bool = True):
        # As a file gives them back, where a tuple is a list.
        self.settings = json.loads(json.dumps(dict(settings)))
        self.folder, self.writes = folder, writes
        self.history: list[Row] = []
        self._best: dict[str, Tensor] = {}
        self._made: list[Path] | None = None  # by `start`: folders that were not there
        self._is_stale = False  # whether the best weights are of a run that ended before it saved
        self._table: Any = None
        self._shards: ShardWriter | None = None

    @property
    def exists(self) -> bool:
        """Is there something to go on from?"""
        return self.folder is not None and last_save(self.folder) is not None

    def start(self) -> None:
        """Begins a table, in a folder that holds no training yet."""
        if self.exists:
            raise ValueError(
                f"folder must hold no training yet, got folder={str(self.folder)!r}: choose another"
                " one, or go on with resume=True"
            )
        if self.folder is not None and self.writes:
            self._made, self._is_stale = missing_folders(self.folder), True
            self.folder.mkdir(parents=True, exist_ok=True)
        self._write_table()

    def discard(self) -> None:
        """Takes back what `start` did: a training that was refused leaves nothing behind."""
        self.close()
        if self._made is not None:
            (self.folder / METRICS).unlink(missing_ok=True)
            remove_folders(self._made)

    def resume(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
        """Puts model, optimizer and table where the last save left them.

        The table is a record and nothing that a training needs: rows that it lost are told by a
        `LostRowsWarning`.

        Raises:
            ValueError: the folder is of another training, or of another version of the course; the
                first setting that differs is named.
        """
        path = last_save(self.folder)
        saved = SavedTensors(path)
        settings, progress = _settings_and_progress(saved)
        for name, before in settings.items():
            if name not in self.settings:
                raise ValueError(
                    f"{path} must hold known settings alone, got {name}={before!r}: another version"
                    " of lmcourse wrote it; use that version, or start in another folder"
                )
            now = self.settings.get(name)
            more_steps = name == "n_steps" and now is not None and now > before
            if now != before and not more_steps:
                raise ValueError(
                    f"{name} must be {before!r} as in {path}, got {name}={now!r}: go on with the"
                    " same settings, or start in another folder"
                )
        saved.fill(sharding.weights(model), "model.")
        _put_averages(model, optimizer, saved)
        self._read_table(progress.step, int(saved.metadata.get("n_rows", progress.step)))
        self._write_table()
        return progress

    def _read_table(self, n_steps: int, n_rows: int) -> None:
        """The rows up to the last save, `n_rows` then; those after it will be written again."""
        path = self.folder / METRICS
        rows, damaged = _rows(path) if path.is_file() else ([], False)
        # By step, so that no row stands there twice.
        self.history = list({row.step: row for row in rows if row.step <= n_steps}.values())
        n_lost = n_rows - len(self.history)
        if n_lost <= 0 or not self.writes:
            return
        kept = ""
        if damaged:
            write_file(self.folder / DAMAGED, path.read_bytes())
            kept = f"; the table as it was is kept as {DAMAGED}"
        warnings.warn(
            f"{path} has lost {n_lost} of {n_rows} rows, which are missing or damaged: the training"
            f" goes on without them{kept}",
            LostRowsWarning,
            stacklevel=2,
        )

    def add(self, row: Row) -> None:
        """Appends to the table, and to the disk, so that a killed training has told its steps."""
        if self._is_stale:
            (self.folder / BEST).unlink(missing_ok=True)
            self._is_stale = False
        self.history.append(row)
        if self._table is not None:
            _write_row(self._table, row)
            self._table.flush()

    def keep_best(self, model: nn.Module) -> None:
        """Remembers the weights as the best so far; all processes of a model in shards call it."""
        if self.folder is None:
            self._best = {name: x.clone() for name, x in sharding.weights(model).items()}
        elif sharding.is_sharded(model):
            whole = sharding.whole_weights(model)
            if self.writes:
                save_tensors(whole, self.folder / BEST)
        elif self.writes:
            save(model, self.folder / BEST)
        self._is_stale = self._is_stale and not self.writes

    def load_best(self, model: nn.Module) -> None:
        """Gives the model the weights that were kept."""
        if self.folder is None:
            with torch.no_grad():
                for name, weight in sharding.weights(model).items():
                    weight.copy_(self._best[name])
        else:
            SavedTensors(self.folder / BEST).fill(sharding.weights(model))

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
        """Writes all it takes to go on from here, in one file; or begins to, of a model in shards.

        All processes call it.
        """
        if self.folder is None:
            return
        tensors = {f"model.{name}": x for name, x in sharding.weights(model).items()}
        for name, parameter in model.named_parameters():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{plain_name(name)}"] = value
        metadata = {"progress": json.dumps(asdict(progress)), "settings": json.dumps(self.settings)}
        metadata["n_rows"] = str(sum(row.step <= progress.step for row in self.history))
        if sharding.is_sharded(model):
            self._shards = self._shards or shard_writer(self.folder / SHARDS)
            self._shards.begin(tensors, progress.step, metadata)
        elif self.writes:
            save_tensors(tensors, self.folder / LAST, metadata)

    def settle(self) -> None:
        """Goes on when all that was saved is on the disk."""
        if self._shards is not None:
            self._shards.settle()

    def close(self) -> None:
        """Ends the table; a save that waits for other processes is given up."""
        if self._shards is not None:
            self._shards.abandon()
        if self._table is not None:
            self._table.close()

    def _write_table(self) -> None:
        if self.folder is None or not self.writes:
            return
        path = self.folder / METRICS
        with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(Row._fields)
            for row in self.history:
                _write_row(file, row)
        self._table = path.open("a", newline="", encoding="utf-8")


def last_save(folder: Path) -> Path | None:
    """The last save of a training in the folder, one file or a folder of parts; None if none is.

    Raises:
        ValueError: there is a pickle of another program.
    """
    refuse_pickle(folder)
    found = [folder / LAST] if (folder / LAST).is_file() else []
    found += whole_saves(folder / SHARDS)[:1]
    if len(found) < 2:
        return found[0] if found else None
    return max(found, key=lambda path: _settings_and_progress(SavedTensors(path))[1].step)


def _settings_and_progress(saved: SavedTensors) -> tuple[dict[str, Any], Progress]:
    found = {}
    for name in ("settings", "progress"):
        try:
            found[name] = json.loads(saved.metadata[name])
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"{saved.path} must be the save of a training, got no {name} in it: start in"
                " another folder"
            ) from error
    progress = restored(Progress, found["progress"], f"{saved.path}, progress,")
    return dict(found["settings"]), progress


def read_metrics(folder: str | Path) -> list[Row]:
    """The rows of a training's table; a line that is no row, such as one cut off, is left out."""
    return _rows(Path(folder) / METRICS)[0]


def _rows(path: Path) -> tuple[list[Row], bool]:
    """The rows of a table, and whether it has a whole line that is none."""
    rows, damaged = [], False
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file):
            if line.endswith("\n"):  # the last one may have been cut off
                try:
                    rows.append(_row(line))
                except (ValueError, csv.Error):
                    damaged = damaged or number > 0  # the first one names the columns
    return rows, damaged


def _row(line: str) -> Row:
    # The tables of older versions end with the seconds.
    step, loss, validation, rate, norm, count, seconds, *more = next(csv.reader([line]), [])
    accuracy, speed = (float(x) if x else None for x in (more or ["", ""]))
    return Row(
        step=int(step),
        loss=float(loss),
        validation_loss=float(validation) if validation else None,
        learning_rate=float(rate),
        gradient_norm=float(norm),
        n_predictions=int(count),
        seconds=float(seconds),
        accuracy=accuracy,
        predictions_per_second=speed,
    )


def why_it_diverged(
    history: Sequence[Row],
    model: nn.Module,
    measured: float | None = None,
    where: str = "one batch",
) -> str:
    """The likely cause of a loss that is no number, and what to do.

    Args:
        history: the steps before it.
        measured: the loss of the last batch whose loss was a number, with the weights of now. It
            tells steps that were too long from a batch that is unlike the others.
        where: what the loss was measured on.
    """
    look = (
        "look for inf or NaN in the data, a log(0) or 0 / 0 in the loss, or a mask that lets"
        " nothing through"
    )
    if not history and measured is None:
        return f"it happened at the first step, so the step size is not to blame: {look}"
    losses = [row.loss for row in history]
    now = losses[-1] if measured is None else measured
    highest = max([now, *losses[-1:]])
    # Batches differ, and the first half of the steps shows by how much.
    usual = max(losses[: (len(losses) + 1) // 2], default=now)
    rate = max((row.learning_rate for row in history), default=None)
    wanted = "a smaller learning_rate" if rate is None else f"learning_rate={rate / 3:.2g}"
    shorter = f"try {wanted}, more n_warmup or a smaller max_norm"
    if not math.isfinite(now) and rate is not None and rate < 1 and not _is_broken(model):
        return (  # steps of such a length change little: the loss may have come where it is none
            f"the loss had been {losses[-1]:.3g} and the same batch gives {now} now, so it is not"
            " the data: look for a log(0) or 0 / 0 in the loss; or the steps are too long:"
            f" {shorter}"
        )
    if not math.isfinite(now) or highest > usual + 0.5 * abs(usual) or _is_broken(model):
        rose = "became nan" if math.isnan(now) else f"rose to {highest:.3g}"
        return (
            f"the loss had been {min(losses, default=now):.3g} and {rose}, the steps are too long:"
            f" {shorter}"
        )
    return f"the loss was {now:.3g} one step before, so {where} must be unlike the others: {look}"


def _is_broken(model: nn.Module) -> bool:
    return not all(bool(x.isfinite().all()) for x in model.parameters())


def _write_row(file: Any, row: Row) -> None:
    # repr, so that every number comes back to the bit.
    csv.writer(file).writerow(["" if value is None else repr(value) for value in row])


def _put_averages(model: nn.Module, optimizer: torch.optim.Optimizer, saved: SavedTensors) -> None:
    for name, parameter in model.named_parameters():
        for key in ("step", "exp_avg", "exp_avg_sq"):
            place = f"optimizer.{key}.{plain_name(name)}"
            if place not in saved.shapes:
                continue
            # AdamW counts its steps on the parameter's device only if it is fused.
            empty = torch.zeros((), device=parameter.device)
            value = empty if key == "step" else torch.zeros_like(parameter, requires_grad=False)
            saved.copy_into(value, place)
            optimizer.state[parameter][key] = value
