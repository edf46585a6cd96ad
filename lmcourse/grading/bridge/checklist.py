"""`sizes`, `left_alone`, `second_call`, `turned` and `draws_anew`: long checks made short.

Chapter: book/instructors/writing_tests.md
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import torch

from lmcourse.grading.bridge.assertions import is_probe, probe, probe_around

_PRIMES = (2, 3, 5, 7, 11)
GENERATORS = ("Python", "NumPy", "PyTorch")


def sizes(count: int) -> list[tuple[int, ...]]:
    """Tuples of `count` sizes: all different, then each two alike, then each of them 1.

    Different ones are primes, in an order that PyTorch's generator draws.

    Raises:
        ValueError: count is not from 1 to 5.
    """
    if not 1 <= count <= len(_PRIMES):
        raise ValueError(f"count must be from 1 to {len(_PRIMES)}, got count={count}")
    different = [_PRIMES[i] for i in torch.randperm(len(_PRIMES))[:count].tolist()]

    def but(place: int, size: int) -> tuple[int, ...]:
        return tuple(size if i == place else own for i, own in enumerate(different))

    alike = [but(second, different[first]) for first, second in combinations(range(count), 2)]
    return [tuple(different), *alike, *(but(place, 1) for place in range(count))]


def left_alone(
    function: Callable[..., Any],
    /,
    *args: Any,
    generators: Sequence[str] = GENERATORS,
    **kwargs: Any,
) -> Any:
    """What `function` returns for these arguments; fails if it leaves something changed.

    An argument must be what it was, and so must the global random generators. The function runs
    beside the learner's code, as a probe does, or is a probe: arguments and result must be data.
    Functions and classes may be arguments, too.

    Args:
        generators: those that it must not use. One that is left out it may draw from, but not
            seed: then it is called twice.

    Raises:
        ValueError: there is no generator of such a name.
    """
    if unknown := set(generators) - set(GENERATORS):
        raise ValueError(
            f"generators must be among {', '.join(GENERATORS)}, got generators={sorted(unknown)}"
        )
    called = probe_around(_called, function) if is_probe(function) else partial(_called, function)
    result, names, args_after, kwargs_after, before, after = called(list(args), kwargs, 1)
    numbered = [f"argument {number}" for number in range(1, len(args) + 1)]
    places = [*names, *numbered[len(names) :]][: len(args)] + list(kwargs)
    values_after = [*args_after, *(kwargs_after[name] for name in kwargs)]
    for place, was, now in zip(places, [*args, *kwargs.values()], values_after, strict=True):
        if not callable(was) and not _same(was, now):
            raise AssertionError(
                f"{place} was changed in place, and belongs to the caller. Work on a copy "
                "(`x.clone()`, `list(x)`)."
            )
    for name, was, now in zip(GENERATORS, before, after, strict=True):
        if name in generators and not _same(was, now):
            raise AssertionError(
                f"The call moves {name}'s global random generator, on which everybody's numbers "
                "depend. Draw from a generator of your own, or do not draw at all."
            )
    if len(set(generators)) < len(GENERATORS):
        *_, again = called(list(args), kwargs, 2)
        for name, one, other in zip(GENERATORS, after, again, strict=True):
            if _same(one, other):
                raise AssertionError(
                    f"The call sets the seed of {name}'s global random generator, on which "
                    "everybody's numbers depend. Draw without a seed, or from a generator of your "
                    "own."
                )
    return result


def second_call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """What `function` returns for these arguments, between calls that look like it.

    Before it come a call with other numbers and one with the same, each in the same objects, of
    the same shapes and at the same place in memory, whose caller overwrites what came back; after
    it one with others again. Who keeps something of a call, by object, shape or value, or gives
    out what he will use again, is wrong now. Like `left_alone`, it runs beside the learner's code,
    and `function` may be a probe.
    """
    called = probe_around(_again, function) if is_probe(function) else partial(_again, function)
    return called(list(args), kwargs)


@probe
def _again(function, args, kwargs):
    import contextlib

    import torch

    def parts(thing):
        """The tensors and lists of it, which can be changed in place."""
        inner = thing.values() if isinstance(thing, dict) else thing
        own = [thing] if isinstance(thing, (torch.Tensor, list)) else []
        if not isinstance(thing, (list, tuple, dict)):
            return own
        return own + [part for one in inner for part in parts(one)]

    given = parts((*args, kwargs))
    kept = [list(one) if isinstance(one, list) else one.detach().clone() for one in given]

    def put(others):
        """The numbers of the arguments, in reverse if they are to be others."""
        with torch.no_grad():
            for one, own in zip(given, kept, strict=True):
                if isinstance(one, list):
                    one[:] = own[::-1] if others else own
                else:
                    one.copy_(own.flip(tuple(range(own.dim()))) if others else own)

    # Others first: who keeps something of the first call by its object must have kept others.
    for others in (True, False):
        put(others)
        for one in parts(function(*args, **kwargs)):
            if isinstance(one, list):
                one.clear()
                continue
            # Inference mode: what was made in it can be changed only there. An expanded one cannot.
            with contextlib.suppress(RuntimeError), torch.inference_mode():
                one.zero_()
    put(False)
    found = function(*args, **kwargs)
    put(True)
    function(*args, **kwargs)
    put(False)
    return found


def turned(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """What `function` returns for these arguments, whose tensors lie in memory the other way round.

    Shapes and numbers stay; `view` refuses what it would do to them otherwise. A plain call has
    them in order, for that is how tensors cross. `function` may be a probe.
    """
    called = probe_around(_turned, function) if is_probe(function) else partial(_turned, function)
    return called(list(args), kwargs)


@probe
def _turned(function, args, kwargs):
    import torch

    def other(thing):
        if isinstance(thing, dict):
            return {key: other(value) for key, value in thing.items()}
        if isinstance(thing, (list, tuple)):
            return type(thing)(map(other, thing))
        if not isinstance(thing, torch.Tensor) or thing.dim() == 0:
            return thing
        order = range(thing.dim())[::-1]
        # With a gap between two numbers, too: those of one row do not lie side by side either.
        twice = torch.stack([thing.permute(*order)] * 2, -1)
        return twice[..., 0].permute(*order)

    return function(*other(args), **other(kwargs))


def draws_anew(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """What `function` returns, tensors by name that PyTorch's global generator has given it.

    It is called twice, and once more with that generator where the first call found it. Fails if
    a tensor is the same in the first two calls, another one in the third, or that of another name.
    One that holds a single value, zeros say, was not drawn. `function` may be a probe.
    """
    called = probe_around(_thrice, function) if is_probe(function) else partial(_thrice, function)
    first, second, third = called(list(args), kwargs)
    for name, numbers in first.items():
        if bool((numbers == numbers.flatten()[:1]).all()):
            continue
        if _same(numbers, second[name]):
            raise AssertionError(
                f"{name} starts with the same numbers each time. Is a seed set, perhaps within "
                "torch.random.fork_rng()? Each time they are drawn anew from PyTorch's global "
                "generator."
            )
        if not _same(numbers, third[name]):
            raise AssertionError(
                f"{name} is another one although PyTorch's global generator was put back to where "
                "it was. It is to be drawn from that generator."
            )
        for other in first:
            if other != name and _same(numbers, first[other]):
                raise AssertionError(
                    f"{name} and {other} start equal. Is a seed set, or one tensor shared?"
                )
    return first


@probe
def _thrice(function, args, kwargs):
    import torch

    state = torch.get_rng_state()
    found = [function(*args, **kwargs), function(*args, **kwargs)]
    torch.set_rng_state(state)
    return [*found, function(*args, **kwargs)]


@probe
def _called(function, args, kwargs, n_drawn):
    import importlib
    import inspect

    places = (
        (importlib.import_module("random"), "getstate", "setstate", "random"),
        (importlib.import_module("numpy.random"), "get_state", "set_state", "random"),
        (importlib.import_module("torch"), "get_rng_state", "set_rng_state", "randperm"),
    )
    array = importlib.import_module("numpy").array

    def states():
        """As arrays: Python's 625 numbers, one by one, would travel longer than a call takes."""
        python, *others = (getattr(module, get)() for module, get, _, _ in places)
        return [array(python[1]), *others]

    given = [getattr(module, get)() for module, get, _, _ in places]
    # Numbers are drawn from each, or a call that always sets the same seed would change nothing.
    for module, _, _, draw in places * n_drawn:
        getattr(module, draw)(*((9,) if draw == "randperm" else ()))
    before = states()
    try:
        result = function(*args, **kwargs)
        after = states()
    finally:
        for (module, _, put, _), state in zip(places, given, strict=True):
            getattr(module, put)(state)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of a function that is not written in Python
        parameters = []
    names = [one.name for one in parameters if one.kind <= one.POSITIONAL_OR_KEYWORD]
    args = [None if callable(value) else value for value in args]
    kwargs = {name: None if callable(kwargs[name]) else kwargs[name] for name in kwargs}
    return result, names, args, kwargs, before, after


def _same(one: Any, other: Any) -> bool:
    """Whether nothing at all has changed: exact, for nothing was computed."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        if (one.dtype, one.shape) != (other.dtype, other.shape):
            return False
        return bool(((one == other) | (one.isnan() & other.isnan())).all())
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and bool((one == other).all())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    return bool(one == other or one != one)
