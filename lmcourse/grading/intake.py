"""What was handed in: one notebook for each learner, or the reason why there is none.

Chapter: book/instructors/index.md
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from lmcourse.grading.errors import MisuseError
from lmcourse.grading.notebooks import Cell, NotebookError, read_cells

STUDENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_IGNORED = re.compile(r"\.|__MACOSX$|__pycache__$|Thumbs\.db$|desktop\.ini$")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One learner's entry in the folder; with a `problem` there are no cells to grade."""

    student: str
    cells: list[Cell] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where one learner's submission lies; it is read when its turn comes, not before."""

    student: str
    path: Path
    assignment: str
    times: int = 1  # that the name is there

    def read(self) -> Submission:
        """The submission as it is now."""
        return _read(self.path, self.assignment, self.times)


def collect(folder: Path, assignment: str) -> list[Submission]:
    """Each learner's submission, read at once; raises as `entries` does."""
    return [entry.read() for entry in entries(folder, assignment)]


def entries(folder: Path, assignment: str) -> list[Entry]:
    """Each learner's entry, sorted by name, from any of these places:

    FOLDER/<student>/<assignment>.ipynb, FOLDER/<student>/<assignment>/<assignment>.ipynb,
    FOLDER/<student>.ipynb.

    Raises:
        MisuseError: the folder is missing or holds no submission.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise MisuseError(f"FOLDER must be a folder of submissions, but {folder} {what}")
    try:
        found = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise MisuseError(f"cannot read the folder {folder}: {error.strerror}") from error
    found = [path for path in found if not _IGNORED.match(path.name) and _is_entry(path)]
    if not found:
        raise MisuseError(
            f"{folder} holds no submission: it must hold <student>/{assignment}.ipynb,"
            f" <student>/{assignment}/{assignment}.ipynb or <student>.ipynb"
        )
    names = Counter(map(_student, found))
    return [
        Entry(student=name, path=path, assignment=assignment, times=names[name])
        for path in found
        for name in [_student(path)]
    ]


def _is_entry(path: Path) -> bool:
    return path.is_symlink() or path.is_dir() or path.suffix == ".ipynb"


def _student(path: Path) -> str:
    return path.stem if path.suffix == ".ipynb" and not path.is_dir() else path.name


def _read(path: Path, assignment: str, times: int) -> Submission:
    student = _student(path)
    try:
        if times > 1:
            raise NotebookError("there are a folder and a file of this name: keep one of them")
        if not STUDENT.fullmatch(student):
            raise NotebookError(
                "the name is no student id (letters, digits, . _ -, at most 64): rename it"
            )
        if student == assignment and path.suffix == ".ipynb":
            raise NotebookError(
                f"it stands in the folder of the class: move it to <student>/{assignment}.ipynb"
            )
        return Submission(student=student, cells=read_cells(_notebook(path, assignment)))
    except NotebookError as error:
        return Submission(student=student, problem=str(error))
    except OSError as error:
        return Submission(student=student, problem=f"it cannot be read ({error.strerror})")


def _notebook(path: Path, assignment: str) -> Path:
    """The one file of an entry that counts."""
    name = f"{assignment}.ipynb"
    if path.is_symlink():
        raise NotebookError("it is a link, not a folder or a file")
    if not path.is_dir():
        return path
    inner = path / assignment
    if inner.is_symlink():
        raise NotebookError(f"{assignment}/ in it is a link, not a folder")
    found = [place for place in (path / name, inner / name) if _exists(place)]
    if len(found) == 2:
        raise NotebookError(f"it holds two: {name} and {assignment}/{name}; keep one of them")
    if found:
        return found[0]
    others = sorted({place.name for place in [*path.glob("*.ipynb"), *inner.glob("*.ipynb")]})
    if others:
        raise NotebookError(
            f"there is no {name}, but {', '.join(others[:3])}: rename the one that counts"
        )
    raise NotebookError(f"there is no {name}")


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()
