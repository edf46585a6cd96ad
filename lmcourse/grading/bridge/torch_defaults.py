"""PyTorch's settings around each call of an answer, and which of them the learner's cells change.

Chapter: book/instructors/sandbox.md

One line far away, `torch.set_grad_enabled(False)` in a scratch cell say, would cost every right
answer its points. So an answer is called with PyTorch's defaults, whatever cells have set, and what
they have set is there again afterwards. Only a locked cell, which is the author's, can change what
counts as default. The learner's code shares this process: this helps the honest.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

_TINY = 5e-324  # the smallest number: nothing is left of it where such numbers count as zero


class _Setting(NamedTuple):
    default: Any
    read: Callable[[], Any]
    write: Callable[[Any], Any] | None = None  # None: by entering a context


def _deterministic() -> tuple[bool, bool]:
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    return torch.are_deterministic_algorithms_enabled(), warns


def _anomaly() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _precision() -> str:
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # one backend was told otherwise than another
        return "mixed"


def _set_precision(value: str) -> None:
    if value != "mixed":
        torch.set_float32_matmul_precision(value)


# By what reads them in a learner's own notebook (`explanations` says what to do instead). Those
# that are changed by entering a context come first, since each of them may change another.
_IN_CONTEXTS: dict[str, Callable[[Any], contextlib.AbstractContextManager]] = {
    "torch.is_inference_mode_enabled()": torch.inference_mode,
    "torch.get_default_device()": torch.device,
}
_SETTINGS = {
    "torch.is_inference_mode_enabled()": _Setting(False, torch.is_inference_mode_enabled),
    "torch.get_default_device()": _Setting(torch.device("cpu"), torch.get_default_device),
    "torch.is_grad_enabled()": _Setting(True, torch.is_grad_enabled, torch.set_grad_enabled),
    "torch.get_default_dtype()": _Setting(
        torch.float32, torch.get_default_dtype, torch.set_default_dtype
    ),
    'torch.is_autocast_enabled("cpu")': _Setting(
        False,
        lambda: torch.is_autocast_enabled("cpu"),
        lambda value: torch.set_autocast_enabled("cpu", value),
    ),
    "torch.get_num_threads()": _Setting(None, torch.get_num_threads, torch.set_num_threads),
    "torch.are_deterministic_algorithms_enabled()": _Setting(
        (False, False),
        _deterministic,
        lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]),
    ),
    "torch.is_anomaly_enabled()": _Setting(
        (False, True), _anomaly, lambda value: torch.set_anomaly_enabled(*value)
    ),
    "torch.get_float32_matmul_precision()": _Setting("highest", _precision, _set_precision),
    "torch.set_flush_denormal()": _Setting(
        False, lambda: _TINY * 1.0 == 0.0, torch.set_flush_denormal
    ),
    "numpy.geterr()": _Setting(
        {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"},
        np.geterr,
        lambda value: np.seterr(**value),
    ),
}


class Defaults:
    """The defaults of one process, and what its cells make of the settings."""

    def __init__(self) -> None:
        known = {name: setting.default for name, setting in _SETTINGS.items()}
        # How many threads there are depends on the machine.
        self._wanted = known | {"torch.get_num_threads()": torch.get_num_threads()}
        self._last = dict(self._wanted)

    def changed(self) -> dict[str, str]:
        """What a cell has just changed: how to read it, and what it is now."""
        now = _state()
        found = {
            name: str(value[0] if isinstance(value, tuple) else value)
            for name, value in now.items()
            if value != self._last[name] and value != self._wanted[name]
        }
        self._last = now
        if "torch.is_inference_mode_enabled()" in found:  # which also turns gradients off
            found.pop("torch.is_grad_enabled()", None)
        return found

    def adopt(self) -> None:
        """What has just changed is the author's wish."""
        now = _state()
        self._wanted |= {name: now[name] for name in now if now[name] != self._last[name]}
        self._last = now

    @contextlib.contextmanager
    def around(self) -> Iterator[None]:
        """The defaults, and afterwards what was set before."""
        before = _state()
        with contextlib.ExitStack() as contexts:
            for name, context in _IN_CONTEXTS.items():
                if before[name] != self._wanted[name]:
                    contexts.enter_context(context(self._wanted[name]))
            inside = _write(self._wanted)
            try:
                yield
            finally:
                _write(inside)


def _state() -> dict[str, Any]:
    return {name: setting.read() for name, setting in _SETTINGS.items()}


def _write(values: dict[str, Any]) -> dict[str, Any]:
    """Set what differs; all that was set before."""
    before = _state()
    for name, value in values.items():
        write = _SETTINGS[name].write
        if write is not None and before[name] != value:
            write(value)
    return before
