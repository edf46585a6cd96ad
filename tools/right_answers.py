"""Runs each assignment's solution and right variants against all tests: do they keep all points?

export PYTHONPATH=tests
python tools/right_answers.py            every assignment
python tools/right_answers.py --seed 3   with other inputs, the same ones at each call
"""

import argparse
import importlib
import random
import sys
from pathlib import Path

import torch
from fault_runs import Job, run
from task_cells import Assignment, load

from lmcourse.grading.testing import close

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 300  # for one answer: the machine may be busy, an endless loop ends all the same


class Draws:
    """Stands in for `torch.seed`, by which a test asks for other inputs: the seeds of one run."""

    def __init__(self, words: str):
        self.numbers = random.Random(words)

    def __call__(self) -> int:
        number = self.numbers.getrandbits(63)
        torch.manual_seed(number)
        return number


def jobs(assignment: Assignment, right: list) -> dict[str, Job]:
    """By name: the solution with every test, and each right variant with that of its task."""
    tests = {name: (assignment.visible[name], test) for name, test in assignment.tests.items()}
    whole = [*assignment.setup, *assignment.solutions.values()]
    found = {"the solution": Job(cells=whole, tests=tests)}
    for answer in right:
        source = answer.source(assignment.solutions[answer.task])
        cells = assignment.needed(answer.task, source)
        own = assignment.tests_of(answer.task)
        found[f"{answer.name} ({answer.task})"] = Job(cells=cells, tests=own)
    return found


def failures(assignment: Assignment, right: list, seed: int) -> list[str]:
    """One line for each answer that loses points."""
    # Each answer runs in a fork of this process, so each starts with the first of the seeds.
    torch.seed = Draws(f"{assignment.slug} {seed}")
    named = jobs(assignment, right)
    names, found = list(named), []
    for number, outcome in run(list(named.values()), SECONDS):
        for test in outcome.visible:
            if said := outcome.failed(test):
                found.append(f"{assignment.slug}: {names[number]}: {test}: {said}")
    return found


def right_variants(slug: str) -> list:
    """Those of tests/faults/<slug>.py."""
    return importlib.import_module(f"faults.{slug}").RIGHT


def slugs(root: Path) -> list[str]:
    """The assignments, by name."""
    found = sorted(root.glob("solutions/*/*.ipynb"))
    return [path.stem for path in found if path.stem == path.parent.name]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all inputs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    close(torch.zeros(1), torch.zeros(1))  # imports much of torch: once here, not in each process
    found, count = [], 0
    for slug in slugs(ROOT):
        right = right_variants(slug)
        count += 1 + len(right)
        assignment = load(ROOT / f"solutions/{slug}/{slug}.ipynb")
        problems = failures(assignment, right, options.seed)
        print(f"{slug}: 1 solution, {len(right)} right variants, {len(problems)} problems")
        for problem in problems:
            print(f"FAILED {problem}", flush=True)
        found += problems
    print(f"answers that lose points: {len(found)} of {count}")
    return int(bool(found) or not count)


if __name__ == "__main__":
    sys.exit(main())
