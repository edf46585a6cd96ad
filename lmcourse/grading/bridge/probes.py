"""Functions of a test that work beside the learner's code and return raw data.

Chapter: book/instructors/writing_tests.md

Threat: whatever runs beside the learner's code can be lied to. So a probe may only fetch: what it
compares, decides, draws at random or times could be replaced there. Such a probe is refused when
it is defined, on the learner's machine as well, so that its author sees it first. And who looks at
the stack could be honest towards the probe that looks how an answer is computed, and not towards
the one that takes its values: all probes run under one name, and one probe should fetch both.
"""

import ast
import builtins
import importlib
import inspect
import textwrap
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lmcourse.grading.bridge.wire import Packer, Unpacker

_COMPARES = {
    "assert_close",
    "allclose",
    "isclose",
    "equal",
    "array_equal",
    "close",
    "raises",
    "award",
}
_DRAWS = {
    *("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like"),
    *(
        "normal",
        "normal_",
        "uniform_",
        "random",
        "random_",
        "multinomial",
        "bernoulli",
        "bernoulli_",
    ),
    *("default_rng", "shuffle", "choice", "token_bytes", "urandom"),
}
_TIMES = {"time", "perf_counter", "monotonic", "process_time", "time_ns", "perf_counter_ns"}
SENT_AS = "probe"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What is sent: the function's source, and the names that it takes from outside.

    Args:
        name: for its author; in `source` it is called SENT_AS.
    """

    name: str
    source: str
    uses: frozenset[str]


def prepare(function: Callable[..., Any]) -> Probe:
    """The probe of a function.

    Raises:
        ValueError: its source cannot be found, or it does more than fetch.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        raise ValueError(
            "a probe must be a function written with `def` in a cell, "
            f"got probe={getattr(function, '__name__', function)!r}"
        ) from None
    [definition] = tree.body
    if not isinstance(definition, ast.FunctionDef):
        raise ValueError(f"a probe must be a function written with `def`, got probe={function!r}")
    _check(definition)
    own, definition.name, definition.decorator_list = definition.name, SENT_AS, []
    source = ast.unparse(definition)
    uses = _outside(compile(source, "<probe>", "exec"))
    if own in uses:
        raise ValueError(f"a probe must not call itself, got probe={own!r}: use a function in it")
    uses -= {SENT_AS} | (set(vars(builtins)) - set(function.__globals__))
    return Probe(name=own, source=source, uses=frozenset(uses))


def within(outer: Probe, inner: Probe) -> Probe:
    """One probe that calls `outer` with `inner` as its first argument.

    Raises:
        ValueError: outer takes names from outside, which are looked up where inner stands.
    """
    if outer.uses:
        raise ValueError(
            f"a probe around another one must take no names from outside, got {sorted(outer.uses)}"
        )
    source = (
        f"{inner.source}\n_inner = {SENT_AS}\n{outer.source}\n_outer = {SENT_AS}\n"
        f"def {SENT_AS}(*args, **kwargs):\n    return _outer(_inner, *args, **kwargs)"
    )
    return Probe(name=inner.name, source=source, uses=inner.uses)


def _check(definition: ast.FunctionDef) -> None:
    for node in ast.walk(definition):
        name = getattr(node, "attr", getattr(node, "id", ""))
        if isinstance(node, ast.Assert):
            _refuse(definition, "assert nothing: the test asserts", node)
        if name in _COMPARES:
            _refuse(definition, f"not compare (`{name}`): return the data, the test compares", node)
        if name in _DRAWS:
            _refuse(definition, f"not draw random numbers (`{name}`): the test draws them", node)
        if name in _TIMES:
            _refuse(definition, f"not read a clock (`{name}`): the test reads it", node)


def _refuse(definition: ast.FunctionDef, rule: str, node: ast.AST) -> None:
    line = node.lineno - definition.lineno
    raise ValueError(f"a probe must {rule}, got probe={definition.name!r}, line {line} of it")


def _outside(code: types.CodeType) -> set[str]:
    """The global names that a piece of code reads, functions within it included."""
    import dis

    reads = ("LOAD_GLOBAL", "LOAD_NAME")
    found = {step.argval for step in dis.get_instructions(code) if step.opname in reads}
    inner = (part for part in code.co_consts if isinstance(part, types.CodeType))
    return found.union(*map(_outside, inner))


def import_path(thing: Any) -> str | None:
    """Where the other side can import a module, function or class from; None if it cannot."""
    if isinstance(thing, types.ModuleType):
        return thing.__name__
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not (isinstance(module, str) and isinstance(name, str)) or module == "__main__":
        return None
    try:
        found = getattr(importlib.import_module(module), name, None)
    except (ImportError, ValueError):
        return None
    return f"{module}:{name}" if found is thing else None


def imported(path: str) -> Any:
    """What stands at a path of `import_path`."""
    module, _, name = path.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found


def run_in_place(function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """Call it as the judge would: on copies, with nothing but data coming back."""
    return _copied(function(*_copied(list(args), True), **_copied(kwargs, True)))


def _copied(value: Any, with_objects: bool = False) -> Any:
    kept: list[Any] = []

    def keep(thing: Any) -> dict:
        kept.append(thing)
        return {"h": len(kept) - 1}

    packer = Packer(keep if with_objects else None)
    form = packer.pack(value)
    return Unpacker(b"".join(packer.blocks), lambda f: kept[f["h"]]).unpack(form)
