"""The class at a glance: a table, statistics of the tasks, CSV and JSON.

Chapter: book/instructors/index.md
"""

import dataclasses
import json
from pathlib import Path

from rich.table import Table
from rich.text import Text

from lmcourse.files import write_file
from lmcourse.grading.assignment.plan import Task
from lmcourse.grading.gradebook.results import Class, Result
from lmcourse.grading.reports import tables
from lmcourse.grading.safe_text import gist, plain

GRADED, BY_HAND, PARTLY, NOT = "graded", "hand grading", "partly graded", "could not be graded"
PENDING, GONE = "not yet", "gone"


def status(result: Result) -> str:
    """One word for a row."""
    if result.pending:
        return PENDING
    if result.gone:
        return GONE
    if result.problem:
        return NOT
    if result.ungraded:
        return PARTLY
    return BY_HAND if result.by_hand else GRADED


def reason(result: Result, tasks: list[Task]) -> str:
    """Why a row needs a look, if it does."""
    if result.problem:
        return result.problem
    labels = {cell.name: task.label for task in tasks for cell in task.cells}
    waiting: dict[str, dict[str, None]] = {}  # the tasks of each message, in order
    for grade in result.ungraded:
        waiting.setdefault(grade.message, {})[labels.get(grade.name, grade.name)] = None
    said = [f"{', '.join(tasks)}: {message}" for message, tasks in waiting.items()]
    return "; ".join([*said, *result.notes])


def rows_of(graded: Class) -> list[Result]:
    """The learners' rows; one that cannot be told says so, and does not cost the others theirs."""
    return [_tellable(result, graded.tasks) for result in graded.results]


def _tellable(result: Result, tasks: list[Task]) -> Result:
    try:
        _for_screen(result, tasks)
        _for_people(result, tasks, 0.0)
        json.dumps(_for_programs(result, tasks))
    except Exception as error:
        why = f"the row could not be written ({type(error).__name__}): grade again"
        return Result(student=plain(str(result.student), 200), problem=why, ours=True)
    return result


def class_table(graded: Class) -> Table:
    """A row for each learner."""
    table = Table(title=f"{graded.assignment}: {graded.points:g} points", title_justify="left")
    table.add_column("student", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("by hand", justify="right")
    table.add_column("status")
    table.add_column("why, and what was mended", overflow="fold", max_width=100)
    for result in rows_of(graded):
        style = "" if result.complete else "yellow"
        table.add_row(*[Text(cell, style=style) for cell in _for_screen(result, graded.tasks)])
    return table


def _for_screen(result: Result, tasks: list[Task]) -> list[str]:
    """A row of the table on the screen."""
    by_hand = sum(grade.of for grade in result.by_hand)
    return [
        plain(result.student, 64),
        "–" if result.problem else f"{result.score:g}",
        f"{by_hand:g}" if by_hand else "",
        f"{status(result)} (kept)" if result.kept else status(result),
        gist(plain(reason(result, tasks), 400)),
    ]


def statistics(graded: Class) -> list[dict]:
    """For each task: how many were graded, their mean, how many have full marks and none."""
    rows, results = [], rows_of(graded)
    for task in graded.tasks:
        scores = [points for result in results if (points := task_points(result, task)) is not None]
        names = {cell.name for cell in task.graded}
        unread = any(grade.name in names for result in results for grade in result.by_hand)
        rows.append(
            {
                "task": task.label,
                "points": task.points,
                "graded": len(scores),
                # Blank answers are decided first, and are no sample of the rest.
                "mean": sum(scores) / len(scores) if scores and not unread else None,
                "full": sum(score >= task.points for score in scores),
                "none": sum(score == 0 for score in scores),
            }
        )
    return rows


def task_points(result: Result, task: Task) -> float | None:
    """A learner's points for a task; None while a person is waited for, or nothing was graded.

    What a person gave and looks at again counts until then, as it does in the total.
    """
    grades = {grade.name: grade for grade in result.grades}
    own = [grades[cell.name] for cell in task.graded if cell.name in grades]
    if not own or any(grade.waiting and not grade.by_person for grade in own):
        return None
    return sum((grade.points for grade in own), 0.0)


def task_table(graded: Class) -> Table:
    """The statistics, to see at once which task the class stumbled over."""
    table = Table(title="tasks", title_justify="left")
    table.add_column("task", overflow="fold")
    for name in ("points", "graded", "mean", "full marks", "no points"):
        table.add_column(name, justify="right")
    for row in statistics(graded):
        mean = "–" if row["mean"] is None else f"{row['mean']:.1f}"
        numbers = (f"{row['points']:g}", row["graded"], mean, row["full"], row["none"])
        table.add_row(Text(row["task"]), *[str(number) for number in numbers])
    return table


def write_reports(graded: Class) -> tuple[Path, Path]:
    """Write grades/<assignment>.csv and .json; a reader never sees half a file."""
    folder = graded.output / "grades"
    csv_path = folder / f"{graded.assignment}.csv"
    json_path = folder / f"{graded.assignment}.json"
    write_file(csv_path, tables.for_people(as_csv(graded)))
    write_file(json_path, json.dumps(as_dict(graded), ensure_ascii=False, indent=1) + "\n")
    return csv_path, json_path


def as_csv(graded: Class) -> str:
    """A row for each learner: points per task, total, maximum, status and reason."""
    labels = [task.label for task in graded.tasks]
    rows = [_for_people(result, graded.tasks, graded.points) for result in rows_of(graded)]
    return tables.as_csv(["student", *labels, "total", "maximum", "status", "reason"], rows)


def _for_people(result: Result, tasks: list[Task], maximum: float) -> list:
    """A row of the table in a file."""
    return [
        result.student,
        *[task_points(result, task) for task in tasks],
        None if result.problem else result.score,
        maximum,
        status(result),
        reason(result, tasks),
    ]


def as_dict(graded: Class) -> dict:
    """Everything, for other programs."""
    return {
        "assignment": graded.assignment,
        "points": graded.points,
        "unprotected": graded.unprotected,
        "ignored": graded.ignored,
        "tasks": statistics(graded),
        "students": [_for_programs(one, graded.tasks) for one in rows_of(graded)],
    }


def _for_programs(result: Result, tasks: list[Task]) -> dict:
    """All that is known of a learner."""
    return {
        "student": plain(result.student, 200),
        "status": status(result),
        "kept": result.kept,
        "pending": result.pending,
        "gone": result.gone,
        "score": None if result.problem else result.score,
        "problem": plain(result.problem),
        "reason": plain(reason(result, tasks)),
        "grades": [dataclasses.asdict(grade) for grade in result.grades],
        "notes": [plain(note) for note in result.notes],
        "notebook": result.digest,
    }
