"""The one process that writes: graded notebooks into nbgrader's gradebook and the course's folders.

Chapter: book/instructors/scale.md

What `nbgrader autograde` would have written is written, by the same rules, but in one connection
and one transaction for each submission. An interrupted run leaves a row as it was or as it is to
be; and as the gradebook comes before the folder, points that a person gave to an older text never
pass for points of the newer.

The formgrader may be open meanwhile. A transaction begins by keeping other writers out, so what it
reads is so until it ends; and with another text the rows that hold points get other ids, so that a
page on which somebody still sees the older text can save nothing.
"""

import contextlib
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Comment, Gradebook, InvalidEntry, new_uuid
from nbgrader.api import Grade as GradeRow
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import compute_checksum, determine_grade
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from lmcourse.files import restore_folder, write_folder
from lmcourse.grading.assignment.handed_in import Submission
from lmcourse.grading.execution.submission import is_test
from lmcourse.grading.gradebook import by_hand, lock
from lmcourse.grading.gradebook.database import nbgraders_words_in
from lmcourse.grading.gradebook.results import Grade, GradingRun, Result
from lmcourse.grading.outcomes import PASSED, UNGRADED, TestOutcome
from lmcourse.grading.repair.text_beside import why_a_person

_T = TypeVar("_T")
_TRIES = 3  # SQLite: the formgrader may just be writing
_DONE_HERE = ("Execute", "SaveOutcomes", "AssignLatePenalties", "CheckCellMetadata")
# How a transaction begins that no other may write beside; they may read. SQLite locks the whole
# file for whatever could write a row, also for none.
_ALONE = {
    "sqlite": f"UPDATE {Comment.__tablename__} SET id = id WHERE 1 = 0",
    "postgresql": f"LOCK TABLE {GradeRow.__tablename__}, {Comment.__tablename__}"
    " IN SHARE ROW EXCLUSIVE MODE",
}


def locked(
    grading_run: GradingRun, on_wait: Callable[[str], None] | None = None
) -> AbstractContextManager[Callable[[], None]]:
    """The lock of a run's folder and, if it has one, of its database; see `lock.hold`."""
    db_url = "" if grading_run.gradebook_file else grading_run.db_url
    own = lock.lock_file(grading_run.output)
    return lock.hold(own, db_url, wait=grading_run.options.wait, on_wait=on_wait)


