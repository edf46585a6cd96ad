"""The command `lmcourse`: doctor and check for learners; release, grade, report, and more.

Chapter: book/setup.md
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from lmcourse.grading import commands
from lmcourse.grading.errors import FailureError, MisuseError

# What a command needs is imported when it runs: `lmcourse --help` must not wait for torch.

app = typer.Typer(
    name="lmcourse",
    help="The course on how language models work: is this machine ready, how does my notebook"
    " stand, and how did the class do?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

CourseOption = Annotated[
    Path | None,
    typer.Option("--course", metavar="DIR", help="The course's folder; default: found from here."),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", metavar="DIR", help="Where results are; default: the course."),
]
SecondsOption = Annotated[
    float,
    typer.Option("--seconds", min=1, max=3600, help="A cell may work this long."),
]


def main() -> None:
    """Run the command; whatever goes wrong, one line says what to do."""
    try:
        app()
    except Exception as error:
        if os.environ.get("LMCOURSE_DEBUG"):
            raise
        _say(f"unexpected {type(error).__name__}: {error}")
        _say("this is a defect of lmcourse; LMCOURSE_DEBUG=1 shows where, please report it")
        sys.exit(1)


@app.command(epilog="Example: [bold]lmcourse doctor[/bold]")
def doctor() -> None:
    """Is this machine ready? Versions, device, threads, and how to get what is missing."""
    from rich.markup import escape

    from lmcourse.doctor import report

    rows = list(report())
    for row in rows:
        _print(f"{_mark(row.ok)} {escape(str(row.name)):<22} {escape(str(row.value))}")
        if row.hint and not row.ok:
            _print(f"    [yellow]{escape(str(row.hint))}[/yellow]")
    missing = sum(not row.ok for row in rows)
    _print("Ready." if not missing else f"{missing} to mend: see the hints above.")
    raise typer.Exit(1 if missing else 0)


@app.command(epilog="Example: [bold]lmcourse check exercises/attention/attention.ipynb[/bold]")
def check(
    notebook: Annotated[Path, typer.Argument(metavar="NOTEBOOK", help="Your notebook.")],
    seconds: SecondsOption = 20.0,
) -> None:
    """How does my notebook stand? Runs its visible tests in a clean Python, task by task."""
    with _plain_errors():
        from lmcourse.grading.check import check as run_check
        from lmcourse.grading.limits import Limits
        from lmcourse.grading.verdicts import verdict_lines

        with _status("starting Python") as status:
            verdict = run_check(
                notebook,
                Limits(cell_seconds=seconds, test_seconds=seconds),
                lambda name: status.update(name),
            )
        for line in verdict_lines(verdict):
            _print(line)
        raise typer.Exit(0 if verdict.passed else 1)


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
    with _plain_errors():
        from lmcourse.grading.course import find_course, writable_folder
        from lmcourse.grading.release import release as run_release
        from lmcourse.grading.release import write_zip

        here = find_course(course)
        names = assignments or here.assignments()
        if not names:
            raise MisuseError(f"{here.solutions} holds no assignment: <name>/<name>.ipynb")
        for name in names:
            here.solution(name)
        stale = 0
        for name in names:
            done = run_release(here, name, write=not only_check)
            stale += done.changed
            state = ("out of date" if only_check else "written") if done.changed else "up to date"
            _print(f"{name}: {len(done.tasks)} tasks, {done.points:g} points, {state}")
            if zip_folder is not None and not only_check:
                _print(f"  {write_zip(done, writable_folder(zip_folder))}")
        if only_check and stale:
            raise FailureError("exercises/ is not what solutions/ gives: run lmcourse release")


@app.command(
    epilog="Example: [bold]lmcourse grade handed-in --assignment attention[/bold], where handed-in"
    " holds <student>/attention.ipynb, <student>/attention/attention.ipynb or <student>.ipynb."
    " Exit code: 0 all graded, 1 some could not be graded, 2 wrong call."
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
    unsafe_no_sandbox: Annotated[
        bool,
        typer.Option(
            "--unsafe-no-sandbox", help="Run what was handed in unprotected, with your rights."
        ),
    ] = False,
) -> None:
    """Grade a class: scores, feedback for each learner, a table, CSV and JSON."""
    with _plain_errors():
        from lmcourse.grading.console import StoppedError, grade_with_progress
        from lmcourse.grading.course import find_course
        from lmcourse.grading.grade import prepare
        from lmcourse.grading.jobs import Options

        options = Options(seconds=seconds, sandbox=not unsafe_no_sandbox, secret=secret)
        here = find_course(course)
        try:
            graded = grade_with_progress(prepare(here, assignment, folder, output, options))
        except StoppedError as stopped:
            _say(str(stopped))
            raise typer.Exit(130) from None
        _report(graded, here.root)


@app.command(
    epilog="Example: [bold]lmcourse report --assignment attention[/bold], after grading by hand."
)
def report(
    assignment: Annotated[str, typer.Option("--assignment", "-a", help="Which one it is.")],
    course: CourseOption = None,
    output: OutputOption = None,
) -> None:
    """Write the table, the feedback, CSV and JSON anew from the gradebook; runs no code."""
    with _plain_errors():
        from lmcourse.grading.course import find_course
        from lmcourse.grading.grade import recall

        here = find_course(course)
        _report(recall(here, assignment, output), here.root)


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
    with _plain_errors():
        from lmcourse.grading.course import find_course
        from lmcourse.grading.screen import open_formgrader

        open_formgrader(find_course(course), output, port, options or [])


def _report(graded, root: Path) -> None:
    from lmcourse.grading.console import show
    from lmcourse.grading.report import write_reports

    show(graded, write_reports(graded), root)
    complete = all(result.complete for result in graded.results)
    raise typer.Exit(0 if complete else 1)


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """One line instead of a traceback: exit code 2 for a wrong call, 1 for work that failed."""
    try:
        yield
    except (MisuseError, FailureError) as error:
        _say(str(error))
        raise typer.Exit(2 if isinstance(error, MisuseError) else 1) from None
    except ModuleNotFoundError as error:
        extra = "learn" if sys.argv[1:2] == ["check"] else "learn,grading"
        _say(
            f"{error.name} is missing; in the course's folder:"
            f' python -m pip install -c constraints.txt -e ".[{extra}]"'
        )
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        _say("stopped")
        raise typer.Exit(130) from None


commands.add_to(app, _plain_errors)


def _say(text: str) -> None:
    from lmcourse.grading.messages import plain

    typer.echo(f"lmcourse: {plain(text)}", err=True)


def _print(text: str) -> None:
    _console().print(text, soft_wrap=True)


def _console(stderr: bool = False):
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _mark(ok: bool) -> str:
    return "[green]✓[/green]" if ok else "[red]✗[/red]"


def _status(text: str):
    return _console(stderr=True).status(text)


if __name__ == "__main__":
    main()
