"""The course secret, from which the inputs of hidden tests are drawn.

Chapter: book/instructors/sandbox.md

Threat: inputs of tests that a learner can foresee. The secret lies beside the gradebook and goes
nowhere near a learner's process.
"""

import os
import secrets
from pathlib import Path

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
    if not said and file is None and not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as new:
            new.write(secrets.token_hex(32) + "\n")
    try:
        secret = (said or path.read_text("utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the course secret {path} cannot be read: {error}") from None
    if len(secret) < _CHARACTERS:
        raise ValueError(
            f"the course secret must have at least {_CHARACTERS} characters, got {len(secret)}:"
            " `openssl rand -hex 32` makes a good one"
        )
    return secret.encode()
