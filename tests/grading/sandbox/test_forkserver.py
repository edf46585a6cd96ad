"""All processes of a submission together have one budget, and somebody looks."""

import os
import socket

import pytest
from sandbox_processes import SMALL, descendants, shown
from waiting import wait_until

from lmcourse.grading.sandbox import forkserver, keeper


def test_a_fork_bomb_stays_small_and_ends(submission_run, learners):
    before, bomb = {*descendants(learners)}, submission_run._learner
    ran = submission_run.run_cell(
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    )
    assert ran.status in ("timeout", "died")
    # What it forks is counted as its own work. Between two looks all cores may work for it.
    cores = len(os.sched_getaffinity(0))
    assert SMALL.cell_seconds <= bomb.worked() < 3 * SMALL.cell_seconds * cores
    assert len({*descendants(learners)} - before) <= SMALL.processes + 2  # the keeper, the first
    assert submission_run.run_cell("1").status == "ok"


def test_a_submission_may_have_as_many_processes_as_its_budget_says(submission_run):
    """With the one in which its cells run; the sandbox's own two take none of them."""
    ran = submission_run.run_cell(
        "import os, time\nchildren = []\n"
        "try:\n"
        "    while True:\n"
        "        if (child := os.fork()) == 0: time.sleep(10**6)\n"
        "        children.append(child)\n"
        "except BlockingIOError: pass\n"
        "threads = len(os.listdir('/proc/self/task'))\n"
        "for child in children: os.kill(child, 9); os.waitpid(child, 0)\n"
        "print(len(children) + threads)"
    )
    assert shown(ran) == f"{SMALL.processes}\n"


def test_the_work_of_living_children_is_counted(submission_run):
    """The first process waits, and has not waited for them: they work, and go on living."""
    learner = submission_run._learner
    before = learner.worked()
    ran = submission_run.run_cell(
        "import os, time\nread, write = os.pipe()\n"
        "for _ in range(2):\n"
        "    if os.fork() == 0:\n"
        "        while time.process_time() < 0.5: pass\n"
        "        os.write(write, b'.'); time.sleep(10**6)\n"
        "seen = os.read(read, 1) + os.read(read, 1)"
    )
    assert ran.status == "ok"
    wait_until(lambda: learner.worked() - before >= 0.9, 60.0)


@pytest.mark.parametrize(
    "bomb",
    [
        "x = bytearray(1 << 40)",
        "x = []\nwhile True: x.append(bytearray(1 << 22))",
        "import torch\nx = [torch.ones(1 << 22) for _ in range(10_000)]",
        "import mmap\nm = mmap.mmap(-1, 1 << 33)",
        "x = 'x' * (1 << 33)",
    ],
)
def test_a_memory_bomb_ends(submission_run, bomb):
    ran = submission_run.run_cell(bomb)
    assert ran.status in ("error", "died")
    if ran.status == "error":
        assert ran.name in ("MemoryError", "RuntimeError", "OSError")


def test_many_processes_share_one_budget_of_memory(submission_run):
    # Each stays below the limit of one process; together they do not.
    ran = submission_run.run_cell(
        "import mmap, os, time\n"
        "for _ in range(10):\n"
        "    if os.fork() == 0:\n"
        "        x = mmap.mmap(-1, 100 << 20); x.write(b'x' * (100 << 20)); time.sleep(60)\n"
        "time.sleep(60)"
    )
    assert ran.status == "died"
    assert "more than 256 MiB of memory" in ran.message


def test_memory_is_measured_before_the_process_may_take_any(monkeypatch):
    """The keeper of a fork that is enclosed in nothing: it measures, then its process begins."""
    for name in ("separate", "enclose", "limit", "hide"):
        monkeypatch.setattr(forkserver.namespaces, name, lambda *_: None)
    monkeypatch.setattr(forkserver.namespaces, "PROC", "/proc")
    monkeypatch.setattr(forkserver.namespaces, "bury", lambda learner: os.waitpid(learner, 0))
    monkeypatch.setattr(forkserver, "_close_all_but", lambda fds: None)
    monkeypatch.setattr(forkserver, "reseed", lambda seed: None)
    monkeypatch.setattr(forkserver.seccomp, "install", lambda: None)
    monkeypatch.setattr(keeper, "keep", lambda *_: None)
    read, write = os.pipe()

    def measure(*_):
        for _ in range(100):  # whoever does not wait for this has begun by now
            os.sched_yield()
        os.write(write, b"measured ")

    monkeypatch.setattr(keeper, "Watch", measure)
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel, inside = socket.socketpair()
    server = forkserver.Server(theirs, lambda *_: os.write(write, b"begun"))
    request = dict.fromkeys(("number", "user", "seed", "memory", "disk", "files", "cpu"), 1)
    if (child := os.fork()) == 0:
        try:
            server._keep(request | {"keep": [], "processes": 1}, [inside.fileno()])
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with control, theirs, channel, inside, open(read) as said:
        assert said.read() == "measured begun"
