"""How to train: what `lmcourse.training.train` is told, checked before any work.

Chapter: book/training.md
"""

import math
from dataclasses import dataclass
from typing import Any

from lmcourse.loop.gradient_step import BETAS, Precision
from lmcourse.optimization import cosine_schedule


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How to train; the same for every model.

    Args:
        n_steps: how often the weights change, at most.
        batch_size: examples, or windows of a text, in each step, of all processes together.
        n_accumulate: the micro-batches that a batch is cut into when it does not fit into memory;
            the gradient is the same.
        learning_rate: the highest. It rises on a line for n_warmup steps and falls on a cosine to
            a tenth at the last step.
        n_warmup: the steps until the highest learning rate is reached.
        weight_decay: how strongly matrices shrink; biases and norms are left alone.
        max_norm: longer gradients are clipped to it; None clips nothing.
        betas: of AdamW, how much of its averages of gradients and of their squares stays.
        precision: "bf16" computes products in bfloat16; weights and optimizer stay in float32.
        validate_every: the steps from one validation, and from one save, to the next.
        patience: end after so many validations in a row without a new best; None never does.
        seed: another one gives other batches and masks.
        context_length: the length of the windows of a text; the model's own if None.
        compile: let torch compile the model, once at the start; it pays in a long training.
    """

    n_steps: int
    batch_size: int = 32
    n_accumulate: int = 1
    learning_rate: float = 1e-3
    n_warmup: int = 0
    weight_decay: float = 0.1
    max_norm: float | None = 1.0
    betas: tuple[float, float] = BETAS
    precision: Precision = "fp32"
    validate_every: int = 100
    patience: int | None = None
    seed: int = 0
    context_length: int | None = None
    compile: bool = False

    def __post_init__(self):
        least = {"n_steps": 1, "batch_size": 1, "n_accumulate": 1, "validate_every": 1}
        least |= {"n_warmup": 0, "patience": 1, "context_length": 1}
        for name, lowest in least.items():
            value = getattr(self, name)
            _check_whole(name, value, may_be_none=name in ("patience", "context_length"))
            if value is not None and value < lowest:
                raise ValueError(f"{name} must be at least {lowest}, got {name}={value}")
        _check_whole("seed", self.seed)
        if not _is_number(self.weight_decay) or not math.isfinite(self.weight_decay):
            raise ValueError(f"weight_decay must be finite, got weight_decay={self.weight_decay}")
        if self.weight_decay < 0:
            raise ValueError(
                f"weight_decay must be at least 0, got weight_decay={self.weight_decay}"
            )
        for name in ("learning_rate", "max_norm"):
            value = getattr(self, name)
            if value is None and name == "max_norm":
                continue
            if not _is_number(value) or not 0 < value < math.inf:
                raise ValueError(f"{name} must be above 0 and finite, got {name}={value}")
        if not _are_betas(self.betas):
            raise ValueError(
                f"betas must be two numbers from 0 to below 1, got betas={self.betas!r}"
            )
        if not isinstance(self.compile, bool):
            raise ValueError(f"compile must be True or False, got compile={self.compile!r}")
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision must be fp32 or bf16, got precision={self.precision!r}")
        cosine_schedule(0, self.n_steps, self.learning_rate, n_warmup=self.n_warmup)  # checks it


def _are_betas(betas: Any) -> bool:
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        return False
    return all(_is_number(beta) and 0 <= beta < 1 for beta in betas)


def _check_whole(name: str, value: Any, may_be_none: bool = False) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole and not (may_be_none and value is None):
        raise ValueError(f"{name} must be a whole number, got {name}={value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
