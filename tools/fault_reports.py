"""What is known of an assignment's tests once all faults ran: scores, causes, problems, a table."""

import re
from collections import Counter
from dataclasses import asdict, dataclass

from fault_runs import Outcome
from task_cells import Assignment

RUN_SECONDS = 15  # of the processor: the most for all tests of an assignment, with the solution
PER_TASK = 2  # wrong answers, at least
ORIGINS = ("own", "blind")


@dataclass(kw_only=True)
class Row:
    """One line of the table.

    Args:
        kind: wrong or right.
        visible, hidden: what the first test cell said whose visible, or whose hidden, tests failed.
        said: what the first test cell that failed said, in the order of the notebook.
        origin: who thought of the answer.
        cause: the words of which the message must name one, with "|" between them.
    """

    name: str
    task: str
    kind: str
    visible: str
    hidden: str
    said: str
    origin: str = "own"
    cause: str = ""

    @property
    def verdict(self) -> str:
        if self.kind == "wrong":
            return "caught" if self.said else "SURVIVES"
        return "LOSES ITS POINTS" if self.said else "keeps its points"

    @property
    def named(self) -> bool | None:
        """Whether the message names the cause; None if it is not caught, or no cause is stated."""
        if self.verdict != "caught" or not self.cause:
            return None
        return names(self.said, self.cause)


def names(message: str, cause: str) -> bool:
    """Whether a message has one of the words of `cause`, or a word that begins with it.

    Capitals do not matter. What an error prints as figures, after an empty line, is not in
    `message`: a learner who has to look there for the dtype was told something else first.
    """
    words = [" ".join(word.split()) for word in cause.split("|")]
    starts = [("(?<!\\w)" if word[:1].isalnum() else "") + re.escape(word) for word in words]
    return any(re.search(start, message, re.IGNORECASE) for start in starts)


def row(answer, kind: str, outcome: Outcome) -> Row:
    """The line of an answer whose tests ran."""
    first = {
        part: next(filter(None, getattr(outcome, part).values()), "")
        for part in ("visible", "hidden")
    }
    return Row(
        name=answer.name, task=answer.task, kind=kind, **first, said=outcome.first,
        origin=answer.origin, cause=answer.cause,
    )  # fmt: skip


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
        for test in self.assignment.points:
            if self.solution.failed(test):
                found.append(f"the solution of {test} fails: {self.solution.failed(test)}")
            if not self.blank.failed(test):
                found.append(f"the tests of {test} pass on the blank release")
        per_task = Counter(row.task for row in self.wrong)
        for task in self.assignment.tasks:
            if per_task[task] < PER_TASK:
                found.append(f"{task} must have {PER_TASK} wrong answers, got {per_task[task]}")
        for row in self.rows:
            if row.verdict == "SURVIVES":
                found.append(f"no test of {row.task} catches {row.name!r}")
            if row.verdict == "LOSES ITS POINTS":
                found.append(f"{row.name!r} is right, but fails: {row.said}")
        whole = len(self.assignment.tasks) == len(self.assignment.solutions)
        if whole and 3 * self.hidden_only < len(self.wrong):
            found.append(
                "a third of the wrong answers must pass the visible tests and be caught by hidden "
                f"ones, got {self.hidden_only} of {len(self.wrong)}"
            )
        if self.solution.seconds > RUN_SECONDS:
            found.append(
                f"all tests must run in {RUN_SECONDS} s, got {self.solution.seconds:.1f} s"
            )
        return found


def show(report: Report, why: bool) -> None:
    """Print the table of one assignment; with `why`, what each failing test said."""
    auto = sum(report.assignment.points.values())
    by_hand = report.assignment.by_hand
    print(f"{report.assignment.slug}: {auto + by_hand:g} points, {by_hand:g} of them by hand")
    seconds = report.solution.seconds
    print(f"solution: {report.earned(report.solution):g} of {auto:g}, in {seconds:.1f} s")
    print(f"blank release: {report.earned(report.blank):g} of {auto:g}\n")
    wide = max(len(row.name) for row in report.rows) + 2
    tall = max(len(row.task) for row in report.rows) + 2
    print(
        f"{'fault':{wide}}{'task':{tall}}{'from':7}{'visible tests':15}{'hidden tests':14}verdict"
    )
    for row in report.rows:
        visible = "fail" if row.visible else "pass"
        hidden = "fail" if row.hidden else "–" if row.visible else "pass"
        head = f"{row.name:{wide}}{row.task:{tall}}{row.origin:7}"
        print(f"{head}{visible:15}{hidden:14}{row.verdict}")
        if why and row.said:
            print(f"    {row.said}")
        if why and row.named is False:
            print(f"    DOES NOT NAME {row.cause!r}")
    print(
        f"\n{report.hidden_only} of {len(report.wrong)} wrong answers pass every visible test; "
        f"{report.caught - report.hidden_only} do not"
    )
    print()


def counts(rows: list[Row]) -> dict:
    """The scores of some wrong answers, by origin, and how many messages name the cause."""
    by_origin = {
        origin: {
            "caught": sum(row.verdict == "caught" for row in rows if row.origin == origin),
            "wrong": sum(row.origin == origin for row in rows),
        }
        for origin in ORIGINS
    }
    named = Counter(row.named for row in rows if row.verdict == "caught")
    causes = {"named": named[True], "stated": named[True] + named[False], "unstated": named[None]}
    return {**by_origin, "causes": causes}


def as_json(reports: list[Report]) -> dict:
    """The scores of all assignments, for other programs."""
    wrong = [row for report in reports for row in report.wrong]
    return {
        "caught": sum(report.caught for report in reports),
        "wrong": len(wrong),
        **counts(wrong),
        "assignments": {
            report.assignment.slug: {
                "points": sum(report.assignment.points.values()) + report.assignment.by_hand,
                "caught": report.caught,
                "wrong": len(report.wrong),
                **counts(report.wrong),
                "hidden_only": report.hidden_only,
                "right": len(report.rows) - len(report.wrong),
                "problems": report.problems,
                "answers": [
                    asdict(row) | {"verdict": row.verdict, "named": row.named}
                    for row in report.rows
                ],
            }
            for report in reports
        },
    }


def summary(reports: list[Report]) -> list[str]:
    """The last lines: survivors, both scores, causes, problems; the very last: mutation score."""
    wrong = [(report.assignment.slug, row) for report in reports for row in report.wrong]
    lines = [
        f"survives: {slug}, {row.task}: {row.name} ({row.origin})"
        for slug, row in wrong
        if row.verdict == "SURVIVES"
    ]
    scores = as_json(reports)
    for origin in ORIGINS:
        own = scores[origin]
        lines.append(f"{origin} faults: {_share(own['caught'], own['wrong'])} caught")
    causes = scores["causes"]
    lines.append(
        f"causes: {_share(causes['named'], causes['stated'])} messages name the cause stated; "
        f"{causes['unstated']} caught faults state none"
    )
    lines += [
        f"problem: {report.assignment.slug}: {problem}"
        for report in reports
        for problem in report.problems
    ]
    return [*lines, f"mutation score: {scores['caught']} of {scores['wrong']}"]


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({part / whole:.1%})" if whole else "")
