"""Processes of the sandbox start whole or not at all, and end with whoever needed them."""

import contextlib
import itertools
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from sandbox_processes import SETUP, SMALL, descendants, shown
from waiting import wait_until

from lmcourse.grading.sandbox import bubblewrap, cgroups, frames, processes
from lmcourse.grading.sandbox.bubblewrap import SandboxError
from lmcourse.grading.sandbox.budgets import Deadline, pid_of
from lmcourse.grading.sandbox.frames import ClosedError, WireError
from lmcourse.grading.sandbox.processes import ForkServer, Process

REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_daemon_ends_with_its_submission(submission_run, learners):
    before = {*descendants(learners)}
    ran = submission_run.run_cell(
        "import os, time, signal\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        for s in range(1, 32):\n"
        "            try: signal.signal(s, signal.SIG_IGN)\n"
        "            except (OSError, ValueError): pass\n"
        "        time.sleep(1000)\n"
        "    os._exit(0)\n"
        "os.wait()\nprint('left')"
    )
    assert shown(ran) == "left\n"
    daemon = {*descendants(learners)} - before
    assert daemon
    submission_run.close()  # the kernel ends it first of all: when this returns it has gone
    assert not daemon & {*descendants(learners)}


def test_ending_the_grader_ends_everything(tmp_path):
    program = tmp_path / "grader.py"
    program.write_text(
        "import time\n"
        "from lmcourse.grading.sandbox.processes import ForkServer\n"
        "server = ForkServer('lmcourse.grading.bridge.judge'); server.wait_until_warm()\n"
        "print(server._process.pid, flush=True); time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    grader = subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, text=True, env=environment
    )
    server = os.pidfd_open(int(grader.stdout.readline()))
    grader.kill()
    grader.wait()
    grader.stdout.close()
    wait_until(lambda: select.select([server], [], [], 0)[0])  # it has ended
    os.close(server)


def test_a_limit_that_fails_stops_the_process_before_it_starts(learners, monkeypatch):
    monkeypatch.setattr(bubblewrap, "below_tmp", lambda: ["/tmp/nowhere"])
    with socket.socket() as other, pytest.raises(SandboxError, match="could not be enclosed"):
        learners.process(SMALL, 1, [other])


@pytest.fixture
def played():
    """What the grader has of a process, and the end at which the test plays that process."""
    ours, theirs = socket.socketpair()
    pidfd, account = os.pidfd_open(os.getpid()), os.memfd_create("worked")
    process = Process(pidfd, account, ours)
    with theirs, ours:
        yield process, theirs
    os.close(pidfd)
    process._meter.close()


def test_only_the_answer_to_the_last_message_is_taken(played):
    process, theirs = played
    for number in (0, 1, 1, 2):  # late, or twice: of a child that answers beside its parent
        frames.send(theirs, {"number": number, "said": number})
    assert process.ask({"op": "a"}, Deadline(5.0))["said"] == 1
    assert process.ask({"op": "b"}, Deadline(5.0))["said"] == 2
    assert [frames.receive(theirs)[0]["number"] for _ in range(2)] == [1, 2]


def test_who_sends_without_end_what_nobody_asked_for_is_not_read_without_end(played):
    process, theirs = played
    for _ in range(120):
        frames.send(theirs, {"number": 0})
    with pytest.raises(WireError, match="nobody asked for"):
        process.ask({"op": "a"}, Deadline(60.0))


def test_where_there_are_control_groups_a_process_is_in_one(tmp_path, monkeypatch):
    """A folder stands for the kernel's; what the kernel says of its memory is why it ended."""
    monkeypatch.setattr(cgroups, "here", lambda: cgroups.Groups(tmp_path))
    ours, theirs = socket.socketpair()
    with subprocess.Popen(["sleep", "1000"]) as asleep:
        pidfd = os.pidfd_open(asleep.pid)
        group = processes._grouped({"memory": 1 << 30, "processes": 32}, [pidfd])
        (folder,) = tmp_path.iterdir()
        assert (folder / "cgroup.procs").read_text() == f"{asleep.pid}\n"
        assert (folder / "memory.max").read_text() == f"{1 << 30}\n"
        assert (folder / "pids.max").read_text() == "33\n"
        process = Process(pidfd, os.memfd_create("account"), ours, group=group)
        theirs.close()
        with pytest.raises(ClosedError):
            process.ask({"op": "a"}, Deadline(60.0))
        (folder / "memory.events").write_text("oom_kill 1\n")
        assert process.ask({"op": "a"}, Deadline(60.0)) == {"status": "memory"}
        for file in folder.iterdir():  # as it is in the kernel's, when all have ended
            file.unlink()
        process.end()
    assert not folder.exists()


