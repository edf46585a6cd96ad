"""Rows and folders of a submission: all of them or none, whatever comes in between."""

import contextlib
import dataclasses
import itertools
import json
import logging
import os
import shutil
import signal
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from attacks import pages
from graded_notebooks import graded
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from tiny_course import make_course

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from nbgrader.api import Gradebook, MissingEntry
    from nbgrader.plugins import LateSubmissionPlugin

    from lmcourse.grading.assignment.author import recorded_plan, released_order
    from lmcourse.grading.assignment.course import find_course, quiet_log
    from lmcourse.grading.assignment.plan import tasks
    from lmcourse.grading.assignment.release import convert
    from lmcourse.grading.errors import FailureError
    from lmcourse.grading.formgrader.page_process import Page, make_page
    from lmcourse.grading.gradebook import recorder as recorder_module
    from lmcourse.grading.gradebook.recorder import Recorder
    from lmcourse.grading.gradebook.results import GradingRun, Options
    from lmcourse.grading.nbgrader_steps.preprocessors import SaveOutcomes
    from lmcourse.grading.reports.class_report import reason, status
    from lmcourse.grading.reports.feedback import feedback


@pytest.fixture(scope="module")
def told(tmp_path_factory, empty_gradebook) -> Path:
    """A course whose gradebook knows the assignment."""
    root = make_course(tmp_path_factory.mktemp("course"))
    (root / "gradebook.db").write_bytes(empty_gradebook)
    run = run_of(root)
    (root / "scratch").mkdir()
    convert(run.course, "tiny", root / "scratch", database=True, db_url=run.db_url)
    return root


@pytest.fixture
def run(told, tmp_path) -> Iterator[GradingRun]:
    run = dataclasses.replace(run_of(told), output=tmp_path, log=quiet_log(tmp_path / "log"))
    (tmp_path / "gradebook.db").write_bytes((told / "gradebook.db").read_bytes())
    yield run
    for handler in run.log.handlers:
        handler.close()


def run_of(root: Path) -> GradingRun:
    course = find_course(root)
    return GradingRun(
        course=course, assignment="tiny", output=root, options=Options(), log=quiet_log()
    )


def record(run: GradingRun, *what):
    with Recorder(run) as recorder:
        return recorder.record(*graded(run, *what))


def by_hand(run: GradingRun, points: float, name: str = "why") -> None:
    """What the formgrader does for one cell of ada."""
    changed = change(
        run,
        "update grade set manual_score = ?, needs_manual_grade = 0 where cell_id in"
        " (select id from base_cell where name = ?)",
        points,
        name,
    )
    assert changed == 1


def change(run: GradingRun, statement: str, *values) -> int:
    """A statement of another program on the gradebook; how many rows it changed."""
    with contextlib.closing(sqlite3.connect(run.output / "gradebook.db")) as db:
        done = db.execute(statement, values)
        db.commit()
        return done.rowcount


def lower(run: GradingRun, name: str, points: float) -> None:
    """What the release does to the gradebook when a task gives fewer points."""
    change(
        run,
        "update grade_cells set max_score = ? where id in"
        " (select id from base_cell where name = ?)",
        points,
        name,
    )


def retest(run: GradingRun, name: str) -> None:
    """What the release does to the gradebook when a test is mended."""
    change(run, "update source_cell set source = source || '\n1' where name = ?", name)


def doubts(result) -> list[str]:
    """What is said of points that a person gave."""
    return [note for note in result.notes if "a person gave" in note]


def waits(result) -> list[str]:
    return [grade.name for grade in result.grades if grade.waiting]


def students(run: GradingRun) -> list[str]:
    with contextlib.closing(sqlite3.connect(run.output / "gradebook.db")) as db:
        counts = [
            db.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("submitted_assignment", "submitted_notebook")
        ]
        found = [name for (name,) in db.execute("select id from student order by id")]
    assert counts == [len(found)] * 2
    return found


def test_a_submission_gets_its_rows_and_its_folders(run):
    result = record(run)
    assert (result.score, [grade.waiting for grade in result.grades].count(True)) == (5.0, 1)
    assert students(run) == ["ada"]
    for step in ("autograded", "submitted"):
        assert [p.name for p in run.folder(step, "ada").iterdir()] == ["tiny.ipynb"]
        assert [p.name for p in run.folder(step, "ada").parent.iterdir()] == ["tiny"]
    assert result.digest


