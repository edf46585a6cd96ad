"""What the door `lmcourse.grading.testing` opens: `close`, `raises`, `probe` and the like.

Chapter: book/instructors/writing_tests.md
"""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from lmcourse.grading.bridge import probes

_carrier: Callable[..., Any] | None = None  # the judge's way to the learner's process
_awarded: float | None = None


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

    try:
        torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol, msg=explain)
    except TypeError:  # two kinds of things that have no order of closeness, None and a tensor say
        wanted = f"expected {_kind(expected)}, got {_kind(actual)}"
        raise AssertionError(explain(wanted)) from None


def _kind(thing: object) -> str:
    if thing is None:
        return "None, which is what a function without `return` gives"
    return f"an object of type {type(thing).__name__}"


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
    changes in place. It gets copies of its arguments and returns data. It must not compare, draw
    random numbers or read a clock; the test does that.

    Raises:
        ValueError: it does more than fetch.
    """
    prepared = probes.prepare(function)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if _carrier is None:
            return probes.run_in_place(function, args, kwargs)
        return _carrier(function, prepared, args, kwargs)

    return run


def takes_objects(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the learner's code call this function of the test with objects of its own.

    Without the mark its arguments are data: nothing that is one thing when the test notes it and
    another when the test uses it.
    """
    function._takes_objects = True  # type: ignore[attr-defined]
    return function


def may_take_objects(function: Callable[..., Any]) -> bool:
    """Whether `takes_objects` marks it."""
    return getattr(function, "_takes_objects", False) is True


def verdicts(judge: Callable[[Any], Any], candidates: Sequence[Any]) -> list[bool]:
    """What the learner's `judge` says of each candidate, in their order: True or False.

    Where a learner writes a test, whoever counts the calls could know the answers without one. So
    they are asked in an order of chance, each two or three times, by the seed of the test's inputs.

    Raises:
        AssertionError: an answer is no bool, or not the same each time.
    """
    asked = [index for index in range(len(candidates)) for _ in range(random.randint(2, 3))]
    random.shuffle(asked)
    found: dict[int, bool] = {}
    for index in asked:
        answer = judge(candidates[index])
        if type(answer) is not bool:
            raise AssertionError(
                f"the answer must be True or False, got {_kind(answer)}. A comparison of tensors "
                "is a tensor: use torch.allclose or bool()."
            )
        if found.setdefault(index, answer) is not answer:
            raise AssertionError(
                "asked twice about the same one, it said True and False. Does it depend on chance "
                "or on the calls before?"
            )
    return [found[index] for index in range(len(candidates))]


def award(fraction: float) -> None:
    """Give this part of the test's points if it runs to its end, instead of all of them.

    Raises:
        ValueError: fraction is no number from 0 to 1.
    """
    global _awarded
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must lie between 0 and 1, got fraction={fraction}")
    _awarded = float(fraction)


def take_award() -> float | None:
    """What the last `award` gave, once; None if there was none."""
    global _awarded
    taken, _awarded = _awarded, None
    return taken


def carry_probes_with(carrier: Callable[..., Any] | None) -> None:
    """Let `carrier(function, probe, args, kwargs)` run probes; None runs them in place again."""
    global _carrier
    _carrier = carrier
