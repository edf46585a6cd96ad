"""The learner's verdict, on a notebook as it is handed out."""

import json
import os
import subprocess
import sys

import pytest
from notebook_edits import answer, cell_of, claims, delete, double, insert
from tiny_course import answered, solution, split_solution

from lmcourse.grading.assignment.notebooks import parse_cells
from lmcourse.grading.assignment.plan import stated_plan, visible
from lmcourse.grading.errors import MisuseError
from lmcourse.grading.learner.check import check, checksum
from lmcourse.grading.learner.report_lines import report_lines
from lmcourse.grading.learner.task_report import State
from lmcourse.grading.repair.under_plan import repair
from lmcourse.grading.sandbox.budgets import Budgets

BUDGETS = Budgets(cell_seconds=2.0, test_seconds=2.0)
IMPORTING = Budgets(cell_seconds=60.0, test_seconds=2.0)  # where a cell imports torch


def handed_out(author=solution) -> dict:
    """A release made here by its rules: stubs, no hidden tests, checksums."""
    nb = author()
    for cell in nb["cells"]:
        own = cell["metadata"]["nbgrader"]
        cell["source"] = visible(cell["source"])
        if own["solution"]:
            head = cell["source"].split("    ###")[0]
            cell["source"] = head + "    raise NotImplementedError()" if "def" in head else "ANSWER"
        (planned,) = stated_plan(parse_cells(json.dumps({"cells": [cell]}).encode()))
        own["checksum"] = checksum(planned)
    return nb


@pytest.fixture
def verdict_of(tmp_path):
    def run(change=lambda nb: None, right=True, author=solution, budgets=BUDGETS):
        nb = answered(handed_out(author)) if right else handed_out(author)
        change(nb)
        path = tmp_path / "tiny.ipynb"
        path.write_text(json.dumps(nb))
        before = path.read_bytes()
        verdict = check(path, budgets)
        assert path.read_bytes() == before
        assert [entry.name for entry in tmp_path.iterdir()] == ["tiny.ipynb"]
        return verdict, "\n".join(report_lines(verdict))

    return run


def states(verdict):
    return [one.state for one in verdict.tasks]


def test_right(verdict_of):
    verdict, text = verdict_of()
    assert states(verdict) == [State.HOLDS, State.HOLDS, State.BY_HAND]
    assert (verdict.points, verdict.testable, verdict.by_hand, verdict.passed) == (5, 5, 1, True)
    assert "5 of 5 points" in text
    assert "Hidden tests" in text


def test_blank(verdict_of):
    verdict, text = verdict_of(right=False)
    assert states(verdict) == [State.OPEN, State.OPEN, State.BY_HAND]
    assert not verdict.passed
    assert text.count("not started") == 3
    assert "Read again" not in text


@pytest.mark.parametrize("place", ["a cell of its own", "the question"])
def test_an_answer_beside_its_empty_cell_is_named_kindly(verdict_of, place):
    def change(nb):
        answer(nb, "why", "ANSWER")
        if place == "the question":
            cell_of(nb, "tiny-task-3")["source"] += "\nBecause it is so."
        else:
            own = {"cell_type": "markdown", "metadata": {}, "source": "Because it is so."}
            nb["cells"].append(own)

    verdict, text = verdict_of(change)
    assert verdict.tasks[2].beside == ["why"]
    assert (
        "The answer cell why is still empty, and there is text beside it: if that is your answer,"
        " move it into the cell." in text
    )
    _, text = verdict_of(lambda nb: answer(nb, "why", "ANSWER"))
    assert "still empty" not in text


def test_a_written_answer_that_is_there_is_started(verdict_of):
    verdict, text = verdict_of()
    assert (verdict.tasks[2].blank, text.count("not started")) == (False, 0)
    verdict, text = verdict_of(lambda nb: answer(nb, "why", "ANSWER"))
    assert verdict.tasks[2].blank
    assert "Why  [dim](1, by hand, not started)[/dim]" in text
    verdict, text = verdict_of(lambda nb: answer(nb, "why", " \n"))
    assert verdict.tasks[2].blank


def test_an_error_under_a_test_quotes_the_learners_own_line(verdict_of):
    source = "def double(x):\n    y = []\n    return y[x]  # here"
    _, text = verdict_of(lambda nb: answer(nb, "double", source))
    assert "IndexError: list index out of range" in text
    assert "(in double, line 3 of its cell: `return y\\[x]  # here`)" in text


def test_a_part_of_the_points_is_told(verdict_of):
    # As testing's own, without the time that importing torch takes.
    award = (
        "import sys, types\nsys.modules['lmcourse.grading.testing'] = types.SimpleNamespace("
        "take_award=lambda left=[0.5]: left.pop() if left else None)"
    )

    def author():  # a test's text as handed out: an edited one proves nothing
        nb = solution()
        answer(nb, "test_double", award)
        return nb

    verdict, text = verdict_of(author=author)
    assert (verdict.points, verdict.testable) == (4, 5)
    assert "(1 of 2)" in text


