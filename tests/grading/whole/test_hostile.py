"""Whatever a learner's code does to its own process, it gets no point that it does not deserve.

A few of the attacks, test by test. `tools/hostile.py`, a step of `make check`, has them all, each
graded as one submission of a class.
"""

import pytest
from attacks import ATTACKS, RIGHT, TESTS, source
from sandbox_processes import SETUP, SMALL

FEW = ("a verdict forged on every socket", "the process forked", "a lying tensor")


@pytest.mark.parametrize("attack", FEW)
def test_it_gets_no_point(make_run, attack):
    submission_run = make_run(proven=frozenset(TESTS))
    submission_run.run_setup(SETUP)
    submission_run.run_cell(source(ATTACKS[attack]))
    got = {name: submission_run.run_test(name, source(test)) for name, test in TESTS.items()}
    assert [name for name, v in got.items() if v.verdict == "passed" or v.fraction] == [], got
    # Nothing of this needs a person either.
    undecided = [f"{n}: {v.kind} {v.said}" for n, v in got.items() if v.verdict == "ungraded"]
    assert undecided == []


@pytest.mark.parametrize("attack", FEW)
def test_the_next_submission_is_graded_as_ever(make_run, attack):
    first, second = make_run(), make_run()
    for submission_run in (first, second):
        submission_run.run_setup(SETUP)
    first.run_cell(source(ATTACKS[attack]))
    first.run_test("close", source(TESTS["close"]))
    second.run_cell(RIGHT)
    assert {
        name: second.run_test(name, source(test)).verdict for name, test in TESTS.items()
    } == dict.fromkeys(TESTS, "passed")


def test_the_budgets_are_those_of_the_tests():
    assert SMALL.call_seconds < SMALL.test_seconds < SMALL.total_seconds
