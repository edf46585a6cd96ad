"""Training: one loop for every model that has parameters.

Chapter: book/training.md
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from lmcourse.devices import default_device
from lmcourse.loop import distributed, sharding
from lmcourse.loop.batching import Batch, Collate, Source, source_of
from lmcourse.loop.gradient_step import (
    Loss,
    Measured,
    ModelWithLoss,
    Precision,
    Updater,
    measure,
    parameter_groups,
    target_losses,
)
from lmcourse.loop.interrupts import TrainingInterrupted, deferred_signals
from lmcourse.loop.reproducible import isolated_random_state, seed_all
from lmcourse.loop.run_folder import DivergenceError, Progress, Row, Run, why_it_diverged
from lmcourse.loop.training_config import TrainingConfig as TrainingConfig
from lmcourse.modes import mode
from lmcourse.optimization import cosine_schedule
from lmcourse.text_windows import are_ids


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What a training did.

    Args:
        history: a row for each step.
        best_step: the step whose weights the model has now: that of the lowest validation loss,
            the last one without a validation.
        best_loss: that validation loss; None without a validation.
    """

    history: list[Row]
    best_step: int
    best_loss: float | None


def evaluate(
    model: nn.Module,
    data: Any,
    *,
    loss: Loss = target_losses,
    collate: Collate | None = None,
    batch_size: int = 32,
    context_length: int | None = None,
    precision: Precision = "fp32",
) -> float:
    """The mean loss over all predictions in `data`, each counted once; the model stays as it is.

    Args:
        data, loss, collate: as in `train`.
    """
    source = source_of(model, data, collate, context_length)
    device = next(model.parameters()).device
    distributed.initialize()
    with mode(model, training=False):
        batches = source.one_pass(batch_size)
        return measure(ModelWithLoss(model, loss, precision), batches, device).loss


def train(
    model: nn.Module,
    data: Any,
    config: TrainingConfig,
    *,
    validation: Any = None,
    loss: Loss = target_losses,
    collate: Collate | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    device: torch.device | str | None = None,
    progress: bool | None = None,
    after_step: Callable[[Row], None] | None = None,
    sharded: bool = False,
) -> TrainingResult:
    """Trains the model, which ends with the weights of the lowest validation loss, and tells how.

    With the same seed the same happens, whatever came before. A training that was stopped or killed
    goes on with resume=True as if nothing had been. Under torchrun the processes share the work of
    each batch.

    Args:
        data: the ids of a text, for language models, in a list, an array or a tensor, see
            `source_of`; or examples, anything with a length and an index, which `collate` makes
            batches of.
        validation: the same for what is never trained on; without it the last weights stay.
        loss: gives the losses of all predictions in a batch, whose mean is made small; a single
            number counts as the mean over the examples.
        collate: from a list of examples to a batch; stacks their tensors if None.
        folder: where to keep weights and metrics, see `run_folder.Run`; nothing is kept if None.
        resume: go on from what the folder holds, or start if it holds nothing.
        device: `default_device()` if None.
        progress: show a bar; only in a terminal if None.
        after_step: is given the row of each step, to look at the model on its way. What it draws at
            random changes nothing, since each step starts from a seed of its own.
        sharded: each process holds its part of every weight and of the optimizer's averages, for a
            model that does not fit into one; see `sharding.shard`. The model stays so: a whole one
            reads the folder. Alone it changes nothing.

    Raises:
        DivergenceError: the loss became no number; what was saved before is whole.
        TrainingInterrupted: Ctrl-C; with a folder all was saved.
    """
    sources = check(model, data, config, validation=validation, loss=loss, collate=collate)
    if sharded and config.compile:
        raise ValueError("compile must be False for a model in shards, got compile=True")
    device = distributed.local_device(torch.device(device or default_device()))
    where = None if folder is None else Path(folder)
    distributed.initialize()
    with isolated_random_state(device), deferred_signals() as signals:
        run = Run(where, asdict(config), writes=distributed.rank() == 0)
        model.to(device)
        if sharded:
            sharding.shard(model, device)
        loop = _Loop(model, sources, config, loss, run, device, after_step)
        try:
            with mode(model, training=True):
                loop.prepare(resume)
                loop.fit(signals, progress)
        except Exception:
            if not run.history:  # not one step: nothing stays behind of what was refused
                run.discard()
            raise
        finally:
            run.close()
    reached = loop.progress
    best_loss = reached.best_loss if validation is not None else None
    return TrainingResult(history=run.history, best_step=reached.best_step, best_loss=best_loss)


