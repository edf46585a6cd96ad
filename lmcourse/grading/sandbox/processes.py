"""The grader's side of the warm fork servers: start one, ask it for a process, end that process.

Chapter: book/instructors/sandbox.md

Threat: a process that does not end, does not answer, or answers nonsense. Each wait has a deadline;
ending a process is one signal to the first process of its namespace, with which the kernel ends all
that it has started, daemons included; a server that has gone takes its processes with it.
"""

import contextlib
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lmcourse.grading.sandbox import bubblewrap, frames
from lmcourse.grading.sandbox.bubblewrap import SandboxError
from lmcourse.grading.sandbox.budgets import Budgets, Deadline, Meter
from lmcourse.grading.sandbox.frames import ClosedError, WireError
from lmcourse.grading.sandbox.inventory import NOTHING, Inventory
from lmcourse.grading.sandbox.withheld_functions import Withheld

_START_SECONDS = 300.0
_FORK_SECONDS = 60.0
_STRAYS = 100  # messages beside an answer: a few are honest, and each costs us work


class Process:
    """One sandboxed process: the first of its namespaces, and a channel to it.

    Args:
        account: a file in which the keeper says how long all its processes have worked.
    """

    def __init__(self, pidfd: int, account: int, channel: socket.socket):
        self._pidfd, self.channel = pidfd, channel
        self._inbox, self._number = frames.Inbox(channel), 0
        self._meter = Meter.of(pidfd, account)
        self._started = time.monotonic()

    def worked(self) -> float:
        """The seconds that the processor has worked for it; where nobody tells, the clock's."""
        return self._meter.seconds() if self._meter else time.monotonic() - self._started

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._pidfd >= 0 and not _ended(self._pidfd, 0.0)

    def ask(self, head: dict, deadline: Deadline, block: bytes = b"") -> dict:
        """Its answer to one message.

        Raises:
            TimeoutError: there was none in time.
            ClosedError: it has ended.
            WireError: the answer cannot be read.
        """
        self._send(head, deadline, block)
        return self.answer(deadline)

    def answer(self, deadline: Deadline) -> dict:
        """Its answer to the last message; raises as `ask` does.

        Others are passed over: they come from a child that answers beside its parent, or too late.
        What its keeper says of its memory has no number.
        """
        for _ in range(_STRAYS):
            reply, _ = self._inbox.receive(deadline)
            if reply.get("number") == self._number or reply.get("status") == "memory":
                return reply
            if deadline.passed:
                raise TimeoutError
        raise WireError("messages that nobody asked for")

    def hand_over(
        self, head: dict, sock: socket.socket, other: "Process", deadline: Deadline
    ) -> dict:
        """Its answer to a message that a socket comes with, and the meter of the other process.

        Raises as `ask` does.
        """
        self._send(head, deadline)
        meters = other._meter.descriptors if other._meter else []
        try:
            socket.send_fds(self.channel, [b"."], [sock.fileno(), *meters])
        except OSError:
            raise ClosedError from None
        return self.answer(deadline)

    def _send(self, head: dict, deadline: Deadline, block: bytes = b"") -> None:
        self._number += 1
        frames.send(self.channel, {**head, "number": self._number}, [block], deadline)

    def interrupt(self) -> None:
        """Ask it to stop what it does, as Ctrl-C would."""
        self._signal(signal.SIGINT)

    def end(self) -> None:
        """End it and all that it has started, now."""
        if self._pidfd < 0:
            return
        self.worked()  # while it can be told
        self._signal(signal.SIGKILL)
        _ended(self._pidfd, 5.0)
        os.close(self._pidfd)
        if self._meter:
            self._meter.close()
        self._pidfd = -1
        self.channel.close()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)


class ForkServer:
    """A warm process in a sandbox of its own.

    Args:
        module: what a fork runs, as the name of a side of the bridge.
        package: the tree that stands for `lmcourse` inside.
        unseen: what must not be seen, should a folder that Python needs hold it.
        withheld: what the learner's side may not call; `package` is then its `stub_tree`.
        hash_seed: of the order of sets in it (`seeds.hash_seed`); None: another one at each start.

    Raises:
        SandboxError: it cannot be started, with the reason.
    """

    def __init__(
        self,
        module: str,
        *,
        package: Path | None = None,
        unseen: Inventory = NOTHING,
        withheld: Withheld | None = None,
        hash_seed: str | None = None,
    ):
        bubblewrap.require()
        self._users = itertools.cycle(range(1, bubblewrap.USERS) if os.geteuid() == 0 else [0])
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        server = [sys.executable, "-m", "lmcourse.grading.sandbox.forkserver"]
        inner = [*server, module, str(theirs.fileno())]
        inner.append(json.dumps(withheld.as_json() if withheld else {}))
        options: dict[str, Any] = {} if package is None else {"package": package}
        if hash_seed is not None:
            options["environment"] = {"PYTHONHASHSEED": hash_seed}
        with theirs:
            self._process = subprocess.Popen(
                bubblewrap.command(inner, unseen=unseen, **options),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
            )
        self._warm = False

    def __enter__(self) -> "ForkServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it, and all processes that it has given out."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._log.close()

    def process(
        self, budgets: Budgets, seed: int, sockets: Iterable[socket.socket] = ()
    ) -> Process:
        """A new process, enclosed and limited, that has `sockets` beside its channel.

        Raises:
            SandboxError: there is none, with the reason; nothing runs unprotected instead.
        """
        channel, theirs = socket.socketpair()
        with theirs:
            fds = [theirs.fileno(), *(sock.fileno() for sock in sockets)]
            pidfd, account = self._fork(_request(budgets, seed, next(self._users)), fds)
        process = Process(pidfd, account, channel)
        try:
            first, _ = frames.receive(channel, Deadline(_FORK_SECONDS))
        except (ClosedError, TimeoutError, WireError) as error:
            first = {"status": "broken", "message": type(error).__name__}
        if first.get("status") != "ready":
            process.end()
            raise SandboxError(f"a process could not be enclosed: {first.get('message')}")
        return process

    def wait_until_warm(self) -> None:
        """Return when Python and PyTorch are loaded."""
        if self._warm:
            return
        self._control.settimeout(_START_SECONDS)
        if self._receive()[0] != b"warm":
            raise SandboxError(f"the fork server did not start: {self._said()}")
        self._warm = True

    def _fork(self, request: dict, fds: list[int]) -> list[int]:
        self.wait_until_warm()
        self._control.settimeout(_FORK_SECONDS)
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], fds)
        except OSError as error:
            raise SandboxError(f"the fork server has gone ({error}): {self._said()}") from None
        message, received = self._receive()
        if not received:
            raise SandboxError(f"a process could not be started: {message.decode()}{self._said()}")
        return received

    def _receive(self) -> tuple[bytes, list[int]]:
        try:
            message, fds, *_ = socket.recv_fds(self._control, 4096, 2)
        except OSError:
            return b"", []
        return message, fds

    def _said(self) -> str:
        """The end of what it printed, for the error that a person reads."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), 2000, max(0, size - 2000)).decode("utf-8", "replace")


def _ended(pidfd: int, seconds: float) -> bool:
    """Whether the process ends within so many seconds (`select` fails beyond 1024 descriptors)."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _request(budgets: Budgets, seed: int, user: int) -> dict:
    return {
        "user": user,
        "seed": seed,
        "keep": bubblewrap.below_tmp(),
        "memory": budgets.memory_bytes,
        "disk": budgets.disk_bytes,
        "processes": budgets.processes,
        "files": budgets.open_files,
        "cpu": round(budgets.total_seconds) + 10,
    }