@pytest.mark.parametrize(
    ("square", "points", "said"),
    [
        ("x * x or 1", 4, "Edges: square(0) must be 0."),
        ("x * (x + 1)", 3, "Core: square(3) must be 9."),
        ("x + 1", 2, "Core: square(3) must be 9.\n    Edges: square(0) must be 0."),
    ],
)
def test_of_two_test_cells_each_counts_for_itself(verdict_of, square, points, said):
    verdict, text = verdict_of(author=split_solution)
    assert (verdict.points, verdict.passed) == (5, True)
    change = f"def square(x):\n    return {square}"
    verdict, text = verdict_of(lambda nb: answer(nb, "square", change), author=split_solution)
    assert states(verdict) == [State.HOLDS, State.FAILS, State.BY_HAND]
    assert (verdict.points, verdict.testable, verdict.passed) == (points, 5, False)
    assert f"({points - 2} of 3)" in text
    assert said in text


def test_an_untouched_task_of_two_test_cells_has_no_points(verdict_of):
    verdict, text = verdict_of(right=False, author=split_solution)
    assert states(verdict)[1] == State.OPEN
    assert verdict.points == 0
    assert "(0 of 3, not started)" in text


def test_wrong_says_why_and_what_to_read(verdict_of):
    verdict, text = verdict_of(lambda nb: answer(nb, "double", "def double(x):\n    return x"))
    assert states(verdict) == [State.FAILS, State.HOLDS, State.BY_HAND]
    assert "double(2) must be 4. Did you multiply?" in text
    assert "Section: On Double" in text
    assert text.endswith("\nRead again: On Double")
    assert "Traceback" not in text
    assert "Cell In" not in text


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def double(x)\n    return 2", "line 1: def double(x)"),
        ("def double(x):\n    while True:\n        pass", "it was in double, line"),
        ("while True:\n    pass", "far too slow.\n    line "),
        ("import sys\nsys.exit()", "Take it out: a function gives its result by `return`."),
        ("def double(x):\n    return int(input('?'))", "nobody is there: take the value as an"),
        ("import os\nos._exit(1)", "ended the Python process"),
        ("y = 1\ny / 0", "line 2: y / 0"),
        ("", "Does the cell that defines it stand above"),
    ],
)
def test_each_kind_of_failure_names_its_place(verdict_of, source, words):
    verdict, text = verdict_of(lambda nb: answer(nb, "double", source))
    assert states(verdict)[:2] == [State.FAILS, State.HOLDS]
    assert words in text


@pytest.mark.parametrize("double", ["def double(x):\n    return x", None])
def test_an_answer_that_builds_on_a_wrong_one_waits_for_it(verdict_of, double):
    def change(nb):
        answer(nb, "double", double or "def double(x):\n    raise NotImplementedError()")
        answer(nb, "square", "def half(x):\n    return double(x) / 4\ndef square(x):\n"
               "    return half(x) * x * 2")  # fmt: skip

    verdict, text = verdict_of(change)
    assert states(verdict)[1] == State.WAITS
    assert not verdict.passed
    assert verdict.tasks[1].causes[0] == "It waits for Task 1: it uses `double`. Begin there."
    assert "Task 2 · Square  (0 of 3, waits for Task 1)" in text.replace("[dim]", "").replace(
        "[/dim]", ""
    )
    if double is None:
        assert "calls `double`, whose own cell still raises" in verdict.tasks[1].causes[1]


def test_an_answer_that_does_not_run_waits_for_nobody(verdict_of):
    def change(nb):
        answer(nb, "double", "def double(x):\n    return x")
        answer(nb, "square", "def square(x)\n    return double(x) * x / 2")

    assert states(verdict_of(change)[0])[:2] == [State.FAILS, State.FAILS]


def test_what_is_wrong_with_the_cells_is_said(verdict_of):
    verdict, text = verdict_of(lambda nb: delete(nb, "test_double"))
    assert states(verdict)[0] == State.FAILS
    assert "test cell of this task is missing" in text
    verdict, text = verdict_of(lambda nb: answer(nb, "test_double", "pass"))
    assert (states(verdict)[0], verdict.points) == (State.FAILS, 3)
    assert "locked cell test_double was edited" in text
    _, text = verdict_of(lambda nb: double(nb, "test_square"))
    assert "cell test_square is there 2 times" in text
    assert "by a person" in text
    verdict, text = verdict_of(lambda nb: claims(nb, "test_double").update(points=100))
    assert "locked cell test_double was edited" in text


