"""Servers of our own on loopback: a Dask cluster of two workers, and PostgreSQL."""

import contextlib
import getpass
import glob
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from small_class import wait_for

DASK = importlib.util.find_spec("distributed")
POSTGRES = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
DRIVER = importlib.util.find_spec("psycopg2")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def processes(*commands, folder: Path):
    """Commands that run until the end; each says what it says in a file of `folder`."""
    with contextlib.ExitStack() as stack:
        for number, line in enumerate(commands):
            log = stack.enter_context((folder / f"said-{number}").open("wb"))
            running = subprocess.Popen(list(map(str, line)), stdout=log, stderr=log, cwd=folder)
            stack.callback(running.wait)
            stack.callback(running.terminate)
        yield


@contextlib.contextmanager
def dask_cluster(folder: Path) -> Iterator[str]:
    """The address of a scheduler, with two workers of one thread each: by Dask's own commands."""
    port = free_port()
    address, dask = f"tcp://127.0.0.1:{port}", [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    workers = [
        [*dask, "worker", address, "--nthreads", 1, "--no-dashboard", "--local-directory", folder]
    ] * 2
    with processes(scheduler, *workers, folder=folder):
        from distributed import Client

        with Client(address, timeout=120) as client:
            client.wait_for_workers(2, timeout=120)
        yield address


def as_postgres(line: list) -> list[str]:
    """The server does not run as root."""
    user = [] if os.geteuid() else ["runuser", "-u", "postgres", "--"]
    return [*user, *map(str, line)]


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The address of an empty database in a server of our own, on loopback."""
    port = free_port()
    programs = Path(POSTGRES[-1]).parent
    owner = getpass.getuser() if os.geteuid() else "postgres"
    home = Path("/tmp") / f"lmcourse-postgres-{port}"  # where the user postgres may go
    home.mkdir(mode=0o700)
    shutil.chown(home, owner)
    try:
        made = as_postgres(
            [programs / "initdb", "-D", home / "data", "-U", "grader", "-A", "trust"]
        )
        subprocess.run(made, check=True, capture_output=True, cwd="/tmp")
        options = ["-p", port, "-h", "127.0.0.1", "-k", home]
        server = as_postgres([programs / "postgres", "-D", home / "data", *options])
        with processes(server, folder=folder):
            at = ["-h", "127.0.0.1", "-p", str(port)]
            ready = [programs / "pg_isready", *at]
            wait_for(lambda: subprocess.run(ready, capture_output=True).returncode == 0, 120)
            subprocess.run([programs / "createdb", *at, "-U", "grader", "course"], check=True)
            yield f"postgresql+psycopg2://grader@127.0.0.1:{port}/course"
    finally:
        shutil.rmtree(home, ignore_errors=True)