def test_where_the_kernel_takes_no_process_in_the_keeper_counts_alone(monkeypatch):
    class Refusing:
        closed = False

        def group(self, memory, processes):
            return self

        def add(self, pid):
            raise PermissionError

        def close(self):
            self.closed = True

    refusing = Refusing()
    monkeypatch.setattr(cgroups, "here", lambda: refusing)
    pidfd = os.pidfd_open(os.getpid())
    assert processes._grouped({"memory": 1, "processes": 1}, [pidfd]) is None
    assert refusing.closed
    os.close(pidfd)


def test_with_a_process_that_has_gone_there_is_no_group(tmp_path, monkeypatch):
    """The kernel takes a number that is none for another process, or for the one that writes it."""
    monkeypatch.setattr(cgroups, "here", lambda: cgroups.Groups(tmp_path))
    with subprocess.Popen(["true"]) as gone:
        pidfd = os.pidfd_open(gone.pid)
    assert processes._grouped({"memory": 1, "processes": 1}, [pidfd]) is None
    (folder,) = tmp_path.iterdir()
    assert not (folder / "cgroup.procs").exists()
    os.close(pidfd)


def test_a_reply_that_comes_too_late_is_not_taken_for_the_next_one():
    """It belongs to a request that was given up: its process ends."""
    server = ForkServer.__new__(ForkServer)
    server._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server._log, server._warm, server._numbers = tempfile.TemporaryFile(), True, itertools.count(7)  # noqa: SIM115
    with theirs, server._control, server._log, asleep() as late, asleep() as right:
        for number, process in ((6, late), (7, right)):
            given = [os.pidfd_open(process.pid), *(os.open(os.devnull, os.O_RDONLY),) * 2]
            socket.send_fds(theirs, [b'{"number": %d}' % number], given)
        received = server._fork({}, [])
        assert pid_of(received[0]) == right.pid
        assert late.wait() == -signal.SIGKILL
        assert right.poll() is None
        theirs.send(b'{"number": 8, "error": "no room"}')
        with pytest.raises(SandboxError, match="could not be started: no room"):
            server._fork({}, [])


@contextlib.contextmanager
def asleep():
    with subprocess.Popen(["sleep", "1000"]) as process:
        try:
            yield process
        finally:
            process.kill()


FILL = """
import mmap, os, socket, time
for fd in range(3, 64):
    try:
        channel = socket.socket(fileno=os.dup(fd)); channel.setblocking(False)
        while True: channel.send(bytes(1 << 12))
    except OSError: pass
for _ in range(10):
    try: child = os.fork()
    except OSError: break  # refused: the others take enough
    if child == 0:
        x = mmap.mmap(-1, 100 << 20); x.write(b'x' * (100 << 20)); time.sleep(10**6)
time.sleep(10**6)
"""


def test_a_full_channel_does_not_keep_its_keeper_from_ending_it(learners):
    """Nobody reads it any more, and it takes more memory than it may."""
    ours, theirs = socket.socketpair()
    with ours, theirs:  # while its link is open: with the end of that it would end by itself
        process = learners.process(SMALL, 1, [theirs])
        head = {"op": "cell", "source": FILL, "limit": 1000, "store": True, "locked": False}
        process._send(head, Deadline(300.0))
        wait_until(lambda: not process.alive)
        wait_until(process._meter.exceeded, seconds=100.0)
        assert process._meter.exceeded()
        process.end()


def test_why_it_was_ended_is_known_whatever_it_said_before(learners):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = learners.process(SMALL, 1, [theirs])
        source = FILL.replace("range(3, 64)", "()")
        head = {"op": "cell", "source": source, "limit": 1000, "store": True, "locked": False}
        assert process.ask(head, Deadline(300.0)) == {"status": "memory"}
        assert process.ask({"op": "cell"}, Deadline(300.0)) == {"status": "memory"}
        process.end()


def test_threads_may_ask_for_processes_one_after_the_other(submission_run, make_run):
    results = []
    thread = threading.Thread(target=lambda: results.append(make_run().run_cell("1").status))
    thread.start()
    thread.join()
    assert results == ["ok"]
    assert submission_run.run_setup(SETUP).status == "ok"
