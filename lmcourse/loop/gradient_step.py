"""One update: from a batch to a gradient, over micro-batches and processes, to new weights.

Chapter: book/training.md
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lmcourse.loop import distributed, sharding
from lmcourse.loop.batching import Batch, to_device
from lmcourse.optimization import clip_gradients

IGNORE_INDEX = -100  # a target that is none: padding, or a prompt that is not to be learned
BETAS = (0.9, 0.99)  # small batches are noisy: a longer memory than 0.95, a shorter one than 0.999

Loss = Callable[[nn.Module, Batch], Tensor]
Precision = Literal["fp32", "bf16"]


def target_losses(model: Callable[..., Tensor], batch: Sequence[Any]) -> Float[Tensor, "N"]:
    """−log p of every target in the batch, with p = softmax(model(inputs …)).

    It serves whatever gives logits for classes: language models with (ids, targets), classifiers
    with (ids, mask, targets), encoder–decoders with (source, target, source_mask, targets).

    Args:
        batch: what the model takes, and last the targets; those that are
            `IGNORE_INDEX` are left out.
    """
    if isinstance(batch, Tensor):
        raise ValueError(
            f"batch must be (inputs …, targets), got one tensor of shape {tuple(batch.shape)}: give"
            " pairs of ids and targets as examples, the ids of a text in one row, or a loss"
        )
    *inputs, targets = batch
    logits = model(*inputs)
    if targets.is_floating_point() or targets.shape != logits.shape[:-1]:
        raise ValueError(
            f"targets must be ids of the shape {tuple(logits.shape[:-1])}, one for each row of "
            f"logits, got {targets.dtype}, {tuple(targets.shape)}"
        )
    kept = targets != IGNORE_INDEX
    try:
        losses = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="none")
    except IndexError:
        found = targets[kept]
        raise ValueError(
            f"targets must lie in 0…{logits.shape[-1] - 1} or be {IGNORE_INDEX}, "
            f"got {int(found.min())}…{int(found.max())}"
        ) from None
    return losses[kept.flatten()]


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters in two groups for an optimizer: matrices with decay, biases and norms without.

    A bias or the scale of a norm has no direction to prefer, and small ones do not fit less.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError(f"model must have parameters to train, got none in {type(model).__name__}")
    groups = (
        ([p for p in parameters if p.dim() >= 2], weight_decay),
        ([p for p in parameters if p.dim() < 2], 0.0),
    )
    return [{"params": group, "weight_decay": decay} for group, decay in groups if group]


class ModelWithLoss(nn.Module):
    """Model and loss as one module: from a batch to the sum of its losses, and their number."""

    def __init__(self, model: nn.Module, loss: Loss, precision: Precision, compiled: bool = False):
        super().__init__()
        # The parameters stay the model's own, under their names.
        self.model = torch.compile(model) if compiled else model
        self.loss, self.precision = loss, precision

    def forward(self, batch: Batch, n_examples: int, device: torch.device) -> tuple[Tensor, int]:
        losses = self._losses(self.model, to_device(batch, device), device)
        if losses.dim() == 0:  # a mean over the examples
            return losses * n_examples, n_examples
        return losses.sum(), losses.numel()

    def with_hits(
        self, batch: Batch, n_examples: int, device: torch.device
    ) -> tuple[Tensor, int, int | None]:
        """The same, and how many predictions were right; None for a loss that has no targets."""
        if self.loss is not target_losses:
            return *self(batch, n_examples, device), None
        batch, said = to_device(batch, device), []

        def heard(*inputs: Tensor) -> Tensor:
            said.append(self.model(*inputs))
            return said[0]

        losses, targets = self._losses(heard, batch, device), batch[-1]
        # A target that is to be left out is no class, so no prediction equals it.
        return losses.sum(), len(losses), int((said[0].argmax(-1) == targets).sum())

    def _losses(self, model: Callable, batch: Batch, device: torch.device) -> Tensor:
        bf16 = self.precision == "bf16"
        with (
            torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext(),
            _refusing_to_compile(),
        ):
            return self.loss(model, batch).float()


@contextmanager
def _refusing_to_compile() -> Iterator[None]:
    """Where there is no compiler, say, the setting is to blame and no defect of anybody."""
    try:
        yield
    except RuntimeError as error:
        # By name: torch's compiler is loaded by whoever compiles, and by nobody else.
        if "TorchDynamoException" not in (kind.__name__ for kind in type(error).__mro__):
            raise
        reason = next(line for line in [*str(error).splitlines()[1:], str(error)] if line.strip())
        raise ValueError(
            f"compile must be False where torch cannot compile, got compile=True: {reason}"
        ) from error


class Gradient(NamedTuple):
    """What was measured: of all micro-batches and processes, the gradient before clipping."""

    loss: float
    norm: float
    n_predictions: int
    stop: bool


class Updater:
    """Accumulates gradients, and takes steps with AdamW.

    Args:
        losses: of the model to train.
        max_norm: longer gradients are clipped to it; None clips nothing.
        betas: of AdamW, how much of its averages of gradients and of their squares stays.
    """

    def __init__(
        self,
        losses: ModelWithLoss,
        weight_decay: float,
        max_norm: float | None,
        device: torch.device,
        betas: tuple[float, float] = BETAS,
    ):
        groups = parameter_groups(losses.model, weight_decay)
        # One kernel for all parameters; the same arithmetic as `optimization.AdamW`.
        self.optimizer = torch.optim.AdamW(groups, betas=betas, fused=True)
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.model, self.device = losses.model, device
        self.usage = sharding.usage_of(self.model) if sharding.is_sharded(self.model) else None
        # A model in shards adds up its gradients itself.
        self.losses = losses if self.usage else distributed.data_parallel(losses, device)
        self.max_norm = float("inf") if max_norm is None else max_norm

    def accumulate_gradients(
        self, micro_batches: Iterable[tuple[Batch, int]], signals: Sequence[int] = ()
    ) -> Gradient:
        """The gradient of the mean loss over all predictions of the micro-batches, in `.grad`.

        Sums are added up and divided once at the end. The mean of the means of the micro-batches
        would be another number as soon as one has fewer predictions, say because of its padding.

        Args:
            micro_batches: batches and the number of their examples.
            signals: not empty as soon as this process is to stop; `stop` tells if any of them is.
        """
        self.optimizer.zero_grad()
        if self.usage:
            self.usage.forget()
        micro_batches, total, count = list(micro_batches), 0.0, 0
        for i, (batch, n_examples) in enumerate(micro_batches):
            with self._sync_if(i == len(micro_batches) - 1):
                loss, n = self.losses(batch, n_examples, self.device)
                loss.backward()
            total, count = total + loss.item(), count + n
        mine = [total, float(count), float(bool(signals))]
        used = self.usage.flags() if self.usage else []
        total, count, n_stopping, *n_using = distributed.all_reduce_sum(mine + used)
        self._forget_unused(n_using)
        # Over several processes `backward` has left the mean of their sums.
        scale = distributed.n_processes() / max(count, 1.0)
        for parameter in self.parameters:
            if parameter.grad is not None:
                sharding.part(parameter.grad).rows.mul_(scale)
        clip = sharding.clip_shards if self.usage else clip_gradients
        norm = clip(self.parameters, self.max_norm).item()
        return Gradient(total / max(count, 1.0), norm, int(count), n_stopping > 0)

    @contextmanager
    def _sync_if(self, is_last: bool) -> Iterator[None]:
        """Gradients of a micro-batch that is not the last need not travel yet."""
        if self.usage:
            self.model.set_requires_gradient_sync(is_last)
            yield
        else:
            with nullcontext() if is_last else getattr(self.losses, "no_sync", nullcontext)():
                yield

    def _forget_unused(self, n_using: Sequence[float]) -> None:
        """No gradient, as when alone, for a parameter that no process of a model in shards used."""
        if self.usage:
            for (_, parameter), n in zip(self.model.named_parameters(), n_using, strict=True):
                if not n:
                    parameter.grad = None

    def step(self, learning_rate: float) -> None:
        """Changes the weights."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()


