"""One Python process that runs cells, bounded in time and in output.

Chapter: book/instructors/index.md
"""

import ast
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from queue import Empty

import psutil
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop

from lmcourse.grading.execution.cell_results import CellResult, changed_settings
from lmcourse.grading.safe_text import UNREADABLE, plain
from lmcourse.grading.sandbox.budgets import Deadline

_KEPT = ("text/plain", "image/png", "image/jpeg")
_SOCKET_NAME = 100  # characters; systems allow 103 to 107
_CUT = "[more output was cut]\n"
_OUTPUT_CHARS = 100_000  # kept of one cell's output
SETUP_SECONDS = 120.0  # for Python to start, and for a locked cell that imports
_POLL_SECONDS = 0.25  # from look to look
_GRACE_SECONDS = 10.0  # between asking an endless loop to stop and ending its process
# What the last test awarded; read after each cell, so that no award outlasts its cell.
_AWARD = (
    "(getattr(__import__('sys').modules.get('lmcourse.grading.testing'),"
    " 'take_award', lambda: None)(),)"
)
# Which settings the cell changed, where `shared_process` looks at them.
_CHANGED = (
    "getattr(__import__('sys').modules.get('lmcourse.grading.execution.shared_process'),"
    " 'changed', dict)()"
)
_AFTER = {"award": _AWARD, "changed": _CHANGED}


class SessionError(RuntimeError):
    """Python itself could not be started: nobody's fault who is being graded."""


class _DiedError(SessionError):
    """It ended at once: another program may have taken a port between the choice and its use."""


class _ThisPython(KernelSpecManager):
    """Whatever kernel a notebook names, it runs in the Python that runs the grader."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


class Session:
    """A kernel in `folder`, which it may fill with files; `close` ends it at once."""

    def __init__(self, folder: Path):
        self._answer: dict | None = None  # of the cell that runs
        try:
            self._start(folder, files=True)
        except _DiedError:
            self._start(folder, files=False)

    def _start(self, folder: Path, *, files: bool) -> None:
        """Start the kernel; `files`: if it can be, both sides talk through files, not ports."""
        # They stand in a folder of their own, not among the learner's files.
        self._channels = tempfile.TemporaryDirectory(prefix="lmcourse-")
        connection = Path(self._channels.name) / "kernel.json"
        self._manager = KernelManager(
            kernel_spec_manager=_ThisPython(),
            kernel_name="python3",
            transport="ipc" if files and _can_be_sockets(connection.parent) else "tcp",
            connection_file=str(connection),
        )
        self._client = None
        try:
            self._manager.start_kernel(
                cwd=str(folder),
                env=_environment(folder),
                extra_arguments=["--HistoryManager.enabled=False"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self._client = self._manager.blocking_client()
            self._client.start_channels()
            self._client.wait_for_ready(timeout=SETUP_SECONDS)
        except (OSError, RuntimeError) as error:
            kind = SessionError if self.alive else _DiedError
            self.close()
            raise kind(f"Python could not be started ({plain(str(error), 200)})") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process and forget it."""
        if self._client is not None:
            self._client.stop_channels()
        if self._manager.has_kernel:
            _empty_event_loop()
            self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()
        self._channels.cleanup()

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._manager.is_alive()

    def run(
        self,
        source: str,
        seconds: float,
        *,
        remember: bool = True,
        within: Deadline | None = None,
    ) -> CellResult:
        """Run one cell.

        Args:
            seconds: of the processor's time.
            within: a longer limit, of which this is a part.
            remember: keep the source in the history (`In`) that later cells can read.
        """
        outputs = _Outputs(_OUTPUT_CHARS)
        clock = _Clock(self._manager.provisioner.pid)
        request = self._client.execute(
            source,
            store_history=remember,
            allow_stdin=False,
            stop_on_error=False,
            user_expressions=_AFTER,
        )
        self._answer = None
        deadline = Deadline(seconds, within=within, processor=clock.processor)
        if self._wait(request, outputs, deadline):
            ran = self._reply(request)
        elif self.alive:
            ran = self._stop(request, outputs)
        else:
            ran = CellResult(status="died")
        ran.outputs = outputs.kept
        if ran.status in ("error", "timeout") and self.alive:  # then nothing was read
            self._answer = None
            after = self._reply(self._client.execute("", silent=True, user_expressions=_AFTER))
            ran.changed = after.changed
        return ran

    def _wait(self, request: str, outputs: "_Outputs", deadline: Deadline) -> bool:
        """Collect outputs until the cell is done; False if its time or its process is gone.

        Done is a cell when its outputs have ended, or, where the word of that was lost (the first
        ones of a process can be), some time after it has answered.
        """
        limit = deadline  # then, of the outputs that come after the answer
        while (wait := limit.look(_POLL_SECONDS)) > 0:
            try:
                message = self._client.get_iopub_msg(timeout=wait)
            except Empty:
                if not self.alive:
                    return False
                if limit is deadline and self._answered(request, 0.0):
                    limit = Deadline(_GRACE_SECONDS)
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            content = message["content"]
            if message["msg_type"] == "status" and content.get("execution_state") == "idle":
                return True
            outputs.add(message["msg_type"], content)
        return self._answered(request, 0.0)  # it may have come in the last wait

    def _stop(self, request: str, outputs: "_Outputs") -> CellResult:
        """Interrupt the cell, and end the process if it does not listen."""
        self._manager.interrupt_kernel()
        ran = CellResult(status="timeout")
        if self._wait(request, outputs, Deadline(_GRACE_SECONDS)):
            ran.trace = self._reply(request).trace
        elif self.alive:
            self._manager.shutdown_kernel(now=True)
        return ran

    def _reply(self, request: str) -> CellResult:
        if self._answered(request, _GRACE_SECONDS):
            return _ran(self._answer)
        return CellResult(status="died")

    def _answered(self, request: str, seconds: float) -> bool:
        """Whether the cell's answer has come, or comes within so many seconds."""
        deadline = Deadline(seconds)
        while self._answer is None:
            wait = deadline.look(_POLL_SECONDS)
            try:
                message = self._client.get_shell_msg(timeout=max(0.0, wait))
            except Empty:
                if wait <= 0:
                    return False
                continue
            if message["parent_header"].get("msg_id") == request:
                self._answer = message["content"]
        return True


