"""The author's version of some answers, in the judge's process: called from the learner's.

Chapter: book/instructors/sandbox.md

Where an answer failed, those after it are tested once more on the author's version of it. Its
source stays here. In the learner's process are `substitutes`, which send arguments and get values.

Threat: what asks is the learner's process, which asks whatever it likes. It reaches only the names
that were allowed, calls only methods that the author wrote, and gets data back: no function, no
attribute with an underscore, no text of an exception but its message. Time and number of its
questions are part of the test's own (`proxies.Link`). The learner decides on arguments, so a call
may fail or take all the time there is: then the test has not passed.
"""

import builtins
import contextlib
import inspect
import random
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lmcourse.grading.bridge.proxies import answered
from lmcourse.grading.bridge.remote_calls import (
    Caller,
    CannotError,
    flatten,
    gradients_of,
    named_object,
    unflatten,
)
from lmcourse.grading.bridge.wire import Packer, Unpacker
from lmcourse.grading.sandbox.frames import WireError

_MODULE = "author"
_KEPT = 10_000  # objects, and graphs of gradients, for one test
_BASES = (object, nn.Module, torch.utils.data.Dataset)
_SPECIAL = frozenset(
    f"__{name}__"
    for name in (
        *("call", "len", "getitem", "setitem", "delitem", "contains", "iter", "bool"),
        *("eq", "ne", "lt", "le", "gt", "ge", "repr", "str", "hash", "enter", "exit"),
        *("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "matmul", "neg"),
        *("int", "float", "index"),
    )
)


class AuthorsAnswers:
    """All that the author's notebook defines, of which some names may be called.

    Args:
        sources: of the author's cells, without tests.

    Raises:
        Exception: whatever one of the cells raises.
    """

    def __init__(self, sources: Sequence[str]):
        self._names: dict[str, Any] = {"__name__": _MODULE, "__builtins__": builtins}
        self._allowed: set[str] = set()
        self._operations = {
            "call": self._call,
            "backward": self._backward,
            "get": self._get,
            "set": self._set,
        }
        self._made = 0  # objects and graphs, in all tests: no number comes twice
        self.open_test()
        with _randomness():
            for source in sources:
                exec(compile(source, "<author>", "exec"), self._names)

    def open_test(self) -> None:
        """A new test begins: nothing that the last one made can be reached any more."""
        self.called: set[str] = set()
        self._objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}  # of those objects, by their identities
        self._graphs: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
        self._caller = Caller()

    def allow(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Let these names be called; what a substitute has to know of each, or why there is none.

        The others that were allowed before are not any more.
        """
        self._allowed = set(names)
        return [_described(name, self._names.get(name)) for name in names]

    def answer(self, form: Any, block: bytes, meaning: Callable[[dict], Any]) -> dict[str, Any]:
        """The value that is asked for, or the error that came of it.

        Args:
            form, block: of the question, as they came over the wire.
            meaning: the proxy of an object of the learner's.
        """
        try:
            # No proxy as it is: what the author's code does with one would show how it works.
            reader = Unpacker(block, lambda one: self._caller.wrap(meaning(one)))
            request = reader.unpack(form)
            return {"value": self._operations[request["op"]](request)}
        except CannotError as error:
            return {"cannot": str(error)}
        except Exception as error:
            return answered(error, str(error))

    def _call(self, request: dict) -> dict[str, Any]:
        tensors: list[Tensor] = request["tensors"]
        inputs = [tensors[number].requires_grad_() for number in request["needs"]]
        for number, gradient in request["gradients"].items():
            tensors[number].grad = gradient
        before = [_state(x) for x in tensors]
        # Kernels (of batch normalization, say) write into buffers and keep it to themselves.
        held = {n: tensors[n].clone() for n in {*request["state"].values()} - {*request["needs"]}}
        args, kwargs = unflatten(request["form"], tensors, self._object)
        with _randomness(request["random"]) as drawn, torch.set_grad_enabled(request["grad"]):
            result = self._function(request, tensors)(*args, **kwargs)
            random_state = drawn()
        outputs: list[Tensor] = []
        form = flatten(result, outputs, self._data)
        live = [x.requires_grad for x in outputs]
        graph = self._keep(self._graphs, (inputs, outputs)) if any(live) else 0
        after = [_state(x) for x in tensors]
        written = {n for n in range(len(tensors)) if before[n][0] != after[n][0]}
        # exact: copies of the same bytes
        written |= {n for n, x in held.items() if not torch.equal(x, tensors[n])}
        return {
            "form": form,
            "outputs": [x.detach() for x in outputs],
            "live": live,
            "graph": graph,
            "changed": {n: tensors[n].detach() for n in written},
            "gradients": {
                n: x.grad for n, x in enumerate(tensors) if before[n][1:] != after[n][1:]
            },
            "random": random_state,
        }

    def _function(self, request: dict, tensors: Sequence[Tensor]) -> Any:
        """What is to be called: a name, or a method of a class or of an object."""
        name, method = request.get("name"), request.get("method")
        if name is None:
            thing = self._object({"object": request["object"]})
            kind = type(thing)
            self.called.add(kind.__name__)
        else:
            thing = kind = self._permitted(name)
        if method is None:
            return thing
        # Of a class only what needs no object: with other data for `self` it would tell its parts.
        if method not in (_methods(kind) if name is None else _of_class(kind)):
            raise AttributeError(f"{kind.__name__!r} object has no attribute {method!r}")
        if method == "__iter__":
            return lambda: list(iter(thing))
        if isinstance(thing, nn.Module):
            thing.train(bool(request["training"]))
            state = {f"inner.{key}": tensors[number] for key, number in request["state"].items()}
            wrapped = _Method(thing, method)
            return lambda *a, **k: torch.func.functional_call(wrapped, state, a, k)
        return getattr(thing, method)

    def _permitted(self, name: Any) -> Any:
        if type(name) is not str or name not in self._allowed:
            raise NameError(f"name {name!r} is not defined")
        self.called.add(name)
        return self._names[name]

    def _backward(self, request: dict) -> list[Tensor | None]:
        """The gradients of a call's tensors, given those of its results."""
        inputs, outputs = self._graphs[request["graph"]]
        found = gradients_of(outputs, [*inputs, self._caller.anchor], request["gradients"])
        return found[: len(inputs)]

    def _get(self, request: dict) -> dict[str, Any]:
        """An attribute of an object, which must be data."""
        thing, name = self._object({"object": request["object"]}), request["attribute"]
        if name.startswith("_") or not hasattr(thing, name):
            raise AttributeError(f"{type(thing).__name__!r} object has no attribute {name!r}")
        outputs: list[Tensor] = []
        form = flatten(getattr(thing, name), outputs, self._data)
        return {"form": form, "outputs": [x.detach() for x in outputs]}

    def _set(self, request: dict) -> None:
        """Set an attribute of an object to data."""
        thing, name = self._object({"object": request["object"]}), request["attribute"]
        if name.startswith("_"):
            raise AttributeError(f"{type(thing).__name__!r} object has no attribute {name!r}")
        setattr(thing, name, unflatten(request["form"], request["tensors"], self._object))

    def _object(self, facts: dict) -> Any:
        if facts["object"] not in self._objects:
            raise LookupError("an object of the author's that was made for another test")
        return self._objects[facts["object"]]

    def _data(self, thing: Any) -> Any:
        """What stands in a form for a value that is no tensor."""
        if type(thing).__module__ == _MODULE and _lacks(type(thing)) == "":
            if id(thing) in self._numbers:
                return named_object({"object": self._numbers[id(thing)]})
            number = self._numbers[id(thing)] = self._keep(self._objects, thing)
            facts = {"object": number, "class": type(thing).__name__}
            return named_object(facts | _made(thing))
        try:
            Packer().pack(thing)
        except WireError:
            kind = type(thing).__name__
            raise CannotError(f"it gives an object of type {kind}, which is no data") from None
        return thing

    def _keep(self, kept: dict[int, Any], thing: Any) -> int:
        """The number under which it is kept until the test ends."""
        if len(kept) >= _KEPT:
            raise CannotError(f"one test calls it more than {_KEPT} times")
        self._made += 1
        kept[self._made] = thing
        return self._made


class _Method(nn.Module):
    """A method of a module as the forward of another one, for `functional_call`."""

    def __init__(self, inner: nn.Module, name: str):
        super().__init__()
        self.inner, self._name = inner, name

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if self._name == "forward":
            return self.inner(*args, **kwargs)
        return getattr(self.inner, self._name)(*args, **kwargs)


def _state(x: Tensor) -> tuple:
    """Another one if the tensor or its gradient was changed in place, or the gradient replaced."""
    return (x._version, id(x.grad), None if x.grad is None else x.grad._version)


def _described(name: str, thing: Any) -> dict[str, Any]:
    """What a substitute in the learner's process has to know: nothing of how it works."""
    if callable(thing) and not isinstance(thing, (type, nn.Module)):
        generates = inspect.isgeneratorfunction(thing) or inspect.iscoroutinefunction(thing)
        why = "it gives its values one at a time" if generates else ""
        return {"name": name, "kind": "function", "why": why}
    if not isinstance(thing, type):
        return {"name": name, "kind": "", "why": "it is neither a function nor a class"}
    return {
        "name": name,
        "kind": "module" if issubclass(thing, nn.Module) else "class",
        "methods": sorted(_methods(thing) - _of_class(thing)),
        "of_class": sorted(_of_class(thing)),
        "why": _lacks(thing),
    }


def _lacks(kind: type) -> str:
    """Why a class cannot have a substitute; empty if it can."""
    bases = [base for base in kind.__mro__ if base.__module__ not in (_MODULE, "typing")]
    strange = [base.__name__ for base in bases if base not in _BASES]
    return f"it is a class that derives from {strange[0]}" if strange else ""


def _members(kind: type) -> dict[str, Any]:
    """What the author wrote into a class and into those that it derives from."""
    own = [vars(base) for base in reversed(kind.__mro__) if base.__module__ == _MODULE]
    return {key: value for names in own for key, value in names.items()}


def _methods(kind: type) -> set[str]:
    return {
        key
        for key, value in _members(kind).items()
        if isinstance(value, (types.FunctionType, staticmethod, classmethod))
        and (key in _SPECIAL or not key.startswith("_"))
    }


def _of_class(kind: Any) -> set[str]:
    """Those methods that can be called without an object."""
    if not isinstance(kind, type):
        return set()
    members = _members(kind)
    return {n for n in _methods(kind) if isinstance(members[n], (staticmethod, classmethod))}


def _made(thing: Any) -> dict[str, Any]:
    """Of a module what its substitute must hold: parameters, buffers, parts and data."""
    if not isinstance(thing, nn.Module):
        return {}
    same: dict[int, int] = {}
    parameters = [
        [name, x.detach(), x.requires_grad, same.setdefault(id(x), len(same))]
        for name, x in thing.named_parameters(remove_duplicate=False)
    ]
    lasting = set(thing.state_dict())
    buffers = [[name, x, name in lasting] for name, x in thing.named_buffers()]
    parts = [
        [name, isinstance(part, nn.ModuleList), _plain(part)]
        for name, part in thing.named_modules(remove_duplicate=False)
        if name
    ]
    return {"parameters": parameters, "buffers": buffers, "parts": parts, "data": _plain(thing)}


def _plain(thing: nn.Module) -> dict[str, Any]:
    """Of its attributes those that are data."""
    data = {}
    for name, value in vars(thing).items():
        if not name.startswith("_") and name != "training":
            with contextlib.suppress(WireError):
                Packer().pack(value)
                data[name] = value
    return data


@contextlib.contextmanager
def _randomness(state: Tensor | None = None) -> Iterator[Any]:
    """Draw as the learner's process would, and leave the test's own generators as they were.

    The test's next inputs must be the same whatever the author's version draws.
    """
    kept = torch.get_rng_state(), random.getstate(), np.random.get_state()
    try:
        if state is not None:
            torch.set_rng_state(state)
        first = torch.get_rng_state()

        def drawn() -> Tensor | None:
            now = torch.get_rng_state()
            # exact: bytes of a generator's state
            return None if torch.equal(now, first) else now

        yield drawn
    finally:
        torch.set_rng_state(kept[0])
        random.setstate(kept[1])
        np.random.set_state(kept[2])
