"""One run at a time: who works on a gradebook holds its lock, and a second run says who that is.

Chapter: book/instructors/scale.md

The lock is the operating system's, on a file beside the results: it ends with its process, however
that ends, so that nobody has to clear it away. Two runs that share a PostgreSQL gradebook but not
the folder meet at a lock of the database's.
"""

import contextlib
import datetime
import json
import os
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from lmcourse.files import reason
from lmcourse.grading.errors import FailureError

try:
    import fcntl
except ImportError:  # Windows, where nothing is graded without a container
    fcntl = None

_POLL_SECONDS = 0.5


def lock_file(output: Path) -> Path:
    """The lock of all who write to the gradebook and the folders in `output`."""
    return output / ".grading" / "lock"


@contextlib.contextmanager
def hold(
    path: Path,
    db_url: str = "",
    *,
    wait: bool = False,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[Callable[[], None]]:
    """Hold the lock of a folder of results and, with a PostgreSQL `db_url`, of that database.

    The `with` gives a function that returns only while the lock is ours: a database's lock ends
    with its connection, a file's means nothing once the file has another name, and nobody is told.

    Args:
        wait: until it is free, instead of refusing.
        on_wait: is told once for whom we wait. Only a command that can wait has one.

    Raises:
        FailureError: somebody else holds it; the message says who.
    """
    with contextlib.ExitStack() as held:
        looks: list[Callable[[], None]] = []  # each raises if its lock is no longer ours
        for attempt in (_file(path, looks), _database(db_url, looks)):
            held.enter_context(_taken(attempt, wait, on_wait))
        yield lambda: _look(looks)


def _look(looks: list[Callable[[], None]]) -> None:
    for look in looks:
        look()


def _require_connection(connection: Connection) -> None:
    """Return only if the connection that holds the lock is still there, and holds it."""
    try:
        ours = connection.execute(text(_OURS)).scalar()
    except SQLAlchemyError as error:
        raise FailureError(_LOST) from error
    if not ours:  # a new connection in the place of the one that is gone
        raise FailureError(_LOST)


def _require_name(path: Path, file: TextIO) -> None:
    """Return only if the locked file is still the one that others find."""
    if not _is_at(path, file):
        raise FailureError(_REMOVED.format(path=path))


def _is_at(path: Path, file: TextIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:
        return False


@contextlib.contextmanager
def _taken(attempt: Callable, wait: bool, on_wait: Callable[[str], None] | None) -> Iterator[None]:
    told = False
    while True:
        with attempt() as holder:
            if holder is None:
                yield
                return
        if not wait:
            or_wait = ", or now with --wait" if on_wait else ""
            raise FailureError(
                f"the gradebook is in use by {holder}: give the command again when that is done"
                + or_wait
            )
        if on_wait and not told:
            on_wait(f"waiting for {holder}, who has the gradebook")
            told = True
        time.sleep(_POLL_SECONDS)


def _file(path: Path, looks: list[Callable[[], None]]) -> Callable:
    """An attempt at the lock on a file: gives None if it is ours, or who has it.

    Args:
        looks: gets the look at the lock, once it is ours.
    """

    @contextlib.contextmanager
    def attempt() -> Iterator[str | None]:
        with _opened(path) as file:
            try:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Removed since it was opened, it locks nobody out; the next attempt makes another.
                holder = None if _is_at(path, file) else "a run that is just ending"
            except BlockingIOError:
                holder = _named(path)
            except OSError as error:
                raise FailureError(f"{path} cannot be locked: {reason(error)}") from error
            if holder is None:
                file.truncate(0)
                file.write(json.dumps(_myself()))
                file.flush()
                looks.append(lambda: _require_name(path, file))
            yield holder

    return attempt


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+", encoding="utf-8")
    except OSError as error:
        raise FailureError(f"{path} cannot be opened: {reason(error)}") from error


def _database(db_url: str, looks: list[Callable[[], None]]) -> Callable:
    """An attempt at the advisory lock of a PostgreSQL database; other databases have none.

    Args:
        looks: gets the look at the lock, once it is ours.
    """

    @contextlib.contextmanager
    def attempt() -> Iterator[str | None]:
        if not db_url.startswith("postgres"):
            yield None
            return
        name = "lmcourse {pid} {host} {since}".format(**_myself())
        with contextlib.closing(_connected(db_url, name[:63])) as connection:
            got = connection.execute(text(f"select pg_try_advisory_lock({_NUMBER})")).scalar()
            if got:
                looks.append(lambda: _require_connection(connection))
            yield None if got else _holder(connection)

    return attempt


def _connected(db_url: str, name: str):
    """A connection of its own, that bears our name in the database's list."""
    options = {"isolation_level": "AUTOCOMMIT", "poolclass": NullPool}
    try:
        return create_engine(db_url, connect_args={"application_name": name}, **options).connect()
    except ModuleNotFoundError as error:
        raise FailureError(
            f"the gradebook's database needs the package {error.name}: install it, or name in"
            " db_url the driver that is there, as in postgresql+psycopg2://…"
        ) from None
    except SQLAlchemyError as error:
        why = str(error).strip().splitlines()[0]
        raise FailureError(f"the gradebook's database cannot be reached: {why}") from error


_NUMBER = zlib.crc32(b"lmcourse gradebook")
_OURS = (
    f"select count(*) from pg_locks where locktype = 'advisory' and objid = {_NUMBER} and granted"
    " and pid = pg_backend_pid()"
)
_LOST = (
    "the connection that held the lock of the gradebook's database is gone, so another run may be"
    " at work: stopped. Give the command again: it goes on where this one stopped"
)
_REMOVED = (
    "the lock {path} was removed or replaced, so another run may be at work: stopped. Give the"
    " command again: it goes on where this one stopped"
)
_HOLDER = (
    "select application_name from pg_stat_activity join pg_locks using (pid)"
    f" where locktype = 'advisory' and objid = {_NUMBER} and granted"
    " and pg_locks.database = (select oid from pg_database where datname = current_database())"
)


def _holder(connection) -> str:
    name = connection.execute(text(_HOLDER)).scalar() or ""
    parts = name.split(" ", 3)
    if len(parts) == 4 and parts[0] == "lmcourse":
        return "process {} on {} since {}".format(*parts[1:])
    return "another process"


def _myself() -> dict:
    since = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return {"pid": os.getpid(), "host": socket.gethostname()[:24], "since": since}


def _named(path: Path) -> str:
    try:
        return "process {pid} on {host} since {since}".format(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError):  # it is just being written
        return "another process"
