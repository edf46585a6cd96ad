"""The command `lmcourse`: doctor, check and train for learners; release, grade and more.

Chapter: book/setup.md
"""

import enum
import inspect
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from lmcourse.grading import commands
from lmcourse.grading.errors import FailureError, MisuseError
from lmcourse.grading.terminal import mark, plain_errors, say, show_line, waiting

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


class Backend(enum.Enum):
    """Who grades, as joblib calls it."""

    loky = "loky"
    dask = "dask"


def _model(text: str) -> typer.models.OptionInfo:
    return typer.Option(help=text, rich_help_panel="The model")


def _training(text: str) -> typer.models.OptionInfo:
    return typer.Option(help=text, rich_help_panel="The training")


def main() -> None:
    """Run the command; whatever goes wrong, one line says what to do."""
    try:
        app()
    except Exception as error:
        if os.environ.get("LMCOURSE_DEBUG"):
            raise
        say(f"unexpected {type(error).__name__}: {error}")
        say("this is a defect of lmcourse; LMCOURSE_DEBUG=1 shows where, please report it")
        sys.exit(1)


@app.command(epilog="Example: [bold]lmcourse doctor[/bold]")
def doctor() -> None:
    """Is this machine ready? Versions, device, threads, and how to get what is missing."""
    from rich.markup import escape

    from lmcourse.doctor import report

    rows = list(report())
    for row in rows:
        show_line(f"{mark(row.ok)} {escape(str(row.name)):<22} {escape(str(row.value))}")
        if row.hint and not row.ok:
            show_line(f"    [yellow]{escape(str(row.hint))}[/yellow]")
    missing = sum(not row.ok for row in rows)
    show_line("Ready." if not missing else f"{missing} to mend: see the hints above.")
    raise typer.Exit(1 if missing else 0)


@app.command(epilog="Example: [bold]lmcourse check exercises/attention/attention.ipynb[/bold]")
def check(
    notebook: Annotated[Path, typer.Argument(metavar="NOTEBOOK", help="Your notebook.")],
    seconds: SecondsOption = 20.0,
) -> None:
    """How does my notebook stand? Runs its visible tests in a clean Python, task by task."""
    with plain_errors():
        from lmcourse.grading.check import check as run_check
        from lmcourse.grading.limits import Limits
        from lmcourse.grading.verdicts import verdict_lines

        with waiting("starting Python") as status:
            verdict = run_check(
                notebook,
                Limits(cell_seconds=seconds, test_seconds=seconds),
                lambda name: status.update(name),
            )
        for line in verdict_lines(verdict):
            show_line(line)
        raise typer.Exit(0 if verdict.passed else 1)


@app.command(
    epilog="Examples: [bold]lmcourse train[/bold] (a few minutes), [bold]lmcourse train my.txt"
    " --out mine --n-steps 2000[/bold], [bold]lmcourse train --resume --out mine[/bold]. With two"
    " processes: [bold]torchrun --nproc-per-node 2 -m lmcourse train[/bold]."
)
def train(
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="A file, a data set or pydoc: Python's help.")
    ] = "pydoc",
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the model is left.")
    ] = Path("trained"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what the folder holds, as it was set.")
    ] = False,
    tokenizer: Annotated[str, _model("chars: a token for each character.")] = "chars",
    n_layers: Annotated[int, _model("Blocks, one after another.")] = 4,
    n_heads: Annotated[int, _model("Heads of attention in a block.")] = 4,
    d_model: Annotated[int, _model("The width: numbers for each token.")] = 128,
    context_length: Annotated[int, _model("Tokens that it can look back.")] = 64,
    dropout: Annotated[float, _model("The share of numbers set to zero.")] = 0.0,
    n_steps: Annotated[int, _training("How often the weights change.")] = 1000,
    batch_size: Annotated[int, _training("Windows of the text in a step.")] = 12,
    n_accumulate: Annotated[int, _training("Pieces of a batch, to save memory.")] = 1,
    learning_rate: Annotated[float, _training("The highest one.")] = 1e-3,
    n_warmup: Annotated[int, _training("Steps until it is reached.")] = 50,
    weight_decay: Annotated[float, _training("How strongly matrices shrink.")] = 0.1,
    validate_every: Annotated[int, _training("Steps between validations, saves.")] = 250,
    patience: Annotated[int | None, _training("Validations without a best; then it ends.")] = None,
    precision: Annotated[str, _training("fp32, or bf16: faster on some CPUs.")] = "fp32",
    seed: Annotated[int, _training("Another one gives another model.")] = 0,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or mps; default: a GPU if there is one.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="What the sample at the end begins with.")
    ] = None,
) -> None:
    """Train a GPT on a text: a folder with weights, tokenizer and metrics, and a sample.

    The last tenth of the text is held out; the weights that stay are those with the lowest loss on
    it. Ctrl-C saves and ends, --resume goes on exactly there.
    """
    options = dict(locals())
    with plain_errors():
        from lmcourse.pretraining import run

        defaults = {
            name: option.default for name, option in inspect.signature(train).parameters.items()
        }
        chosen = {name for name, value in options.items() if value != defaults[name]}
        try:
            run(options, chosen, typer.echo)
        except (ValueError, FileNotFoundError) as error:
            raise MisuseError(str(error)) from error
        except (OSError, ArithmeticError) as error:
            raise FailureError(str(error)) from error


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
            show_line(f"{name}: {len(done.tasks)} tasks, {done.points:g} points, {state}")
            if zip_folder is not None and not only_check:
                show_line(f"  {write_zip(done, writable_folder(zip_folder))}")
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
        from lmcourse.grading.console import grade_with_progress
        from lmcourse.grading.course import find_course
        from lmcourse.grading.grade import prepare
        from lmcourse.grading.jobs import Options

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
        here = find_course(course)
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
        from lmcourse.grading.course import find_course
        from lmcourse.grading.recall import recall

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
    with plain_errors():
        from lmcourse.grading.course import find_course
        from lmcourse.grading.screen import open_formgrader

        open_formgrader(find_course(course), output, port, options or [])


def _report(graded, root: Path, stopped: str = "") -> None:
    from lmcourse.grading.console import show
    from lmcourse.grading.report import write_reports

    show(graded, write_reports(graded), root)
    if stopped:
        say(stopped)
        raise typer.Exit(130)
    complete = all(result.complete for result in graded.results)
    raise typer.Exit(0 if complete else 1)


commands.add_to(app, plain_errors)


if __name__ == "__main__":
    main()
