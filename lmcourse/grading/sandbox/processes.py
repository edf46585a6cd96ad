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
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from lmcourse.grading.sandbox import bubblewrap, cgroups, frames
from lmcourse.grading.sandbox.bubblewrap import SandboxError
from lmcourse.grading.sandbox.budgets import Budgets, Deadline, Meter, pid_of
from lmcourse.grading.sandbox.cgroups import Group
from lmcourse.grading.sandbox.frames import ClosedError, WireError
from lmcourse.grading.sandbox.inventory import NOTHING, Inventory
from lmcourse.grading.withholding.withheld import Withheld

# What a server may load ahead beside PyTorch, so that its forks need not: what
# `torch.testing.assert_close` and the optimizers of torch import when they are first called. It
# takes half as long as PyTorch itself.
AHEAD = COMPARISONS, OPTIMIZERS = "comparisons", "optimizers"
_START_SECONDS = 300.0
_FORK_SECONDS = 60.0
_STRAYS = 100  # messages beside an answer: a few are honest, and each costs us work


class Process:
    """One sandboxed process, with all that it starts, and a channel to it.

    Args:
        account: a file in which the keeper says what all its processes have used.
        first: pidfd of the first process of its namespace, with which all others end; None where
            that is this process itself.
        group: in which the kernel counts what they use, where there are such groups.
    """

    def __init__(
        self,
        pidfd: int,
        account: int,
        channel: socket.socket,
        first: int | None = None,
        group: Group | None = None,
    ):
        self._pidfd, self.channel = pidfd, channel
        self._inbox, self._number = frames.Inbox(channel), 0
        self._first, self._group = os.dup(pidfd) if first is None else first, group
        self._meter = Meter.of(pidfd, account)
        self._started = time.monotonic()

    def worked(self) -> float:
        """The seconds that the processor has worked for it; where nobody tells, the clock's."""
        return self._meter.seconds() if self._meter else time.monotonic() - self._started

    def starved(self) -> float:
        """The seconds in which it wanted a processor and had none."""
        return self._meter.starved() if self._meter else 0.0

    def deadline(self, seconds: float, within: Deadline | None = None) -> Deadline:
        """A limit for what it does from now on."""
        return Deadline(seconds, within, processor=self.worked, starved=self.starved)

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._pidfd >= 0 and not _ended(self._pidfd, 0.0)

    def ask(self, head: dict, deadline: Deadline, block: bytes = b"") -> dict:
        """Its answer to one message; `{"status": "memory"}`, if it was ended for its memory.

        Raises:
            TimeoutError: there was none in time.
            ClosedError: it has ended.
            WireError: the answer cannot be read.
        """
        with contextlib.suppress(ClosedError):  # what it said before, and why it ended, is there
            self._send(head, deadline, block)
        return self.answer(deadline)

    def answer(self, deadline: Deadline) -> dict:
        """Its answer to the last message; raises as `ask` does.

        Others are passed over: they come from a child that answers beside its parent, or too late.
        """
        for _ in range(_STRAYS):
            try:
                reply, _ = self._inbox.receive(deadline)
            except ClosedError:
                counted = (self._meter, self._group)  # by the keeper, and by the kernel
                if any(one is not None and one.exceeded() for one in counted):
                    return {"status": "memory"}
                raise
            if reply.get("number") == self._number:
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
        _signal(self._pidfd, signal.SIGINT)

    def end(self) -> None:
        """End it and all that it has started, now."""
        if self._pidfd < 0:
            return
        self.worked()  # while it can be told
        _signal(self._first, signal.SIGKILL)
        _ended(self._first, 5.0)
        os.close(self._first)
        os.close(self._pidfd)
        if self._meter:
            self._meter.close()
        if self._group:
            self._group.close()
        self._pidfd = -1
        self.channel.close()


class ForkServer:
    """A warm process in a sandbox of its own.

    Args:
        module: what a fork runs, as the name of a side of the bridge.
        package: the tree that stands for `lmcourse` inside.
        unseen: what must not be seen, should a folder that Python needs hold it.
        withheld: what the learner's side may not call; `package` is then its `stub_tree`.
        hash_seed: of the order of sets in it (`seeds.hash_seed`); None: another one at each start.
        ahead: which of `AHEAD` it loads; a fork that needs the rest loads it in its own time.

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
        ahead: Collection[str] = AHEAD,
    ):
        bubblewrap.require()
        self._users = itertools.cycle(range(1, bubblewrap.USERS) if os.geteuid() == 0 else [0])
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        server = [sys.executable, "-m", "lmcourse.grading.sandbox.forkserver"]
        inner = [*server, module, str(theirs.fileno())]
        inner.append(json.dumps(withheld.as_json() if withheld else {}))
        inner.append(json.dumps([*ahead]))
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
        self._numbers = itertools.count()

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
            request = _request(budgets, seed, next(self._users))
            first, pidfd, account = self._fork(request, fds)
        # Before its first message it does nothing that would have to be counted.
        group = _grouped(request, (first, pidfd))
        process = Process(pidfd, account, channel, first, group)
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
        number = next(self._numbers)
        text = json.dumps(request | {"number": number}).encode()
        self._control.settimeout(_FORK_SECONDS)
        try:
            socket.send_fds(self._control, [text], fds)
        except OSError as error:
            raise SandboxError(f"the fork server has gone ({error}): {self._said()}") from None
        while True:
            message, received = self._receive()
            if not message:
                raise SandboxError(f"a process could not be started: {self._said()}")
            reply = json.loads(message)
            if reply["number"] != number:  # came too late for the request that it answers
                _drop(received)
            elif received:
                return received
            else:
                why = f"{reply.get('error', '')} {self._said()}"
                raise SandboxError(f"a process could not be started: {why}")

    def _receive(self) -> tuple[bytes, list[int]]:
        """The next reply and the descriptors that come with it; nothing if there is none."""
        try:
            message, fds, *_ = socket.recv_fds(self._control, 4096, 3)
        except OSError:
            return b"", []
        return message, fds

    def _said(self) -> str:
        """The end of what it printed, for the error that a person reads."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), 2000, max(0, size - 2000)).decode("utf-8", "replace")


def _grouped(request: dict, pidfds: Iterable[int]) -> Group | None:
    """A control group with these processes in it, where one can be had."""
    groups = cgroups.here()
    # The keeper stays outside, the first process does not.
    group = groups.group(request["memory"], request["processes"] + 1) if groups else None
    if group is None:
        return None
    try:
        for pid in map(pid_of, pidfds):
            if pid is None:  # a group without it would count nothing
                raise ProcessLookupError
            group.add(pid)
    except OSError:  # the keeper counts alone
        group.close()
        return None
    return group


def _drop(received: list[int]) -> None:
    """End a process for which nobody waits any more: the first of the descriptors is its own."""
    if received:
        _signal(received[0], signal.SIGKILL)
    for descriptor in received:
        os.close(descriptor)


def _signal(pidfd: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)


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
