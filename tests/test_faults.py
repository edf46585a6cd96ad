"""The runner of `make faults` is itself tested: on a small assignment, with planted answers."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import fault_runs
import nbformat
import pytest
import run_faults
from faults import attention, edit, fill, write
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]

SOLUTION = '''
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return add(x, x)
    ### END SOLUTION
'''
HELPER = """
def add(x, y):
    ### BEGIN SOLUTION
    return x + y
    ### END SOLUTION
"""
TEST = """
assert double(2) == 4, "twice 2 is 4"
### BEGIN HIDDEN TESTS
assert double(-3) == -6, "twice -3 is -6"
### END HIDDEN TESTS
"""
SQUARE = edit("square", "double", "right for 2", ("add(x, x)", "x * x"))
TRIPLE = edit("triple", "double", "wrong for all", ("add(x, x)", "3 * x"))
PLANTED = edit("planted", "double", "wrong for 5 only", ("add(x, x)", "11 if x == 5 else 2 * x"))
SHIFT = fill("shift", "double", "another style", "return x << 1")
ENDLESS = fill("endless", "double", "never returns", "while True: pass")
EXITS = fill("exits", "double", "ends its process", "import os\nos._exit(0)")
ADDITIONS = [edit(name, "add", "", ("x + y", name)) for name in ("x - y", "x")]
HALF = write("half a cell", "double", "a syntax error", "def double(x: return")


def _cell(source, grade_id, make=new_code_cell, **flags):
    flags = {"grade": False, "solution": False, "locked": True, "task": False} | flags
    nbgrader = {"schema_version": 3, "grade_id": grade_id, **flags}
    return make(source.strip("\n"), metadata={"nbgrader": nbgrader})


@pytest.fixture
def assignment(tmp_path):
    notebook = new_notebook(
        cells=[
            _cell("import math", "setup"),
            _cell(HELPER, "add", solution=True, locked=False),
            _cell("assert add(1, 2) == 3", "test_add", grade=True, points=1),
            _cell(SOLUTION, "double", solution=True, locked=False),
            _cell(TEST, "test_double", grade=True, points=2),
            _cell("why?", "why", new_markdown_cell, grade=True, solution=True, points=4),
        ]
    )
    path = tmp_path / "arithmetic.ipynb"
    nbformat.write(notebook, path)
    return fault_runs.load(path)


def test_the_notebook_is_read_as_nbgrader_would_release_it(assignment):
    assert assignment.points == {"add": 1, "double": 2}
    assert assignment.by_hand == 4
    assert assignment.setup == ["import math"]
    assert "raise NotImplementedError()" in assignment.blanks["double"]
    assert "-3" in assignment.tests["double"]
    assert "-3" not in assignment.visible["double"]


def test_an_answer_runs_with_only_the_cells_that_it_needs(assignment):
    whole = assignment.needed("double", assignment.solutions["double"])
    assert whole == ["import math", assignment.solutions["add"], assignment.solutions["double"]]
    alone = assignment.needed("double", "def double(x):\n    return x + x")
    assert alone == ["import math", "def double(x):\n    return x + x"]


def test_all_is_well_when_wrong_answers_are_caught_and_right_ones_pass(assignment):
    report = run_faults.examine(assignment, [SQUARE, TRIPLE, SQUARE, *ADDITIONS], [SHIFT])
    assert report.problems == []
    assert report.earned(report.solution) == 3
    assert report.earned(report.blank) == 0
    assert (report.caught, len(report.wrong), report.hidden_only) == (5, 5, 2)
    assert [row.verdict for row in report.rows] == ["caught"] * 5 + ["keeps its points"]
    assert report.rows[0].visible == ""
    assert report.rows[0].hidden == "AssertionError: twice -3 is -6"
    assert report.rows[1].visible == "AssertionError: twice 2 is 4"


def test_a_wrong_answer_that_survives_is_reported(assignment):
    report = run_faults.examine(assignment, [PLANTED, SQUARE], [])
    assert [row.verdict for row in report.rows] == ["SURVIVES", "caught"]
    assert "no test of double catches 'planted'" in report.problems
    assert run_faults.as_json([report])["caught"] == 1


def test_a_right_answer_that_loses_its_points_is_reported(assignment):
    report = run_faults.examine(assignment, [], [SHIFT, SQUARE], times=2)
    assert [row.verdict for row in report.rows] == ["keeps its points", "LOSES ITS POINTS"]
    assert "'square' is right, but fails: AssertionError: twice -3 is -6" in report.problems


def test_too_few_wrong_answers_and_too_few_for_hidden_tests_are_reported(assignment):
    report = run_faults.examine(assignment, [TRIPLE, TRIPLE], [])
    assert any("add must have 2 wrong answers, got 0" in p for p in report.problems)
    assert any("a third of the wrong answers" in p for p in report.problems)


def test_a_test_that_passes_on_the_blank_release_is_reported(assignment):
    assignment.tests["add"] = assignment.visible["add"] = "assert True"
    report = run_faults.examine(assignment, [], [])
    assert "the tests of add pass on the blank release" in report.problems


def test_a_solution_that_fails_or_dawdles_is_reported(assignment, monkeypatch):
    assignment.solutions["double"] = "import time\ntime.sleep(0.2)\ndouble = abs"
    monkeypatch.setattr(run_faults, "RUN_SECONDS", 0.1)
    report = run_faults.examine(assignment, [], [], limit=20)
    assert "the solution of double fails: AssertionError: twice 2 is 4" in report.problems
    assert any(p.startswith("all tests must run in 0.1 s, got ") for p in report.problems)


def test_neither_an_endless_loop_nor_a_dead_process_stops_the_run(assignment):
    report = run_faults.examine(assignment, [ENDLESS, EXITS, TRIPLE], [], limit=2)
    said = [row.visible for row in report.rows]
    assert said == ["ran out of time", "its process ended", "AssertionError: twice 2 is 4"]


def test_an_edit_that_does_not_fit_the_solution_is_refused(assignment):
    with pytest.raises(ValueError, match="must replace what stands once"):
        edit("stale", "double", "", ("nowhere", "")).source(assignment.solutions["double"])
    with pytest.raises(ValueError, match="got 2 bodies for 1 blanks"):
        fill("stale", "double", "", "pass", "pass").source(assignment.solutions["double"])


def test_an_answer_that_is_no_python_is_refused(assignment):
    with pytest.raises(ValueError, match="the answer to double must be Python, got invalid syntax"):
        run_faults.examine(assignment, [HALF], [])


def test_the_answers_to_attention_are_many_and_different():
    solutions = fault_runs.load(ROOT / "solutions" / "attention" / "attention.ipynb").solutions
    answers = attention.WRONG + attention.RIGHT
    cells = [answer.source(solutions[answer.task]) for answer in answers]
    assert len(attention.WRONG) >= 15
    assert len(attention.RIGHT) >= 8
    assert {a.task for a in attention.WRONG} == {a.task for a in attention.RIGHT} == {*solutions}
    assert len({*cells, *solutions.values()}) == len(cells) + len(solutions)
    assert len({(a.task, a.name) for a in answers}) == len(answers)


@pytest.fixture
def course(assignment, tmp_path, monkeypatch):
    """A course with nothing but the small assignment; call it with the answers and options."""
    folder = tmp_path / "solutions" / "arithmetic"
    folder.mkdir(parents=True)
    (tmp_path / "arithmetic.ipynb").rename(folder / "arithmetic.ipynb")
    monkeypatch.setattr(run_faults, "ROOT", tmp_path)

    def run(wrong, right, *options):
        answers = SimpleNamespace(WRONG=wrong, RIGHT=right)
        monkeypatch.setitem(sys.modules, "faults.arithmetic", answers)
        monkeypatch.setattr(sys, "argv", ["run_faults.py", *options])
        return run_faults.main()

    return run


def test_the_last_line_is_the_score_and_success_is_0(course, capsys, tmp_path):
    file = tmp_path / "new" / "scores.json"
    assert course([SQUARE, TRIPLE, SQUARE, *ADDITIONS], [SHIFT], "--json", str(file)) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "arithmetic: 7 points, 4 of them by hand"
    assert printed[-1] == "mutation score: 5 of 5"
    scores = json.loads(file.read_text())
    assert scores["caught"] == scores["wrong"] == 5
    assert scores["assignments"]["arithmetic"]["hidden_only"] == 2


def test_a_problem_is_printed_and_makes_the_command_fail(course, capsys):
    assert course([SQUARE, SQUARE, PLANTED, *ADDITIONS], [SHIFT], "--why") == 1
    printed = capsys.readouterr().out
    assert "problem: no test of double catches 'planted'" in printed
    assert "    AssertionError: twice -3 is -6" in printed
    assert printed.splitlines()[-1] == "mutation score: 4 of 5"


def test_an_unknown_assignment_is_refused_by_name(course, capsys):
    with pytest.raises(SystemExit, match="2"):
        course([], [], "--assignment", "algebra")
    said = capsys.readouterr().err
    assert "--assignment must be one of arithmetic, got --assignment=algebra" in said