def test_a_person_s_decision_survives_a_stop_while_the_folder_is_replaced(run, monkeypatch):
    """The folder of before is out of the way, the new one has not come: nothing is asked twice."""
    record(run)
    by_hand(run, 1.0)
    target = run.folder("autograded", "ada")
    rename, replace = Path.rename, os.replace

    def stopping(move):
        def stopped(source, goal, *rest):
            if Path(goal) == target:
                raise KeyboardInterrupt
            return move(source, goal, *rest)

        return stopped

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", stopping(rename))
        patched.setattr(os, "replace", stopping(replace))
        with pytest.raises(KeyboardInterrupt):
            record(run)
    assert not target.exists()
    result = record(run)
    assert (result.score, [grade.waiting for grade in result.grades]) == (6.0, [False] * 3)
    with Recorder(run) as recorder:
        assert recorder.read_back("ada").score == 6.0
    assert [p.name for p in target.parent.iterdir()] == ["tiny"]


STEPS = ("rename", "replace", "mkdir", "unlink", "rmdir", "fsync")


def killed(run: GradingRun, number: int, why: str) -> bool:
    """Whether a process that records ada was killed before it changed a file for this time."""
    if child := os.fork():
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    steps = itertools.count()

    def counted(real):
        def step(*arguments, **options):
            if next(steps) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return step

    try:
        for name in STEPS:
            setattr(os, name, counted(getattr(os, name)))
        record(run, "ada", why)
    finally:
        os._exit(0)


@pytest.mark.slow
@pytest.mark.parametrize(("why", "asked"), [("Because.", []), ("I changed my mind.", ["why"])])
def test_a_kill_at_any_moment_loses_no_decision_and_makes_none(run, tmp_path_factory, why, asked):
    """The same notebook is not asked about again, and points of another never pass for its own."""
    record(run)
    by_hand(run, 1.0)
    before = tmp_path_factory.mktemp("before")
    shutil.copytree(run.output, before, dirs_exist_ok=True)
    for number in itertools.count():
        if not killed(run, number, why):
            break
        result = record(run, "ada", why)
        assert (waits(result), result.score) == (asked, 6.0), f"killed before step {number}"
        if asked:  # as it was again
            shutil.rmtree(run.output)
            shutil.copytree(before, run.output)
    assert number >= 5  # both folders are written, moved aside and moved into place


def test_another_notebook_asks_the_person_again(run):
    record(run)
    by_hand(run, 1.0)
    result = record(run, "ada", "I changed my mind.")
    assert [grade.name for grade in result.grades if grade.waiting] == ["why"]
    said = "why: a person gave 1 point, but another notebook is graded now: look at it again"
    assert doubts(result) == [said]
    assert doubts(record(run, "ada", "I changed my mind.")) == [said]


def test_a_comment_on_a_tested_answer_is_read_back(run):
    """It has a box in the formgrader, and no points of its own."""
    record(run)
    statement = "update comment set manual_comment = 'Shorter so.' where cell_id in"
    change(run, f"{statement} (select id from base_cell where name = 'double')")
    with Recorder(run) as recorder:
        result = recorder.read_back("ada")
    assert result.comments == {"double": "Shorter so."}
    page = feedback("tiny", result, release_tasks(run))
    assert "Shorter so." in page


def rows_of(run: GradingRun, columns: str) -> list[tuple]:
    """Columns of the graded cells in the order of their names."""
    query = f"select {columns} from grade join base_cell on base_cell.id = cell_id order by name"
    with contextlib.closing(sqlite3.connect(run.output / "gradebook.db")) as db:
        return db.execute(query).fetchall()


def test_nobody_writes_between_what_is_read_and_what_is_written(run, monkeypatch):
    """A person's entry in the formgrader comes before a submission is recorded, or after."""
    record(run)
    fill, entries = Recorder._fill, []

    def filled(self, *args):
        fill(self, *args)  # what it needs is read
        with contextlib.closing(sqlite3.connect(run.output / "gradebook.db", timeout=0)) as db:
            with pytest.raises(sqlite3.OperationalError, match="database is locked"):
                db.execute("update grade set manual_score = 1, needs_manual_grade = 0")
            entries.append(db.execute("select count(*) from grade").fetchall())  # who reads may

    monkeypatch.setattr(Recorder, "_fill", filled)
    with Recorder(run) as recorder:
        assert recorder.record(*graded(run)).score == 5.0
    assert entries == [[(3,)]]


