"""What a run is told, and what becomes of each submission, as plain data.

Chapter: book/instructors/index.md
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lmcourse.grading.assignment.course import Course
from lmcourse.grading.assignment.plan import Task
from lmcourse.grading.gradebook.database import sqlite_url
from lmcourse.grading.outcomes import UNGRADED
from lmcourse.grading.sandbox.budgets import Budgets


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
    carried: str = ""  # what the author's version of an earlier answer had to do with it

    @property
    def lost(self) -> bool:
        """Whether points are missing, and nobody's decision is."""
        return self.points < self.of and not self.waiting


@dataclass(frozen=True, kw_only=True)
class Result:
    """One learner's row: the grades, or the problem because of which there are none."""

    student: str
    grades: list[Grade] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)  # a person's, on answers without grades
    problem: str = ""
    ours: bool = False  # the problem is: what was handed in is in order, as far as anyone knows
    cells: list[dict] = field(default_factory=list)  # of the graded notebook, for the feedback
    digest: str = ""  # of the notebook that was graded
    sandbox: bool = True  # whether the code ran in it
    kept: bool = False  # graded by an earlier run, and not again
    pending: bool = False  # its turn has not come: the run was stopped
    gone: bool = False  # the gradebook knows the learner, the folder does not

    @property
    def score(self) -> float:
        """The points that are given so far."""
        return sum((grade.points for grade in self.grades), 0.0)

    @property
    def ungraded(self) -> list[Grade]:
        """The tests that a person must decide."""
        return [grade for grade in self.grades if grade.verdict == UNGRADED and grade.waiting]

    @property
    def by_hand(self) -> list[Grade]:
        """The written answers that wait for a person."""
        return [grade for grade in self.grades if grade.waiting and grade.verdict != UNGRADED]

    @property
    def complete(self) -> bool:
        """Whether all that a program can decide is decided."""
        return not self.problem and not self.ungraded


@dataclass(frozen=True, kw_only=True)
class Class:
    """The results of one assignment, in the order of the learners' names."""

    assignment: str
    output: Path
    tasks: list[Task]
    results: list[Result]
    ignored: list[str] = field(default_factory=list)  # what else lay in the folder, and why

    @property
    def complete(self) -> bool:
        """Whether all that was handed in is graded as far as a program can."""
        return not self.ignored and all(result.complete for result in self.results)

    @property
    def points(self) -> float:
        """What the assignment gives."""
        return sum((task.points for task in self.tasks), 0.0)

    @property
    def unprotected(self) -> int:
        """How many were graded without the sandbox: their points prove nothing."""
        return sum(
            not (result.problem or result.pending or result.sandbox) for result in self.results
        )

    @property
    def kept(self) -> int:
        """How many an earlier run had graded."""
        return sum(result.kept for result in self.results)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to grade.

    Args:
        seconds: for one cell, and for one test.
        sandbox: False runs what was handed in unprotected, with the grader's own rights.
        secret: a file with the course secret; without one it lies beside the gradebook.
        workers: that grade at a time on this machine; None for one on each core.
        backend: `loky` for this machine, or `dask` for a cluster.
        scheduler: the address of the cluster's scheduler, whose workers then grade.
        anew: grade also what an earlier run has graded.
        wait: for another run on the same gradebook, instead of refusing.
    """

    seconds: float = Budgets.test_seconds
    sandbox: bool = True
    secret: Path | None = None
    workers: int | None = None
    backend: str = "loky"
    scheduler: str = ""
    anew: bool = False
    wait: bool = False


@dataclass(frozen=True, kw_only=True)
class GradingRun:
    """Where one assignment of one course is graded."""

    course: Course
    assignment: str
    output: Path
    options: Options
    log: logging.Logger
    keeps_submissions: bool = False  # they already lie in submitted/: leave them as they are
    files: Mapping[str, bytes] = field(default_factory=dict)  # beside the author's notebook

    @property
    def gradebook_file(self) -> Path | None:
        """The gradebook in `output`; None where the course's settings name a database instead."""
        named = self.course.config.CourseDirectory.get("db_url")
        return None if named else self.output / "gradebook.db"

    @property
    def db_url(self) -> str:
        """The address of the gradebook, as SQLAlchemy writes it."""
        if self.gradebook_file is not None:
            return sqlite_url(self.gradebook_file.resolve())
        return self.course.config.CourseDirectory.db_url

    @property
    def own_folder(self) -> Path:
        """What the next run wants to find again, and nobody else reads."""
        return self.output / ".grading"

    def folder(self, step: str, student: str) -> Path:
        """Where a step of nbgrader keeps a learner's notebook."""
        return self.output / step / student / self.assignment
