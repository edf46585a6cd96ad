"""What a command says on the terminal: its lines, its errors in one line, its exit codes.

Chapter: book/setup.md
"""

import contextlib
import errno
import sys
from collections.abc import Iterator

import typer

from lmcourse.grading.errors import FailureError, MisuseError
from lmcourse.grading.messages import plain

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """One line instead of a traceback: exit code 2 for a wrong call, 1 for work that failed."""
    try:
        yield
    except (MisuseError, FailureError) as error:
        say(str(error))
        raise typer.Exit(2 if isinstance(error, MisuseError) else 1) from None
    except ModuleNotFoundError as error:
        extra = "learn" if sys.argv[1:2] == ["check"] else "learn,grading"
        say(
            f"{error.name} is missing; in the course's folder:"
            f' python -m pip install -c constraints.txt -e ".[{extra}]"'
        )
        raise typer.Exit(1) from None
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        where = f" at {error.filename}" if error.filename else ""
        say(f"no room to write{where} ({error.strerror}): free some, then give the command again")
        raise typer.Exit(1) from None
    except KeyboardInterrupt as stopped:
        say(str(stopped) or "stopped")
        raise typer.Exit(130) from None


def say(text: str) -> None:
    """A line about what went wrong, on stderr."""
    typer.echo(f"lmcourse: {plain(text)}", err=True)


def show_line(text: str) -> None:
    """A line of a result, with rich's markup."""
    _console().print(text, soft_wrap=True)


def _console(stderr: bool = False):
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def mark(ok: bool) -> str:
    """A tick or a cross."""
    return "[green]✓[/green]" if ok else "[red]✗[/red]"


def waiting(text: str):
    """While it lasts a wheel turns beside the text; its `update` changes the text."""
    return _console(stderr=True).status(text)
