"""The teacher's commands besides release and grade: late, similar, export, items.

Chapter: book/instructors/collecting.md
"""

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer

from lmcourse.grading.cli.options import CourseOption, OutputOption
from lmcourse.grading.cli.terminal import tell
from lmcourse.grading.errors import MisuseError

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="What was handed in.")]
Assignment = Annotated[str, typer.Option("--assignment", "-a", help="Which one it is.")]


def add_to(app: typer.Typer, plain_errors: Callable) -> None:
    """Add the commands; `plain_errors` makes one line of what goes wrong."""

    def guarded(command: Callable) -> Callable:
        @wraps(command)
        def run(*args, **kwargs):
            with plain_errors():
                command(*args, **kwargs)

        return run

    for command, epilog in EXAMPLES.items():
        app.command(epilog=epilog)(guarded(command))


def late(
    folder: Folder,
    assignment: Assignment,
    times: Annotated[
        Path | None,
        typer.Option("--times", metavar="CSV", help="student,time; default: the files' own times."),
    ] = None,
    course: CourseOption = None,
    output: OutputOption = None,
) -> None:
    """Who was late, and what your rule makes of it; reports and feedback say so from then on."""
    from lmcourse.files import write_file
    from lmcourse.grading.assignment import handed_in
    from lmcourse.grading.assignment.course import find_course
    from lmcourse.grading.lateness import days_late, hand_in_times, policy
    from lmcourse.grading.reports import tables
    from lmcourse.grading.safe_text import plain

    here = find_course(course)
    here.solution(assignment)
    rule = policy.policy_for(dict(here.config.get("Lateness", {})), assignment)
    from lmcourse.grading.gradebook import lock  # SQLAlchemy: not before the call is right

    out = (output or here.root).resolve()
    with lock.hold(lock.lock_file(out)):  # a run reads the days for each page that it writes
        left_over = handed_in.ignored(folder)
        if times:
            found = hand_in_times.with_notebooks(
                hand_in_times.times_from_csv(times, rule.zone), folder, assignment
            )
        else:
            exchange = policy.zone_of_exchange(here.config)
            found = hand_in_times.times_from_files(folder, assignment, rule.zone, exchange)
        report = _graded(out, assignment, required=False)
        graded = {row["student"]: (row["score"], row.get("notebook", "")) for row in report}
        known = {*graded, *(entry.student for entry in handed_in.entries(folder, assignment))}
        judged = days_late.count_days(
            rule, {student: one for student, one in found.items() if student in known}
        )
        path = days_late.save(days_late.file_of(out, assignment), rule, judged)
        table = tables.as_csv(days_late.HEADER, days_late.rows(rule, judged, graded))
        written = write_file(path.with_suffix(".csv"), tables.for_people(table))
    for student, one in judged.items():
        if one.problem:
            tell(plain(f"{student}: {one.doubt('')}", 400))
        elif one.days:
            tell(plain(f"{student}: {days_late.in_words(one.days)} ({one.handed_in})", 400))
    for source, names in _by_source(judged, times).items():
        tell(plain(f"from {source}: {', '.join(names)}", 20_000))
    if unknown := sorted(set(found) - known):
        said = "nobody who handed in is called so, not counted"
        tell(plain(f"{said}: {', '.join(unknown)}", 20_000))
    if missing := sorted(known - set(judged)):
        tell(plain(f"no time is known of {', '.join(missing)}", 20_000))
    for line in left_over:
        tell(f"ignored: {line}")
    tell(f"{sum(bool(one.days) for one in judged.values())} of {len(judged)} are late")
    tell(f"{written}\nThe gradebook is as it was; lmcourse report shows it to all.")
    if left_over or any(one.problem for one in judged.values()):
        raise typer.Exit(1)


def _by_source(judged: dict, table: Path | None) -> dict[str, list[str]]:
    """Who says the times that are known, and of whom."""
    found: dict[str, list[str]] = {}
    for student, one in judged.items():
        if not one.problem:
            found.setdefault(table.name if table else one.source, []).append(student)
    return found


