"""A class that was graded, as the gradebook has it now; runs no code.

Chapter: book/instructors/index.md
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nbgrader.api import MissingEntry
from sqlalchemy.exc import SQLAlchemyError

from lmcourse import files
from lmcourse.grading.assignment.course import Course, quiet_log, writable_folder
from lmcourse.grading.assignment.notebooks import read_cells
from lmcourse.grading.assignment.plan import Task, stated_plan, tasks
from lmcourse.grading.errors import FailureError, MisuseError
from lmcourse.grading.gradebook.database import reason, require_usable
from lmcourse.grading.gradebook.recorder import Recorder, locked
from lmcourse.grading.gradebook.results import Class, GradingRun, Options, Result
from lmcourse.grading.lateness import days_late
from lmcourse.grading.reports.feedback import write_feedback


@contextlib.contextmanager
def class_from_gradebook(course: Course, assignment: str, output: Path | None) -> Iterator[Class]:
    """The class as the gradebook has it now, with what a person graded since; runs nothing.

    The gradebook is locked until the `with` ends: what is read is what the report then says.

    Raises:
        MisuseError: the class was not graded there.
        FailureError: a run is going on there, or the gradebook cannot be used.
    """
    solution = course.solution(assignment)
    output = (output or course.root).resolve()
    before = output / "grades" / f"{assignment}.json"
    if not before.is_file():
        raise MisuseError(f"{before} is missing: run lmcourse grade first, or add --output")
    writable_folder(before.parent)
    grading_run = GradingRun(
        course=course, assignment=assignment, output=output, options=Options(), log=quiet_log()
    )
    if grading_run.gradebook_file is not None and not grading_run.gradebook_file.is_file():
        raise MisuseError(f"{output} holds no gradebook: run lmcourse grade again")
    found = tasks(stated_plan(read_cells(solution)))
    with locked(grading_run) as require_lock:
        require_usable(grading_run.db_url, grading_run.gradebook_file)
        rows, left_over = _rows(before)
        with Recorder(grading_run) as recorder:
            results = []
            for row in rows:
                require_lock()  # a page of feedback is written
                results.append(_row(row, grading_run, found, recorder))
        require_lock()  # the reports are
        yield Class(
            assignment=assignment, output=output, tasks=found, results=results, ignored=left_over
        )


def _row(row: dict, grading_run: GradingRun, found: list[Task], recorder: Recorder) -> Result:
    student, problem = row["student"], row["problem"]
    if problem:
        pending, gone = row.get("pending", False), row.get("gone", False)
        return Result(student=student, problem=problem, pending=pending, gone=gone)
    try:
        result = recorder.read_back(student)
    except (FileNotFoundError, MissingEntry):
        where = grading_run.folder("autograded", student)
        return Result(student=student, problem=f"{where} is missing: grade again")
    except SQLAlchemyError as error:  # not this learner's affair
        raise FailureError(f"the gradebook cannot be read: {reason(error)}") from error
    except Exception as error:
        where = grading_run.folder("autograded", student)
        why = f"{where} cannot be read ({type(error).__name__}): grade again"
        return Result(student=student, problem=why)
    result = days_late.noted(result, grading_run.output, grading_run.assignment)
    try:
        write_feedback(grading_run.folder("feedback", student), result, found)
    except Exception as error:  # of whatever kind: it is this learner's page alone
        why = f"the feedback could not be written ({files.reason(error)}): grade again"
        return Result(student=student, problem=why)
    return replace(result, cells=[])


def _rows(before: Path) -> tuple[list[dict], list[str]]:
    """The learners of the report before this one, and what it ignored."""
    try:
        report = json.loads(before.read_text("utf-8"))
        rows = [
            {**row, "student": row["student"], "problem": row["problem"]}
            for row in report["students"]
        ]
        return rows, [str(line) for line in report.get("ignored", [])]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MisuseError(f"{before} is damaged: run lmcourse grade again") from None
