"""Do the tests of the assignments catch wrong answers, and let right ones pass?

For each assignment of solutions/, the solution must get all points and the blank release none;
each wrong answer of tests/faults/<slug>.py must lose the points of its task, and each right one
must keep them. An answer runs with nothing but the cells it needs, in a process of its own.
"""

import argparse
import importlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from fault_runs import Assignment, Job, Outcome, load, run
from tqdm import tqdm

from lmcourse.grading.testing import close

ROOT = Path(__file__).resolve().parents[1]
RUN_SECONDS = 15  # the most that all tests of an assignment may take with the solution
PER_TASK = 2  # wrong answers, at least


@dataclass(kw_only=True)
class Row:
    """One line of the table: the first line of what the tests said, empty where they passed."""

    name: str
    task: str
    kind: str  # wrong or right
    visible: str
    hidden: str

    @property
    def verdict(self) -> str:
        failed = bool(self.visible or self.hidden)
        if self.kind == "wrong":
            return "caught" if failed else "SURVIVES"
        return "LOSES ITS POINTS" if failed else "keeps its points"


@dataclass(kw_only=True)
class Report:
    """What is known of one assignment; `problems` is empty if all is well."""

    assignment: Assignment
    solution: Outcome
    blank: Outcome
    rows: list[Row]

    def earned(self, outcome: Outcome) -> float:
        return sum(p for t, p in self.assignment.points.items() if not outcome.failed(t))

    @property
    def wrong(self) -> list[Row]:
        return [row for row in self.rows if row.kind == "wrong"]

    @property
    def caught(self) -> int:
        return sum(row.verdict == "caught" for row in self.wrong)

    @property
    def hidden_only(self) -> int:
        return sum(bool(row.hidden and not row.visible) for row in self.wrong)

    @property
    def problems(self) -> list[str]:
        found = []
        per_task = Counter(row.task for row in self.wrong)
        for task in self.assignment.points:
            if self.solution.failed(task):
                found.append(f"the solution of {task} fails: {self.solution.failed(task)}")
            if not self.blank.failed(task):
                found.append(f"the tests of {task} pass on the blank release")
            if per_task[task] < PER_TASK:
                found.append(f"{task} must have {PER_TASK} wrong answers, got {per_task[task]}")
        for row in self.rows:
            if row.verdict == "SURVIVES":
                found.append(f"no test of {row.task} catches {row.name!r}")
            if row.verdict == "LOSES ITS POINTS":
                found.append(f"{row.name!r} is right, but fails: {row.visible or row.hidden}")
        if 3 * self.hidden_only < len(self.wrong):
            found.append(
                "a third of the wrong answers must pass the visible tests and be caught by hidden "
                f"ones, got {self.hidden_only} of {len(self.wrong)}"
            )
        if self.solution.seconds > RUN_SECONDS:
            found.append(
                f"all tests must run in {RUN_SECONDS} s, got {self.solution.seconds:.1f} s"
            )
        return found


def examine(
    assignment: Assignment,
    wrong: Iterable,
    right: Iterable,
    times: int = 1,
    limit: float = 2 * RUN_SECONDS,
    done: Callable[[], object] = lambda: None,
) -> Report:
    """Run the solution, the blank release and all answers; `done` is called after each.

    Args:
        times: how often the solution and the right answers run, on new inputs each time.
        limit: seconds for one run.
    """
    tests = {t: (assignment.visible[t], assignment.tests[t]) for t in assignment.tests}
    jobs = [
        Job(cells=[*assignment.setup, *cells.values()], tests=tests, times=n)
        for cells, n in [(assignment.solutions, times), (assignment.blanks, 1)]
    ]
    answers = [("wrong", answer) for answer in wrong] + [("right", answer) for answer in right]
    for kind, answer in answers:
        cells = assignment.needed(answer.task, answer.source(assignment.solutions[answer.task]))
        test = {answer.task: tests[answer.task]}
        jobs.append(Job(cells=cells, tests=test, times=times if kind == "right" else 1))
    outcomes = {}
    for number, outcome in run(jobs, limit):
        outcomes[number] = outcome
        done()
    rows = [
        Row(name=a.name, task=a.task, kind=kind, **outcomes[i].messages(a.task))
        for i, (kind, a) in enumerate(answers, start=2)
    ]
    return Report(assignment=assignment, solution=outcomes[0], blank=outcomes[1], rows=rows)


