"""What stands in the learner's process for the author's version of an answer that failed.

Chapter: book/instructors/sandbox.md

A substitute knows a name and how to ask: each call sends its arguments to the judge's side, where
`authors_answers` computes, and data comes back. Gradients cross by a second question. Nothing here
is a secret. While no test runs, when the learner's own cells try something out, nobody would
answer: then a substitute is the learner's own version.
"""

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lmcourse.grading.bridge.remote_calls import (
    Leaves,
    PassedFunction,
    flatten,
    named_object,
    unflatten,
)
from lmcourse.grading.bridge.wire import Packer
from lmcourse.grading.sandbox.frames import WireError

_OWN = "_of_author"  # the attribute that holds the number of the author's object
_service: Any = None  # learner_side.Service
_classes: dict[str, type] = {}
_objects: dict[int, Any] = {}  # the substitutes of the author's objects


class SubstituteError(RuntimeError):
    """The author's version cannot be called in this way from another process."""


def connect(service: Any) -> None:
    """From now on substitutes ask by this `learner_side.Service`."""
    global _service
    _service = service


def put(names: dict[str, Any], described: Sequence[dict[str, Any]]) -> None:
    """Put a substitute into a namespace for each name that `authors_answers` described."""
    for one in described:
        name = one["name"]
        make = {"function": _function, "class": _class, "module": _class}[one["kind"]]
        names[name] = make(one, names.get(name))


def _function(described: dict[str, Any], own: Any) -> Callable[..., Any]:
    name = described["name"]

    def substitute(*args: Any, **kwargs: Any) -> Any:
        if not _asked():
            return _require(own, name)(*args, **kwargs)
        return _call({"name": name}, args, kwargs)

    substitute.__name__ = substitute.__qualname__ = name
    return substitute


def _class(described: dict[str, Any], own: Any) -> type:
    name = described["name"]
    module = described["kind"] == "module"

    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        if cls is kind and not _asked():
            return _require(own, name)(*args, **kwargs)
        return object.__new__(cls)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if module:
            nn.Module.__init__(self)
        facts = _call({"name": name}, args, kwargs, keep=True)
        _fill(self, facts)

    members: dict[str, Any] = {"__new__": new, "__init__": init, "__module__": "__main__"}
    for method in described["methods"]:
        members[method] = _method(method, module)
    for method in described["of_class"]:
        members[method] = staticmethod(_class_method(name, method))
    if not module:
        members["__getattr__"], members["__setattr__"] = _attribute, _set_attribute
    kind = _classes[name] = type(name, (nn.Module if module else object,), members)
    return kind


def _method(method: str, module: bool) -> Callable[..., Any]:
    def substitute(self: Any, *args: Any, **kwargs: Any) -> Any:
        what = {"object": vars(self)[_OWN], "method": method}
        state = None
        if module:
            state = dict(self.named_parameters(remove_duplicate=False)) | dict(self.named_buffers())
            what["training"] = self.training
        result = _call(what, args, kwargs, state)
        return iter(result) if method == "__iter__" else result

    substitute.__name__ = method
    return substitute


def _class_method(name: str, method: str) -> Callable[..., Any]:
    def substitute(*args: Any, **kwargs: Any) -> Any:
        return _call({"name": name, "method": method}, args, kwargs)

    return substitute


def _attribute(self: Any, name: str) -> Any:
    number = vars(self).get(_OWN)
    if number is None or name.startswith("_"):
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
    reply = _ask({"op": "get", "object": number, "attribute": name})
    return unflatten(reply["form"], reply["outputs"], _received)


def _set_attribute(self: Any, name: str, value: Any) -> None:
    form = flatten(value, tensors := [], lambda thing: _sent(thing, Leaves()))
    request = {"op": "set", "object": vars(self)[_OWN], "attribute": name}
    _ask({**request, "form": form, "tensors": tensors})


def _fill(thing: Any, facts: dict[str, Any]) -> None:
    """Make an empty substitute that of the author's object: a module gets parameters of its own."""
    vars(thing)[_OWN] = facts["object"]
    _objects[facts["object"]] = thing
    # Learners go through the blocks of a model, and read how many heads each has.
    for path, is_list, data in facts.get("parts", ()):
        holder, _, last = path.rpartition(".")
        part = nn.ModuleList() if is_list else nn.Module()
        _holder(thing, holder).add_module(last, part)
        vars(part).update(data)
    made: dict[int, nn.Parameter] = {}
    for name, x, trained, same in facts.get("parameters", ()):
        parameter = made.setdefault(same, nn.Parameter(x, requires_grad=trained))
        holder, _, last = name.rpartition(".")
        _holder(thing, holder).register_parameter(last, parameter)
    for name, x, lasting in facts.get("buffers", ()):
        holder, _, last = name.rpartition(".")
        _holder(thing, holder).register_buffer(last, x, persistent=lasting)
    vars(thing).update(facts.get("data", {}))