@pytest.mark.parametrize(
    ("home", "deleted", "points"),
    [
        ("setup", True, 2),
        ("test_double", True, 0),
        ("test_square", True, 2),
        ("test_square", False, 2),
    ],
)
def test_an_answer_in_a_locked_cell_does_not_count(verdict_of, home, deleted, points):
    """The grader puts the locked text back: what holds only by it gets no points there."""

    def change(nb):
        locked = cell_of(nb, home)
        locked["source"] = "def square(x):\n    return x * x\n" + locked["source"]
        if deleted:
            delete(nb, "square")
        else:
            answer(nb, "square", cell_of(handed_out(), "square")["source"])

    verdict, text = verdict_of(change)
    assert states(verdict)[1] == State.FAILS
    assert verdict.points == points
    assert "does not count" in " ".join(text.split())


def test_an_answer_in_a_cell_of_its_own_counts_beside_an_edited_setup(verdict_of):
    def change(nb):
        delete(nb, "double")
        insert(nb, "test_double", "def double(x):\n    return 2 * x\n")
        cell_of(nb, "setup")["source"] += "\ndef own():\n    pass\n"

    verdict, text = verdict_of(change)
    assert states(verdict)[0] == State.HOLDS
    assert "locked cell setup was edited" in text


def stripped(nb: dict) -> None:
    """As an editor saves it that leaves no white space at the ends of lines."""
    for cell in nb["cells"]:
        cell["source"] = "\n".join(line.rstrip() for line in cell["source"].split("\n")).rstrip()


def padded(nb: dict) -> None:
    for cell in nb["cells"]:
        cell["source"] = "\n".join(f"{line}  " for line in cell["source"].split("\n")) + "\n\n"


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("change", [stripped, padded])
def test_what_an_editor_does_to_the_ends_of_lines_is_no_edit(verdict_of, right, change):
    """Check and grader by one rule; an answer that was not touched stays one."""
    verdict, _ = verdict_of(change, right=right)
    assert verdict.warnings == []
    assert states(verdict) == (
        [State.HOLDS, State.HOLDS, State.BY_HAND]
        if right
        else [State.OPEN, State.OPEN, State.BY_HAND]
    )
    assert verdict.tasks[2].blank is not right
    nb = answered(handed_out()) if right else handed_out()
    change(nb)
    plan = stated_plan(parse_cells(json.dumps(handed_out()).encode()))
    repaired = repair(parse_cells(json.dumps(nb).encode()), plan)
    assert repaired.notes == []
    if not right:
        assert [cell.source for cell in repaired.cells] == [planned.source for planned in plan]


def test_a_missing_answer_is_named(verdict_of):
    verdict, text = verdict_of(lambda nb: delete(nb, "double"))
    assert states(verdict) == [State.FAILS, State.HOLDS, State.BY_HAND]
    assert "    The cell for the answer of this task is missing: copy it from a fresh" in text
    verdict, text = verdict_of(lambda nb: delete(nb, "why"))
    assert states(verdict) == [State.HOLDS, State.HOLDS, State.FAILS]
    assert "    The cell for the answer of this task is missing: copy it from a fresh" in text
    assert "test cell" not in text


@pytest.mark.parametrize("name", ["double", "test_double"])
@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_a_cell_that_is_no_code_any_more_is_named(verdict_of, name, kind):
    verdict, text = verdict_of(lambda nb: cell_of(nb, name).update(cell_type=kind))
    assert states(verdict) == [State.FAILS, State.HOLDS, State.BY_HAND]
    assert not verdict.passed
    assert f"    The cell {name} was a code cell and is a {kind} cell now" in text


def test_a_notebook_behind_a_link_is_the_learners_own(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "mine.ipynb").write_text(json.dumps(handed_out()))
    link = tmp_path / "tiny.ipynb"
    link.symlink_to(tmp_path / "store" / "mine.ipynb")
    assert states(check(link, BUDGETS)) == [State.OPEN, State.OPEN, State.BY_HAND]
    (tmp_path / "lost.ipynb").symlink_to(tmp_path / "nowhere.ipynb")
    with pytest.raises(MisuseError, match="there is no such file"):
        check(tmp_path / "lost.ipynb", BUDGETS)


def test_code_that_is_too_deep_for_python_is_told_as_any_other_error(verdict_of):
    deep = "-" * 100_000 + "1"
    verdict, _ = verdict_of(lambda nb: answer(nb, "double", deep))
    assert states(verdict) == [State.FAILS, State.HOLDS, State.BY_HAND]


def test_half_a_surrogate_pair_in_a_name_is_no_defect(verdict_of):
    def change(nb):
        claims(nb, "double").update(grade_id="double\ud800", checksum="\udfff")
        claims(nb, "tiny-intro").update(grade_id="\ud800")
        answer(nb, "tiny-task-2", cell_of(nb, "tiny-task-2")["source"].replace("Square", "\ud800"))

    verdict, text = verdict_of(change)
    assert states(verdict) == [State.HOLDS, State.HOLDS, State.BY_HAND]
    assert text.encode("utf-8")


