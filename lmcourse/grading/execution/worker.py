"""One workshop for each thread that grades, kept warm from one submission to the next.

Chapter: book/instructors/sandbox.md

Threat: inputs of tests that a learner can foresee. They are drawn from the course secret, which
lies beside the gradebook and goes nowhere near a learner's process.
"""

import atexit
import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.execution.outcomes import Verdict
from lmcourse.grading.execution.replies import Ran
from lmcourse.grading.execution.warm_servers import Workshop
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.withhold import Withheld

SECRET = ".course_secret"
VARIABLE = "LMCOURSE_SECRET"
_CHARACTERS = 16  # at least, of a secret

# At most one for each thread, of the assignment that it grades: a sandbox ends with the thread
# that started it, and a worker of a cluster may have several.
_kept: dict[int, tuple["Brief", Workshop]] = {}


@dataclass(frozen=True, kw_only=True)
class Brief:
    """All that a workshop needs to know of an assignment; see `Workshop`."""

    reference: Sequence[CodeCell]
    wanted: frozenset[str]
    secret: bytes
    budgets: Budgets
    withheld: Withheld
    files: Mapping[str, bytes]
    hidden: Sequence[Path]


def grade(brief: Brief, submission: str, cells: Sequence[CodeCell]) -> list[Ran | Verdict]:
    """What became of each cell, in the workshop of this brief; raises as `Workshop.grade` does."""
    return _workshop(brief).grade(submission, cells)


def close() -> None:
    """End all workshops that are kept."""
    for thread in list(_kept):
        _close(thread)


def _close(thread: int) -> None:
    if thread in _kept:
        _kept.pop(thread)[1].close()


def _workshop(brief: Brief) -> Workshop:
    thread = threading.get_ident()
    if thread not in _kept or _kept[thread][0] != brief:
        _close(thread)
        atexit.unregister(close)
        atexit.register(close)
        options = {k: v for k, v in vars(brief).items() if k not in ("reference", "wanted")}
        _kept[thread] = brief, Workshop(brief.reference, brief.wanted, **options)
    return _kept[thread][1]


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
