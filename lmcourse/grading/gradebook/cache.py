"""Graded notebooks that need not be graded again: an interrupted run goes on where it stopped.

Chapter: book/instructors/scale.md

Of each learner and assignment the last one is kept, under a key of all that decides its grade. An
entry is whole or it is not there; one that is damaged is as good as none.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lmcourse.files import write_file
from lmcourse.grading.assignment.notebooks import Cell, digest
from lmcourse.grading.execution.assignment_spec import AssignmentSpec
from lmcourse.grading.gradebook import environment

_FORMAT = "1"


class Cache:
    """The graded notebooks of one assignment.

    Args:
        folder: where they lie, a file for each learner.
        spec: with which they are, or were, graded.
    """

    def __init__(self, folder: Path, spec: AssignmentSpec):
        self._folder = folder
        self._common = "\0".join((_FORMAT, spec.fingerprint, environment.fingerprint()))

    def key(self, student: str, cells: Sequence[Cell]) -> str:
        """Another one if anything that decides the grade has changed.

        Of what was handed in that is the cells' kinds, texts and names: outputs decide nothing.
        """
        text = "\0".join((self._common, student, digest(list(cells))))
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()

    def find(self, student: str, key: str) -> str | None:
        """What was kept under this key; None if there is nothing, or it is damaged."""
        try:
            head, _, kept = self._path(student).read_bytes().partition(b"\n")
        except OSError:
            return None
        return kept.decode() if head == _head(key, kept) else None

    def keep(self, student: str, key: str, notebook: str) -> None:
        """Keep a graded notebook, in the place of the learner's last one.

        Raises:
            OSError: there is no room for it; nothing has changed.
        """
        kept = notebook.encode()
        write_file(self._path(student), _head(key, kept) + b"\n" + kept)

    def _path(self, student: str) -> Path:
        return self._folder / f"{student}.json"


def _head(key: str, kept: bytes) -> bytes:
    return f"{key} {hashlib.sha256(kept).hexdigest()}".encode()
