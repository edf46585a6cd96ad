"""Do `lmcourse check` and `lmcourse grade` say the same of each visible test?

export PYTHONPATH=tests:tests/support
python tools/agreement.py                        every answer of tests/faults, all assignments
python tools/agreement.py --assignment attention --task heads

Each answer, wrong or right, runs twice with the visible tests of its task alone: in one process
with the tests, as `lmcourse check` does, and in the sandbox with a judge beside it, as `lmcourse
grade` does. What a learner was told to be right must not turn out wrong on the same inputs.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from fault_runs import OUT_OF_TIME, forked
from ipykernel.compiler import XCachingCompiler
from IPython.core.interactiveshell import InteractiveShell
from run_faults import ROOT, answers
from task_cells import TEST, Assignment, load
from tqdm import tqdm
from traitlets.config import Config

from lmcourse.grading.assignment.notebooks import read_cells, withheld_from
from lmcourse.grading.assignment.plan import CodeCell, names_to_define, stated_plan, visible
from lmcourse.grading.bridge import assertions
from lmcourse.grading.execution import shared_process
from lmcourse.grading.execution.assignment_spec import AssignmentSpec
from lmcourse.grading.execution.warm_servers import WarmServers
from lmcourse.grading.outcomes import PASSED
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.withholding.withheld import Withheld

SECONDS = 60  # of the processor, for one answer in one process


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One answer and the visible tests of its task.

    Args:
        tests: by name.
    """

    name: str
    task: str
    kind: str
    cells: list[str]
    tests: dict[str, str]


def tried(assignment: Assignment, task: str | None = None) -> list[Tried]:
    """The solution's tasks one by one, and all wrong and right answers."""
    found = [
        Tried(name="the solution", task=each, kind="right", **_parts(assignment, each, solution))
        for each, solution in assignment.solutions.items()
        if each in assignment.tasks and task in (None, each)
    ]
    for kind, own in zip(("wrong", "right"), answers(assignment.slug, task), strict=True):
        for answer in own:
            source = answer.source(assignment.solutions[answer.task])
            parts = _parts(assignment, answer.task, source)
            found.append(Tried(name=answer.name, task=answer.task, kind=kind, **parts))
    return found


def _parts(assignment: Assignment, task: str, source: str) -> dict:
    tests = {name: seen for name, (seen, _) in assignment.tests_of(task).items()}
    return {"cells": assignment.needed(task, source), "tests": tests}


class _Shell(InteractiveShell):
    """IPython that names cells as a kernel does: the refusals know a cell by that name."""

    compiler_class = XCachingCompiler


def checked(one: Tried, withheld: Withheld, setups: int = 1) -> dict[str, str]:
    """What each visible test says in one process, by name; empty where it holds."""
    shell = _Shell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    first = shared_process.source(withheld, list(one.tests.values()), one.cells[:setups])
    for cell in [first, *one.cells]:
        _run(shell, cell)  # as in a notebook, an error leaves what stands
    found = {}
    for name, test in one.tests.items():
        found[name] = _run(shell, test)
        assertions.take_award()
    return found


def _run(shell: InteractiveShell, cell: str) -> str:
    ran = shell.run_cell(cell)
    error = ran.error_before_exec or ran.error_in_exec
    return " ".join(f"{type(error).__name__}: {error}".split())[:300] if error else ""


def check_all(
    every: list[Tried], withheld: Withheld, done: Callable[[], object]
) -> list[dict[str, str]]:
    """What `lmcourse check` says of each answer."""
    calls = [(partial(checked, one, withheld), SECONDS) for one in every]
    found: list[dict[str, str]] = [{} for _ in every]
    for number, said in forked(calls):
        lost = dict.fromkeys(every[number].tests, said if isinstance(said, str) else OUT_OF_TIME)
        found[number] = said if isinstance(said, dict) else lost
        done()
    return found


def grade_all(every: list[Tried], spec: AssignmentSpec) -> Iterator[dict[str, str]]:
    """What `lmcourse grade` says of each answer, of its visible tests, one after the other."""
    setups = [cell for cell in spec.reference if cell.kind == "setup"]
    with WarmServers(spec) as servers:
        for number, one in enumerate(every):
            # Setup stands first, and runs on both sides.
            answers = one.cells[len(setups) :]
            cells = [*setups, *(CodeCell(kind="learner", source=cell) for cell in answers)]
            tests = [
                CodeCell(kind="test", source=source, name=TEST + name)
                for name, source in one.tests.items()
            ]
            said = servers.grade(f"{number}", [*cells, *tests])[len(cells) :]
            yield {
                name: "" if own.verdict == PASSED else f"{own.verdict}: {own.message}"
                for name, own in zip(one.tests, said, strict=True)
            }


def spec_of(path: Path, assignment: Assignment) -> AssignmentSpec:
    """The assignment as the grader has it, with the visible tests alone."""
    plan = stated_plan(read_cells(path))
    reference = [
        CodeCell(
            kind="test" if cell.is_test else "setup" if cell.locked else "learner",
            source=visible(cell.source) if cell.is_test else cell.source,
            name=cell.name,
        )
        for cell in plan
        if cell.kind == "code"
    ]
    released = stated_plan(read_cells(ROOT / f"exercises/{path.stem}/{path.name}"))
    return AssignmentSpec(
        assignment=assignment.slug,
        plan=plan,
        reference=reference,
        wanted=names_to_define(released),
        secret=b"the visible tests",
        budgets=Budgets(),
        withheld=withheld_from(path),
    )


def differences(one: Tried, check: dict[str, str], grade: dict[str, str]) -> list[str]:
    """One line for each test of which the two do not say the same."""
    return [
        f"{one.task}: {one.name} ({one.kind}), {TEST}{name}: check says "
        f"{check[name] or 'it holds'!r}, grade says {grade[name] or 'it holds'!r}"
        for name in one.tests
        if bool(check[name]) != bool(grade[name]) or grade[name].startswith("ungraded")
    ]


def compare(path: Path, task: str | None = None) -> tuple[int, int]:
    """How many tests were compared, and of how many the two do not agree; these are printed."""
    assignment, found = load(path), 0
    every = tried(assignment, task)
    with tqdm(total=2 * len(every), desc=path.stem, disable=None, leave=False) as bar:
        check = check_all(every, withheld_from(path), bar.update)
        grade = grade_all(every, spec_of(path, assignment))
        for one, check_said, grade_said in zip(every, check, grade, strict=True):
            bar.update()
            for line in differences(one, check_said, grade_said):
                found += 1
                print(f"{path.stem}: {line}", flush=True)  # at once: the run is a long one
    return sum(len(one.tests) for one in every), found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    paths = {path.stem: path for path in sorted(ROOT.glob("solutions/*/*.ipynb"))}
    parser.add_argument("--assignment", metavar="SLUG", choices=list(paths), help="only this one")
    parser.add_argument("--task", metavar="TASK", help="only this one of its tasks")
    options = parser.parse_args()
    torch.set_num_threads(1)
    count, found, start = 0, 0, time.monotonic()
    for slug, path in paths.items():
        if options.assignment in (None, slug):
            compared, differ = compare(path, options.task)
            print(f"{slug}: {compared} visible tests of answers, {differ} differences", flush=True)
            count, found = count + compared, found + differ
    print(f"check and grade differ on {found} of {count}, {time.monotonic() - start:.0f} s")
    return int(bool(found) or not count)


if __name__ == "__main__":
    sys.exit(main())
