"""The course secret, from which the inputs of hidden tests are drawn.

Chapter: book/instructors/sandbox.md

Threat: inputs of tests that a learner can foresee. The secret lies beside the gradebook and goes
nowhere near a learner's process.
"""

import os
import secrets
from pathlib import Path

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
        if not said and file is None and not (path.exists() and path.stat().st_size):
            create_file(path, secrets.token_hex(32) + "\n")
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
