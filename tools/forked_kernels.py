"""Jupyter kernels that are forks of one process, which has imported torch and matplotlib already.

A kernel of its own takes seconds for these, page after page. The process that is forked imports
nothing of the project: what a page runs is the package as it is now. jupyter_client starts a kernel
by a command, ends it by ending the command's process, and interrupts it by a signal to that; so a
small process stands for each fork, and the fork ends with it.

    python tools/forked_kernels.py SOCKET -f CONNECTION_FILE     what the kernel spec says
"""

import contextlib
import importlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

NAME = "forked"  # of the kernel
AHEAD = (
    *("ipykernel.ipkernel", "matplotlib.pyplot", "numpy", "jaxtyping", "regex", "tqdm", "torch"),
    "torch._dynamo",  # with all that optimizers and assert_close import when they are first called
)
INLINE = "module://matplotlib_inline.backend_inline"  # ipykernel's own choice
START = f"import sys, {Path(__file__).stem} as forked; forked.serve(*sys.argv[1:])"


@contextlib.contextmanager
def kernels(ahead: Sequence[str] = AHEAD) -> Iterator[dict[str, str]]:
    """The environment in which Jupyter finds the kernel NAME; all its forks end with the `with`."""
    with tempfile.TemporaryDirectory(prefix="lmcourse-kernels-") as folder:
        spec = Path(folder) / "kernels" / NAME / "kernel.json"
        address = str(Path(folder) / "socket")
        spec.parent.mkdir(parents=True)
        argv = [sys.executable, "-S", __file__, address, "-f", "{connection_file}"]
        spec.write_text(json.dumps({"argv": argv, "display_name": NAME, "language": "python"}))
        # Listening before anybody can ask: who comes early waits until all is imported.
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(address)
            listener.listen()
            server = subprocess.Popen(
                [sys.executable, "-c", START, str(listener.fileno()), *ahead],
                cwd=Path(__file__).parent,
                pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE,
                env={**os.environ, "MPLBACKEND": INLINE},
            )
        paths = filter(None, [folder, os.environ.get("JUPYTER_PATH")])
        try:
            yield {"JUPYTER_PATH": os.pathsep.join(paths)}
        finally:
            server.stdin.close()
            server.wait()


# ---------------------------------------------------------------- the process that is forked


def serve(listener: str, *ahead: str) -> None:
    """Gives a fork to each who asks, until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who started this
    for name in ahead:
        with contextlib.suppress(ImportError):  # a page that needs it says so
            importlib.import_module(name)
    forks: dict[socket.socket, int] = {}
    with socket.socket(fileno=int(listener)) as door:
        while sys.stdin not in (ready := select.select([sys.stdin, door, *forks], [], [], 0.1)[0]):
            for caller in {*ready} - {door}:  # it has ended, and its kernel ends with it
                _end(forks.pop(caller), caller)
            for caller, pid in [*forks.items()]:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    forks.pop(caller).close()
            if door in ready:
                caller, _ = door.accept()
                message, fds, *_ = socket.recv_fds(caller, 1 << 20, 3)
                if (pid := os.fork()) == 0:
                    _become(json.loads(message), fds, [door, caller, *forks])
                for fd in fds:
                    os.close(fd)
                caller.send(str(pid).encode())
                forks[caller] = pid
    for caller, pid in forks.items():
        _end(pid, caller)


def _end(pid: int, caller: socket.socket) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # it may not have got its group yet
    os.waitpid(pid, 0)
    caller.close()


def _become(request: dict, fds: list[int], others: list[socket.socket]) -> None:
    """The kernel, as if it had been started by itself; never returns."""
    status = 1
    try:
        os.setsid()
        for other in others:
            other.close()
        for number, fd in enumerate(fds):
            os.dup2(fd, number)
            os.close(fd)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.path[0] = ""  # as of `python -m`, not the folder of the tools
        random.seed()  # else a page without a seed would draw what the one before it drew
        if numpy := sys.modules.get("numpy"):
            numpy.random.seed()
        sys.argv = ["ipykernel_launcher", *request["arguments"]]
        from ipykernel.kernelapp import launch_new_instance

        launch_new_instance()
        status = 0
    finally:
        os._exit(status)


# ---------------------------------------------------------------- the process that stands for one


def stand(address: str, arguments: list[str]) -> None:
    """Asks for a fork, hands on what is meant for it, and ends when it has ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(address)
        request = {"arguments": arguments, "folder": os.getcwd(), "environment": {**os.environ}}
        socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
        pid = int(server.recv(100))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: os.kill(pid, number))
        server.recv(1)


if __name__ == "__main__":
    stand(sys.argv[1], sys.argv[2:])
