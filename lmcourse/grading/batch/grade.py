"""A whole class: many graded at a time, one who writes, none able to stop the others.

Chapter: book/instructors/index.md
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

from traitlets.config import Config

from lmcourse.grading.assignment.author import recorded_plan, released_order
from lmcourse.grading.assignment.course import (
    Course,
    closing_log,
    quiet_log,
    writable_folder,
)
from lmcourse.grading.assignment.grading_call import require_call
from lmcourse.grading.assignment.handed_in import STUDENT_ID, Entry, Submission, entries, ignored
from lmcourse.grading.assignment.notebooks import read_cells
from lmcourse.grading.assignment.plan import Task, stated_plan, tasks
from lmcourse.grading.assignment.release import convert
from lmcourse.grading.batch import workers
from lmcourse.grading.batch.workers import Workers
from lmcourse.grading.errors import FailureError, MisuseError
from lmcourse.grading.execution.assignment_spec import AssignmentSpec
from lmcourse.grading.execution.settings import ExecutionSettings
from lmcourse.grading.execution.submission import UNSAFE, GradedNotebook
from lmcourse.grading.gradebook.cache import Cache
from lmcourse.grading.gradebook.database import (
    fill_database,
    is_of_database,
    keep_copy,
    make_gradebook,
    reason,
    require_usable,
)
from lmcourse.grading.gradebook.recorder import Recorder, locked
from lmcourse.grading.gradebook.results import Class, GradingRun, Options, Result
from lmcourse.grading.lateness import days_late
from lmcourse.grading.reports.feedback import drop_feedback, write_feedback
from lmcourse.grading.sandbox import bubblewrap
from lmcourse.grading.sandbox.inventory import Inventory, of_course

GONE = "there is nothing of this learner in the folder now"
NOT_YET = "not graded yet: the run was stopped, and the same command goes on"


@dataclass(kw_only=True)
class Grader:
    """What `grade` needs to know before the first submission runs, and what is done so far."""

    grading_run: GradingRun
    tasks: list[Task]
    entries: list[Entry]
    spec: AssignmentSpec
    workers: Workers
    ignored: list[str] = field(default_factory=list)
    require_lock: Callable[[], None] = lambda: None  # raises if the gradebook is no longer ours
    done: dict[Entry, Result] = field(default_factory=dict)
    gone: list[Result] = field(default_factory=list)  # whom only the gradebook knows
    recorded: set[str] = field(default_factory=set)  # of whom it has what this run found

    def grade(self, on_done: Callable[[Result], None] = lambda result: None) -> Class:
        """Grade all; `on_done` hears of each result as it comes.

        Interrupted, it leaves what is graded in the gradebook and in `so_far`.
        """
        cache = Cache(self.grading_run.own_folder / self.grading_run.assignment, self.spec)
        with Recorder(self.grading_run, self.require_lock) as recorder:
            waiting = []
            for entry in self.entries:
                result = self._known(entry, cache, recorder)
                if result is None:
                    waiting.append(entry)
                else:
                    self._finish(entry, result, on_done)
            team = replace(self.workers, workers=max(1, min(self.workers.workers, len(waiting))))
            by_student = {entry.student: entry for entry in waiting}
            for submission, answer in team.grade(self.spec, waiting) if waiting else ():
                result = self._answered(submission, answer, cache, recorder)
                self._finish(by_student[submission.student], result, on_done)
            self._mark_outdated(recorder)
        self.require_lock()  # for the reports
        return self.so_far()

    def so_far(self) -> Class:
        """The class as it is now; who was not reached has a row that says so."""
        results = [
            self.done.get(entry) or Result(student=entry.student, problem=NOT_YET, pending=True)
            for entry in self.entries
        ]
        return Class(
            assignment=self.grading_run.assignment,
            output=self.grading_run.output,
            tasks=self.tasks,
            results=sorted([*results, *self.gone], key=lambda result: result.student),
            ignored=self.ignored,
        )

    def _known(self, entry: Entry, cache: Cache, recorder: Recorder) -> Result | None:
        """What can be said without running anything."""
        submission = entry.read()
        if submission.problem:
            return Result(student=submission.student, problem=submission.problem)
        if self.grading_run.options.anew:
            return None
        notebook = cache.find(entry.student, cache.key(entry.student, submission.cells))
        if notebook is None:
            return None
        return replace(self._recorded(submission, notebook, recorder), kept=True)

    def _answered(
        self, submission: Submission, answer: GradedNotebook, cache: Cache, recorder: Recorder
    ) -> Result:
        if answer.log:
            self.grading_run.log.error("%s: %s\n%s", submission.student, answer.problem, answer.log)
        if answer.problem:
            return Result(student=submission.student, problem=answer.problem, ours=True)
        if answer.lasting:
            key = cache.key(submission.student, submission.cells)
            try:
                cache.keep(submission.student, key, answer.notebook)
            except OSError as error:  # the next run grades it once more, that is all
                self.grading_run.log.warning("%s is not kept: %s", submission.student, error)
        self.grading_run.log.info("was graded: %s", submission.student)
        return self._recorded(submission, answer.notebook, recorder)

    def _recorded(self, submission: Submission, notebook: str, recorder: Recorder) -> Result:
        self.require_lock()
        try:
            result = recorder.record(submission, notebook)
            self.recorded.add(submission.student)
            return result
        except FailureError:  # it is no longer ours: nobody's row
            raise
        except Exception as error:
            return self._unwritten(submission.student, "the grade", error)

    def _unwritten(self, student: str, what: str, error: Exception) -> Result:
        self.grading_run.log.error("%s: %s could not be written", student, what, exc_info=error)
        why = f"{what} could not be written ({type(error).__name__}); the log says more"
        if isinstance(error, OSError) or is_of_database(error):
            where = self.grading_run.gradebook_file or "in the gradebook's database"
            why = f"{what} could not be written: {reason(error)}"
            why += f" ({where})" if not isinstance(error, OSError) else ""
        return Result(student=student, problem=why, ours=True)

    def _mark_outdated(self, recorder: Recorder) -> None:
        """Points of a notebook that is not in the folder now: the row says so, the gradebook too.

        Nobody's points are taken away; but no list may pass them for those of the last hand-in.
        """
        rows: dict[str, list[Entry]] = {}
        for entry in self.entries:
            rows.setdefault(entry.student, []).append(entry)
        for student, points in recorder.students().items():
            if student in self.recorded:
                continue
            own = rows.get(student, [])
            refused = [entry for entry in own if self.done[entry].problem]
            # Where writing failed in the middle, the points may be there, and the rest not.
            are = "may be" if any(self.done[entry].ours for entry in refused) else "are"
            says = f"the {points:g} points in the gradebook {are} of an earlier notebook, and wait"
            says += f" for a person there{self._marked(student, recorder)}"
            for entry in refused:
                result = self.done[entry]
                self.done[entry] = replace(result, problem=f"{result.problem}; {says}")
            if not own:
                self.gone.append(Result(student=student, problem=f"{GONE}; {says}", gone=True))

    def _marked(self, student: str, recorder: Recorder) -> str:
        """Nothing, or why the gradebook could not be told."""
        try:
            recorder.mark_outdated(student)
        except FailureError:  # the gradebook is no longer ours: nobody's row
            raise
        except Exception as error:
            return f" ({self._unwritten(student, 'that mark', error).problem})"
        return ""

    def _finish(self, entry: Entry, result: Result, on_done: Callable[[Result], None]) -> None:
        result = days_late.noted(result, self.grading_run.output, self.grading_run.assignment)
        if not result.problem:
            try:
                write_feedback(
                    self.grading_run.folder("feedback", result.student), result, self.tasks
                )
            except Exception as error:  # of whatever kind: it is this learner's page alone
                result = self._unwritten(result.student, "the feedback", error)
        if result.problem and not result.ours and STUDENT_ID.fullmatch(result.student):
            # A page of an earlier hand-in would pass for this one's.
            drop_feedback(self.grading_run.folder("feedback", result.student))
        self.done[entry] = replace(result, cells=[])  # a class of notebooks need not be in memory
        on_done(result)


@contextlib.contextmanager
def prepare(
    course: Course,
    assignment: str,
    folder: Path,
    output: Path | None,
    options: Options,
    on_wait: Callable[[str], None] = lambda text: None,
) -> Iterator[Grader]:
    """Look at everything that could be wrong with the call, then tell the gradebook the assignment.

    The gradebook is locked until the `with` ends.

    Args:
        on_wait: is told for whom we wait, if we do.

    Raises:
        MisuseError: no such assignment, no submissions, no good secret, or the output cannot be
            written.
        FailureError: there is no sandbox here, another run has the gradebook, it cannot be used,
            or the author's notebook does not convert.
    """
    require_call(course, assignment, folder, options.secret)
    solution = course.solution(assignment)
    _require(options)
    output = writable_folder((output or course.root).resolve())
    logs = writable_folder(output / "grades")
    grading_run = GradingRun(
        course=course,
        assignment=assignment,
        output=output,
        options=options,
        log=quiet_log(),
        keeps_submissions=folder.resolve() == output / "submitted",
    )
    unseen = _unseen(grading_run, folder, solution)
    if options.sandbox:
        _require_unseen(unseen)
    with locked(grading_run, on_wait) as require_lock, contextlib.ExitStack() as opened:
        # Only now: whoever had the gradebook until now may have waited for this, too.
        handed_in, left_over = entries(folder, assignment), ignored(folder)
        days_late.read_days(days_late.file_of(output, assignment))  # damaged, it would stop the run
        log = opened.enter_context(closing_log(quiet_log(logs / f"{assignment}.log")))
        grading_run = replace(grading_run, log=log)
        _tell_gradebook(grading_run)
        spec = _spec(grading_run, solution, unseen)
        yield Grader(
            grading_run=replace(grading_run, files=spec.files),
            tasks=tasks(stated_plan(read_cells(solution))),
            entries=handed_in,
            spec=spec,
            workers=Workers(
                workers=options.workers or workers.cores(), scheduler=options.scheduler
            ),
            ignored=left_over,
            require_lock=require_lock,
        )


def _require(options: Options) -> None:
    if (options.backend == "dask") != bool(options.scheduler):
        raise MisuseError(
            "--backend dask and --scheduler ADDRESS must be given together,"
            f" got --backend {options.backend} and --scheduler {options.scheduler or 'nothing'}"
        )
    try:
        if options.sandbox:
            bubblewrap.require()
    except bubblewrap.SandboxError as error:
        raise FailureError(f"{error}. {UNSAFE}") from None


def _unseen(grading_run: GradingRun, folder: Path, solution: Path) -> Inventory:
    """All that learners' code must not see."""
    secret = grading_run.options.secret
    return of_course(
        root=grading_run.course.root,
        config=grading_run.course.config,
        db_url=grading_run.db_url,
        handed_in=folder.absolute(),
        output=grading_run.output,
        solutions=solution.parent.parent,
        secret=secret.absolute() if secret else None,
    )


