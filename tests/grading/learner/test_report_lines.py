"""What a learner reads of each task: points, causes as plain text, what to read again."""

from rich.text import Text

from lmcourse.grading.assignment.plan import Planned, Task
from lmcourse.grading.learner.report_lines import report_lines
from lmcourse.grading.learner.task_report import CheckReport, State, TaskReport


def task(number, state, points=2.0, **said):
    cell = Planned(name=f"test_{number}", kind="code", source="", graded=True, points=points)
    told = Task(number=number, title="Twice", section=f"On {number}", promised=points, cells=[cell])
    return TaskReport(task=told, state=state, **said)


def shown(*tasks, warnings=()):
    report = CheckReport(tasks=list(tasks), warnings=list(warnings))
    return [Text.from_markup(line).plain for line in report_lines(report)]


def test_each_state_has_its_line_and_its_points():
    lines = shown(
        task(1, State.HOLDS),
        task(2, State.FAILS, causes=["too small"]),
        task(3, State.OPEN),
        task(4, State.BY_HAND, 1.0),
    )
    assert lines[:6] == [
        "✓ Task 1 · Twice  (2 of 2)",
        "✗ Task 2 · Twice  (0 of 2)",
        "    too small",
        "    Section: On 2",
        "· Task 3 · Twice  (0 of 2, not started)",
        "… Task 4 · Twice  (1, by hand)",
    ]
    assert "Visible tests: 2 of 6 points." in lines
    assert "1 more point is given by a person who reads your answer." in lines
    assert lines[-1] == "Read again: On 2"


def test_what_waits_says_for_which_tasks_and_sends_to_no_section():
    waiting = task(4, State.WAITS, causes=["It waits for Task 1."])
    waiting.waits_for = [1, 3]
    assert shown(waiting)[:2] == [
        "… Task 4 · Twice  (0 of 2, waits for Task 1 and Task 3)",
        "    It waits for Task 1.",
    ]
    assert not any("On 4" in line for line in shown(waiting))


def test_where_all_holds_hidden_tests_are_not_forgotten():
    assert shown(task(1, State.HOLDS))[-1].startswith("All visible tests hold. Hidden tests")


def test_what_a_learner_wrote_stays_text():
    evil = "[red]\x1b[31mx\ud800"
    lines = shown(task(1, State.FAILS, causes=[evil]), warnings=[evil])
    assert lines[1] == "    [red]x\\ud800"
    assert "! [red]x\\ud800" in lines


def test_of_a_long_cause_the_first_lines_are_shown():
    lines = shown(task(1, State.FAILS, causes=["\n".join("abcdefg")]))
    assert lines[1:6] == [*(f"    {letter}" for letter in "abcd"), "    …"]
