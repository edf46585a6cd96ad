"""A warm process in the sandbox that becomes, in milliseconds, the process of one submission.

Chapter: book/instructors/sandbox.md

Threat: what one submission does to its process must not reach the next one. The server itself never
runs a learner's line; it imports PyTorch once, and each request gets a fork of it that is enclosed
(`namespaces`), filtered (`seccomp`), limited and seeded anew before it reads its first message. If
any of these steps fails, the fork says so and ends: nothing runs half protected.

    python -m lmcourse.grading.sandbox.forkserver MODULE DESCRIPTOR WITHHELD
"""

import gc
import importlib
import json
import os
import re
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from lmcourse.grading.sandbox import budgets, frames, namespaces, seccomp, withheld_functions
from lmcourse.grading.sandbox.seeds import reseed

_WATCH_SECONDS = 0.05
_RESIDENT = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.M)


def warm() -> None:
    """Pay once for what the first call of common functions costs.

    No backward pass and no second thread: neither survives a fork well.
    """
    torch.set_num_threads(1)
    torch.testing.assert_close(torch.ones(2), torch.ones(2))
    with torch.no_grad():
        x = torch.ones(1, 2, 4)
        torch.nn.MultiheadAttention(4, 2, batch_first=True).eval()(x, x, x)
        torch.nn.LSTMCell(2, 2)(torch.ones(1, 2))
        weight = torch.nn.Parameter(torch.ones(2, 2))
        weight.grad = torch.ones(2, 2)
        torch.optim.AdamW([weight], lr=0.1).step()
        torch.multinomial(torch.rand(3), 1)
        torch.randint(3, (2,))
    list(torch.utils.data.DataLoader([torch.ones(1)] * 2, batch_size=2))


class Server:
    """Forks on request.

    Args:
        control: where requests come from, each with the sockets that the fork is to have.
        body: what a fork does with them.
        covers: what a fork has over which files (`namespaces.enclose`).
    """

    def __init__(
        self,
        control: socket.socket,
        body: Callable[[list[socket.socket], dict], None],
        covers: Sequence[tuple[str, str]] = (),
    ):
        self._control, self._body, self._covers = control, body, covers

    def run(self) -> None:
        """Serve until the grader has gone."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers need no funeral
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's to handle
        while True:
            message, fds, *_ = socket.recv_fds(self._control, 1 << 16, 4)
            if not message:
                return
            if os.fork() == 0:
                try:
                    self._keep(json.loads(message), fds)
                finally:
                    os._exit(1)
            for fd in fds:
                os.close(fd)

    def _keep(self, request: dict, fds: list[int]) -> None:
        """The keeper of one submission: outside its process namespace, an eye on all inside."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            namespaces.separate(request["user"])
            processes = os.open(namespaces.PROC, os.O_RDONLY)
            child = os.fork()
        except OSError as error:
            self._control.send(json.dumps({"error": str(error)}).encode())
            return
        if child == 0:
            self._become(request, fds)
            os._exit(0)
        pidfd, account = os.pidfd_open(child), os.memfd_create("worked")
        socket.send_fds(self._control, [b"{}"], [pidfd, account])
        self._control.close()
        watch = _Watch(processes, child, request["memory"])
        while not select.select([pidfd], [], [], _WATCH_SECONDS)[0]:
            watch.look()
            os.pwrite(account, b"%015.2f" % watch.worked, 0)  # always as long: no old end is left
            if watch.exceeded:
                frames.send(socket.socket(fileno=fds[0]), {"status": "memory"})
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os._exit(0)

    def _become(self, request: dict, fds: list[int]) -> None:
        """The first process of the submission's own namespaces."""
        channel = None
        try:
            sockets = [socket.socket(fileno=fd) for fd in fds]
            channel = sockets[0]
            self._control.detach()
            _close_all_but(fds)
            namespaces.enclose(request["disk"], request["keep"], self._covers)
            namespaces.limit(
                request["memory"],
                request["disk"],
                request["processes"],
                request["files"],
                request["cpu"],
            )
            seccomp.install()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            reseed(request["seed"])
            frames.send(channel, {"status": "ready"})
        except BaseException as error:
            if channel is not None:
                frames.send(channel, {"status": "broken", "message": str(error)})
            return
        self._body(sockets, request)


def _close_all_but(fds: list[int]) -> None:
    keep = sorted({0, 1, 2, *fds})
    for low, high in zip(keep, [*keep[1:], 1 << 16], strict=True):
        os.closerange(low + 1, high)


class _Watch:
    """All processes of one submission together: their memory, which the kernel limits only for
    each, and the processor's seconds, which it does not tell of the living.
    """

    def __init__(self, processes: int, first: int, limit: int):
        self._processes, self._limit = processes, limit
        self._own = self._namespace(first)
        self._before = self._resident(first)  # shared with the server until it is written to
        self.exceeded, self.worked = False, 0.0

    def look(self) -> None:
        names = [name for name in os.listdir(self._processes) if name.isdigit()]
        # Parents before children: one that ends meanwhile is not counted with both.
        ours = [pid for pid in sorted(map(int, names)) if self._namespace(pid) == self._own]
        self.worked = max(self.worked, sum(map(self._worked, ours)))
        used = sum(max(0, self._resident(pid) - self._before) for pid in ours)
        self.exceeded = used > self._limit

    def _worked(self, pid: int) -> float:
        try:
            return budgets.processor_seconds(self._read(pid, "stat"))
        except (OSError, ValueError):  # it has just ended
            return 0.0

    def _namespace(self, pid: int) -> str:
        try:
            return os.readlink(f"{pid}/ns/pid", dir_fd=self._processes)
        except OSError:
            return ""

    def _resident(self, pid: int) -> int:
        """Bytes of memory that no file on a disk stands behind."""
        try:
            found = _RESIDENT.findall(self._read(pid, "status"))
        except OSError:  # it has just ended
            return 0
        return sum(map(int, found)) * 1024

    def _read(self, pid: int, name: str) -> bytes:
        with open(os.open(f"{pid}/{name}", os.O_RDONLY, dir_fd=self._processes), "rb") as file:
            return file.read()


def main(module: str, descriptor: int, withheld: dict) -> None:
    """Become the server of one side of the bridge.

    Args:
        module: the name of the side; its `prepare(withheld)` gives what a fork does.
        withheld: see `withheld_functions.apply`; from the learner's side only.
    """
    control = socket.socket(fileno=descriptor)
    warm()
    body = importlib.import_module(module).prepare(withheld)
    namespaces.mount_proc()
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page that it looks at
    control.send(b"warm")
    package = Path(namespaces.__file__).resolve().parents[2]
    Server(control, body, withheld_functions.covers(package)).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))
