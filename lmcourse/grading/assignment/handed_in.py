"""What was handed in: one notebook for each learner, or the reason why there is none.

Chapter: book/instructors/index.md

Whatever lies in the folder becomes a row or a line that says why it was left out. Names of files
are made plain text here, so that no later step can stumble over one.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from lmcourse.grading.assignment.notebooks import Cell, NotebookError, read_cells
from lmcourse.grading.errors import MisuseError

STUDENT_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
# What systems and programs leave behind. A hidden file of another name may be a submission.
_RUBBISH = re.compile(
    r"~\$|.*(?<!\.ipynb)~$|__pycache__$|__MACOSX$|\$RECYCLE\.BIN$|System Volume Information$"
    r"|(?:eh)?thumbs\.db$|desktop\.ini$|Icon\r$"
    r"|\.(?:_|DS_Store$|localized$|Spotlight-V100$|Trash|fseventsd$|TemporaryItems$|directory$"
    r"|nfs|fuse_hidden|~lock\.|ipynb_checkpoints$|git|keep$)",
    re.IGNORECASE,
)
_ARCHIVE = re.compile(r"\.(?:zip|tar|gz|tgz|bz2|xz|7z|rar)$", re.IGNORECASE)
_RENAMED = re.compile(r"\.ipynb(?:\.\w+)?$|\.json$", re.IGNORECASE)
_OTHER = re.compile(r"\.(?:py|html?|pdf|docx?|md)$", re.IGNORECASE)
_FORMS = (_RENAMED, _ARCHIVE, _OTHER)
_ENDINGS = re.compile(
    r"(?:\.(?:ipynb|json|txt|py|html?|pdf|docx?|md|zip|tar|gz|tgz|bz2|xz|7z|rar))+$", re.IGNORECASE
)
# Of a folder without the notebook, to say what is there instead.
_FILES_LOOKED_AT, _FOLDERS_LOOKED_AT = 200, 20


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

    def notebook(self) -> Path:
        """The one file of the entry that counts.

        Raises:
            NotebookError: there is none, or it is not clear which.
            OSError: the folder cannot be read.
        """
        name = self.path.name
        if not _is_entry(self.path):
            raise NotebookError(f"it is {shown(name)}: {_advice(name, self.student)}")
        if not STUDENT_ID.fullmatch(_raw_student(self.path)):
            raise NotebookError(
                "the name is no student id (letters a to z and A to Z, digits, . _ -, at most 64):"
                " rename it"
            )
        if self.times > 1:
            raise NotebookError("there are a folder and a file of this name: keep one of them")
        if self.student == self.assignment and self.path.suffix == ".ipynb":
            raise NotebookError(
                "it stands in the folder of the class:"
                f" move it to <student>/{self.assignment}.ipynb"
            )
        return _notebook(self.path, self.assignment)

    def read(self) -> Submission:
        """The submission as it is now."""
        try:
            cells = read_cells(self.notebook(), handed_in=True)
            return Submission(student=self.student, cells=cells)
        except NotebookError as error:
            return Submission(student=self.student, problem=str(error))
        except OSError as error:
            problem = f"it cannot be read ({error.strerror})"
            return Submission(student=self.student, problem=problem)
        except Exception as error:  # of a kind that nobody thought of; the class goes on
            problem = f"it cannot be read ({type(error).__name__})"
            return Submission(student=self.student, problem=problem)


def collect(folder: Path, assignment: str) -> list[Submission]:
    """Each learner's submission, read at once; raises as `entries` does."""
    return [entry.read() for entry in entries(folder, assignment)]


def entries(folder: Path, assignment: str) -> list[Entry]:
    """Each learner's entry, sorted by name, from any of these places:

    FOLDER/<student>/<assignment>.ipynb, FOLDER/<student>/<assignment>/<assignment>.ipynb,
    FOLDER/<student>.ipynb. A file that may be a learner's notebook in another form (an archive, a
    page, another ending) is an entry too, with a problem, where the learner has no other.

    Raises:
        MisuseError: the folder is missing or holds no submission.
    """
    rows, left = _sorted_out(folder)
    if not rows:
        there = f"; there is {', '.join(shown(path.name) for path in left[:3])}" if left else ""
        raise MisuseError(
            f"{folder} holds no submission: it must hold <student>/{assignment}.ipynb,"
            f" <student>/{assignment}/{assignment}.ipynb or <student>.ipynb{there}"
        )
    names = Counter(_student(path) for path in rows if _is_entry(path))
    return [
        Entry(student=name, path=path, assignment=assignment, times=names[name])
        for path in rows
        for name in [_student(path)]
    ]


