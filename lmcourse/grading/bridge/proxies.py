"""The learner's objects as a test sees them: each call crosses to the sandbox, data comes back.

Chapter: book/instructors/sandbox.md

Threat: an answer that is no honest data – an object equal to everything, a tensor that lies, an
exception made to be swallowed, a reply that was never asked for, or no reply. Whatever is not an
explicit message to a proxy is refused, so that no default of Python's stands for an answer.

Threat: a function of the test that the learner's code calls back says too much, or may be talked
out of what it saw. It crosses without its name, its errors without their text; its arguments are
data, and an assertion that fails in it ends the test, whoever catches it over there.
What goes wrong on this side of the wire is a `BridgeFault`, which no test can take for a learner's.
"""

import builtins
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from lmcourse.grading.bridge.assertions import LearnerError, may_take_objects
from lmcourse.grading.bridge.wire import Packer, Unpacker
from lmcourse.grading.safe_text import scrub
from lmcourse.grading.sandbox import frames
from lmcourse.grading.sandbox.budgets import OUT_OF_TIME, Deadline, SharedDeadline
from lmcourse.grading.sandbox.frames import ClosedError, Inbox, WireError

_Seconds = tuple[float, float]  # the processor's, and the clock's
_ITEMS = 1_000_000
_LENGTH = 1 << 40
# What the learner's code reads of an error in a function of the test; the learner reads the rest.
_RAISED = "a function that the test passed in raised this"


class Gone(BaseException):
    """The learner's process has ended or ran out of time; no test may swallow it."""


class BridgeFault(BaseException):
    """The test or the bridge is at fault, not the learner; no test may swallow it."""


class Unsendable(BridgeFault):
    """A test sends what cannot be sent: its mistake, or what it made of the learner's data."""


class Overdue(BridgeFault):
    """A test ran out of time by its own work: its mistake, or what learners' data makes it do."""