def check(
    model: nn.Module,
    data: Any,
    config: TrainingConfig,
    *,
    validation: Any = None,
    loss: Loss = target_losses,
    collate: Collate | None = None,
) -> list[Source | None]:
    """Where `train` will draw batches from; what it would refuse is refused here, before any work.

    Returns:
        The source of the batches, and that of the validation if there is one.
    """
    n_micro_batches = distributed.n_processes() * config.n_accumulate
    if config.batch_size % n_micro_batches:
        raise ValueError(
            "batch_size must be a multiple of n_accumulate times the number of processes, got"
            f" batch_size={config.batch_size}, n_accumulate={config.n_accumulate},"
            f" {distributed.n_processes()} processes"
        )
    parameter_groups(model, config.weight_decay)  # has it parameters at all?
    sources: list[Source | None] = []
    for part in (data, validation):
        if loss is target_losses and collate is None:
            _check_row(part)
        source = None if part is None else source_of(model, part, collate, config.context_length)
        sources.append(source)
    if data is None:
        raise ValueError("data must be ids or examples, got None")
    sources[0].sample_indices(config.batch_size, 0, config.seed)  # is there a batch?
    return sources


def _check_row(data: Any) -> None:
    """Numbers in an array are the ids of one text, or the loss of targets cannot use them."""
    if isinstance(data, Tensor | np.ndarray) and not are_ids(data):
        raise ValueError(
            "data must be whole numbers in one row, the ids of a text, got"
            f" {data.dtype} of shape {tuple(data.shape)}: give data.flatten(), a list of pairs of"
            " ids and targets, or a loss of your own"
        )


