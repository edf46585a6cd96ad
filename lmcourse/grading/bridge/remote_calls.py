"""A call between the learner's process and the author's version: its form, and gradients.

Chapter: book/instructors/sandbox.md

Tensors need a name on both sides, for their gradients and for what a call has changed in them. So
arguments and results cross as a list of tensors and a form in which they have numbers.

A function of the learner's may be an argument. The author's version calls it from the judge's
process (`Caller`); it runs beside the learner's code (`PassedFunction`). What it closes over,
parameters say, belongs to no argument: their gradients gather on the learner's side, call by call,
and leave with those of the whole.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_TENSOR, _OBJECT = "\0tensor", "\0object"
_PLAIN = (int, float, bool, str, bytes, type(None))


def flatten(value: Any, tensors: list[Tensor], other: Callable[[Any], Any]) -> Any:
    """The form of a value; its tensors are appended to `tensors`, each one once.

    Args:
        other: what is to stand for anything but tensors, numbers, texts and what holds them.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Tensor):
        for number, known in enumerate(tensors):
            if known is value:
                return (_TENSOR, number)
        tensors.append(value)
        return (_TENSOR, len(tensors) - 1)
    if isinstance(value, list):
        return [flatten(item, tensors, other) for item in value]
    if isinstance(value, tuple):
        return tuple(flatten(item, tensors, other) for item in value)
    if isinstance(value, dict):
        return {key: flatten(item, tensors, other) for key, item in value.items()}
    return other(value)


