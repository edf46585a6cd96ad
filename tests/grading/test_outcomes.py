"""One type for what a test comes to, and three words that are typed in one place."""

import ast
from dataclasses import asdict
from pathlib import Path

from lmcourse import grading
from lmcourse.grading import outcomes
from lmcourse.grading.gradebook.results import Grade
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED, TestOutcome

GRADER = Path(grading.__file__).parent


def test_the_three_words_are_typed_in_one_place():
    typed = {
        f"{path.relative_to(GRADER)}:{node.lineno}"
        for path in GRADER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in (PASSED, FAILED, UNGRADED)
    }
    assert {place.partition(":")[0] for place in typed} == {Path(outcomes.__file__).name}, typed


def test_what_is_kept_makes_the_same_outcome_again_and_shows_no_hidden_test():
    outcome = TestOutcome(
        verdict=FAILED, message="why", hidden=True, seed="f", kind="KeyError", said="x", line=3
    )
    assert outcome.kept() == {
        "verdict": FAILED,
        "message": "why",
        "hidden": True,
        "fraction": 0.0,
        "seed": "f",
        "carried": "",
    }
    assert TestOutcome(**outcome.kept()).kept() == outcome.kept()


def test_the_gradebook_s_grade_has_the_same_names():
    kept = TestOutcome(verdict=PASSED, fraction=0.5, seed="a").kept()
    grade = asdict(Grade(name="test", points=1.0, of=2.0, **kept))
    assert {name: grade[name] for name in kept} == kept


def test_nothing_is_failed_before_somebody_says_so():
    assert TestOutcome().verdict == UNGRADED
