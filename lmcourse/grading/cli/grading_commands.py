"""The instructor's commands: release, grade, report, formgrader.

Chapter: book/instructors/index.md
"""

import enum
from pathlib import Path
from typing import Annotated

import typer

from lmcourse.grading.cli.options import CourseOption, OutputOption
from lmcourse.grading.cli.terminal import plain_errors, say, show_line
from lmcourse.grading.errors import FailureError, MisuseError

app = typer.Typer()

SecondsOption = Annotated[
    float,
    typer.Option("--seconds", min=1, max=3600, help="A cell may work this long."),
]


class Backend(enum.Enum):
    """Who grades, as joblib calls it."""

    loky = "loky"
    dask = "dask"


@app.command(
    epilog="Examples: [bold]lmcourse release[/bold] (all), "
    "[bold]lmcourse release attention --zip downloads[/bold]"
)
def release(
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="[ASSIGNMENT]...", help="Default: all of them.")
    ] = None,
    zip_folder: Annotated[
        Path | None,
        typer.Option("--zip", metavar="FOLDER", help="Also write FOLDER/<assignment>.zip."),
    ] = None,
    only_check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if exercises/ is out of date.")
    ] = False,
    course: CourseOption = None,
) -> None:
    """Make exercises/ from solutions/: answers and hidden tests removed, and checked."""
    with plain_errors():
        from lmcourse.grading.assignment.course import find_course, writable_folder

        here = find_course(course)
        names = assignments or here.assignments()
        if not names:
            raise MisuseError(f"{here.solutions} holds no assignment: <name>/<name>.ipynb")
        for name in names:
            here.solution(name)

        from lmcourse.grading.assignment.release import release as run_release
        from lmcourse.grading.assignment.release import write_zip

        stale = 0
        for name in names:
            done = run_release(here, name, write=not only_check)
            stale += done.changed
            state = ("out of date" if only_check else "written") if done.changed else "up to date"
            show_line(f"{name}: {len(done.tasks)} tasks, {done.points:g} points, {state}")
            if zip_folder is not None and not only_check:
                show_line(f"  {write_zip(done, writable_folder(zip_folder))}")
        if only_check and stale:
            raise FailureError("exercises/ is not what solutions/ gives: run lmcourse release")


@app.command(
    epilog="Example: [bold]lmcourse grade handed-in --assignment attention[/bold], where handed-in"
    " holds <student>/attention.ipynb, <student>/attention/attention.ipynb or <student>.ipynb."
    " Exit code: 0 all graded, 1 some could not be graded or were ignored, 2 wrong call."
)
def grade(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What was handed in.")],
    assignment: Annotated[str, typer.Option("--assignment", "-a", help="Which one it is.")],
    course: CourseOption = None,
    output: OutputOption = None,
    seconds: SecondsOption = 20.0,
    secret: Annotated[
        Path | None,
        typer.Option(
            "--secret", metavar="FILE", help="Hidden inputs come from it; default: made once."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", "-n", min=1, max=1024, help="At a time; default: the cores."),
    ] = None,
    backend: Annotated[
        Backend, typer.Option("--backend", help="This machine, or a Dask cluster.")
    ] = Backend.loky,
    scheduler: Annotated[
        str, typer.Option("--scheduler", metavar="ADDRESS", help="Of the Dask cluster.")
    ] = "",
    regrade: Annotated[
        bool, typer.Option("--regrade", help="Also what an earlier run has graded and kept.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until another run on this gradebook has ended.")
    ] = False,
    unsafe_no_sandbox: Annotated[
        bool,
        typer.Option(
            "--unsafe-no-sandbox", help="Run what was handed in unprotected, with your rights."
        ),
    ] = False,
) -> None:
    """Grade a class: scores, feedback for each learner, a table, CSV and JSON."""
    with plain_errors():
        from lmcourse.grading.assignment.course import find_course
        from lmcourse.grading.assignment.grading_call import require_call

        here = find_course(course)
        require_call(here, assignment, folder, secret)  # before what takes seconds to load

        from lmcourse.grading.batch.grade import prepare
        from lmcourse.grading.cli.progress import grade_with_progress
        from lmcourse.grading.gradebook.results import Options

        options = Options(
            seconds=seconds,
            sandbox=not unsafe_no_sandbox,
            secret=secret,
            workers=workers,
            backend=backend.value,
            scheduler=scheduler,
            anew=regrade,
            wait=wait,
        )
        with prepare(here, assignment, folder, output, options, on_wait=say) as grader:
            graded, stopped = grade_with_progress(grader)
            _report(graded, here.root, stopped)


@app.command(
    epilog="Example: [bold]lmcourse report --assignment attention[/bold], after grading by hand."
)
def report(
    assignment: Annotated[str, typer.Option("--assignment", "-a", help="Which one it is.")],
    course: CourseOption = None,
    output: OutputOption = None,
) -> None:
    """Write the table, the feedback, CSV and JSON anew from the gradebook; runs no code."""
    with plain_errors():
        from lmcourse.grading.assignment.course import find_course

        here = find_course(course)
        here.solution(assignment)

        from lmcourse.grading.batch.graded_class import class_from_gradebook

        with class_from_gradebook(here, assignment, output) as graded:
            _report(graded, here.root)


@app.command(
    epilog="Example: [bold]lmcourse formgrader[/bold], then open the address that it prints."
)
def formgrader(
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[-- OPTION]...", help="Options for Jupyter.")
    ] = None,
    course: CourseOption = None,
    output: OutputOption = None,
    port: Annotated[int, typer.Option(help="On this machine only.")] = 8888,
) -> None:
    """Open nbgrader's screen for grading by hand, on this machine only."""
    with plain_errors():
        from lmcourse.grading.assignment.course import find_course

        here = find_course(course)

        from lmcourse.grading.formgrader.launch import open_formgrader

        open_formgrader(here, output, port, options or [])


def _report(graded, root: Path, stopped: str = "") -> None:
    from lmcourse.grading.cli.progress import show
    from lmcourse.grading.reports.class_report import write_reports

    show(graded, write_reports(graded), root)
    if stopped:
        say(stopped)
        raise typer.Exit(130)
    raise typer.Exit(0 if graded.complete else 1)
