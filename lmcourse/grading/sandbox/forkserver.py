"""A warm process in the sandbox that becomes, in milliseconds, the process of one submission.

Chapter: book/instructors/sandbox.md

Threat: what one submission does to its process must not reach the next one. The server itself never
runs a learner's line; it imports PyTorch once, and each request gets a fork of it that is enclosed
(`namespaces`), filtered (`seccomp`), limited, counted (`keeper`) and seeded anew before it reads
its first message. If any of these steps fails, the fork says so and ends: nothing runs half
protected.

    python -m lmcourse.grading.sandbox.forkserver MODULE DESCRIPTOR WITHHELD AHEAD
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import torch

from lmcourse.grading.sandbox import (
    budgets,
    frames,
    keeper,
    namespaces,
    seccomp,
)
from lmcourse.grading.sandbox.seeds import reseed
from lmcourse.grading.withholding import torch_files


def warm(ahead: Collection[str]) -> None:
    """Pay once for what the first call of common functions costs.

    No backward pass and no second thread: neither survives a fork well.

    Args:
        ahead: see `processes.AHEAD`.
    """
    torch.set_num_threads(1)
    if "comparisons" in ahead:
        torch.testing.assert_close(torch.ones(2), torch.ones(2))
    with torch.no_grad():
        x = torch.ones(1, 2, 4)
        torch.nn.MultiheadAttention(4, 2, batch_first=True).eval()(x, x, x)
        torch.nn.LSTMCell(2, 2)(torch.ones(1, 2))
        if "optimizers" in ahead:
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
        """Start the submission's first process, then be its keeper."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        reply = {"number": request["number"]}
        try:
            namespaces.separate(request["user"])
            outside = os.open(namespaces.PROC, os.O_RDONLY)
            gate, theirs = socket.socketpair()
            first = os.fork()
        except OSError as error:
            self._control.send(json.dumps(reply | {"error": str(error)}).encode())
            return
        if first == 0:
            gate.close()
            self._become(request, fds, theirs)
            os._exit(0)
        theirs.close()
        pidfd, account = os.pidfd_open(first), os.memfd_create("account")
        os.pwrite(account, budgets.account(0.0, 0.0, False), 0)
        _, learners, *_ = socket.recv_fds(gate, 1, 1)
        # Where there is no learner's process the first one has said why.
        given = [pidfd, *(learners or [pidfd]), account]
        socket.send_fds(self._control, [json.dumps(reply).encode()], given)
        self._control.close()
        if not learners:
            return
        # This is now the one of the new namespace.
        inside = keeper.Processes(os.open("/proc", os.O_RDONLY))
        watch = keeper.Watch(inside, request["memory"], keeper.Processes(outside))
        gate.send(b".")  # only now can it take memory
        try:
            keeper.keep(pidfd, account, watch)
        except BaseException:  # the first process ends with its keeper, and nobody would know why
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def _become(self, request: dict, fds: list[int], gate: socket.socket) -> None:
        """The first process of the submission's own namespaces, and the learner's below it."""
        channel = None
        try:
            sockets = [socket.socket(fileno=fd) for fd in fds]
            channel = sockets[0]
            self._control.detach()
            _close_all_but([*fds, gate.fileno()])
            namespaces.enclose(request["disk"], request["keep"], self._covers)
            if learner := os.fork():
                namespaces.hide()
                socket.send_fds(gate, [b"."], [os.pidfd_open(learner)])
                namespaces.bury(learner)
            os.setsid()
            if not gate.recv(1):
                return
            gate.close()
            namespaces.limit(
                request["memory"],
                request["disk"],
                request["processes"] + 2,  # the keeper and the first one are ours
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


def main(module: str, descriptor: int, withheld: dict, ahead: Collection[str]) -> None:
    """Become the server of one side of the bridge.

    Args:
        module: the name of the side; its `prepare(withheld)` gives what a fork does.
        withheld: see `torch_functions.apply`; from the learner's side only.
        ahead: see `warm`.
    """
    control = socket.socket(fileno=descriptor)
    warm(ahead)
    body = importlib.import_module(module).prepare(withheld)
    namespaces.mount_proc()
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page that it looks at
    control.send(b"warm")
    package = Path(namespaces.__file__).resolve().parents[2]
    Server(control, body, torch_files.covers(package)).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]), json.loads(sys.argv[4]))