class Recorder:
    """An open gradebook; use it in a `with`.

    Args:
        require_lock: raises if the gradebook is no longer ours; nothing is written then.
    """

    def __init__(self, grading_run: GradingRun, require_lock: Callable[[], None] = lambda: None):
        self._run, self._assignment = grading_run, grading_run.assignment
        self._require_lock = require_lock
        course = grading_run.course.config.CourseDirectory.get("course_id") or "default_course"
        self._steps = _steps(grading_run.course.config)
        self._quiet = contextlib.ExitStack()
        self._quiet.enter_context(nbgraders_words_in(grading_run.log))
        try:
            self._gradebook = _tried(lambda: Gradebook(grading_run.db_url, str(course)))
        except BaseException:
            self._quiet.close()
            raise

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self._gradebook.close()
        self._quiet.close()

    def record(self, submission: Submission, notebook: str) -> Result:
        """Write down what became of a submission; the learner's row as the gradebook then has it.

        Args:
            notebook: graded, as JSON.
        """
        nb = nbformat.from_dict(json.loads(notebook))
        resources = {
            "nbgrader": {
                "student": submission.student,
                "assignment": self._assignment,
                "notebook": self._assignment,
                "db_url": self._run.db_url,
            }
        }
        for step in self._steps:
            nb, resources = step(nb, resources)
        self._write(lambda: self._fill(submission.student, nb))
        self._place(submission, nb)
        return self._tried(lambda: self._result(submission.student, nb))

    def read_back(self, student: str, folder: Path | None = None) -> Result:
        """What the gradebook and the graded notebook say of a learner.

        Args:
            folder: of the graded notebook, where nbgrader is set to keep it elsewhere.

        Raises:
            FileNotFoundError, MissingEntry: one of them does not know the learner.
        """
        if folder is None:
            folder = self._run.folder("autograded", student)
            restore_folder(folder)
        nb = nbformat.read(folder / f"{self._assignment}.ipynb", as_version=4)
        return self._tried(lambda: self._result(student, nb))

    def students(self) -> dict[str, float]:
        """The learners whom the gradebook has points of, each with the sum."""

        def read() -> dict[str, float]:
            found = self._gradebook.assignment_submissions(self._assignment)
            return {submission.student_id: float(submission.score) for submission in found}

        points = self._tried(read)
        self._gradebook.db.rollback()  # ends the transaction of a reader
        return points

    def mark_outdated(self, student: str) -> None:
        """Let all points wait for a person that none has given: they are of an earlier notebook.

        They stay where they are; `record` takes the mark away.
        """

        def mark() -> None:
            for grade in self._row(student).grades:
                if grade.manual_score is None:
                    grade.needs_manual_grade = True

        self._write(mark)

    def _row(self, student: str):
        """The learner's notebook in the gradebook."""
        return self._gradebook.find_submission_notebook(self._assignment, self._assignment, student)

    def _seen(self, student: str) -> by_hand.Seen:
        """What a person saw who graded the learner by hand."""
        folder = self._run.folder("autograded", student)
        with contextlib.suppress(OSError):
            restore_folder(folder)
        return by_hand.seen_in(folder / f"{self._assignment}.ipynb")

    def _tried(self, work: Callable[[], _T]) -> _T:
        """What `work` returns, in a fresh transaction for each try."""
        return _tried(work, self._gradebook.db.rollback)

    def _write(self, change: Callable[[], None]) -> None:
        """All that `change` does to the gradebook, or nothing; tried again where it is locked."""

        def write() -> None:
            with self._whole():
                change()
                self._require_lock()

        self._tried(write)

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """One transaction, beside which nobody writes.

        What nbgrader's functions commit on the way waits for its end.
        """
        session = self._gradebook.db
        session.rollback()  # what was read before may have changed
        commit = session.commit
        session.commit = session.flush
        try:
            if begin := _ALONE.get(session.get_bind().dialect.name):
                session.execute(text(begin))
            yield
            commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            del session.commit  # the one of the class comes back

    def _fill(self, student: str, nb: NotebookNode) -> None:
        """Set points, comments and the late penalty as `nbgrader autograde` does.

        What a person decided of the same text holds.
        """
        seen = self._seen(student)
        self._gradebook.update_or_create_student(student)
        submission = self._gradebook.update_or_create_submission(self._assignment, student)
        row, ours = self._row(student), nb.metadata.lmcourse
        ours["asked_again"] = by_hand.doubtful(row.grades, seen, nb)
        decided = by_hand.decided(row.grades, seen, nb)
        cells = {
            cell.metadata.nbgrader.grade_id: cell
            for cell in nb.cells
            if "nbgrader" in cell.metadata
        }
        for grade in row.grades:
            cell = cells.get(grade.name)
            if cell is None or not cell.metadata.nbgrader.grade:
                continue
            if is_test(cell):
                save_outcome(grade, TestOutcome(**ours.outcomes.get(grade.name, {})))
            else:
                save_written(grade, cell, nb)
            if grade.name in decided:
                grade.needs_manual_grade = False
        for comment in row.comments:
            if (cell := cells.get(comment.name)) is not None:
                save_response(comment, cell, nb)
        row.late_submission_penalty = self._late_penalty(student, submission, row)
        if seen.digest != ours.digest:
            self._gradebook.db.flush()  # under the old ids
            for grade in row.grades:
                grade.id = new_uuid()

    def _late_penalty(self, student: str, submission: Any, row: Any) -> float | None:
        """What nbgrader takes off, by the policy that the course has set for its own step."""
        seconds = submission.total_seconds_late
        if seconds <= 0:
            return None
        self._gradebook.db.flush()
        self._gradebook.db.refresh(row)  # its score is the sum of what was just written
        step = AssignLatePenalties(config=self._run.course.config)
        step.init_plugin()
        penalty = step.plugin_inst.late_submission_penalty(student, row.score, seconds)
        return None if penalty is None else min(max(0.0, penalty), row.score)

    def _place(self, submission: Submission, nb: NotebookNode) -> None:
        """The notebook as it ran, and the one that was handed in, where nbgrader looks for them.

        Nothing of a submission but its cells gets there.
        """
        grading_run, name = self._run, f"{self._assignment}.ipynb"
        graded = {**self._run.files, name: _as_json(nb)}
        write_folder(grading_run.folder("autograded", submission.student), graded)
        if not grading_run.keeps_submissions:
            handed_in = {name: _as_json(_handed_in(submission))}
            write_folder(grading_run.folder("submitted", submission.student), handed_in)

    def _result(self, student: str, nb: NotebookNode) -> Result:
        ours = nb.metadata.get("lmcourse", {})
        outcomes = ours.get("outcomes", {})
        beside = {
            name: {"message": why_a_person(name, ours.get("notes", []))}
            for name in texts_beside(nb)
        }
        row = self._row(student)
        # Not `comment`, which holds nbgrader's own "No response." too.
        comments = {comment.name: comment.manual_comment or "" for comment in row.comments}
        grades = [
            Grade(
                name=grade.name,
                points=float(grade.score),
                of=float(grade.max_score),
                waiting=bool(grade.needs_manual_grade),
                by_person=grade.manual_score is not None,
                comment=comments.get(grade.name, ""),
                **outcomes.get(grade.name, beside.get(grade.name, {})),
            )
            for grade in row.grades
        ]
        notes = [*ours.get("notes", []), *by_hand.notes(row.grades, ours.get("asked_again", {}))]
        if row.late_submission_penalty:
            notes.append(
                f"nbgrader's own rule takes {row.late_submission_penalty:g} points off its score"
                " for lateness; here they are not taken off"
            )
        result = Result(
            student=student,
            grades=grades,
            notes=notes,
            comments={name: said for name, said in comments.items() if said},
            cells=[dict(cell) for cell in nb.cells],
            digest=str(ours.get("digest", "")),
            sandbox=bool(ours.get("sandbox", False)),
        )
        self._gradebook.db.rollback()  # ends the transaction of a reader
        return result


