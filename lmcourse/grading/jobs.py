"""One submission graded: staged, run by nbgrader's own converter, and read back as plain data.

Chapter: book/instructors/index.md
"""

import contextlib
import json
import logging
import os
import shutil
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from traitlets.config import Config

from lmcourse.grading.budgets import Budgets
from lmcourse.grading.course import Course
from lmcourse.grading.intake import Submission
from lmcourse.grading.notebooks import digest
from lmcourse.grading.outcomes import UNGRADED

_NEW = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


@dataclass(frozen=True, kw_only=True)
class Grade:
    """One graded cell of one learner."""

    name: str
    points: float
    of: float
    verdict: str = ""  # of a test: passed, failed, ungraded; nothing for a written answer
    message: str = ""
    hidden: bool = False
    waiting: bool = False  # for a person
    by_person: bool = False  # the points were given by one
    comment: str = ""  # a person's
    fraction: float = 0.0  # of the points that its tests gave
    seed: str = ""

    @property
    def lost(self) -> bool:
        return self.points < self.of and not self.waiting


@dataclass(frozen=True, kw_only=True)
class Result:
    """One learner's row: the grades, or the problem because of which there are none."""

    student: str
    grades: list[Grade] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    cells: list[dict] = field(default_factory=list)  # of the graded notebook, for the feedback
    sandbox: bool = True  # whether the code ran in it

    @property
    def score(self) -> float:
        return sum((grade.points for grade in self.grades), 0.0)

    @property
    def ungraded(self) -> list[Grade]:
        return [grade for grade in self.grades if grade.verdict == UNGRADED and grade.waiting]

    @property
    def by_hand(self) -> list[Grade]:
        return [grade for grade in self.grades if grade.waiting and grade.verdict != UNGRADED]

    @property
    def complete(self) -> bool:
        """Whether all that a program can decide is decided."""
        return not self.problem and not self.ungraded


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to grade.

    Args:
        seconds: for one cell, and for one test.
        sandbox: False runs what was handed in unprotected, with the grader's own rights.
        secret: a file with the course secret; without one it lies beside the gradebook.
    """

    seconds: float = Budgets.test_seconds
    sandbox: bool = True
    secret: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where one assignment of one course is graded."""

    course: Course
    assignment: str
    output: Path
    options: Options
    log: logging.Logger
    keeps_submissions: bool = False  # they already lie in submitted/: leave them as they are

    @property
    def own_gradebook(self) -> bool:
        """Whether the gradebook is a file in `output`, not a database of the course's settings."""
        return not self.course.config.CourseDirectory.get("db_url")

    @property
    def db_url(self) -> str:
        if self.own_gradebook:
            return f"sqlite:///{(self.output / 'gradebook.db').resolve()}"
        return self.course.config.CourseDirectory.db_url

    def folder(self, step: str, student: str) -> Path:
        return self.output / step / student / self.assignment


def grade_one(desk: Desk, submission: Submission) -> Result:
    """The result of one submission; what is wrong with it becomes its row, never an exception."""
    student = submission.student
    if submission.problem:
        return Result(student=student, problem=submission.problem)
    try:
        decided = _decided(desk, submission)
        _autograde(desk, submission)
        _keep_decided(desk, student, decided)
        return read_back(desk, student)
    except (NbGraderException, SystemExit):
        problem = "nbgrader could not convert it; the log says more"
    except Exception as error:
        desk.log.exception("%s could not be graded", student)
        problem = f"the grader failed on it ({type(error).__name__}); the log says more"
    return Result(student=student, problem=problem)


