"""The learner's side: runs cells for the grader and calls for the judge.

Chapter: book/instructors/sandbox.md

Nothing here is a defense and nothing here is a secret: the learner's code shares this process and
may change all of it. What the judge learns is data that it compares itself.
"""

import builtins
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable
from typing import Any

from lmcourse.grading.bridge import shell, substitutes
from lmcourse.grading.bridge.probes import SENT_AS, imported
from lmcourse.grading.bridge.torch_defaults import Defaults
from lmcourse.grading.bridge.wire import Packer, Unpacker
from lmcourse.grading.sandbox import frames
from lmcourse.grading.sandbox.frames import WireError
from lmcourse.grading.withholding import torch_functions

_TRACE_CHARS = 4000


class Callback:
    """A function of the test's: calling it asks the judge. Its own name stays there."""

    def __init__(self, service: "Service", number: int):
        self._service, self._number = service, number
        self.__name__ = self.__qualname__ = "function"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._service.ask_back(self._number, args, kwargs)


class _End:
    """What `next` returns when nothing is left."""


class Service:
    """Answers the judge's requests with the learner's objects.

    Args:
        names: the namespace in which the learner's cells ran.
        defaults: the settings under which the learner's objects are used.
    """

    def __init__(self, link: socket.socket, names: dict[str, Any], defaults: Defaults):
        self._names, self._defaults, self._process = names, defaults, os.getpid()
        self._link, self._inbox = link, frames.Inbox(link)
        self._things: dict[int, Any] = {}
        self._current = 0

    def answer_next(self) -> None:
        """Answer the judge's next request."""
        self.answer(*self._inbox.receive())

    def answer(self, head: dict, block: bytes) -> None:
        """Do what one request asks and send the result, data or handle; or the error."""
        before, number = self._current, head["seq"]
        self._current = number
        packer = Packer(self._handle)
        try:
            with self._defaults.around():
                result = self._do(head, Unpacker(block, self._thing))
                _end_of_a_child(self._process)
                reply = {"seq": number, "value": packer.pack(result)}
            frames.send(self._link, reply, packer.blocks)
        except frames.ClosedError:
            raise
        except BaseException as error:  # SystemExit and KeyboardInterrupt are answers as well
            _end_of_a_child(self._process)
            frames.send(self._link, {"seq": number, "error": _described(error)})
        finally:
            self._current = before

    @property
    def asked(self) -> bool:
        """Whether a test waits for an answer: only then does the judge listen."""
        return self._current != 0

    def ask_back(self, number: int, args: tuple, kwargs: dict) -> Any:
        """Call the judge's function; the judge may ask something itself before it answers."""
        return self._ask({"callback": number}, {"args": list(args), "kwargs": kwargs})

    def ask_author(self, request: dict[str, Any]) -> Any:
        """What the author's version answers (`authors_answers`)."""
        return self._ask({}, {"author": request})

    def _ask(self, head: dict, packed: dict[str, Any]) -> Any:
        if os.getpid() != self._process:  # it and its parent would take each other's answers
            raise RuntimeError("only the process of the notebook can ask the test, no child of it")
        packer = Packer(self._handle)
        parts = {name: packer.pack(value) for name, value in packed.items()}
        frames.send(self._link, {"seq": self._current, **head, **parts}, packer.blocks)
        while True:
            head, block = self._inbox.receive()
            if "op" not in head:
                break
            self.answer(head, block)
        if "error" in head:
            kind = getattr(builtins, head.get("kind", ""), RuntimeError)
            raise kind(head["error"])
        return Unpacker(block, self._thing).unpack(head.get("value"))

    def _handle(self, thing: Any) -> dict:
        if isinstance(thing, Callback) and thing._service is self:
            return {"callback": thing._number}
        self._things[len(self._things)] = thing
        return {"h": len(self._things) - 1, "n": type(thing).__name__}

    def _thing(self, form: dict) -> Any:
        if "callback" in form:
            return Callback(self, form["callback"])
        return self._things[form["h"]]

    def _do(self, head: dict, reader: Unpacker) -> Any:
        return getattr(self, f"_do_{head['op']}")(head, reader)

    def _do_names(self, head: dict, reader: Unpacker) -> list[str]:
        return [name for name in head["names"] if name in self._names]

    def _do_get(self, head: dict, reader: Unpacker) -> Any:
        return self._names[head["name"]]

    def _do_call(self, head: dict, reader: Unpacker) -> Any:
        args, kwargs = reader.unpack(head["args"]), reader.unpack(head["kwargs"])
        return self._things[head["h"]](*args, **kwargs)

    def _do_attr(self, head: dict, reader: Unpacker) -> Any:
        return getattr(self._things[head["h"]], head["name"])

    def _do_set(self, head: dict, reader: Unpacker) -> None:
        setattr(self._things[head["h"]], head["name"], reader.unpack(head["value"]))

    def _do_item(self, head: dict, reader: Unpacker) -> Any:
        return self._things[head["h"]][reader.unpack(head["key"])]

    def _do_put(self, head: dict, reader: Unpacker) -> None:
        self._things[head["h"]][reader.unpack(head["key"])] = reader.unpack(head["value"])

    def _do_in(self, head: dict, reader: Unpacker) -> bool:
        return reader.unpack(head["value"]) in self._things[head["h"]]

    def _do_len(self, head: dict, reader: Unpacker) -> int:
        return len(self._things[head["h"]])

    def _do_iter(self, head: dict, reader: Unpacker) -> dict:
        iterator = iter(self._things[head["h"]])
        self._things[len(self._things)] = iterator
        return {"iterator": len(self._things) - 1}

    def _do_next(self, head: dict, reader: Unpacker) -> list:
        item = next(self._things[head["h"]], _End)
        return [] if item is _End else [item]

    def _do_probe(self, head: dict, reader: Unpacker) -> Any:
        scope = {name: imported(path) for name, path in head["imports"].items()}
        scope |= reader.unpack(head["values"])
        scope |= {name: self._names[name] for name in head["names"]}
        scope |= {"__builtins__": builtins, "__name__": "probe"}
        exec(compile(head["source"], "<probe>", "exec"), scope)
        args, kwargs = reader.unpack(head["args"]), reader.unpack(head["kwargs"])
        return scope[SENT_AS](*args, **kwargs)