def test_a_page_with_the_older_text_can_save_no_points(run):
    """The formgrader saves by the id of a row, from a page that may have been open for hours."""
    record(run)
    ids = rows_of(run, "grade.id")
    record(run)
    assert rows_of(run, "grade.id") == ids  # the same text: whoever reads it may go on
    record(run, "ada", "I changed my mind.")
    with contextlib.closing(sqlite3.connect(run.output / "gradebook.db")) as db:
        for row in ids:
            assert db.execute("update grade set manual_score = 1 where id = ?", row).rowcount == 0
    assert rows_of(run, "manual_score") == [(None,)] * 3
    with Gradebook(run.db_url) as gradebook:  # as the formgrader looks for it: its answer is a 404
        for (row,) in ids:
            with pytest.raises(MissingEntry):
                gradebook.find_grade_by_id(row)


def late(run: GradingRun) -> None:
    """From now on ada has handed in after the date, and the course takes all points for it."""
    with contextlib.closing(sqlite3.connect(run.output / "gradebook.db")) as db:
        db.execute("update assignment set duedate = '2026-01-01 00:00:00.000000'")
        db.execute("update submitted_assignment set timestamp = '2026-01-02 00:00:00.000000'")
        db.commit()
    run.course.config.LateSubmissionPlugin.penalty_method = "zero"


def penalty(run: GradingRun) -> float | None:
    with contextlib.closing(sqlite3.connect(run.output / "gradebook.db")) as db:
        return db.execute("select late_submission_penalty from submitted_notebook").fetchone()[0]


def test_the_late_penalty_is_of_the_points_that_are_written_with_it(run, monkeypatch):
    record(run)
    late(run)
    by_hand(run, 1.0)
    result = record(run)
    assert penalty(run) == pytest.approx(6.0)
    assert result.score == 6.0
    assert "nbgrader's own rule takes 6 points off its score" in result.notes[-1]

    def fails(*_):
        raise ArithmeticError("the course's own policy")

    monkeypatch.setattr(LateSubmissionPlugin, "late_submission_penalty", fails)
    before = rows_of(run, "auto_score, manual_score, needs_manual_grade")
    with pytest.raises(ArithmeticError):
        record(run, "ada", "I changed my mind.")
    assert penalty(run) == pytest.approx(6.0)
    assert rows_of(run, "auto_score, manual_score, needs_manual_grade") == before


def test_nothing_is_written_once_the_lock_is_lost(run):
    def lost():
        raise FailureError("the lock is gone")

    with Recorder(run, lost) as recorder, pytest.raises(FailureError, match="the lock is gone"):
        recorder.record(*graded(run))
    assert students(run) == []
    assert not run.folder("autograded", "ada").exists()


def test_points_by_hand_above_a_lowered_maximum_are_looked_at_again(run):
    record(run)
    by_hand(run, 1.0)
    result = record(run)
    assert (waits(result), doubts(result)) == ([], [])
    lower(run, "why", 0.5)
    with Recorder(run) as recorder:
        (note,) = doubts(recorder.read_back("ada"))
    assert note == "why: a person gave 1 point, but it gives at most 0.5 now: look at it again"
    for _ in range(2):  # until a person has looked, whatever is run in between
        result = record(run)
        assert (waits(result), doubts(result)) == (["why"], [note])
    by_hand(run, 0.5)
    result = record(run)
    assert (waits(result), doubts(result), result.score) == ([], [], 5.5)


def test_points_by_hand_for_a_test_that_changed_are_looked_at_again(run):
    record(run)
    by_hand(run, 1.5, "test_double")
    result = record(run)
    assert (waits(result), result.score) == (["why"], 4.5)
    retest(run, "test_double")
    for _ in range(2):
        result = record(run)
        assert waits(result) == ["test_double", "why"]
        (note,) = doubts(result)
        assert note.startswith("test_double: a person gave 1.5 points, but its test has changed")
        assert result.score == 4.5  # the person's points stay until then
    by_hand(run, 2.0, "test_double")
    result = record(run)
    assert (waits(result), doubts(result), result.score) == (["why"], [], 5.0)


