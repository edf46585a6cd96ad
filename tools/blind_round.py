"""Answers of somebody who saw the release and the chapter alone: frozen, and graded once.

python tools/blind_round.py --round 2   grades tests/blind/2/: one row for each assignment
python tools/blind_round.py             how many of all frozen answers are caught today
python tools/blind_round.py --assignment gpt     the same, of one assignment

tests/blind/<round>/<slug>.py has WRONG and RIGHT, as tests/faults/<slug>.py has. The score that
counts is that of the first grading: its row in tests/blind.csv is written once and never computed
again, and carries the checksum of the answers. What is caught today stands in another table,
tests/blind_today.csv, and is no score: the tests have seen these answers.
"""

import argparse
import csv
import hashlib
import io
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import torch
from fault_reports import Report
from faults import load_answers
from run_faults import examine
from task_cells import Assignment, load
from tqdm import tqdm

from lmcourse.files import write_file
from lmcourse.grading.testing import close

ROOT = Path(__file__).resolve().parents[1]
TABLE, TODAY, FOLDER = "tests/blind.csv", "tests/blind_today.csv", "tests/blind"
COLUMNS = [
    "round", "date", "commit", "assignment", "caught", "of wrong", "accepted", "of right",
    "checksum",
]  # fmt: skip
COLUMNS_TODAY = [
    "round", "assignment", "first", "caught", "of wrong", "accepted", "of right", "date", "commit",
]  # fmt: skip
WRONG_A_TASK, RIGHT_A_TASK = 5, 3  # at least
DIGITS = 16  # of the checksum
# What decides a grade must be what the row's commit has.
_DECIDES = ("solutions", "lmcourse", "tools", FOLDER)


class RoundError(ValueError):
    """The round cannot be graded; the message says why, and nothing was."""


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """The answers to one assignment of one round."""

    round: str
    slug: str
    path: Path

    @property
    def checksum(self) -> str:
        """Another one if a word of the answers has changed."""
        text = self.path.read_bytes().replace(b"\r\n", b"\n")
        return hashlib.sha256(text).hexdigest()[:DIGITS]

    def answers(self) -> ModuleType:
        """The module with `WRONG` and `RIGHT`."""
        return load_answers(self.path)


def frozen(root: Path, number: str | None = None) -> list[Frozen]:
    """The answers of one round, or of all, in order."""
    paths = sorted((root / FOLDER).glob("*/[!_]*.py"))
    found = [Frozen(round=path.parent.name, slug=path.stem, path=path) for path in paths]
    return [one for one in found if number in (None, one.round)]


