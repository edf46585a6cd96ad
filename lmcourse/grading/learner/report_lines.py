"""What `lmcourse check` found, as lines of text: what holds, what does not, and what to do next.

Chapter: book/setup.md
"""

from collections.abc import Iterator

from rich.markup import escape

from lmcourse.grading.learner.task_report import CheckReport, State, TaskReport
from lmcourse.grading.safe_text import gist, plain

_MARKS = {
    State.HOLDS: "[green]✓[/green]",
    State.FAILS: "[red]✗[/red]",
    State.WAITS: "[yellow]…[/yellow]",
    State.OPEN: "[yellow]·[/yellow]",
    State.BY_HAND: "[cyan]…[/cyan]",
}

_BESIDE = (
    "The answer cell {cells} is still empty, and there is text beside it: if that is your answer,"
    " move it into the cell."
)


def report_lines(verdict: CheckReport) -> Iterator[str]:
    """The report, one line or paragraph at a time, in rich's markup."""
    for one in verdict.tasks:
        yield from _task_lines(one)
    for warning in verdict.warnings:
        yield f"[yellow]![/yellow] {_text(warning)}"
    yield ""
    yield f"[bold]Visible tests: {verdict.points:g} of {verdict.testable:g} points.[/bold]"
    if verdict.by_hand:
        points = "point is" if verdict.by_hand == 1 else "points are"
        yield f"{verdict.by_hand:g} more {points} given by a person who reads your answer."
    if verdict.passed:
        yield "All visible tests hold. Hidden tests on other inputs decide with them."
    else:
        yield "Hidden tests on other inputs decide too: this is the most that you have so far."
    sections = dict.fromkeys(v.task.section for v in verdict.tasks if v.state == State.FAILS)
    if said := " · ".join(filter(None, sections)):
        yield f"Read again: {_text(said)}"


def _task_lines(verdict: TaskReport) -> Iterator[str]:
    task = verdict.task
    first = " and ".join(f"Task {number}" for number in verdict.waits_for)
    points = {
        State.HOLDS: f"{verdict.points:g} of {task.promised:g}",
        State.BY_HAND: f"{task.promised:g}, by hand" + (", not started" if verdict.blank else ""),
        State.OPEN: f"0 of {task.promised:g}, not started",
        State.WAITS: f"{verdict.points:g} of {task.promised:g}, waits for {first}",
        State.FAILS: f"{verdict.points:g} of {task.promised:g}",
    }
    yield f"{_MARKS[verdict.state]} {_text(task.label)}  [dim]({points[verdict.state]})[/dim]"
    if verdict.beside:
        yield f"    {_text(_BESIDE.format(cells=', '.join(verdict.beside)))}"
    if verdict.state not in (State.FAILS, State.WAITS):
        return
    for cause in verdict.causes:
        for line in _text(gist(cause)).splitlines():
            yield f"    {line}"
    if task.section and verdict.state == State.FAILS:
        yield f"    [dim]Section: {_text(task.section)}[/dim]"


def _text(text: str) -> str:
    return escape(plain(text))