def test_points_of_an_earlier_notebook_are_marked_and_the_mark_goes_with_the_next(run):
    record(run)
    by_hand(run, 1.0)
    with Recorder(run) as recorder:
        assert recorder.students() == {"ada": 6.0}
        recorder.mark_outdated("ada")
        marked = recorder.read_back("ada")
    assert (waits(marked), marked.score) == (["test_double", "test_square"], 6.0)
    result = record(run)
    assert (waits(result), result.score) == ([], 6.0)


def locked_at(recorder: Recorder, statement: str, times: int) -> list:
    """Let the database refuse a statement, as if another program were writing."""
    refused = []

    @event.listens_for(recorder._gradebook.engine, "before_cursor_execute")
    def refuse(connection, cursor, text, *rest):
        if text.startswith(statement) and len(refused) < times:
            refused.append(text)
            raise OperationalError(text, {}, Exception("database is locked"))

    return refused


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO student", "INSERT INTO submitted_assignment", "UPDATE grade", "SELECT student"],
)
def test_a_database_that_is_locked_for_a_moment_is_tried_again(run, statement):
    with Recorder(run) as recorder:
        refused = locked_at(recorder, statement, times=2)
        assert recorder.record(*graded(run)).score == 5.0
    assert len(refused) == 2
    assert students(run) == ["ada"]


def test_a_database_that_is_locked_as_it_is_opened_is_tried_again(run, monkeypatch):
    opened, refused = recorder_module.Gradebook, []

    def refusing(*args):
        if len(refused) < 2:
            refused.append(args)
            raise OperationalError("INSERT", {}, Exception("database is locked"))
        return opened(*args)

    monkeypatch.setattr(recorder_module, "Gradebook", refusing)
    assert record(run).score == 5.0
    assert len(refused) == 2


@pytest.mark.parametrize(
    "read", [lambda recorder: recorder.read_back("ada").score, lambda r: r.students()["ada"]]
)
def test_a_database_that_is_locked_for_a_reader_is_tried_again(run, read):
    record(run)
    with Recorder(run) as recorder:
        refused = locked_at(recorder, "SELECT", times=2)
        assert read(recorder) == 5.0
    assert len(refused) == 2


def test_a_database_that_is_locked_while_the_row_is_read_back_is_tried_again(run, monkeypatch):
    with Recorder(run) as recorder:
        place, refused = recorder._place, []

        def placed(*args):
            place(*args)
            refused.append(locked_at(recorder, "SELECT", times=2))

        monkeypatch.setattr(recorder, "_place", placed)
        assert recorder.record(*graded(run)).score == 5.0
    assert [len(texts) for texts in refused] == [2]


@pytest.mark.parametrize(
    "statement", ["INSERT INTO submitted_assignment", "INSERT INTO grade", "UPDATE grade"]
)
def test_a_submission_has_all_its_rows_or_none(run, capfd, statement):
    with Recorder(run) as recorder:
        locked_at(recorder, statement, times=99)
        with pytest.raises(Exception, match="database is locked"):
            recorder.record(*graded(run))
    assert students(run) == []
    assert not run.folder("autograded", "ada").exists()
    assert capfd.readouterr() == ("", "")  # nbgrader's traceback goes to the log


def test_what_nbgrader_says_of_its_database_is_in_the_log(run, capfd):
    with Recorder(run) as recorder:
        locked_at(recorder, "INSERT INTO student", times=99)
        with contextlib.suppress(Exception):
            recorder.record(*graded(run))
    assert capfd.readouterr() == ("", "")
    assert "Rolling back session" in (run.output / "log").read_text("utf-8")
    assert logging.getLogger("tornado.application").propagate


BLANK = "YOUR ANSWER HERE"
BESIDE = {"cell_type": "markdown", "metadata": {}, "source": "Because it is so."}