def _empty_event_loop() -> None:
    """Ctrl-C may come when a wait is over but has not stopped the loop: that stops the next one."""
    loop = ensure_event_loop()
    if not loop.is_running():
        loop.call_soon(loop.stop)
        loop.run_forever()


def _can_be_sockets(folder: Path) -> bool:
    """Whether names in the folder can be sockets: nobody takes those from us, as they do ports."""
    longest = folder / "kernel-ipc-5"
    return os.name == "posix" and str(longest).isascii() and len(str(longest)) <= _SOCKET_NAME


def _ran(reply: dict) -> CellResult:
    # `exit()` answers first and ends the process a moment later: the next cell would be blamed.
    if any(part.get("source") == "ask_exit" for part in reply.get("payload") or []):
        return CellResult(status="died")
    if reply.get("status") == "ok":
        said = reply.get("user_expressions")
        return CellResult(status="ok", award=_award(said), changed=_changed(said))
    trace = reply.get("traceback")
    return CellResult(
        status="error",
        name=plain(str(reply.get("ename", "")), 100),
        message=plain(str(reply.get("evalue", "")), 4000),
        trace=[plain(str(part), 8000) for part in trace[:20]] if isinstance(trace, list) else [],
    )


def _award(said: object) -> float | None:
    """The fraction that the process says was awarded; None if there was no `award`."""
    try:
        fraction = float(_expression(said, "award").strip("(),"))
    except ValueError:  # `None`: no award
        return None
    return fraction if 0 <= fraction <= 1 else None


def _changed(said: object) -> dict[str, str]:
    """The settings that the process says were changed."""
    try:
        return changed_settings(ast.literal_eval(_expression(said, "changed")))
    except UNREADABLE:
        return {}


def _expression(said: object, name: str) -> str:
    """The value of one expression, as the process shows it."""
    form = said.get(name) if isinstance(said, dict) else None
    data = form.get("data") if isinstance(form, dict) else None
    return str(data.get("text/plain", "")) if isinstance(data, dict) else ""


class _Clock:
    """How long the processor has worked for a process since it was made."""

    def __init__(self, pid: int):
        try:
            self._process = psutil.Process(pid)
        except psutil.Error:
            self._process = None
        self._before = 0.0
        self._before = self.processor()

    def processor(self) -> float:
        try:
            times = self._process.cpu_times() if self._process else None
        except psutil.Error:  # the process is gone, which others will notice
            times = None
        return times.user + times.system - self._before if times else 0.0


class _Outputs:
    """Outputs as plain data: text and still pictures only, up to a number of characters."""

    def __init__(self, limit: int):
        self.kept: list[dict] = []
        self._left = limit

    def add(self, kind: str, content: dict) -> None:
        if kind == "stream":
            text = str(content.get("text", ""))
            name = "stderr" if content.get("name") == "stderr" else "stdout"
            self._keep({"output_type": "stream", "name": name, "text": text}, len(text))
        elif kind in ("display_data", "execute_result"):
            data = content.get("data") or {}
            kept = {kind: data[kind] for kind in _KEPT if isinstance(data.get(kind), str)}
            if kept:
                output = {"output_type": "display_data", "data": kept, "metadata": {}}
                self._keep(output, sum(map(len, kept.values())))

    def _keep(self, output: dict, size: int) -> None:
        if self._left < 0:
            return
        self._left -= size
        last = self.kept[-1] if self.kept else {}
        if self._left < 0:
            output = {"output_type": "stream", "name": "stdout", "text": _CUT}
        if output["output_type"] == last.get("output_type") == "stream" and (
            output["name"] == last["name"]
        ):
            last["text"] += output["text"]
        else:
            self.kept.append(output)


def _environment(folder: Path) -> dict[str, str]:
    """The grader's own, except for what one learner's code could leave behind for the next."""
    removed = ("PYTHONSTARTUP", "PYTHONINSPECT")
    kept = {name: value for name, value in os.environ.items() if name not in removed}
    return {
        "OMP_NUM_THREADS": "1",
        **kept,
        "IPYTHONDIR": str(folder / ".ipython"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
