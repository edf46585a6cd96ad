"""The gradebook's database: its address, whether it can be used, and a copy before it is changed.

Chapter: book/instructors/scale.md
"""

import contextlib
import logging
import shlex
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

from nbgrader.api import Base, Gradebook, InvalidEntry
from sqlalchemy import URL, create_engine, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool
from tornado.log import app_log

from lmcourse import files
from lmcourse.grading.assignment.course import own_tools
from lmcourse.grading.errors import FailureError, MisuseError

_PATIENCE = 5.0  # seconds for another program that is just writing
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")
_DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT")


def sqlite_url(path: Path) -> str:
    """The address of a gradebook in a file, for nbgrader and SQLAlchemy, whatever its name holds.

    Raises:
        MisuseError: this version of SQLAlchemy cannot say it.
    """
    url = URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)
    if make_url(url).database != str(path):
        raise MisuseError(
            f"the path of the gradebook must be without ? and %, got {path}: choose another folder"
            " with --output"
        )
    return url


def make_gradebook(path: Path) -> None:
    """Make an empty gradebook at `path` if there is none: whole, or not at all.

    Raises:
        FailureError: it cannot be made.
    """
    if path.exists():
        return
    try:
        with files.replacing(path) as part, own_tools(), Gradebook(sqlite_url(part)):
            pass
    except (OSError, subprocess.CalledProcessError, SQLAlchemyError) as error:
        raise FailureError(f"the gradebook {path} cannot be made: {reason(error)}") from error


def fill_database(db_url: str) -> None:
    """Make the gradebook's tables in a database of the course's own, if it has none.

    Raises:
        FailureError: the database cannot be used.
    """
    try:
        with own_tools(), Gradebook(db_url):
            pass
    except (OSError, ImportError, subprocess.CalledProcessError, SQLAlchemyError) as error:
        raise FailureError(f"the gradebook's database cannot be used: {reason(error)}") from error


def require_usable(db_url: str, path: Path | None = None) -> None:
    """Return only if the gradebook can be read and written, and has all that nbgrader looks for.

    It is left as it is; one that is not there yet is usable.

    Args:
        path: of the file, if it is one.

    Raises:
        FailureError: it is damaged, locked or of an older nbgrader; the message says what to do.
    """
    if path is not None:
        if not path.exists():
            return
        _require_whole(path)
    try:
        lacking = _lacking(db_url)
    except (SQLAlchemyError, ImportError) as error:
        raise FailureError(f"{_named(db_url, path)} cannot be used: {reason(error)}") from error
    if lacking:
        more = ", …" if len(lacking) > 3 else ""
        raise FailureError(
            f"{_named(db_url, path)} was made by an older nbgrader (it has no"
            f" {', '.join(lacking[:3])}{more}). Nothing was changed. Bring it up to date with"
            f" `nbgrader db upgrade --db={shlex.quote(db_url)}`, which keeps a copy, then give the"
            " command again"
        )


def _require_whole(path: Path) -> None:
    try:
        with contextlib.closing(_opened(path, "rw")) as db:
            db.execute("begin immediate")  # as whoever is about to write
            (said,) = db.execute("pragma quick_check(1)").fetchone()
            db.execute("rollback")
    except sqlite3.Error as error:
        raise FailureError(f"the gradebook {path} {_trouble(error, path)}") from error
    if said != "ok":
        raise FailureError(f"the gradebook {path} is damaged ({said}): {_copies(path)}")


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=_PATIENCE, isolation_level=None)


def _trouble(error: sqlite3.Error, path: Path) -> str:
    """What is wrong with a file, and what to do."""
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(_BUSY):
        return (
            "is locked by another program that writes to it, such as a formgrader or a database"
            " browser: close it, then give the command again"
        )
    if code.startswith(_DAMAGED):
        return f"is damaged ({error}): {_copies(path)}"
    return f"cannot be written ({error})"


def _copies(path: Path) -> str:
    copy = copy_of(path)
    if not copy.exists():
        return "put a copy of yours in its place, or move it away to begin an empty one"
    return (
        f"{copy.name} beside it is a copy from before the last run; put it in its place, or move"
        " the damaged one away to begin an empty one"
    )


def copy_of(path: Path) -> Path:
    """Where `keep_copy` keeps the gradebook as it was."""
    return path.with_name(f"{path.stem}.backup{path.suffix}")


def keep_copy(path: Path) -> None:
    """Copy a gradebook, if there is one, before it is changed; the last copy is replaced.

    Raises:
        FailureError: it cannot be copied.
    """
    if not path.exists():
        return
    try:
        with (
            files.replacing(copy_of(path)) as part,
            contextlib.closing(_opened(path, "ro")) as db,
            contextlib.closing(sqlite3.connect(part)) as copy,
        ):
            db.backup(copy)
    except (OSError, sqlite3.Error) as error:
        raise FailureError(
            f"the gradebook {path} cannot be copied to {copy_of(path)}: {reason(error)}"
        ) from error


def _lacking(db_url: str) -> list[str]:
    """What nbgrader's tables should have and these have not; nothing where there are none yet."""
    engine = create_engine(db_url, poolclass=NullPool)
    look = inspect(engine)
    wanted = {table.name: {column.name for column in table.columns} for table in _TABLES}
    there = {
        name: {column["name"] for column in look.get_columns(name)}
        for name in look.get_table_names()
        if name in wanted
    }
    if not there:
        return []
    tables = sorted(set(wanted) - set(there))
    columns = [
        f"{name}.{column}"
        for name in sorted(there)
        for column in sorted(wanted[name] - there[name])
    ]
    return [*(f"table {name}" for name in tables), *columns]


_TABLES = tuple(Base.metadata.sorted_tables)


def _named(db_url: str, path: Path | None) -> str:
    if path is not None:
        return f"the gradebook {path}"
    return f"the gradebook's database {make_url(db_url).render_as_string()}"


def is_of_database(error: BaseException) -> bool:
    """Whether a database raised it, or nbgrader in its place."""
    return isinstance(error, SQLAlchemyError | InvalidEntry)


def reason(error: BaseException) -> str:
    """Why the database could not be used, in one line."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, OSError):
        return files.reason(cause)
    said = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
    return files.FULL if "disk is full" in said else said


@contextlib.contextmanager
def nbgraders_words_in(log: logging.Logger) -> Iterator[None]:
    """While it lasts, what nbgrader tells of its database goes to a log, not to the screen."""
    handlers, propagate = app_log.handlers, app_log.propagate
    app_log.handlers, app_log.propagate = list(log.handlers), False
    try:
        yield
    finally:
        app_log.handlers, app_log.propagate = handlers, propagate