class _Loop:
    """The steps of one training, and where it stands."""

    def __init__(
        self,
        model: nn.Module,
        sources: list[Source | None],
        config: TrainingConfig,
        loss: Loss,
        run: Run,
        device: torch.device,
        after_step: Callable[[Row], None] | None,
    ):
        self.after_step = after_step
        self.model, self.config, self.run, self.device = model, config, run, device
        self.source, self.validation = sources
        self.progress = Progress()
        self.n_micro_batches = distributed.n_processes() * config.n_accumulate
        self.losses = ModelWithLoss(model, loss, config.precision, config.compile)
        self.updater = Updater(
            self.losses, config.weight_decay, config.max_norm, device, config.betas
        )

    def prepare(self, resume: bool) -> None:
        """From the start, or from where the folder says."""
        if resume and self.run.exists:
            self.progress = self.run.resume(self.model, self.updater.optimizer)
        else:
            self.run.start()
        distributed.barrier()

    def fit(self, signals: list[int], show_bar: bool | None) -> None:
        """All steps that are left; then the best weights."""
        shown = distributed.rank() == 0 and show_bar is not False
        bar = tqdm(
            desc="training",
            total=self.config.n_steps,
            initial=self.progress.step,
            unit="step",
            disable=(False if show_bar else None) if shown else True,
        )
        with bar:
            while self.progress.step < self.config.n_steps and not self._is_patience_over():
                row, stop = self._step(signals)
                bar.update()
                if self.after_step is not None:
                    self.after_step(row)
                if not bar.disable:
                    self._show(bar, row)
                if stop and row.step < self.config.n_steps:
                    self._stop()
        self.run.settle()
        distributed.barrier()
        self.run.load_best(self.model)

    def _step(self, signals: list[int]) -> tuple[Row, bool]:
        """One update, and a validation where one is due."""
        start, config, step = time.perf_counter(), self.config, self.progress.step
        rate = cosine_schedule(
            step, config.n_steps, config.learning_rate, config.learning_rate / 10, config.n_warmup
        )
        seed_all(f"{config.seed} {step} {distributed.rank()}")
        gradient = self.updater.accumulate_gradients(self._micro_batches(step), signals)
        if not math.isfinite(gradient.loss) or not math.isfinite(gradient.norm):
            # With the weights of now, is the batch before this one as it was?
            measured = self._measure(step - 1) if step else None
            why = why_it_diverged(self.run.history, self.model, measured)
            found = f"{gradient.loss} and {gradient.norm}"
            self._give_up("loss and gradient norm", found, step + 1, why)
        self.updater.step(rate)
        speed = gradient.n_predictions / max(time.perf_counter() - start, 1e-9)
        self.progress.step = step + 1
        due = (
            self.progress.step % config.validate_every == 0 or self.progress.step == config.n_steps
        )
        found = self._validate() if due else None
        self.progress.seconds += time.perf_counter() - start
        row = Row(
            step=self.progress.step,
            loss=gradient.loss,
            validation_loss=None if found is None else found.loss,
            learning_rate=rate,
            gradient_norm=gradient.norm,
            n_predictions=gradient.n_predictions,
            seconds=round(self.progress.seconds, 3),
            accuracy=None if found is None else found.accuracy,
            predictions_per_second=round(speed, 1),
        )
        self.run.add(row)
        if due:
            self.run.save(self.model, self.updater.optimizer, self.progress)
        return row, gradient.stop

    def _micro_batches(self, step: int) -> Iterator[tuple[Batch, int]]:
        """This process's micro-batches of the batch, which all processes sample alike."""
        indices = self.source.sample_indices(self.config.batch_size, step, self.config.seed)
        size = self.config.batch_size // self.n_micro_batches
        first = distributed.rank() * self.config.n_accumulate
        for i in range(first, first + self.config.n_accumulate):
            yield self.source.batch(indices[i * size : (i + 1) * size]), size

    def _validate(self) -> Measured | None:
        """What the validation shows; what is the best so far is kept."""
        found = None
        if self.validation is not None:
            seed_all(f"{self.config.seed} validation")  # the same masks, say, each time
            size = max(self.config.batch_size // self.n_micro_batches, 1)
            with mode(self.model, training=False):
                found = measure(self.losses, self.validation.one_pass(size), self.device)
            if not math.isfinite(found.loss):
                measured, where = self._measure(self.progress.step - 1), "the validation data"
                why = why_it_diverged(self.run.history, self.model, measured, where)
                self._give_up("the validation loss", str(found.loss), self.progress.step, why)
        if found is None or found.loss < self.progress.best_loss:
            self.progress.best_step, self.progress.n_worse = self.progress.step, 0
            self.progress.best_loss = self.progress.best_loss if found is None else found.loss
            self.run.keep_best(self.model)
        else:
            self.progress.n_worse += 1
        return found

    def _is_patience_over(self) -> bool:
        return self.config.patience is not None and self.progress.n_worse >= self.config.patience

    def _show(self, bar: tqdm, row: Row) -> None:
        """The rate since the start of the bar, and the losses last measured, beside it."""
        n_steps, elapsed = row.step - bar.initial, bar.format_dict["elapsed"]
        words = {"loss": f"{row.loss:.3f}"}
        if self.validation is not None and self.progress.best_step:
            words["best"] = f"{self.progress.best_loss:.3f}"
        words["predictions/s"] = f"{row.n_predictions * n_steps / max(elapsed, 1e-9):,.0f}"
        bar.set_postfix(words, refresh=False)

    @torch.no_grad()
    def _measure(self, step: int) -> float:
        """The loss of the batch of a step, with the weights of now and the dropout of then."""
        seed_all(f"{self.config.seed} {step} {distributed.rank()}")
        total, count = 0.0, 0.0
        for batch, n_examples in self._micro_batches(step):
            loss, n = self.losses(batch, n_examples, self.device)
            total, count = total + loss.item(), count + n
        total, count = distributed.all_reduce_sum([total, count])
        return total / max(count, 1.0)

    def _give_up(self, name: str, found: str, step: int, why: str) -> None:
        kept = f"; {self.run.folder} holds the last save" if self.run.exists else ""
        raise DivergenceError(f"{name} must be finite, got {found} at step {step}: {why}{kept}")

    def _stop(self) -> None:
        self.run.save(self.model, self.updater.optimizer, self.progress)
        self.run.settle()
        distributed.barrier()
        where = self.run.folder
        kept = "nothing was saved" if where is None else f"saved in {where}, resume goes on there"
        raise TrainingInterrupted(f"stopped after step {self.progress.step}: {kept}")