def _holder(module: nn.Module, path: str) -> nn.Module:
    """The part of a module at a path, made if it is not there."""
    for name in filter(None, path.split(".")):
        if name not in module._modules:
            module.add_module(name, nn.Module())
        module = module._modules[name]
    return module


def _asked() -> bool:
    return _service is not None and _service.asked


def _require(own: Any, name: str) -> Any:
    if own is None:
        raise NameError(f"name {name!r} is not defined", name=name)
    return own


def _ask(request: dict[str, Any]) -> Any:
    if not _asked():
        raise SubstituteError("the author's version answers while a test runs, and only then")
    reply = _service.ask_author(request)
    if "cannot" in reply:
        raise SubstituteError(reply["cannot"])
    if "error" in reply:
        raise _error(reply["error"], getattr(builtins, str(reply.get("kind")), RuntimeError))
    return reply["value"]


def _error(text: str, kind: type[Exception]) -> Exception:
    try:
        return kind(text)
    except TypeError:  # UnicodeDecodeError, say, wants five arguments
        return RuntimeError(text)


def _call(
    what: dict[str, Any],
    args: tuple,
    kwargs: dict[str, Any],
    state: dict[str, Tensor] | None = None,
    keep: bool = False,
) -> Any:
    """What the author's version returns, with gradients.

    Args:
        what: is to be called.
        state: the parameters and buffers of a module.
        keep: return the facts of an object that was made, not a substitute of it.
    """
    tensors: list[Tensor] = []
    leaves = Leaves()
    form = flatten([list(args), kwargs], tensors, lambda thing: _sent(thing, leaves))
    named = flatten(state or {}, tensors, lambda thing: thing)
    grad = torch.is_grad_enabled()
    needs = [number for number, x in enumerate(tensors) if grad and x.requires_grad]
    reply = _ask(
        {
            **what,
            "op": "call",
            "form": form,
            "state": {name: number for name, (_, number) in named.items()},
            "tensors": tensors,
            "needs": needs,
            "grad": grad,
            "gradients": _gradients(tensors),
            "random": torch.get_rng_state(),
        }
    )
    if reply["random"] is not None:
        torch.set_rng_state(reply["random"])
    with torch.no_grad():
        for number, x in reply["changed"].items():
            tensors[number].copy_(x)
    for number, x in reply["gradients"].items():
        tensors[number].grad = x
    outputs = reply["outputs"]
    if any(reply["live"]):
        inputs = [tensors[number] for number in needs]
        outputs = _Attach.apply(
            reply["graph"], outputs, reply["live"], leaves, *inputs, *leaves.tensors
        )
    return unflatten(reply["form"], outputs, (lambda facts: facts) if keep else _received)


def _gradients(tensors: Sequence[Tensor]) -> dict[int, Tensor]:
    return {n: x.grad for n, x in enumerate(tensors) if x.is_leaf and x.grad is not None}


class _Attach(torch.autograd.Function):
    """Results that came from the author's version, as results of its arguments."""

    @staticmethod
    def forward(
        ctx: Any,
        graph: int,
        outputs: list[Tensor],
        live: list[bool],
        leaves: Leaves,
        *inputs: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.graph, ctx.leaves = graph, leaves
        ctx.mark_non_differentiable(*[x for x, one in zip(outputs, live, strict=True) if not one])
        ctx.set_materialize_grads(False)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph=True: what came back would be no graph
            raise SubstituteError("gradients of gradients do not go through it")
        found = _ask({"op": "backward", "graph": ctx.graph, "gradients": list(gradients)})
        return (None, None, None, None, *found, *ctx.leaves.take())


def _sent(thing: Any, leaves: Leaves) -> Any:
    """What crosses for an argument that is no tensor: data, a function, an author's object."""
    if _OWN in getattr(thing, "__dict__", {}) and not isinstance(thing, nn.Module):
        return named_object({"object": vars(thing)[_OWN]})
    if callable(thing) and not isinstance(thing, (type, nn.Module)):
        return PassedFunction(thing, leaves)
    try:
        Packer().pack(thing)
    except WireError:
        raise SubstituteError(
            f"an object of type {type(thing).__name__} is no data, and cannot be passed to it"
        ) from None
    return thing


def _received(facts: dict[str, Any]) -> Any:
    """The substitute of an object of the author's that a call gave."""
    number = facts["object"]
    if "class" not in facts and number in _objects:
        return _objects[number]
    kind = _classes.get(facts.get("class", ""))
    if kind is None:
        raise SubstituteError(f"it gives an object of type {facts.get('class')}, which is no data")
    thing = object.__new__(kind)
    if issubclass(kind, nn.Module):
        nn.Module.__init__(thing)
    _fill(thing, facts)
    return thing
