"""A whole class: each submission graded in turn, none of them able to stop the others.

Chapter: book/instructors/index.md
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import MissingEntry

from lmcourse.grading import lateness, sandbox, warm
from lmcourse.grading.course import Course, make_gradebook, quiet_log, writable_folder
from lmcourse.grading.errors import FailureError, MisuseError
from lmcourse.grading.feedback import drop_feedback, write_feedback
from lmcourse.grading.intake import STUDENT, Submission, collect
from lmcourse.grading.jobs import Desk, Options, Result, grade_one, read_back
from lmcourse.grading.notebooks import read_cells
from lmcourse.grading.plan import Task, stated_plan, tasks
from lmcourse.grading.preprocessors import UNSAFE
from lmcourse.grading.release import convert


@dataclass(frozen=True, kw_only=True)
class Class:
    """The results of one assignment, in the order of the learners' names."""

    assignment: str
    output: Path
    tasks: list[Task]
    results: list[Result]

    @property
    def points(self) -> float:
        return sum((task.points for task in self.tasks), 0.0)

    @property
    def unprotected(self) -> int:
        """How many were graded without the sandbox: their points prove nothing."""
        return sum(not result.problem and not result.sandbox for result in self.results)


@dataclass(kw_only=True)
class Grader:
    """What `grade` needs to know before the first submission runs."""

    desk: Desk
    tasks: list[Task]
    submissions: list[Submission]

    def grade(self, on_done: Callable[[Result], None] = lambda result: None) -> Class:
        """Grade all; `on_done` hears of each result as it comes."""
        try:
            results = [self._one(submission, on_done) for submission in self.submissions]
        finally:
            warm.close()
        return Class(
            assignment=self.desk.assignment,
            output=self.desk.output,
            tasks=self.tasks,
            results=results,
        )

    def _one(self, submission: Submission, on_done: Callable[[Result], None]) -> Result:
        result = grade_one(self.desk, submission)
        result = lateness.noted(result, self.desk.output, self.desk.assignment)
        if not result.problem:
            write_feedback(self.desk.folder("feedback", result.student), result, self.tasks)
        elif STUDENT.fullmatch(result.student):
            # A page of an earlier hand-in would pass for this one's.
            drop_feedback(self.desk.folder("feedback", result.student))
        on_done(result)
        return result


def recall(course: Course, assignment: str, output: Path | None) -> Class:
    """The class as the gradebook has it now, with what a person graded since; runs nothing.

    Raises:
        MisuseError: the class was not graded there.
    """
    solution = course.solution(assignment)
    output = (output or course.root).resolve()
    before = output / "grades" / f"{assignment}.json"
    if not before.is_file():
        raise MisuseError(f"{before} is missing: run lmcourse grade first, or add --output")
    writable_folder(before.parent)
    rows = _rows(before)
    desk = Desk(
        course=course, assignment=assignment, output=output, options=Options(), log=quiet_log()
    )
    found = tasks(stated_plan(read_cells(solution)))
    results = []
    for row in rows:
        problem = row["problem"]
        result = Result(student=row["student"], problem=problem) if problem else None
        result = result or _read_back(desk, row["student"])
        results.append(lateness.noted(result, output, assignment))
        if not problem:
            write_feedback(desk.folder("feedback", row["student"]), results[-1], found)
    return Class(assignment=assignment, output=output, tasks=found, results=results)


def _rows(before: Path) -> list[dict]:
    try:
        return json.loads(before.read_text("utf-8"))["students"]
    except (ValueError, KeyError, TypeError):
        raise MisuseError(f"{before} is damaged: run lmcourse grade again") from None


def _read_back(desk: Desk, student: str) -> Result:
    if desk.own_gradebook and not (desk.output / "gradebook.db").is_file():
        raise MisuseError(f"{desk.output} holds no gradebook: run lmcourse grade again")
    try:
        return read_back(desk, student)
    except (FileNotFoundError, MissingEntry):
        raise MisuseError(
            f"the graded notebook of {student} is missing in {desk.output}: grade again"
        ) from None


def prepare(
    course: Course, assignment: str, folder: Path, output: Path | None, options: Options
) -> Grader:
    """Look at everything that could be wrong with the call, then tell the gradebook the assignment.

    Raises:
        MisuseError: no such assignment, no submissions, no good secret, or the output cannot be
            written.
        FailureError: there is no sandbox here, or the author's notebook does not convert.
    """
    solution = course.solution(assignment)
    if folder.resolve() in (course.root, course.solutions.resolve(), course.exercises.resolve()):
        raise MisuseError(f"FOLDER must hold what learners handed in, but {folder} is the course's")
    submissions = collect(folder, assignment)
    _require(options)
    output = writable_folder((output or course.root).resolve())
    log = quiet_log(writable_folder(output / "grades") / f"{assignment}.log")
    desk = Desk(
        course=course,
        assignment=assignment,
        output=output,
        options=options,
        log=log,
        keeps_submissions=folder.resolve() == output / "submitted",
    )
    _tell_gradebook(desk)
    plan = stated_plan(read_cells(solution))
    return Grader(desk=desk, tasks=tasks(plan), submissions=submissions)


def _require(options: Options) -> None:
    try:
        if options.sandbox:
            sandbox.require()
        if options.secret is not None:
            warm.course_secret(options.secret.parent, options.secret)
    except sandbox.SandboxError as error:
        raise FailureError(f"{error}. {UNSAFE}") from None
    except ValueError as error:
        raise MisuseError(str(error)) from None


def _tell_gradebook(desk: Desk) -> None:
    if desk.own_gradebook:
        make_gradebook(desk.output / "gradebook.db")
    with tempfile.TemporaryDirectory(prefix="lmcourse-release-") as scratch:
        try:
            convert(desk.course, desk.assignment, Path(scratch), database=True, db_url=desk.db_url)
        except FailureError as error:
            if "Cannot add or remove cells" in str(error):
                raise FailureError(
                    f"the cells of {desk.assignment} changed since submissions were graded in"
                    f" {desk.output}: grade into another folder with --output"
                ) from None
            raise