class Link:
    """The connection to one learner's process.

    Args:
        call_seconds, frames: see `Budgets`.
        learners: the processor's seconds for the learner's process; None: the clock decides.
        starved: those in which it or this one wanted a processor and had none.
    """

    def __init__(
        self,
        sock: socket.socket,
        call_seconds: float,
        frames: int,
        learners: Callable[[], float] | None = None,
        starved: Callable[[], float] | None = None,
    ):
        self.dead = ""
        self.author: Callable[..., Any] | None = None  # answers substitutes (`authors_answers`)
        self._learners, self._starved = learners, starved
        self._sock, self._inbox = sock, Inbox(sock)
        self._call_seconds, self._frames = call_seconds, frames
        self._number = 0
        self._functions: dict[int, Callable[..., Any]] = {}
        self.open_test(0.0)

    def open_test(self, seconds: float) -> None:
        """A new test begins: functions that the last one passed in may not be called any more."""
        self._waits: tuple[_Seconds, _Seconds | None] = ((0.0, 0.0), None)  # in all; since when now
        self.deadline = self._deadline(seconds)
        self._left = self._frames
        self._functions.clear()
        self.assertion: AssertionError | None = None  # the first one that failed in a callback
        self._raised = ""  # the text of the last error in a callback

    def out_of_time(self, *calls: SharedDeadline) -> BaseException:
        """What ends a test whose time, or that of one of its calls, is over: whose fault it is."""
        if not any(limit.theirs for limit in (self.deadline, *calls) if limit.used_up):
            return Overdue("the test itself ran out of time, hardly any of it in your code")
        self.dead = OUT_OF_TIME
        return Gone(self.dead)

    def _deadline(self, seconds: float, within: Deadline | None = None) -> SharedDeadline:
        processor = None if self._learners is None else self._worked
        return SharedDeadline(seconds, self._theirs, within, processor, self._starved)

    def _worked(self) -> float:
        """The processor's seconds for the learner's process and this one together."""
        return self._learners() + time.process_time()

    def _theirs(self) -> _Seconds:
        """The seconds that the learner's code has had; our work while we wait for it is its own."""
        worked, waited = self._waited()
        return worked + (self._learners() if self._learners else 0.0), waited

    def _waited(self) -> _Seconds:
        """The seconds of all waits for the learner's code, with the one that goes on."""
        total, since = self._waits  # read at once: an alarm may ask in the middle of a wait
        if since is None:
            return total
        worked, clock = self._now()
        return total[0] + worked - since[0], total[1] + clock - since[1]

    def _waiting(self, exchange: Callable[..., Any], *args: Any) -> Any:
        """What `exchange` returns; until then we wait for the learner's code."""
        self._waits = self._waits[0], self._now()
        try:
            return exchange(*args)
        finally:
            self._waits = self._waited(), None

    def _now(self) -> _Seconds:
        return time.process_time(), self.deadline.clock  # which is the clock without pauses

    def ask(
        self, op: str, packed: dict[str, Any] | None = None, data_only: bool = False, **plain: Any
    ) -> Any:
        """The answer to one request: data, or a proxy unless it must be data.

        Args:
            packed: values that cross as data; the rest is sent as it is.

        Raises:
            LearnerError: the learner's code raised, or answered with what is no data.
            AssertionError: one failed in a function of the test that the learner's code called.
            Gone: it does not answer.
            BridgeFault: the test sends what cannot be sent (`Unsendable`), or the bridge fails.
        """
        try:
            head, block = self._exchange({"op": op, **plain}, packed or {})
        except Exception as error:  # a defect of ours; what is the learner's raises nothing there
            raise BridgeFault(f"{type(error).__name__}: {error}") from error
        if self.assertion is not None:
            raise self.assertion
        if "error" in head:
            raise _error(head["error"], self._raised)
        return self._read(head.get("value"), block, data_only)

    def _exchange(self, head: dict, packed: dict[str, Any]) -> tuple[dict, bytes]:
        if self.dead:
            raise Gone(self.dead)
        deadline = self._deadline(self._call_seconds, within=self.deadline)
        self._number += 1
        number = self._number
        try:
            self._send({"seq": number, **head}, packed, deadline)
            return self._await(number, deadline)
        except TimeoutError:
            raise self.out_of_time(deadline) from None
        except ClosedError:
            self.dead = "the process with your code ended"
        raise Gone(self.dead)

    def _send(self, head: dict, packed: dict[str, Any], deadline: Deadline) -> None:
        packer = Packer(self._stand_in)
        try:
            head |= {name: packer.pack(value) for name, value in packed.items()}
            self._waiting(frames.send, self._sock, head, packer.blocks, deadline)
        except WireError as error:
            raise Unsendable(f"the test sends {error}") from None

    def _await(self, number: int, deadline: Deadline) -> tuple[dict, bytes]:
        """The answer to `number`; until it comes, the learner's code may call our functions."""
        while True:
            try:
                head, block = self._waiting(self._inbox.receive, deadline)
            except WireError as error:
                self.dead = "your code disturbed the connection"
                raise Gone(f"{self.dead}: {error}") from None
            self._left -= 1
            if self._left < 0:
                self.dead = "your code sent too many messages"
                raise Gone(self.dead)
            if head.get("seq") == number:  # otherwise invented, or of a call that is over
                if "author" in head:
                    answer = self._authors_answer(head["author"], block)
                    self._send({"seq": number}, {"value": answer}, deadline)
                elif "callback" in head:
                    self._call_back(head, block, number, deadline)
                else:
                    return head, block
            if deadline.passed:  # only the answer itself may come at the last moment
                raise TimeoutError

    def _authors_answer(self, question: Any, block: bytes) -> dict[str, Any]:
        if self.author is None:  # unasked for: without an answer it would wait until its end
            return {"cannot": "the author's version does not stand behind any name here"}
        return self.author(question, block, self._meaning)

    def _read(self, form: Any, block: bytes, data_only: bool = False) -> Any:
        try:
            return self._unpacked(form, block, None if data_only else self._meaning)
        except WireError as error:
            raise LearnerError(f"your code returned {error}") from None

    def _unpacked(self, form: Any, block: bytes, meaning: Callable[[dict], Any] | None) -> Any:
        try:
            return Unpacker(block, meaning).unpack(form)
        except WireError:
            raise
        except Exception as error:  # what is wrong with an answer is a WireError: this is ours
            raise BridgeFault(f"{type(error).__name__}: {error}") from error

    def _call_back(self, head: dict, block: bytes, number: int, deadline: Deadline) -> None:
        reply: dict = {"seq": number}
        packed = {}
        try:
            function = self._function(head["callback"])
            args, kwargs = self._arguments(function, head, block)
        except (LookupError, TypeError) as error:
            self._send({**reply, **answered(error, str(error))}, {}, deadline)
            return
        try:
            packed = {"value": function(*args, **kwargs)}
        except LearnerError as error:  # of the learner's own code, which the function has called
            reply |= answered(error, str(error))
        except Exception as error:
            if isinstance(error, AssertionError) and self.assertion is None:
                self.assertion = error
            self._raised = scrub(str(error))
            reply |= answered(error, _RAISED)
        self._send(reply, packed, deadline)

    def _arguments(self, function: Callable[..., Any], head: dict, block: bytes) -> tuple:
        """What the learner's code calls a function of the test with."""
        meaning = self._meaning if may_take_objects(function) else self._meaning_of_data
        try:
            args, kwargs = (self._unpacked(head.get(p), block, meaning) for p in ("args", "kwargs"))
        except WireError as error:
            raise TypeError(f"a function that the test passed in was called with {error}") from None
        if type(args) is not list or type(kwargs) is not dict:
            raise TypeError("a call without arguments that can be read")
        return args, kwargs

    def _function(self, number: Any) -> Callable[..., Any]:
        if type(number) is not int or number not in self._functions:
            raise LookupError("no such function")
        return self._functions[number]

    def _stand_in(self, thing: Any) -> dict:
        if type(thing) is Remote and _link(thing) is self:
            return {"h": _handle(thing)}
        if type(thing) is Remote:
            raise BridgeFault("the test sends an object of a process that has been replaced")
        if callable(thing) and not isinstance(thing, type):
            self._functions[len(self._functions) + (self._number << 20)] = thing
            return {"callback": [*self._functions][-1]}
        raise WireError(
            f"an object of type {type(thing).__name__}, which is no data: "
            "pass data or a function, or use a probe"
        )

    def _meaning(self, form: dict) -> Any:
        if type(form.get("h")) is int:
            return Remote(self, form["h"], scrub(form.get("n"), 60))
        if "callback" in form:
            return self._function(form["callback"])
        raise WireError("an object that cannot be read")

    def _meaning_of_data(self, form: dict) -> Any:
        if type(form.get("h")) is int:
            kind = scrub(form.get("n"), 60)
            raise WireError(f"an object of type {kind}, where plain data must stand")
        return self._meaning(form)