def similar(
    folder: Folder,
    assignment: Assignment,
    least: Annotated[
        float,
        typer.Option(
            min=1,
            max=100,
            help="Per cent that both share at least, or one where it is much.",
        ),
    ] = 60,
    course: CourseOption = None,
    output: OutputOption = None,
) -> None:
    """Which answers share text that was not handed out: pairs to look at, no proof of anything."""
    from lmcourse.files import write_file
    from lmcourse.grading.assignment.course import find_course
    from lmcourse.grading.assignment.handed_in import collect, ignored
    from lmcourse.grading.assignment.notebooks import NotebookError, read_cells
    from lmcourse.grading.assignment.plan import stated_plan
    from lmcourse.grading.repair.under_plan import repair
    from lmcourse.grading.reports import similarity
    from lmcourse.grading.safe_text import plain

    here = find_course(course)
    here.solution(assignment)
    try:
        handed_out = read_cells(here.exercises / assignment / f"{assignment}.ipynb")
    except NotebookError as error:
        raise MisuseError(f"the release of {assignment}: {error}; run lmcourse release") from None
    handed_in, left_over = collect(folder, assignment), ignored(folder)
    plan = stated_plan(handed_out)
    made = [
        similarity.prints(s.student, repair(s.cells, plan).cells)
        for s in handed_in
        if not s.problem
    ]
    in_part = [
        f"compared in part: {one.student}: cells that were not read to their end: {one.left_out}"
        f" (at most {similarity.CELL_TOKENS:,} words and signs of a cell, {similarity.TOKENS:,}"
        " of a notebook)"
        for one in made
        if one.left_out
    ]
    found = similarity.pairs(made, handed_out, least=least / 100)
    text = [SAYS, *in_part]
    for pair in found:
        line = f"{pair.of_first:4.0%} of {pair.first} · {pair.of_second:4.0%} of {pair.second}"
        tell(line)
        text += [line, *(f"\n    {p}\n".replace("\n", "\n    ") for p in pair.passages)]
    out = (output or here.root).resolve()
    path = out / "grades" / f"{assignment}.similar.txt"
    write_file(path, "\n".join(plain(part, 20_000) for part in text) + "\n")
    n = len(made)
    tell(f"{len(found)} of {n * (n - 1) // 2} pairs share {least:g} % or more")
    tell(f"{path}\n{SAYS}")
    unread = [f"not compared: {s.student}: {s.problem}" for s in handed_in if s.problem]
    unread += [f"ignored: {line}" for line in left_over]
    for line in [*in_part, *unread]:
        tell(plain(line, 400))
    if unread:
        raise typer.Exit(1)


def export(
    assignment: Assignment,
    to: Annotated[str, typer.Option("--to", help="plain, moodle or canvas.")] = "plain",
    ids: Annotated[
        Path | None,
        typer.Option("--ids", metavar="CSV", help="student,email or student,name,id,section,…"),
    ] = None,
    course: CourseOption = None,
    output: OutputOption = None,
    late: Annotated[
        bool, typer.Option("--late/--no-late", help="Take off what lmcourse late says.")
    ] = False,
) -> None:
    """The scores as a file for Moodle, Canvas or a spreadsheet; only what is decided."""
    from lmcourse.files import write_file
    from lmcourse.grading.assignment.course import find_course
    from lmcourse.grading.lateness import days_late
    from lmcourse.grading.reports import lms_files, tables
    from lmcourse.grading.safe_text import plain

    if to not in lms_files.FORMATS:
        raise MisuseError(f"--to must be one of {', '.join(lms_files.FORMATS)}, got {to!r}")
    here = find_course(course)
    here.solution(assignment)
    out = (output or here.root).resolve()
    report = _report(out, assignment)  # once: a run may put another in its place
    rows = [
        {
            "student": row["student"],
            "score": row["score"],
            "problem": row.get("problem", ""),
            "open": any(grade["waiting"] for grade in row["grades"]),
            "notebook": row.get("notebook", ""),
        }
        for row in report["students"]
    ]
    kept = days_late.read_days(days_late.file_of(out, assignment)) if late else None
    if late and kept is None:
        raise MisuseError("--late needs the days: run lmcourse late first")
    for row in rows:
        if kept is not None and row["score"] is not None and row["student"] in kept[1]:
            one = kept[1][row["student"]]
            if doubt := one.doubt(row["notebook"]):
                tell(plain(f"nothing taken off: {row['student']}: {doubt}", 400))
            else:
                row["score"] -= kept[0].deduction(one.days, row["score"])
    known = lms_files.read_ids(ids, to) if ids else None
    table, left_out = lms_files.table(to, assignment, float(report["points"]), rows, known)
    contents = tables.for_people(table) if to == "plain" else table
    path = write_file(out / "grades" / f"{assignment}.{to}.csv", contents)
    for line in left_out:
        tell(plain(f"left out: {line}", 400))
    tell(f"{len(rows) - len(left_out)} of {len(rows)} exported: {path}")
    if {row["student"] for row in rows} & set(lms_files.faults(to, known or {})):
        raise typer.Exit(1)


