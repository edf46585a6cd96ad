"""Where a course lies: its folder, its assignments and its settings for nbgrader.

Chapter: book/instructors/index.md
"""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from traitlets.config import Config, PyFileConfigLoader

from lmcourse.grading.errors import MisuseError

if TYPE_CHECKING:  # nbgrader takes over a second: a wrong call is told before
    from nbgrader.coursedir import CourseDirectory

CONFIG = "nbgrader_config.py"


@dataclass(frozen=True, kw_only=True)
class Course:
    """A folder with `nbgrader_config.py`, and the settings in it."""

    root: Path
    config: Config

    @property
    def solutions(self) -> Path:
        """The folder of the authors' notebooks."""
        return self.root / self._folder("source_directory", "source")

    @property
    def exercises(self) -> Path:
        """The folder of what learners get."""
        return self.root / self._folder("release_directory", "release")

    def _folder(self, name: str, default: str) -> str:
        """What nbgrader's CourseDirectory would say, without loading nbgrader."""
        return self.config.CourseDirectory.get(name, default)

    def assignments(self) -> list[str]:
        """The slugs that have solutions/<slug>/<slug>.ipynb, sorted."""
        return sorted(
            path.parent.name
            for path in self.solutions.glob("*/*.ipynb")
            if path.stem == path.parent.name
        )

    def solution(self, assignment: str) -> Path:
        """The author's notebook of an assignment.

        Raises:
            MisuseError: there is no such assignment.
        """
        known = self.assignments()
        if assignment not in known:
            names = ", ".join(known) or f"none: {self.solutions} holds no <name>/<name>.ipynb"
            raise MisuseError(
                f"assignment must be one of this course's ({names}), got {assignment!r}"
            )
        return self.solutions / assignment / f"{assignment}.ipynb"

    def directory(self, log: logging.Logger, **settings: str) -> "CourseDirectory":
        """nbgrader's view of the course, with some settings changed."""
        from nbgrader.coursedir import CourseDirectory

        config = deepcopy(self.config)  # Config(…) would share its sections, and change them
        config.CourseDirectory.root = str(self.root)
        config.CourseDirectory.update(settings)
        return CourseDirectory(config=config, log=log)


def find_course(folder: Path | None = None) -> Course:
    """The course in `folder`, or the one that the current folder lies in.

    Raises:
        MisuseError: there is none.
    """
    start = (folder or Path.cwd()).resolve()
    candidates = [start] if folder else [start, *start.parents]
    for candidate in candidates:
        if (candidate / CONFIG).is_file():
            return Course(root=candidate, config=_load(candidate))
    where = f"{folder} holds no" if folder else "neither this folder nor one above it holds a"
    raise MisuseError(f"{where} {CONFIG}: run this in the course's folder, or add --course FOLDER")


def _load(root: Path) -> Config:
    try:
        # In full: the loader would take a `$` in the folder's name for a variable.
        return PyFileConfigLoader(str(root / CONFIG), path=str(root)).load_config()
    except Exception as error:
        raise MisuseError(
            f"{root / CONFIG} does not load: {type(error).__name__}: {error}"
        ) from error


def writable_folder(folder: Path, instead: str = "choose another with --output") -> Path:
    """`folder`, made if it was missing.

    Raises:
        MisuseError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MisuseError(
            f"cannot make the folder {folder} ({error.strerror}): {instead}"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise MisuseError(f"cannot write to the folder {folder}: {instead}")
    return folder


@contextlib.contextmanager
def own_tools() -> Iterator[None]:
    """nbgrader calls `alembic` by its bare name: it must be this environment's."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + before
    try:
        yield
    finally:
        os.environ["PATH"] = before


def quiet_log(path: Path | None = None) -> logging.Logger:
    """A log for nbgrader that goes to a file, or nowhere; never to the screen."""
    log = logging.Logger("lmcourse.grading", level=logging.INFO)
    if path:
        path.unlink(missing_ok=True)  # an old one would pass for this run's
    handler = logging.FileHandler(path, "w", "utf-8", delay=True) if path else logging.NullHandler()
    handler.handleError = lambda record: None  # a full disk: its lines must not fill the screen
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    return log


@contextlib.contextmanager
def closing_log(log: logging.Logger) -> Iterator[logging.Logger]:
    """The log, whose file is closed when the `with` ends."""
    try:
        yield log
    finally:
        for handler in log.handlers:
            with contextlib.suppress(OSError):  # what a full disk took is gone already
                handler.close()