def named_object(facts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What stands in a form for an object of the author's."""
    return (_OBJECT, facts)


def unflatten(form: Any, tensors: Sequence[Tensor], objects: Callable[[dict], Any]) -> Any:
    """The value of a form.

    Args:
        objects: the object for what `named_object` was given.

    Raises:
        LookupError, TypeError: it is no form.
    """
    if type(form) is tuple and len(form) == 2 and type(form[0]) is str:
        if form[0] == _TENSOR:
            return tensors[form[1]]
        if form[0] == _OBJECT:
            return objects(form[1])
    if type(form) in (list, tuple):
        return type(form)(unflatten(item, tensors, objects) for item in form)
    if type(form) is dict:
        return {key: unflatten(item, tensors, objects) for key, item in form.items()}
    return form


class CannotError(Exception):
    """The author's version cannot be reached from another process in this way."""


class PassedFunction:
    """A function in the learner's process, as the judge's side calls it: a request, a reply.

    Args:
        leaves: where the tensors gather that it closes over and that learn; shared by the
            functions of one call.
    """

    def __init__(self, function: Callable[..., Any], leaves: "Leaves"):
        self._function, self._leaves = function, leaves
        self._calls: list[tuple[list[Tensor], list[Tensor]]] = []

    def __call__(self, request: dict[str, Any]) -> Any:
        """The result of one call, or the gradients of an earlier one's arguments."""
        if "call" in request:
            return self._backward(request["call"], request["gradients"])
        tensors = [x.detach() for x in request["tensors"]]
        inputs = [tensors[number].requires_grad_() for number in request["needs"]]
        args, kwargs = unflatten(request["form"], tensors, _no_object)
        with torch.set_grad_enabled(request["grad"]):
            result = self._function(*args, **kwargs)
        outputs: list[Tensor] = []
        form = flatten(result, outputs, lambda thing: thing)
        live = [x.requires_grad for x in outputs]
        if any(live):
            self._leaves.reach(outputs, inputs)
            self._calls.append((inputs, outputs))
        return {
            "form": form,
            "outputs": [x.detach() for x in outputs],
            "live": live,
            "call": len(self._calls) - 1,
        }

    def _backward(self, call: int, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        inputs, outputs = self._calls[call]
        return self._leaves.backward(inputs, outputs, gradients)


class Leaves:
    """The tensors that learn beside the arguments of a call, and their gradients."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self._gradients: list[Tensor | None] = []

    def reach(self, outputs: Sequence[Tensor], inputs: Sequence[Tensor]) -> None:
        """Note the leaves of the outputs' graph that are no inputs."""
        known = {id(x) for x in (*self.tensors, *inputs)}
        seen, queue = set(), [x.grad_fn for x in outputs if x.requires_grad]
        queue += [_Leaf(x) for x in outputs if x.requires_grad and x.is_leaf]
        while queue:
            node = queue.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            leaf = getattr(node, "variable", None)
            if leaf is not None and id(leaf) not in known:
                known.add(id(leaf))
                self.tensors.append(leaf)
            queue += [following for following, _ in node.next_functions]

    def take(self) -> list[Tensor | None]:
        """The gradients since the last time."""
        taken, self._gradients = self._gradients, []
        return taken + [None] * (len(self.tensors) - len(taken))

    def backward(
        self,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
    ) -> list[Tensor | None]:
        """The gradients of the inputs; those of the leaves are added to what is there."""
        found = gradients_of(outputs, [*inputs, *self.tensors], gradients)
        mine = found[len(inputs) :]
        before = self._gradients or [None] * len(mine)
        before += [None] * (len(mine) - len(before))
        self._gradients = [_sum(a, b) for a, b in zip(before, mine, strict=True)]
        return found[: len(inputs)]


class _Leaf:
    """A leaf that is itself a result, as if it were a node of the graph."""

    next_functions = ()

    def __init__(self, variable: Tensor):
        self.variable = variable


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def gradients_of(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], gradients: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The gradients of the inputs, given those of the outputs; None stands for none."""
    given = zip(outputs, gradients, strict=True)
    pairs = [(x, g) for x, g in given if g is not None and x.requires_grad]
    if not pairs or not inputs:
        return [None] * len(inputs)
    results, upstream = zip(*pairs, strict=True)
    return list(
        torch.autograd.grad(results, inputs, upstream, retain_graph=True, allow_unused=True)
    )


class Caller:
    """Calls learners' functions from the judge's side.

    `anchor` is an argument of all of them that needs a gradient, so that the way back leads through
    each, also where nothing but what it closes over learns.
    """

    def __init__(self) -> None:
        self.anchor = torch.zeros((), requires_grad=True)

    def wrap(self, remote: Callable[..., Any]) -> Callable[..., Any]:
        """What the author's version gets for the proxy of a `PassedFunction`."""
        return _Passed(remote, self.anchor)


class _Passed:
    """A learner's function: it can be called, and that is all."""

    def __init__(self, remote: Callable[..., Any], anchor: Tensor):
        self._remote, self._anchor = remote, anchor

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        tensors: list[Tensor] = []
        form = flatten([list(args), kwargs], tensors, lambda thing: thing)
        grad = torch.is_grad_enabled()
        needs = [number for number, x in enumerate(tensors) if grad and x.requires_grad]
        reply = self._remote({"form": form, "tensors": tensors, "needs": needs, "grad": grad})
        outputs, live = reply["outputs"], reply["live"]
        if any(live):
            inputs = [tensors[number] for number in needs]
            ask = self._remote, reply["call"]
            outputs = _Back.apply(ask, outputs, live, self._anchor, *inputs)
        return unflatten(reply["form"], outputs, _no_object)

    def __getattr__(self, name: str) -> Any:
        raise CannotError(f"it uses .{name} of what is passed to it, which can only be called")


class _Back(torch.autograd.Function):
    """Results of a learner's function, as results of its arguments."""

    @staticmethod
    def forward(
        ctx: Any, ask: tuple, outputs: list[Tensor], live: list[bool], *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.ask = ask
        ctx.mark_non_differentiable(*[x for x, one in zip(outputs, live, strict=True) if not one])
        ctx.set_materialize_grads(False)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        remote, call = ctx.ask
        found = remote({"call": call, "gradients": list(gradients)})
        return (None, None, None, None, *found)  # the last of these is the anchor's


def _no_object(facts: dict) -> Any:
    raise TypeError("an object of the author's cannot be passed on")
