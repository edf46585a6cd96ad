"""Servers of our own on this machine: a Dask cluster of two workers, and PostgreSQL."""

import contextlib
import getpass
import glob
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from waiting import wait_until

DASK = importlib.util.find_spec("distributed")
POSTGRES = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
DRIVER = importlib.util.find_spec("psycopg2")


@contextlib.contextmanager
def processes(*commands, folder: Path):
    """Commands that run until the end; each says what it says in a file of `folder`."""
    with contextlib.ExitStack() as stack:
        for number, line in enumerate(commands):
            log = stack.enter_context((folder / f"said-{number}").open("ab"))
            running = subprocess.Popen(list(map(str, line)), stdout=log, stderr=log, cwd=folder)
            stack.callback(_end, running)
        yield


def _end(running: subprocess.Popen) -> None:
    """End it as Ctrl-C does: PostgreSQL would wait for its clients at a SIGTERM."""
    running.send_signal(signal.SIGINT)
    try:
        running.wait(60)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


@contextlib.contextmanager
def dask_cluster(folder: Path) -> Iterator[str]:
    """The address of a scheduler, with two workers of one thread each: by Dask's own commands."""
    told, dask = folder / "scheduler.json", [sys.executable, "-m", "dask"]
    # The scheduler takes whatever port is free, and says which in the file.
    where = ["--host", "127.0.0.1", "--port", 0, "--scheduler-file", told]
    scheduler = [*dask, "scheduler", *where, "--no-dashboard"]
    options = ["--nthreads", 1, "--no-dashboard", "--local-directory", folder]
    workers = [[*dask, "worker", "--scheduler-file", told, *options]] * 2
    with processes(scheduler, folder=folder):
        wait_until(lambda: told.exists() and told.read_text("utf-8").endswith("}"))
        address = json.loads(told.read_text("utf-8"))["address"]
        with processes(*workers, folder=folder):
            from distributed import Client

            with Client(address, timeout=120) as client:
                client.wait_for_workers(2, timeout=120)
            yield address


def as_postgres(line: list) -> list[str]:
    """The server does not run as root; it becomes the command, so that signals reach it."""
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
    user = [] if os.geteuid() else user
    return [*user, *map(str, line)]


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The address of an empty database in a server of our own, at a socket in its folder."""
    programs = Path(POSTGRES[-1]).parent
    owner = getpass.getuser() if os.geteuid() else "postgres"
    # Where the user postgres may go, with a path that is short enough for a socket.
    home = Path(tempfile.mkdtemp(prefix="lmcourse-postgres-", dir="/tmp"))
    shutil.chown(home, owner)
    try:
        made = as_postgres(
            [programs / "initdb", "-D", home / "data", "-U", "grader", "-A", "trust"]
        )
        subprocess.run(made, check=True, capture_output=True, cwd="/tmp")
        options = ["-h", "", "-k", home]  # no port on any network
        server = as_postgres([programs / "postgres", "-D", home / "data", *options])
        with processes(server, folder=folder):
            at = ["-h", home]
            ready = [programs / "pg_isready", *at]
            wait_until(lambda: subprocess.run(ready, capture_output=True).returncode == 0)
            subprocess.run([programs / "createdb", *at, "-U", "grader", "course"], check=True)
            yield f"postgresql+psycopg2://grader@/course?host={home}"
    finally:
        shutil.rmtree(home, ignore_errors=True)
