"""What the tests of the sandbox share: small budgets, and a look at what runs."""

import contextlib
import os
import signal
import threading
from pathlib import Path

from lmcourse.grading.sandbox.budgets import MIB, Budgets

# Small, so that whatever runs into a limit does so within a second or two.
SMALL = Budgets(
    cell_seconds=3.0,
    call_seconds=2.0,
    test_seconds=4.0,
    total_seconds=60.0,
    memory_bytes=256 * MIB,
    disk_bytes=8 * MIB,
    processes=24,
    output_bytes=20_000,
)
SETUP = "import torch\nfrom lmcourse.grading.testing import award, close, probe, raises"
WANTED = frozenset({"f", "g", "Thing", "answer"})


# A line of sandboxed code at which it waits, named so, until the test lets it go on.
HOLD = (
    "__import__('signal').pthread_sigmask(0, [10]);"
    " open('/proc/self/comm', 'wb', 0).write(b'held');"
    " __import__('signal').sigwait([10]);"
    " open('/proc/self/comm', 'wb', 0).write(b'python')"
)


def is_held(process):
    """Whether a process of the sandbox waits at a `HOLD`; None stands for one not there yet."""
    if process is None or process._pidfd < 0:
        return False
    try:
        facts = Path(f"/proc/self/fdinfo/{process._pidfd}").read_text().splitlines()
        pid = next(int(line.split()[1]) for line in facts if line.startswith("Pid:"))
        return Path(f"/proc/{pid}/comm").read_text() == "held\n"
    except (OSError, StopIteration):  # it has just ended
        return False


def let_go(process):
    signal.pidfd_send_signal(process._pidfd, signal.SIGUSR1)


@contextlib.contextmanager
def meanwhile(*steps):
    """Do `steps` one after the other in a thread, and wait for its end."""
    thread = threading.Thread(target=lambda: [step() for step in steps])
    thread.start()
    try:
        yield
    finally:
        thread.join()


def shown(ran):
    """The text that a cell printed."""
    return "".join(o["text"] for o in ran.outputs if o["output_type"] == "stream")


def descendants(server):
    """The processes below a server, without those that have ended."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            children.setdefault(int(parent), []).append(int(name))
    found, queue = [], [server._process.pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return sorted(found)
