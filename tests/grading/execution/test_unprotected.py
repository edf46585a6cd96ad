"""Real processes: what a cell does to its own costs that cell and no other."""

import pytest
from unprotected_runs import checked, run

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.execution.kernel import SessionError
from lmcourse.grading.execution.unprotected import outcome_of
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED
from lmcourse.grading.sandbox.budgets import Budgets

pytestmark = pytest.mark.usefixtures("little_grace")
DEAF = """
import time
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""


def test_cells_share_one_process_and_errors_stop_nobody():
    rans = run("x = 1", "1 / 0", "def f(:\n  pass", "assert x == 1")
    assert [ran.status for ran in rans] == ["ok", "error", "error", "ok"]
    assert (rans[1].name, rans[1].message) == ("ZeroDivisionError", "division by zero")
    assert rans[2].name == "SyntaxError"


def test_a_loop_costs_its_cell_and_what_was_defined_stays():
    rans = run("x = 1", "while True: pass", checked("assert x == 1"))
    assert [ran.status for ran in rans] == ["ok", "timeout", "ok"]


@pytest.mark.parametrize("example", ["while True: pass", DEAF, "import os; os._exit(1)"])
def test_a_right_answer_with_a_bad_example_below_it_is_there_in_the_next_process(example):
    rans = run(f"def f(): return 7\n{example}", "import os; os._exit(1)", checked("f()"))
    assert rans[2].status == "ok", rans[2]


def test_a_loop_that_ignores_interrupts_is_ended_and_the_rest_runs_again():
    rans = run("x = 1", DEAF, "y = x + 1", checked("assert y == 2"))
    assert [ran.status for ran in rans] == ["ok", "timeout", "ok", "ok"]


def test_a_sleeping_loop_is_stopped_too():
    rans = run("import time\nwhile True: time.sleep(0.1)", "1")
    assert [ran.status for ran in rans] == ["timeout", "ok"]


def test_a_function_that_does_not_end_is_found_by_name():
    rans = run("def forever(x):\n    while x:\n        pass", checked("forever(1)"), checked("1"))
    assert [ran.status for ran in rans] == ["ok", "timeout", "ok"]
    assert any("forever" in part for part in rans[1].trace)


@pytest.mark.parametrize("end", ["import os; os._exit(3)", "exit()", "quit"])
def test_a_cell_that_ends_the_process_costs_itself_only(end):
    rans = run(
        "x = 1", f"y = 2\n{end}()" if end == "quit" else f"y = 2\n{end}", "z = x", checked("z")
    )
    assert [ran.status for ran in rans] == ["ok", "died", "ok", "ok"]


def test_sys_exit_is_an_error_like_any_other():
    rans = run("x = 1\nimport sys\nsys.exit(1)", checked("assert x == 1"))
    assert [ran.status for ran in rans] == ["error", "ok"]


def test_a_test_that_ends_the_process_does_not_end_the_next():
    rans = run("import os\ndef f(): os._exit(1)\ng = 2", checked("f()"), checked("assert g == 2"))
    assert [ran.status for ran in rans] == ["ok", "died", "ok"]


@pytest.mark.parametrize("kind", ["test", "learner"])
def test_no_cell_is_blamed_for_what_ended_the_process_from_before(kind):
    """A thread of an earlier cell ends the process once, in the middle of the test."""
    earlier = """
import os, pathlib, threading, time
begun, ended = pathlib.Path("begun"), pathlib.Path("ended")
def end_once():
    while not begun.exists():
        time.sleep(0.01)
    ended.touch()
    os._exit(1)
if not ended.exists():
    threading.Thread(target=end_once).start()