def answered(error: Exception, text: str) -> dict:
    """What the learner's code gets of an error on this side: the builtin kind, and a text."""
    kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
    return {"error": scrub(text), "kind": kinds[0]}


def _error(said: Any, raised: str = "") -> LearnerError:
    """The learner's exception, rebuilt from names and text.

    Args:
        raised: what the error of a function of the test said, should it come back.
    """
    said = said if type(said) is dict else {}
    kinds = said.get("kinds") if type(said.get("kinds")) is list else []
    names = [name for name in kinds[:40] if type(name) is str]
    message = scrub(said.get("message"))
    message = raised if message == _RAISED and raised else message
    name = scrub(names[0], 60) if names else ""
    bases = (kind for name in names if (kind := getattr(builtins, name, None)) in _BUILTIN_ERRORS)
    try:
        kind = type(name if name.isidentifier() else "Exception", (LearnerError, next(bases)), {})
        error = kind(message)
    except (StopIteration, TypeError):  # UnicodeDecodeError, say, wants five arguments
        error = LearnerError(f"{name}: {message}")
    error.trace = scrub(said.get("trace"), 6000)
    return error


_BUILTIN_ERRORS = {
    kind
    for kind in vars(builtins).values()
    if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception
} - {StopIteration, StopAsyncIteration}


class Remote:
    """An object of the learner's, in the learner's process."""

    __slots__ = ("_handle", "_kind", "_link")

    def __init__(self, link: Link, handle: int, kind: str):
        for name, value in (("_link", link), ("_handle", handle), ("_kind", kind)):
            object.__setattr__(self, name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _ask(self, "call", {"args": list(args), "kwargs": kwargs})

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return Remote
        if name.startswith("__"):
            return object.__getattribute__(self, name)
        return _ask(self, "attr", name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "set", {"value": value}, name=name)

    def __getitem__(self, key: Any) -> Any:
        return _ask(self, "item", {"key": key})

    def __setitem__(self, key: Any, value: Any) -> None:
        _ask(self, "put", {"key": key, "value": value})

    def __contains__(self, value: Any) -> bool:
        return _plain(_ask(self, "in", {"value": value}), bool, "`in`")

    def __len__(self) -> int:
        length = _plain(_ask(self, "len"), int, "len()")
        if not 0 <= length < _LENGTH:
            raise LearnerError(f"len() of your {_kind(self)} is {length}")
        return length

    def __iter__(self) -> Iterator[Any]:
        form = _plain(_ask(self, "iter"), dict, "iter()")
        handle = _plain(form.get("iterator"), int, "iter()")
        for _ in range(_ITEMS):
            item = _plain(_link(self).ask("next", h=handle), list, "next()")
            if not item:
                return
            yield item[0]

    def __repr__(self) -> str:
        return f"<your {_kind(self)}>"

    def _refuse(self, *_: Any) -> Any:
        raise LearnerError(
            f"your code gave an object of type {_kind(self)} where plain data is expected"
        )

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __str__ = __format__ = _refuse
    __float__ = __int__ = __index__ = __complex__ = __abs__ = __neg__ = __invert__ = _refuse
    __add__ = __sub__ = __mul__ = __truediv__ = __matmul__ = __pow__ = __and__ = __or__ = _refuse
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rmatmul__ = __rpow__ = _refuse
    __reduce_ex__ = __copy__ = __deepcopy__ = _refuse
    __hash__ = None


def _link(remote: Remote) -> Link:
    return object.__getattribute__(remote, "_link")


def _handle(remote: Remote) -> int:
    return object.__getattribute__(remote, "_handle")


def _kind(remote: Remote) -> str:
    return object.__getattribute__(remote, "_kind")


def _ask(remote: Remote, op: str, packed: dict[str, Any] | None = None, **plain: Any) -> Any:
    return _link(remote).ask(op, packed, h=_handle(remote), **plain)


def _plain(value: Any, kind: type, what: str) -> Any:
    if type(value) is not kind:
        raise LearnerError(f"{what} of your object gave no {kind.__name__}")
    return value
