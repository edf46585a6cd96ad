"""What the door `lmcourse.grading.testing` opens: `close`, `raises`, `probe` and the like.

Chapter: book/instructors/writing_tests.md
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import random
import re
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from lmcourse.grading.bridge import probes

_carrier: Callable[..., Any] | None = None  # the judge's way to the learner's process
_awarded: float | None = None


class LearnerError(Exception):
    """An exception of the learner's code, or an answer of it that is no data.

    What arrives derives from this class and from the builtin that the learner raised, so that
    `raises(ValueError)` and `except ValueError` mean what they say.
    """

    trace = ""

    def __str__(self) -> str:  # KeyError would print its quotes
        return str(self.args[0]) if self.args else ""


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
        hint: the likely cause of other numbers, which the learner reads before the figures. Where
            the kind, dtype, shape or device is wrong, that is said first.
        rtol, atol: both or neither; the default suits the dtype (`torch.testing.assert_close`).
    """

    def explain(figures: str) -> str:
        figures = figures.removeprefix("Tensor-likes are not close!").strip()
        if attribute := _ATTRIBUTE.match(figures):
            figures = _wrong_attribute(**attribute.groupdict())
            return f"{figures}\n\n{hint}" if hint else figures
        return f"{hint}\n\n{figures}" if hint else figures

    try:
        torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol, msg=explain)
    except TypeError:  # two kinds of things that have no order of closeness, None and a tensor say
        wanted = f"expected {_kind(expected)}, got {_kind(actual)}"
        raise AssertionError(f"{wanted}\n\n{hint}" if hint else wanted) from None


# What torch says of two things that differ in more than their numbers.
_ATTRIBUTE = re.compile(
    r"The (?:values for attribute '(?P<name>\w+)'|\(d\)types) do not match: "
    r"(?P<got>.+?) != (?P<wanted>.+?)\.(?:\n\n(?P<where>.*))?$",
    re.S,
)
_DECORATION = re.compile(r"torch\.Size\((.*)\)|torch\.(\w+)|<class '(.*)'>")


def _wrong_attribute(name: str | None, got: str, wanted: str, where: str | None) -> str:
    wanted, got = (_DECORATION.sub(r"\1\2\3", text) for text in (wanted, got))
    said = f"The {name or 'type'} is wrong: expected {wanted}, got {got}."
    return f"{said} {where}" if where else said


def _kind(thing: object) -> str:
    if thing is None:
        return "None, which is what a function without `return` gives"
    return f"an object of type {type(thing).__name__}"


@contextlib.contextmanager
def raises(kind: type[Exception], text: str = "") -> Iterator[None]:
    """Fail unless the block raises `kind` with `text` somewhere in its message.

    An answer that is not written yet still says so, and what a test asserted inside still counts.
    """
    try:
        yield
    except kind as error:
        if text.lower() not in str(error).lower():
            raise AssertionError(
                f"{kind.__name__} was raised, but its message does not say {text!r}: {error}"
            ) from None
    except Exception as error:
        if not _is_answers_own(error):
            raise
        said = type(error).__name__ + (f": {error}" if str(error) else "")
        raise AssertionError(f"{kind.__name__} should be raised here, got {said}") from None
    else:
        raise AssertionError(
            f"{kind.__name__} was not raised"
            + (f": the message should say {text!r}" if text else "")
        )


def _is_answers_own(error: Exception) -> bool:
    """Whether the answer chose to raise it. Beside the answer, in one process, that is a guess."""
    if isinstance(error, NotImplementedError):
        return False
    return isinstance(error, LearnerError) or (
        _carrier is None and not isinstance(error, AssertionError)
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

    run.prepared = prepared  # type: ignore[attr-defined]
    return run


def is_probe(function: Any) -> bool:
    """Whether `probe` marks it; an object of the learner's is not asked."""
    return type(function) is types.FunctionType and hasattr(function, "prepared")


def probe_around(outer: Callable[..., Any], inner: Callable[..., Any]) -> Callable[..., Any]:
    """`outer(inner, …)` for two probes, which run beside the learner's code as one."""
    own, theirs = inspect.unwrap(outer), inspect.unwrap(inner)
    joined = probes.within(outer.prepared, inner.prepared)  # type: ignore[attr-defined]

    def run(*args: Any, **kwargs: Any) -> Any:
        if _carrier is None:
            return probes.run_in_place(functools.partial(own, theirs), args, kwargs)
        return _carrier(theirs, joined, args, kwargs)

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
    Functions of the test bear one name, in `lmcourse check`, too.

    Raises:
        AssertionError: an answer is no bool, or not the same each time.
    """
    asked = [index for index in range(len(candidates)) for _ in range(random.randint(2, 3))]
    random.shuffle(asked)
    shown = [_nameless(one) if isinstance(one, types.FunctionType) else one for one in candidates]
    found: dict[int, bool] = {}
    for index in asked:
        answer = judge(shown[index])
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


def _nameless(function: Callable[..., Any]) -> Callable[..., Any]:
    def candidate(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return takes_objects(candidate) if may_take_objects(function) else candidate


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