class Measured(NamedTuple):
    """Over all predictions of some data.

    Args:
        loss: the mean.
        accuracy: the share whose likeliest class is the target; None for a loss without targets.
    """

    loss: float
    accuracy: float | None


@torch.no_grad()
def measure(
    losses: ModelWithLoss, batches: Iterable[tuple[Batch, int]], device: torch.device
) -> Measured:
    """The means over all predictions of all batches, whichever process looks at which batch.

    Args:
        batches: the same ones in all processes.
    """
    total, count, right, has_targets = 0.0, 0.0, 0.0, losses.loss is target_losses
    rank, n_processes, i = distributed.rank(), distributed.n_processes(), -1
    for i, (batch, n_examples) in enumerate(batches):
        if i % n_processes == rank:
            loss, n, hits = losses.with_hits(batch, n_examples, device)
            total, count, right = total + loss.item(), count + n, right + (hits or 0)
    if sharding.is_sharded(losses.model) and rank > i % n_processes:
        # Weights are put together by all processes, so those without a last batch call, too.
        losses.with_hits(batch, n_examples, device)
    sharding.take_apart(losses.model)
    total, count, right = distributed.all_reduce_sum([total, count, right])
    if count == 0:
        raise ValueError("data must hold at least one target, got none")
    return Measured(total / count, right / count if has_targets else None)
