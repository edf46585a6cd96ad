"""Runs the learner's cells as Jupyter would and returns what they show, as bounded data.

Chapter: book/instructors/sandbox.md

It lives in the sandbox, beside the learner's code, and promises nothing: whoever reads its answers
checks them again. The bound on output is for the honest, whose endless print must not end badly:
with more than a message may hold, the process would end.
"""

import asyncio
import contextvars
import io
import json
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Coroutine
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from lmcourse.grading.safe_text import scrub

CUT = "[more output was cut]\n"
# Where `str.splitlines` ends a line and Python does not; a form feed may stand before a line.
_NO_END = re.compile(r"[\x0b\x1c-\x1e\x85\u2028\u2029]|(?<=.)\x0c")
_IDLE = 1.0  # seconds that tasks which a cell leaves behind may go on before the next cell
_FORM = 100  # characters of an output beside its text
_TRACE_CHARS, _TRACE_PARTS = 4000, 20  # as much as is read of an error (`cell_results`)


class CellTransformer(TransformerManager):
    """IPython's syntax, in lines that end where Python ends them.

    IPython splits a cell wherever `str.splitlines` does: what follows U+2028 in a string would be
    a line of code. So a letter that the cell does not have stands there meanwhile.
    """

    def transform_cell(self, cell: str) -> str:
        """The cell in Python's own syntax."""
        letters = (c for c in map(chr, range(0x20000, 0x2A000)) if c not in cell)
        stand_ins = dict(zip(sorted({*_NO_END.findall(cell)}), letters, strict=False))
        cell = super().transform_cell(_NO_END.sub(lambda found: stand_ins[found[0]], cell))
        return cell.translate({ord(letter): end for end, letter in stand_ins.items()})


class Outputs:
    """Outputs in the notebook's own form, up to a number of characters, as they cross the wire."""

    def __init__(self, limit: int):
        self.kept: list[dict] = []
        self._left = limit
        self._wipe = False

    def text(self, name: str, text: str) -> None:
        """Printed text; it joins the text before it."""
        text = text.replace("\r\n", "\n")  # `!ls` writes to a terminal
        last = self.kept[-1] if self.kept else {}
        joins = last.get("output_type") == "stream" and last.get("name") == name
        if not text or not self._room(_size(text) + (0 if joins else _FORM)):
            return
        if joins and self.kept:
            last["text"] += text
        else:
            self.kept.append({"output_type": "stream", "name": name, "text": text})

    def show(self, kind: str, data: dict, **more: Any) -> None:
        """A displayed object, in each of its forms that is text."""
        data = {key: value for key, value in data.items() if isinstance(value, str)}
        if data and self._room(_size(*data, *data.values()) + _FORM):
            self.kept.append({"output_type": kind, "data": data, "metadata": {}, **more})

    def clear(self, wait: bool) -> None:
        """Forget what was shown, now or when something new comes."""
        self._wipe = wait
        if not wait:
            self.kept.clear()

    def _room(self, size: int) -> bool:
        if self._wipe:
            self.clear(wait=False)
        if self._left < 0:
            return False
        self._left -= size
        if self._left < 0:
            self.kept.append({"output_type": "stream", "name": "stdout", "text": CUT})
        return self._left >= 0


def _size(*texts: str) -> int:
    """The characters of texts as JSON, in which one sign may take twelve of them."""
    return sum(len(json.dumps(text)) for text in texts)


class _Stream(io.RawIOBase):
    """`sys.stdout` or `sys.stderr`, on its way to the outputs."""

    def __init__(self, shell: "Shell", number: int):
        self._shell, self._number = shell, number

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, contents: Any) -> int:
        name = "stdout" if self._number == 1 else "stderr"
        self._shell.outputs.text(name, bytes(contents).decode("utf-8", "replace"))
        return len(contents)


class _Hook(DisplayHook):
    """The value of a cell's last line."""

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict, md_dict: dict | None = None) -> None:
        count = self.shell.execution_count - 1
        self.shell.outputs.show("execute_result", format_dict, execution_count=count)

    def finish_displayhook(self) -> None:
        self._is_active = False


class _Publisher(DisplayPublisher):
    """What `display` shows; an update appears as a new output."""

    def publish(self, data: dict, metadata: dict | None = None, **_: Any) -> None:
        self.shell.outputs.show("display_data", data)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.outputs.clear(wait)


