"""The command `lmcourse`: doctor, check and train for learners; release, grade and more.

Chapter: book/setup.md
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

try:
    import typer
except ImportError as error:  # without it no command can say what is missing
    sys.exit(
        f"lmcourse: {error.name} is missing or broken ({error}); in the course's folder:"
        ' python -m pip install -c constraints.txt -e ".[learn]"'
    )

from lmcourse.commands.config_options import Settings, config_command, typed
from lmcourse.grading.cli import analysis_commands, grading_commands
from lmcourse.grading.cli.grading_commands import SecondsOption
from lmcourse.grading.cli.terminal import (
    mark,
    plain_errors,
    readable_output,
    say,
    show_line,
    tell,
    waiting,
    write,
)
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


def _trained() -> list[Settings]:
    """What `lmcourse train` runs if it is told nothing."""
    from lmcourse.commands.train_gpt import MODEL, TRAINING

    return [
        Settings(MODEL, ("vocab_size",), "The model"),
        Settings(TRAINING, ("context_length",), "The training"),
    ]


DeviceOption = Annotated[
    str | None, typer.Option(help="cpu, cuda or mps; default: a GPU if there is one.")
]


@contextmanager
def _refusals() -> Iterator[None]:
    """A value or a file that is not there is a wrong call; what else goes wrong is a failure."""
    try:
        yield
    except UnicodeEncodeError:  # a ValueError, but of the output: the call was right
        raise
    except (ValueError, OSError, ArithmeticError) as error:
        wrong_call = isinstance(error, ValueError | FileNotFoundError)
        raise (MisuseError if wrong_call else FailureError)(str(error)) from error


def main() -> None:
    """Run the command; whatever goes wrong, one line says what to do."""
    readable_output()
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
    with plain_errors():
        from rich.markup import escape

        from lmcourse.commands.doctor import report

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
        from lmcourse.grading.learner.check import check as run_check
        from lmcourse.grading.learner.report_lines import report_lines
        from lmcourse.grading.sandbox.budgets import Budgets

        with waiting("starting Python") as status:
            verdict = run_check(
                notebook,
                Budgets(cell_seconds=seconds, test_seconds=seconds),
                lambda name: status.update(name),
            )
        for line in report_lines(verdict):
            show_line(line)
        raise typer.Exit(0 if verdict.passed else 1)


@app.command(
    cls=config_command(_trained),
    epilog="Examples: [bold]lmcourse train[/bold] (a few minutes), [bold]lmcourse train my.txt"
    " --out mine --n-steps 2000[/bold], [bold]lmcourse train --resume --out mine[/bold]. With two"
    " processes: [bold]torchrun --nproc-per-node 2 -m lmcourse train[/bold].",
)
def train(
    context: typer.Context,
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="A file, prepared data, a data set or pydoc.")
    ] = "pydoc",
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the model is left.")
    ] = Path("trained"),
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with what the folder holds, as it was set. TEXT if it moved."
        ),
    ] = False,
    tokenizer: Annotated[
        str, typer.Option(help="chars, or bpe: byte pairs.", rich_help_panel="The model")
    ] = "chars",
    vocab_size: Annotated[
        int | None,
        typer.Option(
            help="Kinds of tokens; default: all, or 512 pairs.", rich_help_panel="The model"
        ),
    ] = None,
    block: Annotated[
        str,
        typer.Option(
            help="gpt2, or llama: --norm rms, --feed-forward swiglu, --positions rotary, …",
            rich_help_panel="The model",
        ),
    ] = "gpt2",
    init_from: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Begin with the weights and the tokenizer there."),
    ] = None,
    device: DeviceOption = None,
    processes: Annotated[
        int, typer.Option(min=1, help="How many share the work of each step.")
    ] = 1,
    sharded: Annotated[
        bool,
        typer.Option("--sharded", help="Each process holds a part of the weights: for large ones."),
    ] = False,
    max_restarts: Annotated[
        int,
        typer.Option(min=0, help="How often to go on from the last save after a lost process."),
    ] = 0,
    tensorboard: Annotated[
        bool,
        typer.Option("--tensorboard", help="Write curves for TensorBoard, in FOLDER/tensorboard."),
    ] = False,
    prompt: Annotated[
        str | None, typer.Option(help="What the sample at the end begins with.")
    ] = None,
) -> None:
    """Train a GPT on a text: a folder with weights, tokenizer and metrics, and a sample.

    The last tenth of the text is held out; the weights that stay are those with the lowest loss on
    it. Ctrl-C saves and ends, --resume goes on exactly there, with more --n-steps
    also after the end. Without --n-warmup, the warm-up is at most a quarter of the steps.
    """
    with plain_errors():
        from lmcourse.commands.train_gpt import run
        from lmcourse.loop.distributed import (
            launch,
            let_the_first_speak,
            naming_lost_processes,
            rank,
        )

        if (processes > 1 or max_restarts) and "RANK" not in os.environ:
            raise typer.Exit(launch(processes, sys.argv[1:], max_restarts))
        options = context.params | context.obj
        try:
            with _refusals(), naming_lost_processes():
                run(options, typed(context), tell)
        except KeyboardInterrupt:
            if rank() > 0:  # all stop after the same step, and the first says so
                raise typer.Exit(130) from None
            raise
        except (MisuseError, FailureError):
            let_the_first_speak()
            raise


data_app = typer.Typer(
    name="data",
    help="Texts for training: make them into ids.",
    epilog="Example: [bold]lmcourse data prepare my.txt --out mine-ids[/bold]",
    no_args_is_help=True,
)
app.add_typer(data_app)


@data_app.command(
    epilog="Examples: [bold]lmcourse data prepare my.txt --out mine-ids[/bold], [bold]lmcourse data"
    " prepare *.jsonl --workers 4[/bold]; then [bold]lmcourse train mine-ids[/bold]."
)
def prepare(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Texts; a .jsonl has a document a line.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the ids are left.")
    ] = Path("prepared"),
    tokenizer: Annotated[
        str, typer.Option(help="bpe, to learn byte pairs; or a folder that has a tokenizer.")
    ] = "bpe",
    vocab_size: Annotated[
        int | None, typer.Option(help="Kinds of tokens to learn; default: at most 4,096.")
    ] = None,
    held_out: Annotated[float, typer.Option(help="The share for validation.")] = 0.05,
    license: Annotated[
        str, typer.Option(help="Of texts that do not say what theirs is.")
    ] = "unknown",
    workers: Annotated[int, typer.Option(help="How many processes encode.")] = 1,
) -> None:
    """Make texts of any length into ids that lmcourse train reads from the disk.

    Memory does not grow with the texts. After Ctrl-C, or a kill, the same command goes on.
    """
    with plain_errors():
        from lmcourse.commands.prepare_data import Settings, run

        with _refusals():
            settings = Settings(vocab_size=vocab_size, held_out=held_out, license=license)
            run(files, out, tokenizer, settings, workers, tell)


@app.command(
    epilog="Examples: [bold]lmcourse sample trained --prompt 'Once ' --temperature 0.7[/bold],"
    " [bold]lmcourse sample trained --n-samples 3 --top-p 0.9[/bold]"
)
def sample(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where lmcourse train left a model.")
    ] = Path("trained"),
    prompt: Annotated[
        str | None, typer.Option(help="What the text begins with; default: a new line.")
    ] = None,
    n_tokens: Annotated[int, typer.Option(help="How many tokens follow.")] = 300,
    n_samples: Annotated[
        int, typer.Option(help="How many texts, with one seed after the next.")
    ] = 1,
    temperature: Annotated[
        float, typer.Option(help="0: always the likeliest; 1: as learned.")
    ] = 0.8,
    top_k: Annotated[int | None, typer.Option(help="Draw from the k likeliest only.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Draw from the likeliest that reach p.")
    ] = None,
    repetition_penalty: Annotated[
        float, typer.Option(help="Above 1, what is there already becomes less likely.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Another one gives another text.")] = 0,
    log_probs: Annotated[
        bool, typer.Option("--log-probs", help="A row for each token: how likely it was.")
    ] = False,
    device: DeviceOption = None,
) -> None:
    """Write texts with a model that lmcourse train left in a folder, token by token."""
    with plain_errors():
        from lmcourse.commands.sample_text import Request, show_samples
        from lmcourse.devices import choose

        with _refusals():
            choose(device)
            request = Request(
                prompt, n_tokens, n_samples, temperature, top_k, top_p, repetition_penalty, seed
            )
            show_samples(folder, request, write, log_probs)


@app.command(
    "export-web",
    epilog="Example: [bold]lmcourse export-web trained --out trained-web[/bold]; then choose the"
    " three files in a figure of the book, under “A model of your own”.",
)
def export_web(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where lmcourse train left a model.")
    ] = Path("trained"),
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Default: FOLDER with -web after it."),
    ] = None,
) -> None:
    """Make the files from which a page of the book runs a model in the browser."""
    with plain_errors():
        from lmcourse.commands.export_web import export_web

        try:
            made = export_web(folder, out or folder.with_name(f"{folder.resolve().name}-web"))
        except (ValueError, FileNotFoundError) as error:
            raise MisuseError(str(error)) from error
        show_line(f"{made.folder}: config.json, tokenizer.json, model.safetensors")
        rounded = f"{made.largest_change:.1g}"
        show_line(
            f"{made.n_bytes / 1e6:.2f} MB in half precision; weights differ by {rounded} at most"
        )


@app.command(epilog="Example: [bold]lmcourse reproduce rt-polarity[/bold]")
def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Such as rt-polarity; an unknown one is answered with all."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where results are left.")
    ] = Path("reproduced"),
    seed: Annotated[int, typer.Option(help="Another one gives another result.")] = 0,
) -> None:
    """Measure a result of the book again that takes long; goes on where an earlier run stopped."""
    with plain_errors():
        from lmcourse.commands.reproduce import missed, reproduce
        from lmcourse.data import DatasetError

        try:
            result = reproduce(name, out, seed)
        except UnicodeEncodeError:
            raise
        except ValueError as error:
            raise MisuseError(str(error)) from error
        except (DatasetError, ArithmeticError) as error:
            raise FailureError(str(error)) from error
        for key, value in result["numbers"].items():
            show_line(f"{key:24} {value:.2f}")
        show_line(f"{out / name}.json")
        if below := missed(result):
            raise FailureError("; ".join(below))


app.add_typer(grading_commands.app)
analysis_commands.add_to(app, plain_errors)


if __name__ == "__main__":
    main()
