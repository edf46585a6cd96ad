"""What the test cells of an assignment may use: `close`, `raises` and `probe`, beside torch.

Chapter: book/instructors/writing_tests.md
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch


def close(
    actual: object,
    expected: object,
    hint: str = "",
    *,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Fail unless both have the same type, shape, dtype and device, and nearly the same numbers.

    Args:
        hint: the likely cause, which the learner reads before the figures.
        rtol, atol: both or neither; the default suits the dtype (`torch.testing.assert_close`).
    """

    def explain(figures: str) -> str:
        figures = figures.removeprefix("Tensor-likes are not close!").strip()
        return f"{hint}\n\n{figures}" if hint else figures

    torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol, msg=explain)


@contextlib.contextmanager
def raises(kind: type[Exception], text: str = "") -> Iterator[None]:
    """Fail unless the block raises `kind` with `text` somewhere in its message."""
    try:
        yield
    except kind as error:
        if text.lower() not in str(error).lower():
            raise AssertionError(
                f"{kind.__name__} was raised, but its message does not say {text!r}: {error}"
            ) from None
    else:
        raise AssertionError(
            f"{kind.__name__} was not raised"
            + (f": the message should say {text!r}" if text else "")
        )


def probe(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the test that works beside the learner's code and returns raw data.

    Mark with it whatever needs the learner's objects themselves: gradients through a function,
    changes in place. It must not compare and must not draw random numbers; the test does that.
    """
    return function