def show(report: Report, why: bool) -> None:
    """Print the table of one assignment."""
    auto = sum(report.assignment.points.values())
    by_hand = report.assignment.by_hand
    print(f"{report.assignment.slug}: {auto + by_hand:g} points, {by_hand:g} of them by hand")
    seconds = report.solution.seconds
    print(f"solution: {report.earned(report.solution):g} of {auto:g}, in {seconds:.1f} s")
    print(f"blank release: {report.earned(report.blank):g} of {auto:g}\n")
    wide = max(len(row.name) for row in report.rows) + 2
    tall = max(len(row.task) for row in report.rows) + 2
    print(f"{'fault':{wide}}{'task':{tall}}{'visible tests':15}{'hidden tests':14}verdict")
    for row in report.rows:
        visible = "fail" if row.visible else "pass"
        hidden = "fail" if row.hidden else "–" if row.visible else "pass"
        print(f"{row.name:{wide}}{row.task:{tall}}{visible:15}{hidden:14}{row.verdict}")
        if why and (row.visible or row.hidden):
            print(f"    {row.visible or row.hidden}")
    print(
        f"\n{report.hidden_only} of {len(report.wrong)} wrong answers pass every visible test; "
        f"{report.caught - report.hidden_only} do not"
    )
    for problem in report.problems:
        print(f"problem: {problem}")
    print()


def as_json(reports: list[Report]) -> dict:
    """The scores of all assignments, as the book shows them."""
    return {
        "caught": sum(report.caught for report in reports),
        "wrong": sum(len(report.wrong) for report in reports),
        "assignments": {
            report.assignment.slug: {
                "points": sum(report.assignment.points.values()) + report.assignment.by_hand,
                "caught": report.caught,
                "wrong": len(report.wrong),
                "hidden_only": report.hidden_only,
                "right": len(report.rows) - len(report.wrong),
                "problems": report.problems,
                "answers": [asdict(row) | {"verdict": row.verdict} for row in report.rows],
            }
            for report in reports
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--assignment", metavar="SLUG", help="only this one")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the scores there, too")
    parser.add_argument("--repeat", metavar="N", type=int, default=1, help="runs of right answers")
    parser.add_argument("--why", action="store_true", help="print what each failing test said")
    options = parser.parse_args()
    notebooks = sorted(p for p in ROOT.glob("solutions/*/*.ipynb") if p.stem == p.parent.name)
    slugs = [path.stem for path in notebooks]
    if not slugs:
        parser.error(f"there must be an assignment, solutions/SLUG/SLUG.ipynb, in {ROOT}")
    wanted = options.assignment
    if wanted and wanted not in slugs:
        parser.error(f"--assignment must be one of {', '.join(slugs)}, got --assignment={wanted}")
    torch.set_num_threads(1)
    close(torch.zeros(1), torch.zeros(1))  # imports much of torch: once here, not in each process
    reports = []
    for path in notebooks:
        if wanted in (None, path.stem):
            answers = importlib.import_module(f"faults.{path.stem}")
            wrong, right = answers.WRONG, answers.RIGHT
            total = 2 + len(wrong) + len(right)
            # disable=None: no bar where nobody watches.
            with tqdm(total=total, desc=path.stem, disable=None, leave=False) as bar:
                report = examine(load(path), wrong, right, options.repeat, done=bar.update)
            show(report, options.why)
            reports.append(report)
    scores = as_json(reports)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(scores, indent=1, ensure_ascii=False) + "\n")
    print(f"mutation score: {scores['caught']} of {scores['wrong']}")
    return int(any(report.problems for report in reports))


if __name__ == "__main__":
    sys.exit(main())