def read_rows(root: Path, table: str = TABLE) -> list[dict[str, str]]:
    """The rows of a table; none of one that is not there yet."""
    if not (root / table).exists():
        return []
    with open(root / table, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def row_of(root: Path, one: Frozen) -> dict[str, str] | None:
    """The row of these answers, once they have been graded."""
    key = one.round, one.slug
    return next((r for r in read_rows(root) if (r["round"], r["assignment"]) == key), None)


def complaints(root: Path) -> list[str]:
    """Where the table and the frozen answers do not fit each other."""
    rows, found = read_rows(root), []
    keys = [(row["round"], row["assignment"]) for row in rows]
    found += [
        f"round {r} of {slug} has {n} rows" for (r, slug), n in Counter(keys).items() if n > 1
    ]
    there = {(one.round, one.slug): one for one in frozen(root)}
    for key, row in zip(keys, rows, strict=True):
        name = f"round {key[0]} of {key[1]}"
        if row["checksum"] and key not in there:
            found.append(f"{name} was graded, and its answers are gone")
        elif key in there and row["checksum"] != there[key].checksum:
            found.append(f"{name}: its answers were edited after they had been graded")
        for part, whole in (("caught", "of wrong"), ("accepted", "of right")):
            if not 0 <= int(row[part]) <= int(row[whole]):
                found.append(f"{name}: {part} must be at most {whole}, got {row[part]}")
    scored = {
        key: (row["caught"], row["of wrong"], row["of right"])
        for key, row in zip(keys, rows, strict=True)
    }
    for row in read_rows(root, TODAY):
        name = f"round {row['round']} of {row['assignment']}, today"
        first = row["first"], row["of wrong"], row["of right"]
        if scored.get((row["round"], row["assignment"])) != first:
            found.append(f"{name}: the first grading was another, got {first}")
        for part, whole in (("caught", "of wrong"), ("accepted", "of right")):
            if not 0 <= int(row[part]) <= int(row[whole]):
                found.append(f"{name}: {part} must be at most {whole}, got {row[part]}")
    return found


def ready(root: Path, one: Frozen) -> tuple[Assignment, ModuleType]:
    """The assignment and the answers, if these can be graded as a round.

    Raises:
        RoundError: they are too few, or one does not fit the assignment.
    """
    assignment, answers = load(root / f"solutions/{one.slug}/{one.slug}.ipynb"), one.answers()
    for kind, least in (("WRONG", WRONG_A_TASK), ("RIGHT", RIGHT_A_TASK)):
        given = Counter(answer.task for answer in getattr(answers, kind))
        for task in assignment.tasks:
            if given[task] < least:
                have = f"have {least} answers to {task}, got {given[task]}"
                raise RoundError(f"{one.path.name}: {kind} must {have}")
        for answer in getattr(answers, kind):
            if answer.task not in assignment.tasks:
                raise RoundError(f"{one.path.name}: there is no task {answer.task!r}")
            try:
                answer.source(assignment.solutions[answer.task])
            except ValueError as error:
                raise RoundError(f"{one.path.name}: {error}") from None
    return assignment, answers


def commit(root: Path) -> str:
    """The commit whose tests will grade.

    Raises:
        RoundError: what decides a grade is not committed.
    """
    git = ["git", "-C", str(root)]
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--", *_DECIDES], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    if changed:
        raise RoundError(f"the answers and tests must be committed, got {changed[0].strip()!r}")
    head = [*git, "rev-parse", "--short=10", "HEAD"]
    return subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()


def graded(assignment: Assignment, answers: ModuleType) -> Report:
    """All answers, run once."""
    wrong, right = answers.WRONG, answers.RIGHT
    total = 2 + len(wrong) + len(right)
    with tqdm(total=total, desc=assignment.slug, disable=None, leave=False) as bar:
        return examine(assignment, wrong, right, done=bar.update)


def scores(report: Report) -> dict[str, int]:
    """Caught of wrong, accepted of right."""
    right = [row for row in report.rows if row.kind == "right"]
    return {
        "caught": report.caught,
        "of wrong": len(report.wrong),
        "accepted": sum(row.verdict == "keeps its points" for row in right),
        "of right": len(right),
    }


def grade(root: Path, number: str) -> list[str]:
    """Grade what has no row yet, and write its row; what was said of each assignment.

    Raises:
        RoundError: there is no such round, or it cannot be graded.
    """
    found = frozen(root, number)
    if not found:
        raise RoundError(f"there must be answers in {FOLDER}/{number}/<assignment>.py, got none")
    said, new = [], []
    for one in found:
        if row := row_of(root, one):
            said.append(
                f"round {number} of {one.slug} was graded on {row['date']}, not to be repeated: "
                f"{row['caught']} of {row['of wrong']} caught, {row['accepted']} of "
                f"{row['of right']} accepted"
            )
        else:
            new.append((one, *ready(root, one)))
    at = commit(root) if new else ""
    for one, assignment, answers in new:
        report = graded(assignment, answers)
        if failed := [test for test in assignment.tests if report.solution.failed(test)]:
            raise RoundError(f"the solution of {one.slug} must pass first, got {failed} failing")
        own = scores(report)
        day = datetime.now(UTC).date().isoformat()
        row = {"round": number, "date": day, "commit": at, "assignment": one.slug, **own}
        append(root, row | {"checksum": one.checksum})
        said += [f"round {number} of {one.slug}: {line}" for line in told(report)]
    return said


def append(root: Path, row: dict[str, object]) -> None:
    """Add a row to the table."""
    _save(root / TABLE, COLUMNS, [*read_rows(root), row])


def note(root: Path, row: dict[str, object]) -> None:
    """Put a row of what is caught today in the place of an earlier one."""
    key = row["round"], row["assignment"]
    rows = {(old["round"], old["assignment"]): old for old in read_rows(root, TODAY)}
    rows[key] = row
    _save(root / TODAY, COLUMNS_TODAY, [rows[key] for key in sorted(rows)])


def _save(path: Path, columns: list[str], rows: list[dict[str, object]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_file(path, text.getvalue())


def told(report: Report) -> list[str]:
    """The scores of some answers, and which were not seen for what they are."""
    own = scores(report)
    missed = [r for r in report.rows if r.verdict in ("SURVIVES", "LOSES ITS POINTS")]
    return [
        f"{own['caught']} of {own['of wrong']} caught, {own['accepted']} of {own['of right']} "
        "accepted",
        *[f"  {r.verdict}: {r.name} ({r.task}) {r.said}".rstrip() for r in missed],
    ]


def today(root: Path, slug: str | None = None) -> Iterator[str]:
    """What is caught now of all answers that were ever frozen and graded, and noted in `TODAY`.

    Args:
        slug: of this assignment alone.

    Raises:
        RoundError: what decides a grade is not committed, or nothing was frozen.
    """
    found = [one for one in frozen(root)[::-1] if slug in (None, one.slug)]  # the newest first
    if not found:
        raise RoundError(f"there must be frozen answers in {FOLDER}/<round>/, got none")
    at = commit(root)
    for one in found:
        row = row_of(root, one)
        if row is None:
            yield f"round {one.round} of {one.slug} was not graded yet: --round {one.round}"
            continue
        assignment, answers = load(root / f"solutions/{one.slug}/{one.slug}.ipynb"), one.answers()
        report = graded(assignment, answers)
        lines, day = told(report), datetime.now(UTC).date().isoformat()
        own = {"round": one.round, "assignment": one.slug, "first": row["caught"]}
        note(root, own | scores(report) | {"date": day, "commit": at})
        first = f"first {row['caught']} of {row['of wrong']} caught, today "
        yield "\n".join([f"round {one.round} of {one.slug}: {first}{lines[0]}", *lines[1:]])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--round", metavar="N", type=int, help="grade this round, once")
    parser.add_argument("--assignment", metavar="SLUG", help="what is caught today of this one")
    options = parser.parse_args()
    if options.round is not None and options.assignment:
        parser.error("--round grades a whole round, so --assignment must not be given with it")
    torch.set_num_threads(1)
    close(torch.zeros(1), torch.zeros(1))  # imports much of torch: once here, not in each process
    try:
        if edited := complaints(ROOT):
            raise RoundError("; ".join(edited))
        lines = (
            today(ROOT, options.assignment)
            if options.round is None
            else grade(ROOT, str(options.round))
        )
        for line in lines:  # as they come: all rounds take long
            print(line, flush=True)
    except RoundError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
