"""One run at a time: a second one hears who is at work, and a dead one holds nothing."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from lmcourse.grading.errors import FailureError
from lmcourse.grading.gradebook import lock

needs_driver = pytest.mark.skipif(
    importlib.util.find_spec("psycopg2") is None, reason="psycopg2 is not installed"
)
HOLDER = """
import sys, time, pathlib
from lmcourse.grading.gradebook import lock
with lock.hold(pathlib.Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock; it is killed in the end."""
    started = []

    def start(path=tmp_path / "lock", db_url=""):
        command = [sys.executable, "-c", HOLDER, str(path), db_url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "held\n"
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_who_holds_the_lock_is_named(tmp_path, other):
    holder = other()
    said = rf"in use by process {holder.pid} on {socket.gethostname()[:24]} since 20\d\d-.* is done"
    with pytest.raises(FailureError, match=f"{said}$"), lock.hold(tmp_path / "lock"):
        raise AssertionError("two hold it")
    with (
        pytest.raises(FailureError, match=f"{said}, or now with --wait$"),
        lock.hold(tmp_path / "lock", on_wait=print),
    ):
        raise AssertionError("two hold it")


def test_what_cannot_be_a_lock_is_named(tmp_path):
    (tmp_path / "lock").mkdir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "lock", tmp_path / "file" / "lock"):
        with pytest.raises(FailureError, match=f"{path} cannot be opened: "), lock.hold(path):
            raise AssertionError("it is held")


class Database(Connection):
    """As much of a PostgreSQL connection as the lock asks for."""

    def __init__(self):
        self.answers = []

    def execute(self, statement):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(scalar=lambda: answer)

    def close(self):
        pass


@pytest.mark.parametrize(
    "lost", [0, OperationalError("select", {}, Exception("server closed the connection"))]
)
def test_a_lock_that_went_with_its_connection_is_noticed(tmp_path, monkeypatch, lost):
    database = Database()
    database.answers = [True, 1, lost]
    monkeypatch.setattr(lock, "_connected", lambda db_url, name: database)
    with lock.hold(tmp_path / "lock", "postgresql://x") as require_lock:
        require_lock()
        with pytest.raises(FailureError, match="is gone, so another run may be at work: stopped"):
            require_lock()
    with lock.hold(tmp_path / "lock") as require_lock:
        require_lock()  # a file's lock ends with its process


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_lock_whose_file_has_gone_is_noticed(tmp_path, how):
    """Who clears the folder away, say, and grades again there: the second finds another file."""
    path = tmp_path / "own" / "lock"
    with lock.hold(path) as require_lock:
        require_lock()
        path.unlink()
        if how == "replaced":
            path.touch()
        with pytest.raises(FailureError, match=f"the lock {path} was removed or replaced, so an"):
            require_lock()


def test_a_lock_that_is_removed_while_it_is_taken_is_none(tmp_path, monkeypatch):
    path, opened = tmp_path / "lock", lock._opened

    def removed(path):
        file = opened(path)
        path.unlink()
        monkeypatch.setattr(lock, "_opened", opened)
        return file

    monkeypatch.setattr(lock, "_opened", removed)
    told = []
    with lock.hold(path, wait=True, on_wait=told.append) as require_lock:
        require_lock()
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert told == ["waiting for a run that is just ending, who has the gradebook"]


def test_one_process_cannot_hold_it_twice(tmp_path):
    with (
        lock.hold(tmp_path / "lock"),
        pytest.raises(FailureError, match=f"process {os.getpid()}"),
        lock.hold(tmp_path / "lock"),
    ):
        raise AssertionError("two hold it")


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path, other):
    holder = other()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert json.loads((tmp_path / "lock").read_text())["pid"] == holder.pid
    with lock.hold(tmp_path / "lock"):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


def test_who_waits_is_told_for_whom_and_gets_it(tmp_path, other):
    holder, told = other(), []

    def on_wait(text):  # only who waits is told: the holder ends after that
        told.append(text)
        holder.kill()

    with lock.hold(tmp_path / "lock", wait=True, on_wait=on_wait):
        assert len(told) == 1
        assert f"process {holder.pid} on " in told[0]


def test_it_is_free_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), lock.hold(tmp_path / "lock"):
        raise ZeroDivisionError
    with lock.hold(tmp_path / "lock"):
        pass


def test_a_file_that_says_nothing_still_locks(tmp_path, other):
    other()
    (tmp_path / "lock").write_text("{")
    with (
        pytest.raises(FailureError, match="in use by another process"),
        lock.hold(tmp_path / "lock"),
    ):
        raise AssertionError("two hold it")


@needs_driver
def test_a_database_that_is_not_there_is_one_line(tmp_path):
    url = "postgresql+psycopg2://nobody@127.0.0.1:1/none"
    with (
        pytest.raises(FailureError, match="database cannot be reached"),
        lock.hold(tmp_path / "l", url),
    ):
        raise AssertionError("there is no database")


def test_a_driver_that_is_not_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    url, said = (
        "postgresql+psycopg2://nobody@127.0.0.1:1/none",
        "needs the package psycopg2",
    )
    with pytest.raises(FailureError, match=said), lock.hold(tmp_path / "lock", url):
        raise AssertionError("there is no driver")


def test_other_databases_need_no_lock_of_their_own(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a database was asked")

    monkeypatch.setattr(lock, "create_engine", refuse)
    url = f"sqlite:///{tmp_path / 'nothing.db'}"
    with lock.hold(tmp_path / "lock", url), lock.hold(tmp_path / "another lock", url):
        assert not (tmp_path / "nothing.db").exists()