def _described(error: BaseException) -> dict:
    """An exception as names and text; its own methods may fail in turn."""
    try:
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        message = str(message)
    except BaseException:
        message = ""
    try:
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        # The first frames are this file's.
        trace = "".join(lines[:1] + [line for line in lines[1:] if __file__ not in line])
    except BaseException:
        trace = ""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return {"kinds": kinds, "message": message[:_TRACE_CHARS], "trace": trace[-_TRACE_CHARS:]}


def prepare(withheld: dict) -> Callable[[list[socket.socket], dict], None]:
    """What a fork of the learner's side does; called once, before the first fork."""
    torch_functions.apply(withheld)
    ready, defaults = shell.ready_shell(), Defaults()

    def body(sockets: list[socket.socket], request: dict) -> None:
        serve(*sockets, ready, defaults)

    return body


def serve(
    channel: socket.socket, link: socket.socket, ready: shell.Shell, defaults: Defaults
) -> None:
    """Answer the grader (cells) and the judge (calls), until either has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is meant for cells: `_run`
    service = Service(link, ready.user_ns, defaults)
    substitutes.connect(service)
    this, inbox = os.getpid(), frames.Inbox(channel)
    shell.import_own_modules()
    shell.take_streams(ready)
    while True:
        for sock in select.select([channel, link], [], [])[0]:
            try:
                if sock is link:
                    service.answer_next()
                    continue
                head, block = inbox.receive()
                said = _for_grader(ready, defaults, head, block)
                _end_of_a_child(this)
                frames.send(channel, {**said, "number": head["number"]})
            except (frames.ClosedError, WireError):
                return
            finally:
                _end_of_a_child(this)


def _end_of_a_child(process: int) -> None:
    """A cell or a call forked, and its child came out as well: only `process` may answer."""
    if os.getpid() != process:
        os._exit(0)


def _for_grader(ready: shell.Shell, defaults: Defaults, head: dict, block: bytes) -> dict:
    if head["op"] == "file":
        os.makedirs(os.path.dirname(head["name"]) or ".", exist_ok=True)
        with open(head["name"], "wb") as file:
            file.write(block)
        return {"status": "ok"}
    ran = _run(ready, head)
    if head["locked"]:
        defaults.adopt()
    return ran | {"changed": defaults.changed()}


def _run(ready: shell.Shell, head: dict) -> dict:
    """Run a cell. Only meanwhile does the process hear of an interrupt.

    One that comes when the cell has just ended would end the process, or cut its answer in two.
    """
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return shell.run_cell(ready, head["source"], head["limit"], store=head["store"])
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:  # at the last moment
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return {"status": "error", "name": "KeyboardInterrupt", "outputs": ready.outputs.kept}
