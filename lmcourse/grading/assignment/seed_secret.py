"""The course secret, from which the inputs of hidden tests are drawn.

Chapter: book/instructors/sandbox.md

Threat: inputs of tests that a learner can foresee. The secret lies beside the gradebook and goes
nowhere near a learner's process.
"""

import contextlib
import os
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lmcourse.files import create_file, reason

SECRET = ".course_secret"
VARIABLE = "LMCOURSE_SECRET"
_CHARACTERS = 16  # at least, of a secret


def course_secret(folder: Path, file: Path | None = None) -> bytes:
    """The course secret: `file`'s, or the variable LMCOURSE_SECRET, or that of `folder`.

    One is made in `folder`, readable by its owner alone, if it has none.

    Raises:
        ValueError: it is too short, or cannot be read.
    """
    said = os.environ.get(VARIABLE, "") if file is None else ""
    path = file or folder / SECRET
    try:
        if not said and file is None:
            _make(path)
        secret = (said or path.read_text("utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the course secret {path} cannot be read: {reason(error)}") from None
    if len(secret) < _CHARACTERS:
        where = f"in the variable {VARIABLE}" if said else f"in {path}"
        raise ValueError(
            f"the course secret {where} must have at least {_CHARACTERS} characters, got"
            f" {len(secret)}: `openssl rand -hex 32` makes a good one"
        )
    return secret.encode()


def _make(path: Path) -> None:
    """Make the secret, unless there is one; of several runs that do so at once the first wins."""
    fresh = secrets.token_hex(32) + "\n"
    try:
        left = path.open("rb+")
    except FileNotFoundError:
        create_file(path, fresh)
        return
    except PermissionError:  # it can be read, let us hope, and is whole then
        return
    with left, _first_to_come(left):
        # Another run that found it unfinished, too, may have put its own there meanwhile.
        if os.path.samestat(os.fstat(left.fileno()), path.stat()) and _unfinished(left.read()):
            left.truncate(0)
            create_file(path, fresh)


def _unfinished(data: bytes) -> bool:
    """Whether a run that was stopped while it wrote has left this: nothing, or a beginning."""
    data = data.rstrip(b"\0")  # for which a machine without power puts zeros
    return (
        not data.strip() or re.fullmatch(rb"[0-9a-f]{1,%d}" % (_CHARACTERS - 1), data) is not None
    )


@contextlib.contextmanager
def _first_to_come(file: BinaryIO) -> Iterator[None]:
    """Wait until no other run looks at this file; where files cannot be locked, do not."""
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
    yield