def test_an_untouched_answer_with_text_beside_it_waits_for_a_person_who_sees_it(run):
    result = record(run, "ada", BLANK, BESIDE)
    assert (waits(result), status(result)) == (["why"], "hand grading")
    said = "the answer cell was left as it was, but there is text beside it"
    assert f"why: {said}: a person decides" in reason(result, [])
    assert comment_on(run, "why") is None
    tasks = release_tasks(run)
    page = feedback("tiny", result, tasks)
    assert "<p>Beside it you wrote:</p><blockquote><p>Because it is so.</p>" in page
    assert f"Waits for a person ({said}): at most 1 points." in page
    (path,) = run.output.glob("autograded/ada/tiny/tiny.ipynb")
    assert BESIDE["source"] in screen(path)
    by_hand(run, 1.0)
    assert waits(record(run, "ada", BLANK, BESIDE)) == []


def test_an_untouched_answer_alone_waits_for_nobody(run):
    result = record(run, "ada", BLANK)
    assert (waits(result), status(result), reason(result, [])) == ([], "graded", "")
    assert comment_on(run, "why") == "No response."
    assert "Not answered: 0 of 1 points." in feedback("tiny", result, release_tasks(run))


def test_plain_nbgrader_lets_it_wait_too(run):
    for beside, waiting, comment in (((BESIDE,), 1, None), ((), 0, "No response.")):
        _, notebook = graded(run, "ada", BLANK, *beside)
        nb = nbformat.from_dict(json.loads(notebook))
        ids = {"student": "ada", "assignment": "tiny", "notebook": "tiny", "db_url": run.db_url}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SQLAlchemy's, of nbgrader
            with Gradebook(run.db_url) as gradebook:
                gradebook.update_or_create_student("ada")
                gradebook.update_or_create_submission("tiny", "ada")
            SaveOutcomes().preprocess(nb, {"nbgrader": ids})
        assert waiting_in(run, "why") == waiting
        assert comment_on(run, "why") == comment


SCREEN = {
    "assignment_id": "tiny", "notebook_id": "tiny", "submission_id": "1", "index": 0, "total": 1,
    "base_url": "", "student": "ada", "last_name": "", "first_name": "", "notebook_path": "",
}  # fmt: skip


def screen(path: Path) -> str:
    """The page on which a person grades a notebook."""
    asked = {"resources": SCREEN, "nonce": "n", "formulas": False, "plain": False}
    return make_page(Page(filename=str(path), **asked))


def waiting_in(run: GradingRun, name: str) -> int:
    (found,) = read(
        run,
        "select needs_manual_grade from grade"
        " where cell_id in (select id from base_cell where name = ?)",
        name,
    )
    return found


def comment_on(run: GradingRun, name: str) -> str | None:
    (found,) = read(
        run,
        "select auto_comment from comment"
        " where cell_id in (select id from base_cell where name = ?)",
        name,
    )
    return found


def read(run: GradingRun, query: str, *values) -> tuple:
    with contextlib.closing(sqlite3.connect(run.output / "gradebook.db")) as db:
        return db.execute(query, values).fetchone()


def release_tasks(run: GradingRun) -> list:
    ids = {"notebook": "tiny", "assignment": "tiny", "db_url": run.db_url}
    return tasks(recorded_plan({"nbgrader": ids}, released_order(run.course.solution("tiny"))))


def test_a_picture_that_was_pasted_into_an_answer_reaches_learner_and_grader(run):
    pasted = {
        "cell_type": "markdown",
        "metadata": {},
        "source": "![](attachment:a.png)",
        "attachments": {"a.png": {"image/png": pages.PNG}, "b.svg": {"image/svg+xml": "PHN2Zz4="}},
    }
    result = record(run, "ada", BLANK, pasted)
    picture = f'<img src="data:image/png;base64,{pages.PNG}"'
    assert picture in feedback("tiny", result, release_tasks(run))
    assert "has attachments that are not shown (b.svg)" in reason(result, [])
    (submitted,) = run.output.glob("submitted/ada/tiny/tiny.ipynb")
    (path,) = run.output.glob("autograded/ada/tiny/tiny.ipynb")
    for each in (submitted, path):
        nb = nbformat.read(each, as_version=4)
        assert nb.cells[-1].attachments == {"a.png": {"image/png": pages.PNG}}
    assert picture in screen(path)
