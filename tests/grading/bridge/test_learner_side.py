"""What the learner's objects do and raise reaches a test as what it is, and ends nothing."""

import pytest
from sandbox_processes import shown


@pytest.mark.parametrize(
    ("raised", "test"),
    [
        ("ValueError('d_model must')", "with raises(ValueError, 'must'):\n    f(1)"),
        (
            "KeyError('lost')",
            "try:\n    f(1)\nexcept KeyError as e:\n    assert str(e) == 'lost', str(e)",
        ),
        ("TimeoutError('slow')", "with raises(TimeoutError, 'slow'):\n    f(1)"),
        ("OSError('disk')", "with raises(OSError, 'disk'):\n    f(1)"),
        ("IndexError()", "with raises(LookupError):\n    f(1)"),
        (
            "UnicodeDecodeError('utf-8', b'', 0, 1, 'bad')",
            "with raises(Exception, 'bad'):\n    f(1)",
        ),
        ("type('Own', (TypeError,), {})('x')", "with raises(TypeError, 'x'):\n    f(1)"),
    ],
)
def test_the_learners_exceptions_arrive_as_what_they_are(submission_run, raised, test):
    submission_run.run_cell(f"def f(x): raise {raised}")
    got = submission_run.run_test("t", test)
    assert got.verdict == "passed", got
    assert submission_run._learner.alive


@pytest.mark.parametrize(
    "raised", ["SystemExit(0)", "KeyboardInterrupt()", "GeneratorExit()", "StopIteration(4)"]
)
def test_exceptions_that_end_things_end_nothing_here(submission_run, raised):
    submission_run.run_cell(f"def f(x): raise {raised}")
    got = submission_run.run_test("t", "assert f(2) == 4")
    assert (got.verdict, got.died) == ("failed", "")


def test_an_error_of_the_learners_comes_with_its_own_trace(submission_run):
    submission_run.run_cell("def f(x):\n    return g(x)\ndef g(x):\n    return x[7]")
    got = submission_run.run_test("t", "f([1])")
    assert got.kind == "IndexError"
    assert "in g" in got.trace
    assert "learner_side.py" not in got.trace


FORKED = "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\n"


def test_a_child_that_comes_out_of_a_cell_answers_nothing(submission_run):
    ran = submission_run.run_cell(f"{FORKED}print('parent' if pid else 'child')")
    assert shown(ran) == "parent\n"
    assert shown(submission_run.run_cell("print('next')")) == "next\n"
    assert shown(submission_run.run_cell("raise ValueError")) == ""


def test_a_child_that_comes_out_of_a_call_answers_nothing(submission_run):
    indented = FORKED.replace("\n", "\n    ")
    submission_run.run_cell(f"def f(x):\n    {indented}return 'parent' if pid else 'child'")
    got = submission_run.run_test("t", "assert [f(1), f(2)] == ['parent'] * 2")
    assert got.verdict == "passed", got


def test_a_child_cannot_ask_the_test_beside_its_parent(submission_run):
    indented = FORKED.replace("\n", "\n    ")
    submission_run.run_cell(f"def f(function):\n    {indented}return function()")
    test = "asked = []\nf(lambda: asked.append(1))\nassert asked == [1]"
    got = submission_run.run_test("t", test)
    assert got.verdict == "passed", got


def test_an_interrupt_that_comes_after_its_cell_ends_nothing(submission_run):
    """Neither the process, nor the answer that it is about to send."""
    submission_run.run_cell("n = 1")
    first = submission_run._learner
    first.interrupt()
    assert shown(submission_run.run_cell("print(n)")) == "1\n"
    assert submission_run._learner is first


def test_an_interrupt_in_a_cell_reaches_the_cell(submission_run):
    ran = submission_run.run_cell("import os\nos.kill(os.getpid(), 2)\nwhile True: pass")
    assert (ran.status, ran.name) == ("error", "KeyboardInterrupt")
