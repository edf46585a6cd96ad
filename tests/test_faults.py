"""The runner of `make faults` is itself tested: on a small assignment, with planted answers."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import fault_reports
import pytest
import run_faults
import task_cells
from fault_course import (
    ADDITIONS,
    AT_SEVEN,
    ENDLESS,
    EXITS,
    HALF,
    PLANTED,
    SHIFT,
    SQUARE,
    TRIPLE,
    edges,
    write_source,
)
from faults import attention, edit, fill

ROOT = Path(__file__).resolve().parents[1]
WORKS = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end:\n    pass\n"


@pytest.fixture
def assignment(tmp_path):
    return task_cells.load(write_source(tmp_path / "arithmetic.ipynb"))


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
    assert fault_reports.as_json([report])["caught"] == 1


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
    assignment.solutions["double"] = WORKS.format(0.2) + "double = abs"
    monkeypatch.setattr(fault_reports, "RUN_SECONDS", 0.1)
    report = run_faults.examine(assignment, [], [], limit=20)
    assert "the solution of double fails: AssertionError: twice 2 is 4" in report.problems
    assert any(p.startswith("all tests must run in 0.1 s, got ") for p in report.problems)


def test_a_fault_is_caught_when_any_test_cell_of_its_task_fails(tmp_path):
    alone = task_cells.load(write_source(tmp_path / "alone.ipynb"))
    assert run_faults.examine(alone, [AT_SEVEN], []).rows[0].verdict == "SURVIVES"
    split = task_cells.load(write_source(tmp_path / "split.ipynb", edges()))
    report = run_faults.examine(split, [AT_SEVEN, SQUARE, *ADDITIONS], [SHIFT])
    assert report.problems == []
    assert report.earned(report.solution) == 4
    assert report.earned(report.blank) == 0
    assert [row.verdict for row in report.rows] == ["caught"] * 4 + ["keeps its points"]
    assert (report.rows[0].visible, report.rows[0].hidden) == (
        "",
        "AssertionError: seven: twice 7 is 14",
    )


def test_each_test_cell_must_fail_on_the_blank_release(tmp_path):
    assignment = task_cells.load(write_source(tmp_path / "split.ipynb", edges()))
    assignment.tests["double_edges"] = assignment.visible["double_edges"] = "assert True"
    report = run_faults.examine(assignment, [], [])
    assert "the tests of double_edges pass on the blank release" in report.problems


def test_neither_an_endless_loop_nor_a_dead_process_stops_the_run(assignment):
    report = run_faults.examine(assignment, [ENDLESS, EXITS, TRIPLE], [], limit=2)
    said = [row.visible for row in report.rows]
    assert said == ["ran out of time", "its process ended", "AssertionError: twice 2 is 4"]


def test_an_answer_that_waited_longer_than_its_seconds_of_the_processor_is_not_out_of_time(
    assignment,
):
    assignment.solutions["double"] += "\nimport time\ntime.sleep(2.4)\n"
    report = run_faults.examine(assignment, [], [], limit=2)
    assert report.earned(report.solution) == 3
    assert report.solution.seconds < 2


def test_an_edit_that_does_not_fit_the_solution_is_refused(assignment):
    with pytest.raises(ValueError, match="must replace what stands once"):
        edit("stale", "double", "", ("nowhere", "")).source(assignment.solutions["double"])
    with pytest.raises(ValueError, match="got 2 bodies for 1 blanks"):
        fill("stale", "double", "", "pass", "pass").source(assignment.solutions["double"])


def test_an_answer_that_is_no_python_is_refused(assignment):
    with pytest.raises(ValueError, match="the answer to double must be Python, got invalid syntax"):
        run_faults.examine(assignment, [HALF], [])


def test_the_answers_to_attention_are_many_and_different():
    solutions = task_cells.load(ROOT / "solutions" / "attention" / "attention.ipynb").solutions
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
    assert "problem: arithmetic: no test of double catches 'planted'" in printed
    assert "    AssertionError: twice -3 is -6" in printed
    assert printed.splitlines()[-1] == "mutation score: 4 of 5"


def test_both_scores_the_causes_and_the_survivors_are_printed(course, capsys):
    blind = replace(SQUARE, origin="blind", cause="negative|-3")
    missed = replace(PLANTED, origin="blind", cause="five")
    elsewhere = replace(TRIPLE, cause="dtype")
    course([blind, missed, elsewhere, *ADDITIONS], [SHIFT], "--why")
    printed = capsys.readouterr().out
    assert "    DOES NOT NAME 'dtype'" in printed
    assert printed.splitlines()[-7:] == [
        "survives: arithmetic, double: planted (blind)",
        "own faults: 3 of 3 (100.0%) caught",
        "blind faults: 1 of 2 (50.0%) caught",
        "causes: 1 of 2 (50.0%) messages name the cause stated; 2 caught faults state none",
        "problem: arithmetic: no test of double catches 'planted'",
        "problem: arithmetic: a third of the wrong answers must pass the visible tests and be "
        "caught by hidden ones, got 1 of 5",
        "mutation score: 4 of 5",
    ]


def test_one_task_alone(course, capsys):
    assert (
        course([SQUARE, TRIPLE, *ADDITIONS], [SHIFT], "--assignment=arithmetic", "--task=add") == 0
    )
    printed = capsys.readouterr().out
    assert "square" not in printed
    assert printed.splitlines()[-1] == "mutation score: 2 of 2"


def test_a_task_that_is_not_there_is_refused_with_those_that_are(course, capsys):
    with pytest.raises(SystemExit, match="2"):
        course([], [], "--assignment=arithmetic", "--task=subtract")
    said = capsys.readouterr().err
    assert "--task must be one of add, double, got --task=subtract" in said
    with pytest.raises(SystemExit, match="2"):
        course([], [], "--task=add")
    assert "--task needs --assignment" in capsys.readouterr().err


def test_an_unknown_assignment_is_refused_by_name(course, capsys):
    with pytest.raises(SystemExit, match="2"):
        course([], [], "--assignment", "algebra")
    said = capsys.readouterr().err
    assert "--assignment must be one of arithmetic, got --assignment=algebra" in said
