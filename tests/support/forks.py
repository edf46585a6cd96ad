"""`lmcourse` commands in forks of one Python that has imported everything.

A command of its own takes seconds for its imports, before it does anything. Here each is a fork:
its output, its exit code, its folder, its environment and its memory are its own, and nothing
that it does reaches the next. Where starting a Python is the claim, or the process is interrupted
or killed, a test starts the command itself.
"""

import atexit
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

_SERVER = """
import importlib, io, json, os, pkgutil, signal, socket, sys
import nbgrader.api, nbgrader.apps, nbgrader.converters, nbgrader.preprocessors
import lmcourse.__main__, lmcourse.grading
for module in pkgutil.walk_packages(lmcourse.grading.__path__, "lmcourse.grading."):
    importlib.import_module(module.name)

signal.signal(signal.SIGINT, signal.SIG_DFL)
control = socket.socket(fileno=int(sys.argv[1]))
while True:
    message, fds, *_ = socket.recv_fds(control, 1 << 20, 2)
    if not message:
        sys.exit()
    if child := os.fork():
        for fd in fds:
            os.close(fd)
        _, status = os.waitpid(child, 0)
        control.send(str(os.waitstatus_to_exitcode(status)).encode())
        continue
    request = json.loads(message)
    control.close()
    for number, fd in enumerate(fds, start=1):
        os.dup2(fd, number)
        os.close(fd)
    sys.stdout, sys.stderr = (open(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = ["lmcourse", *request["arguments"]]
    lmcourse.__main__.main()
    sys.exit()
"""


def lmcourse(
    *arguments, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess:
    """The command with these arguments, when it has ended; `grade` has one worker if none is told.

    Each worker is a Python with two sandboxes, and each of these loads PyTorch.
    """
    call = [*map(str, arguments)]
    if call[0] == "grade" and not {"-n", "--workers"} & {*call}:
        call += ["-n", "1"]
    request = {
        "arguments": call,
        "folder": str(cwd),
        "environment": {**(os.environ if env is None else env)},
    }
    with tempfile.TemporaryFile() as shown, tempfile.TemporaryFile() as said:
        control = _server()
        socket.send_fds(control, [json.dumps(request).encode()], [shown.fileno(), said.fileno()])
        answer = control.recv(100)
        if not answer:
            raise RuntimeError("the process that forks the commands has ended")
        texts = []
        for file in (shown, said):
            file.seek(0)
            texts.append(file.read().decode("utf-8"))
    return subprocess.CompletedProcess(call, int(answer), *texts)


@functools.cache
def _server() -> socket.socket:
    """The connection to the process that forks; it ends with the tests."""
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.settimeout(900)  # only to keep a test from hanging
    with theirs:
        fd = theirs.fileno()
        command = [sys.executable, "-W", "ignore", "-c", _SERVER, str(fd)]
        process = subprocess.Popen(command, pass_fds=[fd], stdin=subprocess.DEVNULL)

    def end():
        control.close()
        process.wait()

    atexit.register(end)
    return control
