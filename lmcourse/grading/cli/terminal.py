"""What a command says on the terminal: its lines, its errors in one line, its exit codes.

Chapter: book/setup.md
"""

import codecs
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from lmcourse.files import is_full
from lmcourse.grading.errors import FailureError, MisuseError
from lmcourse.grading.safe_text import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

# For output in an encoding that lacks them: a Western Windows, a pipe in the locale C.
_STAND_INS = {
    "✓": "ok",
    "✗": "x",
    "·": ".",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "×": "x",
    "→": "->",
    "←": "<-",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "“": '"',
    "”": '"',
    "„": '"',
    "‘": "'",
    "’": "'",
    "\u00a0": " ",
    "\u202f": " ",
}
_LEARNING = (["doctor"], ["check"], ["train"], ["sample"], ["reproduce"])
_READABLE = "lmcourse-readable"  # the name of the rule below among Python's rules for encoding
_NO_EDGE = 10_000  # columns: a table in a file takes what it needs, and no word in it is cut


def readable_output() -> None:
    """From now on no sign ends the work because the output's encoding lacks it.

    Our signs get a stand-in, other letters their escape: `学` in cp1252 is written as `\\u5b66`.
    """
    codecs.register_error(_READABLE, _stand_in)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_READABLE)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    text = "".join(_STAND_INS.get(sign, sign) for sign in signs)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """One line instead of a traceback: exit code 2 for a wrong call, 1 for work that failed."""
    try:
        with _clearing_up():
            yield
    except (MisuseError, FailureError) as error:
        say(str(error))
        raise typer.Exit(2 if isinstance(error, MisuseError) else 1) from None
    except ImportError as error:
        if (error.name or "").startswith("lmcourse") and sys.modules.get(error.name or ""):
            raise  # a module of ours lacks a name: a defect
        extra = "learn" if sys.argv[1:2] in _LEARNING else "learn,grading"
        wrong = f"{error.name} is missing"
        if not isinstance(error, ModuleNotFoundError):
            wrong = f"{error.name or 'a package'} is broken ({error}); lmcourse doctor looks at all"
        say(
            f"{wrong}; in the course's folder:"
            f' python -m pip install -c constraints.txt -e ".[{extra}]"'
        )
        raise typer.Exit(1) from None
    except OSError as error:
        if not is_full(error):
            raise
        where = f" at {error.filename}" if error.filename else ""
        say(f"no room to write{where} ({error.strerror}): free some, then give the command again")
        raise typer.Exit(1) from None
    except KeyboardInterrupt as stopped:
        stop_once()
        say(str(stopped) or "stopped")
        raise typer.Exit(130) from None


@contextlib.contextmanager
def _clearing_up() -> Iterator[None]:
    """SIGTERM (`kill`, a machine that shuts down) ends the work as an error does.

    So what it has begun is ended, and its temporary folders go. By itself the signal would end this
    process where it is.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def stop_once() -> None:
    """After the first Ctrl-C little is left to do: the next ones change nothing of how it ends."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def say(text: str) -> None:
    """A line about what went wrong, on stderr."""
    print(f"lmcourse: {plain(text)}", file=sys.stderr, flush=True)


def tell(text: str) -> None:
    """A line of a result, as it stands."""
    print(text, flush=True)


def write(text: str) -> None:
    """A piece of a result, as it stands, at once and without an end of line."""
    print(text, end="", flush=True)


def show_line(text: str) -> None:
    """A line of a result, with rich's markup."""
    console().print(text, soft_wrap=True)


def console(*, stderr: bool = False) -> "Console":
    """A console as wide as the terminal; in a file or a pipe a line may be as long as it needs."""
    from rich.console import Console

    readable_output()
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream is not None and stream.isatty() else _NO_EDGE
    return Console(stderr=stderr, width=width, highlight=False)


def mark(ok: bool) -> str:
    """A tick or a cross."""
    return "[green]✓[/green]" if ok else "[red]✗[/red]"


def waiting(text: str) -> "Status":
    """While it lasts a wheel turns beside the text; its `update` changes the text."""
    err = console(stderr=True)
    unicode = err.encoding.startswith("utf")
    return err.status(text, spinner="dots" if unicode else "line")
