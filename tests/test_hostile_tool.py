"""tools/hostile.py: every attack is tried; those that nbgrader's own code meets go both ways."""

import contextlib
import inspect
import warnings

import hostile
import pytest
from attacks import LONG
from attacks.assignments import ASSIGNMENTS
from attacks.odd_notebooks import ODD_NOTEBOOKS
from hostile_runs import ALL, ATTACKS, FOLDERS, NOTEBOOKS, REFUSED, TIMES, Case, Row
from traitlets.config import Config

from lmcourse.grading.outcomes import TestOutcome


def test_every_attack_is_tried_by_the_check_but_for_long_ones_that_another_stands_for():
    tried = hostile.names_of("lmcourse")
    assert tried == [name for name in ALL if name not in LONG]
    assert {f"{name}, once" for name in LONG} <= {*tried}
    assert hostile.names_of("lmcourse", everything=True) == ALL
    assert len(ALL) == len(set(ALL)) >= 190


def test_what_is_handed_in_goes_both_ways_and_of_the_answers_a_sample():
    both = {*hostile.names_of("nbgrader")}
    answers = {*ATTACKS, *ODD_NOTEBOOKS}
    assert both - answers == {*NOTEBOOKS, *FOLDERS, *REFUSED, *TIMES} - answers
    assert both & answers == {*hostile.SAMPLE}
    assert hostile.names_of("nbgrader", everything=True) == ALL


def test_both_ways_run_answers_by_the_same_function():
    """So an attack that lies in an answer meets the same code, whichever way it comes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
        from lmcourse.grading import config
        from lmcourse.grading.batch import workers
        from lmcourse.grading.execution import submission
        from lmcourse.grading.nbgrader_steps import preprocessors
    settings = Config()
    config.configure(settings)
    step = f"{preprocessors.__name__}.{preprocessors.Execute.__name__}"
    assert step in settings.Autograde.autograde_preprocessors
    assert workers.grade is submission.grade
    for way in (submission.grade, preprocessors.Execute.preprocess):
        names = inspect.getclosurevars(inspect.unwrap(way)).globals
        assert names["run_notebook"] is submission.run_notebook


def test_attacks_on_assignments_are_each_tried_beside_the_authors_answer(monkeypatch):
    verdicts = dict.fromkeys(ASSIGNMENTS, TestOutcome(verdict="failed"))
    first, second, third, *_ = ASSIGNMENTS
    verdicts[first] = TestOutcome(verdict="passed", fraction=1.0)
    verdicts[third] = TestOutcome(verdict="ungraded", message="it is broken")
    by_attack = {id(attack): name for name, attack in ASSIGNMENTS.items()}
    monkeypatch.setattr(hostile, "servers_for", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(hostile, "graded", lambda _, attack: verdicts[by_attack[id(attack)]])
    monkeypatch.setattr(
        hostile,
        "of_the_author",
        lambda _, attack: {
            "training": TestOutcome(verdict="ungraded", message="it is broken"),
            "generation": TestOutcome(verdict="passed", fraction=0.5, message="a half"),
        }.get(attack.slug, TestOutcome(verdict="passed", fraction=1.0)),
    )
    lines, wrong = hostile.run_on_assignments([*ASSIGNMENTS])
    assert sorted(line.case.name for line in lines) == sorted(ASSIGNMENTS)
    assert {line.case.name: line.wrong for line in lines if line.wrong} == {
        first: ["1 of its points", "its verdict is passed"],
        third: ["its verdict is ungraded"],
    }
    assert wrong == [
        "generation: the author's answer does not pass test_cached_loop: a half",
        "training: the author's answer does not pass test_adam: it is broken",
    ]
    lines, wrong = hostile.run_on_assignments([second])
    assert ([line.case.name for line in lines], wrong) == ([second], [])


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("a lying tensor", ["2 for a person"]),
        ("never an answer, once", ["2 for a person"]),
        ("a flood of handles", []),  # it may break the judge
        ("tests doubled", []),  # not an answer, but a notebook that a person must see
    ],
)
def test_an_answer_that_a_person_would_have_to_see_is_wrong(name, wrong):
    case = Case(name=name, student="s")
    assert hostile.judge(case, "lmcourse", Row(score=0.0, ungraded=2)).wrong == wrong
    assert hostile.judge(case, "lmcourse", Row(score=0.0)).wrong == []