class Shell(InteractiveShell):
    """IPython without a terminal or a kernel: magics, `!ls`, `display` and top-level await work."""

    outputs = Outputs(0)
    problem: dict | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    def run_in_loop(self) -> None:
        """From here on cells run in an event loop, as in a kernel, so that they may make tasks.

        It is made after the fork: two processes must not wait at one loop.
        """
        if self._loop is None:
            self._loop, self.loop_runner = asyncio.new_event_loop(), self._run

    def should_run_async(self, raw_cell: str, **more: Any) -> bool:
        """Every cell is run by `loop_runner` as soon as there is a loop."""
        return self._loop is not None or super().should_run_async(raw_cell, **more)

    def _run(self, cell: Coroutine) -> Any:
        """What the cell gives; tasks that it leaves behind go on for a while, as in a kernel."""
        context = contextvars.copy_context()
        result = self._loop.run_until_complete(self._loop.create_task(cell, context=context))
        for variable, value in context.items():  # what the cell has set stays set
            variable.set(value)
        if left := asyncio.all_tasks(self._loop):
            self._loop.run_until_complete(asyncio.wait(left, timeout=_IDLE))
        return result

    def ask_exit(self) -> None:
        """`exit` ends the process, as it ends a kernel."""
        os._exit(0)

    def enable_gui(self, gui: str | None = None) -> None:
        """`%matplotlib inline` asks for it; there is no screen."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        try:
            message = str(evalue)
        except Exception:
            message = ""
        self.problem = _shortened(etype.__name__, message, [*map(str, stb)])


def ready_shell() -> Shell:
    """The one shell of this process, made before it forks."""
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = "nocolor"
    shell = Shell.instance(config=config, displayhook_class=_Hook, display_pub_class=_Publisher)
    shell.input_transformer_manager = CellTransformer()
    for cell in ("1 / 0", "!true", "print(1)", "1"):  # the first pays for imports
        shell.run_cell(cell, silent=True)
    return shell


def import_own_modules() -> None:
    """From here on the process imports what stands in its folder, as a kernel does.

    So do the interpreters that it starts.
    """
    os.environ.pop("PYTHONSAFEPATH", None)
    sys.path.insert(0, "")


def take_streams(shell: Shell) -> None:
    """From here on the process reads nothing and prints into the outputs; so do those it starts."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = os.fdopen(0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        with tempfile.TemporaryFile(buffering=0) as file:
            os.dup2(file.fileno(), number)  # which also lets subprocesses have it
        stream = io.TextIOWrapper(
            _Stream(shell, number), encoding="utf-8", errors="backslashreplace", write_through=True
        )
        setattr(sys, name, stream)


def run_cell(shell: Shell, source: str, limit: int, store: bool = True) -> dict:
    """Run one cell; its status, error and outputs.

    Args:
        store: keep the source in the history (`In`).
    """
    shell.outputs, shell.problem = Outputs(limit), None
    shell.run_in_loop()
    try:
        result = shell.run_cell(source, store_history=store, silent=False)
        error = result.error_before_exec or result.error_in_exec
    except BaseException as escaped:  # whatever leaves IPython itself is the cell's doing too
        error = escaped
    for number, name in ((1, "stdout"), (2, "stderr")):
        shell.outputs.text(name, _written(number, limit))
    answer = {"status": "ok", "name": "", "message": "", "trace": []}
    if error is not None:
        answer |= {"status": "error", **(shell.problem or _problem(error))}
    return {**answer, "outputs": shell.outputs.kept}


def _problem(error: BaseException) -> dict:
    trace = traceback.format_exception_only(type(error), error)
    return _shortened(type(error).__name__, "".join(trace).strip(), trace)


def _shortened(name: str, message: str, trace: list[str]) -> dict:
    """An error, as much of it as is read."""
    parts = [scrub(part, _TRACE_CHARS) for part in trace[:_TRACE_PARTS]]
    return {"name": name, "message": scrub(message, _TRACE_CHARS), "trace": parts}


def _written(number: int, limit: int) -> str:
    """What came past Python's own streams, from subprocesses say, since the last time."""
    try:
        size = os.fstat(number).st_size
        text = os.pread(number, limit, 0).decode("utf-8", "replace")
        os.ftruncate(number, 0)
        os.lseek(number, 0, os.SEEK_SET)
    except OSError:  # the learner's code closed or replaced it
        return ""
    return text + (CUT if size > limit else "")
