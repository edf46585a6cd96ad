"""Do the tests of the assignments catch wrong answers, and let right ones pass?

For each assignment of solutions/, the solution must get all points and the blank release none;
each wrong answer of tests/faults/<slug>.py must lose points of its task, and each right one must
keep them all. An answer runs with nothing but the cells it needs, in a process of its own.
"""

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import fault_draws
import fault_reports
import torch
from fault_draws import Draws
from fault_reports import Report, as_json, row, show, summary
from fault_runs import Job, run
from task_cells import Assignment, load
from tqdm import tqdm

from lmcourse.grading.testing import close

ROOT = Path(__file__).resolve().parents[1]


def examine(
    assignment: Assignment,
    wrong: Iterable,
    right: Iterable,
    times: int = 1,
    limit: float = 2 * fault_reports.RUN_SECONDS,
    done: Callable[[], object] = lambda: None,
) -> Report:
    """Run the solution, the blank release and all answers; `done` is called after each.

    Args:
        times: how often the solution and the right answers run, on new inputs each time.
        limit: the processor's seconds for one run.
    """
    tests = {name: (assignment.visible[name], whole) for name, whole in assignment.tests.items()}
    jobs = [
        Job(cells=[*assignment.setup, *cells.values()], tests=tests, times=n)
        for cells, n in [(assignment.solutions, times), (assignment.blanks, 1)]
    ]
    answers = [("wrong", answer) for answer in wrong] + [("right", answer) for answer in right]
    for kind, answer in answers:
        cells = assignment.needed(answer.task, answer.source(assignment.solutions[answer.task]))
        own = assignment.tests_of(answer.task)
        jobs.append(Job(cells=cells, tests=own, times=times if kind == "right" else 1))
    outcomes = {}
    for number, outcome in run(jobs, limit):
        outcomes[number] = outcome
        done()
    rows = [row(a, kind, outcomes[i]) for i, (kind, a) in enumerate(answers, start=2)]
    return Report(assignment=assignment, solution=outcomes[0], blank=outcomes[1], rows=rows)


def answers(slug: str, task: str | None = None) -> tuple[list, list]:
    """Wrong and right answers to an assignment, or to one of its tasks."""
    module = importlib.import_module(f"faults.{slug}")
    wrong, right = (
        [answer for answer in found if task in (None, answer.task)]
        for found in (module.WRONG, module.RIGHT)
    )
    return wrong, right


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--assignment", metavar="SLUG", help="only this one")
    parser.add_argument("--task", metavar="TASK", help="only this one of its tasks")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the scores there, too")
    parser.add_argument("--repeat", metavar="N", type=int, default=1, help="runs of right answers")
    parser.add_argument(
        "--why",
        action="store_true",
        help="print what each failing test said, and where it does not name the cause",
    )
    parser.add_argument(
        "--draws",
        metavar="N",
        type=int,
        help="instead: in how many of N gradings, with inputs of their own, is each fault caught?",
    )
    parser.add_argument(
        "--minutes", metavar="M", type=float, default=30, help="the most for all draws (30)"
    )
    options = parser.parse_args()
    for name in ("repeat", "draws", "minutes"):
        if (number := getattr(options, name)) is not None and number <= 0:
            parser.error(f"--{name} must be positive, got --{name}={number:g}")
    notebooks = sorted(p for p in ROOT.glob("solutions/*/*.ipynb") if p.stem == p.parent.name)
    slugs = [path.stem for path in notebooks]
    if not slugs:
        parser.error(f"there must be an assignment, solutions/SLUG/SLUG.ipynb, in {ROOT}")
    wanted = options.assignment
    if wanted and wanted not in slugs:
        parser.error(f"--assignment must be one of {', '.join(slugs)}, got --assignment={wanted}")
    if options.task and not wanted:
        parser.error(f"--task needs --assignment, got --task={options.task} alone")
    assignments = [load(path) for path in notebooks if wanted in (None, path.stem)]
    if options.task and options.task not in (tasks := assignments[0].tasks):
        parser.error(f"--task must be one of {', '.join(tasks)}, got --task={options.task}")
    torch.set_num_threads(1)
    close(torch.zeros(1), torch.zeros(1))  # imports much of torch: once here, not in each process
    if options.draws:
        return draw(assignments, options)
    reports = []
    for assignment in assignments:
        wrong, right = answers(assignment.slug, options.task)
        if options.task:
            assignment = assignment.only(options.task)
        total = 2 + len(wrong) + len(right)
        # disable=None: no bar where nobody watches.
        with tqdm(total=total, desc=assignment.slug, disable=None, leave=False) as bar:
            report = examine(assignment, wrong, right, options.repeat, done=bar.update)
        show(report, options.why)
        reports.append(report)
    write(options.json, as_json(reports))
    print("\n".join(summary(reports)))
    return int(any(report.problems for report in reports))


def draw(assignments: list[Assignment], options: argparse.Namespace) -> int:
    """Print which faults are left to chance; 1 if any is."""
    faults = {each.slug: answers(each.slug, options.task)[0] for each in assignments}
    left = sum(map(len, faults.values()))
    end = time.monotonic() + 60 * options.minutes
    found: dict[str, list[Draws]] = {}
    for assignment in assignments:
        own = faults[assignment.slug]
        # Each has the time that its faults are of those that are left.
        seconds = (end - time.monotonic()) * len(own) / max(1, left)
        left -= len(own)
        total = options.draws * len(own)
        with tqdm(total=total, desc=assignment.slug, disable=None, leave=False) as bar:
            drawn = fault_draws.measure(assignment, own, options.draws, seconds, bar.update)
        found[assignment.slug] = drawn
        print("\n".join(fault_draws.table(assignment.slug, drawn)), flush=True)
    write(
        options.json,
        {
            slug: [asdict(one) | {"at_least": one.at_least} for one in drawn]
            for slug, drawn in found.items()
        },
    )
    every = [one for drawn in found.values() for one in drawn]
    print("\n".join(fault_draws.summary(every, options.draws)))
    return int(any(one.rare for one in every))


def write(path: Path | None, said: dict) -> None:
    """Write the numbers to a file, if one is wanted."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
