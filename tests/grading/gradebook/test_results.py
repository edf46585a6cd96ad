"""What the grades of a learner and of a class come to, and where a run keeps its gradebook."""

from pathlib import Path

import pytest
from traitlets.config import Config

from lmcourse.grading.assignment.course import Course, quiet_log
from lmcourse.grading.gradebook.results import Class, Grade, GradingRun, Options, Result
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED

RIGHT = Grade(name="a", points=2.0, of=2.0, verdict=PASSED)
WRONG = Grade(name="b", points=0.0, of=3.0, verdict=FAILED)
OPEN = Grade(name="c", points=0.0, of=1.0, verdict=UNGRADED, waiting=True)
WRITTEN = Grade(name="d", points=0.0, of=1.0, waiting=True)


def test_what_waits_for_a_person_is_not_lost():
    assert [grade.lost for grade in (RIGHT, WRONG, OPEN, WRITTEN)] == [False, True, False, False]
    result = Result(student="ada", grades=[RIGHT, WRONG, OPEN, WRITTEN])
    assert (result.score, result.ungraded, result.by_hand) == (2.0, [OPEN], [WRITTEN])


def test_a_class_is_complete_when_a_program_can_do_no_more():
    done = Result(student="ada", grades=[RIGHT, WRONG, WRITTEN])
    for other, complete in (
        (done, True),
        (Result(student="ben", grades=[OPEN]), False),
        (Result(student="ben", problem="no notebook"), False),
    ):
        graded = Class(assignment="tiny", output=Path(), tasks=[], results=[done, other])
        assert graded.complete is complete
    assert not Class(assignment="t", output=Path(), tasks=[], results=[], ignored=["x"]).complete


def test_only_what_ran_can_have_run_unprotected():
    rows = [
        Result(student="ada", sandbox=False),
        Result(student="ben", sandbox=False, problem="no notebook"),
        Result(student="cleo", sandbox=False, pending=True),
        Result(student="dan"),
    ]
    assert Class(assignment="t", output=Path(), tasks=[], results=rows).unprotected == 1


@pytest.mark.parametrize("named", ["", "postgresql://somewhere/grades"])
def test_the_gradebook_is_a_file_unless_the_course_names_a_database(tmp_path, named):
    config = Config({"CourseDirectory": {"db_url": named} if named else {}})
    run = GradingRun(
        course=Course(root=tmp_path, config=config),
        assignment="tiny",
        output=tmp_path,
        options=Options(),
        log=quiet_log(),
    )
    path = tmp_path / "gradebook.db"
    assert run.gradebook_file == (None if named else path)
    assert run.db_url == (named or f"sqlite:///{path.resolve()}")