"""
    source = "first = not ended.exists()\nbegun.touch()\nwhile first: time.sleep(0.01)"
    rans = run(earlier, CodeCell(kind=kind, source=source), budgets=Budgets())
    assert [ran.status for ran in rans] == ["ok", "ok"]


def test_warnings_and_prints_are_no_errors_and_are_kept():
    (ran,) = run(
        "import sys, warnings\nprint('a')\nprint('b', file=sys.stderr)\nwarnings.warn('c')"
    )
    assert ran.status == "ok"
    kept = {output["name"]: output["text"] for output in ran.outputs}
    assert kept["stdout"] == "a\n"
    assert "b\n" in kept["stderr"]
    assert "c" in kept["stderr"]


def test_a_test_stays_out_of_the_history():
    rans = run("1", checked("secret = 7"), "assert not any('sec' + 'ret' in cell for cell in In)")
    assert [ran.status for ran in rans] == ["ok"] * 3


def test_the_whole_notebook_has_a_budget():
    budgets = Budgets(cell_seconds=30.0, total_seconds=0.8)  # by the clock five times that
    rans = run("while True: pass", "1", checked("1"), budgets=budgets)
    assert rans[0].status in ("timeout", "unrun")  # on a busy machine Python alone takes as long
    assert [ran.status for ran in rans[1:]] == ["unrun", "unrun"]
    assert "used up its 4 seconds" in rans[2].message


def test_the_authors_files_are_there_and_writing_stays_inside(tmp_path):
    (tmp_path / "words.txt").write_text("here")
    (tmp_path / "solution.ipynb").write_text("{}")
    look = "import os\nassert open('words.txt').read() == 'here'\nopen('mine', 'w').close()\n"
    (ran,) = run(look + "assert not os.path.exists('solution.ipynb')", files=tmp_path)
    assert ran.status == "ok", ran.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["solution.ipynb", "words.txt"]


def test_nothing_of_one_run_reaches_the_next(monkeypatch, tmp_path):
    startup = "from IPython.paths import get_ipython_dir\nimport pathlib\n"
    startup += "folder = pathlib.Path(get_ipython_dir(), 'profile_default', 'startup')\n"
    startup += "folder.mkdir(parents=True, exist_ok=True)\n(folder / 'a.py').write_text('left = 1')"
    assert run(startup)[0].status == "ok"
    assert run("left")[0].name == "NameError"


def test_if_python_cannot_start_nobody_gets_a_zero(monkeypatch):
    def refuse(*args):
        raise SessionError("Python could not be started (no memory)")

    monkeypatch.setattr("lmcourse.grading.execution.unprotected.Session", refuse)
    rans = run("1", checked("1"))
    assert {ran.status for ran in rans} == {"unrun"}
    assert "no memory" in rans[1].message


def test_part_of_the_points_can_be_awarded_here_too():
    award = "from lmcourse.grading.testing import award\naward(0.25)"
    rans = run(
        "x = 1",
        checked("assert x == 1"),
        checked(award),
        checked("assert x == 1"),
        checked(f"{award}\nassert x == 2"),
        checked("assert x == 1"),  # an award does not outlast its test, failed or not
        checked(f"{award}\naward(0.0)"),
        budgets=Budgets(),
    )
    assert [ran.award for ran in rans] == [None, None, 0.25, None, None, None, 0.0]
    outcomes = [outcome_of(ran, "", Budgets()) for ran in rans[1:]]
    assert [outcome.fraction for outcome in outcomes] == [1.0, 0.25, 1.0, 0.0, 1.0, 0.0]


SOURCE = "assert a\n### BEGIN HIDDEN TESTS\nassert b\n### END HIDDEN TESTS"


def failed_at(line: int) -> CellResult:
    trace = [f"Cell In[3], line {line}\n---> assert", "AssertionError: no"]
    return CellResult(status="error", name="AssertionError", message="no", trace=trace)


@pytest.mark.parametrize(
    ("ran", "verdict", "hidden"),
    [
        (CellResult(status="ok"), PASSED, False),
        (failed_at(1), FAILED, False),
        (failed_at(3), FAILED, True),
        (CellResult(status="timeout"), FAILED, False),
        (CellResult(status="died"), FAILED, False),
        (CellResult(status="unrun", message="no Python"), UNGRADED, False),
    ],
)
def test_the_three_outcomes(ran, verdict, hidden):
    outcome = outcome_of(ran, SOURCE, Budgets())
    assert (outcome.verdict, outcome.hidden) == (verdict, hidden)
    assert bool(outcome.message) == (verdict != PASSED)