def _steps(config: Config) -> list:
    """What else the course's settings do to a notebook after it ran, such as shortening outputs."""
    names = [str(name) for name in config.Autograde.get("autograde_preprocessors", [])]
    found = [import_item(name) for name in names if name.rpartition(".")[2] not in _DONE_HERE]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [step(config=config) for step in found]


def _handed_in(submission: Submission) -> dict:
    cells = []
    for index, cell in enumerate(submission.cells):
        claim = {"nbgrader": {"grade_id": cell.label}} if cell.label else {}
        own = {"id": f"cell-{index}", "cell_type": cell.kind, "metadata": claim}
        if cell.kind == "code":
            own |= {"execution_count": None, "outputs": []}
        if cell.pictures:
            own["attachments"] = cell.pictures
        cells.append({**own, "source": cell.source})
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def _as_json(nb: dict) -> bytes:
    text = json.dumps(nb, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    return text.encode("utf-8", "backslashreplace")  # which JSON reads as the same characters


def save_outcome(row: Any, outcome: TestOutcome) -> None:
    """Put a test's outcome into its row of the gradebook."""
    points = {PASSED: row.max_score * outcome.fraction, UNGRADED: None}
    row.auto_score = points.get(outcome.verdict, 0.0)
    row.needs_manual_grade = outcome.verdict == UNGRADED or row.manual_score is not None


def texts_beside(nb: NotebookNode) -> list[str]:
    """The answers that are untouched, but have text beside them."""
    return nb.metadata.get("lmcourse", {}).get("beside", [])


def save_written(row: Any, cell: NotebookNode, nb: NotebookNode) -> None:
    """Let an answer that no test decides wait for a person; an untouched one gets 0.

    Unless there is text beside it: that may be the answer.
    """
    elsewhere = cell.metadata.nbgrader.grade_id in texts_beside(nb)
    row.auto_score = None if elsewhere else determine_grade(cell)[0]
    row.needs_manual_grade = row.auto_score is None or row.manual_score is not None


def save_response(row: Any, cell: NotebookNode, nb: NotebookNode) -> None:
    """Put nbgrader's remark on an answer that is not there into its comment in the gradebook."""
    own = cell.metadata.nbgrader
    blank = own.checksum == compute_checksum(cell) and not own.task
    elsewhere = own.grade_id in texts_beside(nb)
    row.auto_comment = "No response." if blank and not elsewhere else None


def _tried(work: Callable[[], _T], between: Callable[[], object] = lambda: None) -> _T:
    """What `work` returns, after some tries if the database refuses for now."""
    for left in reversed(range(_TRIES)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # SQLAlchemy's, of nbgrader
                return work()
        except (OperationalError, InvalidEntry) as error:  # nbgrader makes the other of one
            between()
            if not left or not _is_operational(error):
                raise
    raise AssertionError("the last try returns or raises")


def _is_operational(error: BaseException) -> bool:
    """Whether the database refused for now: somebody else is writing, say."""
    return isinstance(error, OperationalError) or isinstance(error.__context__, OperationalError)