def ignored(folder: Path) -> list[str]:
    """What else lies in the folder, each with what to do about it; raises as `entries` does."""
    _, left = _sorted_out(folder)
    return [f"{shown(path.name)}: {_advice(path.name, _student(path))}" for path in left]


def shown(name: str) -> str:
    """A file's name as plain text: what cannot be printed, or is no UTF-8, as an escape."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def _sorted_out(folder: Path) -> tuple[list[Path], list[Path]]:
    """What is somebody's entry, and what is left over, both sorted by name."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise MisuseError(f"FOLDER must be a folder of submissions, but {folder} {what}")
    try:
        found = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise MisuseError(f"cannot read the folder {folder}: {error.strerror}") from error
    found = [path for path in found if not _RUBBISH.match(path.name)]
    seen = [path for path in found if not path.name.startswith(".")]
    rows = {path: _student(path) for path in seen if _is_entry(path)}
    for path in seen:
        in_a_form = any(form.search(path.name) for form in _FORMS)
        if in_a_form and _student(path) not in rows.values():
            rows[path] = _student(path)
    return [path for path in found if path in rows], [path for path in found if path not in rows]


def _is_entry(path: Path) -> bool:
    return path.is_symlink() or _is_folder(path) or path.suffix == ".ipynb"


def _is_folder(path: Path) -> bool:
    """Whether it is one; what cannot be looked at, on a disk that fails say, is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _student(path: Path) -> str:
    return shown(_raw_student(path))


def _raw_student(path: Path) -> str:
    if _is_folder(path) and not path.is_symlink():
        return path.name
    return path.stem if path.suffix == ".ipynb" else _ENDINGS.sub("", path.name) or path.name


def _advice(name: str, wanted: str) -> str:
    """What to do with a file that is no notebook by its name."""
    if name.startswith("."):
        return "it is hidden: if it is a submission, give it a name without the dot in front"
    if _ARCHIVE.search(name):
        return f"unpack it into a folder {wanted}"
    if _RENAMED.search(name):
        return f"if it is the notebook, rename it to {wanted}.ipynb"
    if _OTHER.search(name):
        return "it is no notebook: ask for the file that ends in .ipynb"
    return "it is no submission: move it elsewhere"


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
    raise NotebookError(f"there is no {name}{_instead(path, assignment)}")


def _instead(folder: Path, assignment: str) -> str:
    """What lies in a folder without the notebook, and what to do with it."""
    name, there = f"{assignment}.ipynb", list(_below(folder))
    notebooks = [path for path in there if path.suffix == ".ipynb"]
    beside = [path for path in notebooks if path.parent in (folder, folder / assignment)]
    if beside:
        return f", but {_listed(beside, folder)}: rename the one that counts"
    if notebooks:
        return f", but {_listed(notebooks, folder)}: move it up to {shown(folder.name)}/{name}"
    for path in there:
        if any(form.search(path.name) for form in _FORMS):
            return f", but {_listed([path], folder)}: {_advice(path.name, assignment)}"
    return f", but {_listed(there, folder)}" if there else ""


def _below(folder: Path) -> list[Path]:
    """Plain files in a folder and down to two folders below it; rubbish and links aside."""
    found, folders = [], [folder]
    for _ in range(3):
        places = [place for here in folders for place in _first(here)]
        found += [Path(place) for place in places if place.is_file(follow_symlinks=False)]
        folders = [Path(place) for place in places if place.is_dir(follow_symlinks=False)]
        folders = folders[:_FOLDERS_LOOKED_AT]
    return found


def _first(folder: Path) -> list[os.DirEntry]:
    with os.scandir(folder) as all_of_them:
        some = list(islice(all_of_them, _FILES_LOOKED_AT))
    return sorted((one for one in some if not _RUBBISH.match(one.name)), key=lambda one: one.name)


def _listed(paths: list[Path], folder: Path) -> str:
    return ", ".join(shown(path.relative_to(folder).as_posix()) for path in paths[:3])


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()
