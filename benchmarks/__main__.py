"""Speed beside peers, as ratios, and how cost grows; exit code 1 if a goal is missed.

python -m benchmarks            # about ten minutes
python -m benchmarks --quick    # about three, less exact
"""

import argparse
import sys
from collections.abc import Sequence

import torch
from rich.progress import track
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import attention, generation, recurrent, tokenizers, training, word_vectors
from benchmarks.runner import Row, Work, compare, cpu_seconds, verdict, verdict_of
from lmcourse.grading.cli.terminal import console

SUITES = (attention, recurrent, tokenizers, training, generation, word_vectors)


def ratios(rows: Sequence[Row], n_rounds: int, at_least: float) -> tuple[Table, list[str]]:
    """The table of ratios, and for each goal whether it was met."""
    table = Table("work", "beside", "ours", "peer", "times as fast", "goal", "")
    verdicts = []
    for row in track(rows, "comparing", console=console(stderr=True)):
        measured = compare(row, n_rounds, at_least)
        verdicts.append(verdict(row, measured))
        table.add_row(
            row.work,
            row.peer_name,
            f"{measured.ours_ms:.1f} ms",
            f"{measured.peer_ms:.1f} ms",
            f"{measured.speed:.2f}",
            "–" if row.goal is None else f"{row.goal:.2f}",
            verdicts[-1],
        )
    return table, [word for word in verdicts if word]


def curve(work: Sequence[tuple[int, Work]], at_least: float) -> Table:
    """Operations and time at each length, and how many times those of the length before."""
    table = Table("length", "operations", "×", "time", "×")
    before: tuple[float, float] | None = None
    for n, call in work:
        call()
        with FlopCounterMode(display=False) as counter:
            call()
        now = float(counter.get_total_flops()), cpu_seconds(call, at_least)
        growth = (
            [f"{new / old:.1f}" for new, old in zip(now, before, strict=True)]
            if before
            else ["", ""]
        )
        table.add_row(
            str(n), f"{now[0] / 1e6:.1f} M", growth[0], f"{1e3 * now[1]:.2f} ms", growth[1]
        )
        before = now
    return table


def main(arguments: list[str] | None = None) -> int:
    """Prints the tables; 0 if no goal is missed by more than a tenth."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    options = parser.parse_args(arguments)
    n_rounds, at_least = (3, 0.1) if options.quick else (15, 0.4)
    torch.set_num_threads(1)
    out = console()
    rows = [row for suite in SUITES for row in suite.rows()]
    table, verdicts = ratios(rows, n_rounds, at_least)
    table.title = "CPU time, one thread, medians of interleaved rounds"
    out.print(table)
    growth = curve(attention.growth(), at_least)
    growth.title = "attention over a text: twice the length, four times the operations"
    out.print(growth)
    alone, shared = training.two_processes()
    verdicts.append(verdict_of(alone / shared, training.PROCESSES_GOAL))
    print(
        f"training step, wall clock: one process {1e3 * alone:.0f} ms, two {1e3 * shared:.0f} ms,"
        f" {alone / shared:.2f} times as fast, goal {training.PROCESSES_GOAL}: {verdicts[-1]}"
    )
    missed = verdicts.count("missed")
    print(f"goals met: {len(verdicts) - missed} of {len(verdicts)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