def items(assignment: Assignment, course: CourseOption = None, output: OutputOption = None) -> None:
    """How hard each task was, whether it told learners apart, and where most of them failed."""
    from lmcourse.grading.assignment.course import find_course
    from lmcourse.grading.assignment.notebooks import read_cells
    from lmcourse.grading.assignment.plan import stated_plan, tasks
    from lmcourse.grading.outcomes import FAILED
    from lmcourse.grading.reports import item_analysis as statistics
    from lmcourse.grading.safe_text import plain

    here = find_course(course)
    found = [t for t in tasks(stated_plan(read_cells(here.solution(assignment)))) if t.graded]
    out = (output or here.root).resolve()
    students = [
        {grade["name"]: grade for grade in row["grades"]}
        for row in _graded(out, assignment)
        if row["score"] is not None
    ]
    names = [[cell.name for cell in task.graded] for task in found]
    table = [[_task_points(grades, own) for own in names] for grades in students]
    waiting = [_written_and_waiting(students, own) for own in names]
    maxima = [task.points for task in found]
    measured = statistics.of_tasks(table, maxima, [count > 0 for count in waiting])
    for task, own, one, count in zip(found, names, measured, waiting, strict=True):
        tell(
            f"{task.label}: difficulty {_rounded(one['difficulty'])},"
            f" discrimination {_rounded(one['discrimination'])}"
            + (f" ({count} wait for a person)" if count else "")
        )
        failed = [
            grades[name]["message"]
            for grades in students
            for name in own
            if name in grades and grades[name]["verdict"] == FAILED and not _overruled(grades[name])
        ]
        for message, times in statistics.commonest(failed):
            tell(f"    {times} × {plain(message, 160)}")


def _written_and_waiting(students: list[dict], names: list[str]) -> int:
    """How many learners' written answers to a task nobody has read yet."""
    return sum(
        any(
            name in grades and grades[name]["waiting"] and not grades[name]["verdict"]
            for name in names
        )
        for grades in students
    )


def _task_points(grades: dict, names: list[str]) -> float | None:
    own = [grades[name] for name in names if name in grades]
    if not own or any(grade["waiting"] for grade in own):
        return None
    return float(sum(grade["points"] for grade in own))


def _overruled(grade: dict) -> bool:
    """Whether a person gave a failed test's points all the same."""
    decided = grade.get("by_person", False) and not grade["waiting"]
    return decided and grade["points"] >= grade["of"]


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _report(out: Path, assignment: str) -> dict:
    path = out / "grades" / f"{assignment}.json"
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise MisuseError(f"{path} is missing: run lmcourse grade first, or add --output") from None
    except ValueError:
        raise MisuseError(f"{path} is damaged: run lmcourse report again") from None


def _graded(out: Path, assignment: str, *, required: bool = True) -> list[dict]:
    if not required and not (out / "grades" / f"{assignment}.json").exists():
        return []
    return _report(out, assignment)["students"]


SAYS = (
    "Shared text is a reason to look, and then to ask; it proves nothing. Short tasks have few"
    " right answers, and two who learned from the same page write alike."
)
EXAMPLES = {
    late: "Example: [bold]lmcourse late handed-in -a attention --times times.csv[/bold], with"
    " c.Lateness in nbgrader_config.py.",
    similar: "Example: [bold]lmcourse similar handed-in -a attention[/bold]",
    export: "Example: [bold]lmcourse export -a attention --to moodle --ids ids.csv[/bold]",
    items: "Example: [bold]lmcourse items -a attention[/bold], after grading.",
}