def _require_unseen(unseen: Inventory) -> None:
    try:
        bubblewrap.require_unseen(unseen)
    except bubblewrap.SandboxError as error:
        raise FailureError(str(error)) from None


def _spec(grading_run: GradingRun, solution: Path, unseen: Inventory) -> AssignmentSpec:
    """What a worker needs, under the course's settings and those of this call."""
    said = deepcopy(grading_run.course.config.Execute)
    said.cell_seconds = said.test_seconds = grading_run.options.seconds
    said.sandbox = grading_run.options.sandbox
    if grading_run.options.secret is not None:
        said.secret_file = str(grading_run.options.secret.resolve())
    settings = ExecutionSettings(config=Config({"ExecutionSettings": said}))
    ids = {
        "notebook": grading_run.assignment,
        "assignment": grading_run.assignment,
        "db_url": grading_run.db_url,
    }
    plan = recorded_plan({"nbgrader": ids}, released_order(solution))
    try:
        return settings.spec(grading_run.assignment, solution, plan, grading_run.output, unseen)
    except ValueError as error:  # the secret is too short, say
        raise MisuseError(str(error)) from None


def _tell_gradebook(grading_run: GradingRun) -> None:
    require_usable(grading_run.db_url, grading_run.gradebook_file)
    if grading_run.gradebook_file is not None:
        keep_copy(grading_run.gradebook_file)
        make_gradebook(grading_run.gradebook_file)
    else:
        fill_database(grading_run.db_url)
    with tempfile.TemporaryDirectory(prefix="lmcourse-release-") as scratch:
        try:
            convert(
                grading_run.course,
                grading_run.assignment,
                Path(scratch),
                database=True,
                db_url=grading_run.db_url,
            )
        except FailureError as error:
            if "Cannot add or remove cells" in str(error):
                raise FailureError(
                    f"the cells of {grading_run.assignment} changed since submissions were graded"
                    f" in {grading_run.output}: grade into another folder with --output"
                ) from None
            raise