def test_an_answer_that_has_a_name_of_a_test_does_not_hold(verdict_of):
    """The grader's answers do not see what tests import."""

    def author():
        nb = solution()
        test = cell_of(nb, "test_square")
        test["source"] = "import fractions\n" + test["source"]
        return nb

    borrowed = "def square(x):\n    return fractions.Fraction(x) ** 2"
    verdict, text = verdict_of(lambda nb: answer(nb, "square", borrowed), author=author)
    assert states(verdict) == [State.HOLDS, State.FAILS, State.BY_HAND]
    assert verdict.points == 2
    assert "The cell square uses `fractions`, which only a test cell has" in text
    own = borrowed.replace("\n", "\n    import fractions\n", 1)
    verdict, text = verdict_of(lambda nb: answer(nb, "square", own), author=author)
    assert states(verdict) == [State.HOLDS, State.HOLDS, State.BY_HAND]

    def beside(nb):
        answer(nb, "square", "def square(x):\n    return helped(x)")
        insert(nb, "tiny-task-1", "def helped(x):\n    return fractions.Fraction(x) ** 2")

    verdict, text = verdict_of(beside, author=author)
    assert "The cell number 3 (`def helped(x):`) uses `fractions`, which only a test" in text


def test_a_stray_error_outside_the_tasks_is_told_too(verdict_of):
    _, text = verdict_of(lambda nb: insert(nb, "tiny-intro", "1 / 0"))
    assert "cell number 1 (`1 / 0`) did not run: ZeroDivisionError" in text


def test_a_cell_that_changes_settings_for_all_others_is_named(verdict_of):
    change = "import torch\ntorch.set_default_dtype(torch.float64)"
    verdict, text = verdict_of(lambda nb: insert(nb, "tiny-task-1", change), budgets=IMPORTING)
    assert states(verdict) == [State.HOLDS, State.HOLDS, State.BY_HAND]
    assert (
        "The cell number 3 (`import torch`) leaves `torch.get_default_dtype()` at torch.float64 for"
        " all that follows. Tests call answers with the defaults: give `dtype=` where it is needed."
    ) in text


def test_a_cell_that_is_too_long_for_the_grader_is_named(verdict_of):
    long = "def double(x):\n    return 2 * x\n" + "y = '" + "z" * 200_000 + "'"
    verdict, text = verdict_of(lambda nb: answer(nb, "double", long))
    assert states(verdict)[0] == State.FAILS
    said = "The cell double was left empty: it has 200,038 characters, and a cell is read"
    assert verdict.tasks[0].causes[0].startswith(said)
    assert said in text
    verdict, text = verdict_of(lambda nb: insert(nb, "tiny-task-1", long))
    assert states(verdict)[0] == State.HOLDS
    assert "The cell number 3 was left empty: it has 200,038 characters" in text


def test_markup_of_a_learner_stays_text(verdict_of):
    _, text = verdict_of(lambda nb: answer(nb, "double", "raise ValueError('[red]\\x1b[31mx')"))
    assert "\\[red]x" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no such file"),
        ("{", "JSON is broken"),
        ("", "the file is empty"),
        ('{"cells": []}', "no test cells, so it is no assignment"),
    ],
)
def test_what_cannot_be_checked_is_misuse(tmp_path, text, words):
    path = tmp_path / "a.ipynb"
    if text is not None:
        path.write_text(text)
    with pytest.raises(MisuseError, match=words):
        check(path, BUDGETS)


def test_the_checksum_is_nbgraders(tmp_path):
    """Computed by nbgrader in a process of its own, whose import warns of many things."""
    nb = handed_out()
    (tmp_path / "nb.json").write_text(json.dumps(nb))
    theirs = "import json, nbformat\nfrom nbgrader.utils import compute_checksum\n"
    theirs += "nb = nbformat.from_dict(json.load(open('nb.json')))\n"
    theirs += "print(json.dumps([compute_checksum(cell) for cell in nb.cells]))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", theirs],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    ours = [cell["metadata"]["nbgrader"]["checksum"] for cell in nb["cells"]]
    assert json.loads(done.stdout) == ours


def test_nbgrader_is_not_needed():
    """`lmcourse check` must work, and start fast, with what a learner installs."""
    code = "import sys\nfrom lmcourse.grading.learner import check, report_lines\n"
    code += "import time\nheavy = {'nbgrader', 'nbconvert', 'nbformat', 'torch'} & {*sys.modules}\n"
    code += "print(heavy or 'light', time.process_time())"
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    said, seconds = done.stdout.split()
    assert said == "light"
    assert float(seconds) < 30  # the processor's