def _autograde(desk: Desk, submission: Submission) -> None:
    """Run nbgrader's converter in a scratch folder, then put what it made in its place at once.

    Nothing of the submission but its cells gets there, and an interrupted run leaves the earlier
    result as it was.
    """
    student = submission.student
    with tempfile.TemporaryDirectory(prefix=".lmcourse-", dir=desk.output) as scratch:
        handed_in = Path(scratch).resolve() / "submitted"
        graded = Path(scratch).resolve() / "autograded"
        _write_cells(handed_in / student / desk.assignment / f"{desk.assignment}.ipynb", submission)
        directory = desk.course.directory(
            desk.log,
            root=str(desk.output.resolve()),
            source_directory=str(desk.course.solutions),
            submitted_directory=str(handed_in),
            autograded_directory=str(graded),
            db_url=desk.db_url,
            assignment_id=desk.assignment,
            student_id=student,
            notebook_id=desk.assignment,
        )
        converter = Autograde(
            coursedir=directory, config=_config(desk), log=desk.log, force=True, permissions=644
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converter.start()
        _put(graded / student / desk.assignment, desk.folder("autograded", student))
        if not desk.keeps_submissions:
            _put(handed_in / student / desk.assignment, desk.folder("submitted", student))


def _write_cells(path: Path, submission: Submission) -> None:
    nb = new_notebook()
    for index, cell in enumerate(submission.cells):
        claim = {"nbgrader": {"grade_id": cell.label}} if cell.label else {}
        nb.cells.append(_NEW[cell.kind](cell.source, metadata=claim, id=f"cell-{index}"))
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(nb, ensure_ascii=False, indent=1, sort_keys=True), encoding="utf-8")


def _put(fresh: Path, target: Path) -> None:
    """Replace the folder `target` by `fresh`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(fresh, target)


def _config(desk: Desk) -> Config:
    config = Config(desk.course.config)
    config.Execute.cell_seconds = config.Execute.test_seconds = desk.options.seconds
    config.Execute.sandbox = desk.options.sandbox
    if desk.options.secret is not None:
        config.Execute.secret_file = str(desk.options.secret.resolve())
    return config


@contextlib.contextmanager
def _notebook(desk: Desk, student: str):
    """The learner's row of the gradebook; what is changed in it is saved."""
    with Gradebook(desk.db_url) as gradebook:
        yield gradebook.find_submission_notebook(desk.assignment, desk.assignment, student)
        gradebook.db.commit()


def _decided(desk: Desk, submission: Submission) -> set[str]:
    """The cells that a person has graded in exactly this notebook, and that wait for nobody."""
    path = desk.folder("autograded", submission.student) / f"{desk.assignment}.ipynb"
    if not path.is_file():
        return set()
    before = nbformat.read(path, as_version=4).metadata.get("lmcourse", {})
    if before.get("digest") != digest(submission.cells):
        return set()
    try:
        with _notebook(desk, submission.student) as notebook:
            return {
                grade.name
                for grade in notebook.grades
                if grade.manual_score is not None and not grade.needs_manual_grade
            }
    except MissingEntry:
        return set()


def _keep_decided(desk: Desk, student: str, decided: set[str]) -> None:
    """nbgrader asks for a person again after each run; the same notebook need not be read twice."""
    if decided:
        with _notebook(desk, student) as notebook:
            for grade in notebook.grades:
                if grade.name in decided:
                    grade.needs_manual_grade = False


def read_back(desk: Desk, student: str) -> Result:
    """What the gradebook and the graded notebook say of a learner."""
    path = desk.folder("autograded", student) / f"{desk.assignment}.ipynb"
    nb = nbformat.read(path, as_version=4)
    ours = nb.metadata.get("lmcourse", {})
    outcomes = ours.get("outcomes", {})
    with _notebook(desk, student) as notebook:
        # Not `comment`, which holds nbgrader's own "No response." too.
        comments = {comment.name: comment.manual_comment or "" for comment in notebook.comments}
        grades = [
            Grade(
                name=grade.name,
                points=float(grade.score),
                of=float(grade.max_score),
                waiting=bool(grade.needs_manual_grade),
                by_person=grade.manual_score is not None,
                comment=comments.get(grade.name, ""),
                **outcomes.get(grade.name, {}),
            )
            for grade in notebook.grades
        ]
    return Result(
        student=student,
        grades=grades,
        notes=list(ours.get("notes", [])),
        cells=[dict(cell) for cell in nb.cells],
        sandbox=bool(ours.get("sandbox", False)),
    )
