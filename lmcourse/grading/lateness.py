"""Late work: how many days, and what the course's own rule makes of them; the gradebook is left be.

Chapter: book/instructors/collecting.md
"""

import datetime as dt
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lmcourse.grading import tables
from lmcourse.grading.errors import MisuseError
from lmcourse.grading.intake import STUDENT
from lmcourse.grading.notebooks import NotebookError, read_plain_file

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)")
_DAY = 86_400
SETTINGS = {"due", "per_day", "grace_minutes", "at_most"}


@dataclass(frozen=True, kw_only=True)
class Amount:
    """So many points, or so many per cent of the points that were reached."""

    number: float
    per_cent: bool

    def of(self, score: float) -> float:
        return score * self.number / 100 if self.per_cent else self.number

    def __str__(self) -> str:
        return f"{self.number:g}{' %' if self.per_cent else ' points'}"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """When an assignment is due, and what each day that has begun after it costs.

    Args:
        grace_minutes: that pass without a word; later, days count from the due time itself.
        at_most: in all.
    """

    due: dt.datetime
    per_day: Amount = Amount(number=0.0, per_cent=False)
    grace_minutes: float = 0.0
    at_most: Amount = Amount(number=100.0, per_cent=True)

    def days_late(self, handed_in: dt.datetime) -> int:
        seconds = (handed_in - self.due).total_seconds()
        return 0 if seconds <= 60 * self.grace_minutes else max(0, math.ceil(seconds / _DAY))

    def deduction(self, days: int, score: float) -> float:
        """Points to take off; never more than there are."""
        if not days:
            return 0.0
        return max(0.0, min(days * self.per_day.of(score), self.at_most.of(score), score))


@dataclass(frozen=True, kw_only=True)
class Late:
    """What is known of one learner's time."""

    handed_in: str  # ISO 8601
    days: int


def policy(config: Mapping[str, Any], assignment: str) -> Policy:
    """The rule of `c.Lateness` in nbgrader_config.py.

    Raises:
        MisuseError: there is no due time for the assignment, or a setting is not what it must be.
    """
    unknown = set(config) - SETTINGS
    if unknown:
        raise MisuseError(
            f"c.Lateness must hold nothing but {', '.join(sorted(SETTINGS))},"
            f" got {', '.join(sorted(unknown))}"
        )
    due = config.get("due", {})
    if not isinstance(due, Mapping) or assignment not in due:
        raise MisuseError(
            f"c.Lateness.due must name a time for {assignment}: add"
            f' c.Lateness.due = {{"{assignment}": "2026-03-01 23:59"}} to nbgrader_config.py'
        )
    grace = config.get("grace_minutes", 0)
    if not isinstance(grace, int | float) or not 0 <= grace < math.inf:
        raise MisuseError(f"c.Lateness.grace_minutes must be a number of minutes, got {grace!r}")
    return Policy(
        due=moment(due[assignment], f"c.Lateness.due[{assignment!r}]"),
        per_day=_amount(config.get("per_day", "0"), "per_day"),
        grace_minutes=float(grace),
        at_most=_amount(config.get("at_most", "100%"), "at_most"),
    )


def moment(said: object, what: str) -> dt.datetime:
    """A time with its zone; without one it is this machine's.

    Raises:
        MisuseError: it is none.
    """
    text = re.sub(r"\s*(UTC|Z)$", "+00:00", str(said).strip())
    try:
        return dt.datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise MisuseError(
            f"{what} must be a time such as 2026-03-01 23:59 or 2026-03-01T23:59+01:00,"
            f" got {said!r}"
        ) from None


def _amount(said: object, what: str) -> Amount:
    found = _AMOUNT.fullmatch(str(said).strip())
    if not found:
        raise MisuseError(
            f'c.Lateness.{what} must be points such as "2" or per cent such as "10%", got {said!r}'
        )
    return Amount(number=float(found[1]), per_cent=bool(found[2]))


def times_from_csv(path: Path) -> dict[str, dt.datetime]:
    """The times in a table `student,time`; of several for one learner the last counts."""
    found: dict[str, dt.datetime] = {}
    for number, row in enumerate(tables.read_csv(path, ("student", "time")), start=2):
        time = moment(row["time"], f"{path}, line {number}: time")
        known = found.get(row["student"])
        found[row["student"]] = time if known is None else max(known, time)
    return found


def times_from_files(folder: Path, assignment: str) -> dict[str, dt.datetime]:
    """When each notebook was last written, or what nbgrader's timestamp.txt beside it says."""
    found = {}
    for entry in sorted(folder.iterdir()):
        student = entry.stem if entry.suffix == ".ipynb" else entry.name
        places = [entry / assignment, entry] if entry.is_dir() else [entry.parent]
        names = [f"{assignment}.ipynb"] if entry.is_dir() else [entry.name]
        files = [place / name for place in places for name in names]
        file = next((f for f in files if f.is_file() and not f.is_symlink()), None)
        if file is None or not STUDENT.fullmatch(student) or entry.is_symlink():
            continue
        stated = _stated(file.parent / "timestamp.txt") if entry.is_dir() else None
        found[student] = stated or dt.datetime.fromtimestamp(file.stat().st_mtime).astimezone()
    return found


def _stated(path: Path) -> dt.datetime | None:
    try:
        return moment(read_plain_file(path, 200).decode("utf-8"), str(path))
    except (NotebookError, MisuseError, UnicodeDecodeError):
        return None


def judge(rule: Policy, times: Mapping[str, dt.datetime]) -> dict[str, Late]:
    """Each learner's days."""
    return {
        student: Late(handed_in=time.isoformat(" ", "minutes"), days=rule.days_late(time))
        for student, time in sorted(times.items())
    }


def file_of(output: Path, assignment: str) -> Path:
    """Where the days of an assignment are kept, for the reports."""
    return output / "grades" / f"{assignment}.late.json"


def save(path: Path, rule: Policy, late: Mapping[str, Late]) -> Path:
    """Keep the days and the rule that they are judged by."""
    kept = {
        "due": rule.due.isoformat(" ", "minutes"),
        "per_day": asdict(rule.per_day),
        "at_most": asdict(rule.at_most),
        "grace_minutes": rule.grace_minutes,
        "students": {student: asdict(one) for student, one in late.items()},
    }
    return tables.write(path, json.dumps(kept, indent=1) + "\n")


def recall(path: Path) -> tuple[Policy, dict[str, Late]] | None:
    """What `save` kept; None if it kept nothing.

    Raises:
        MisuseError: it is damaged.
    """
    if not path.exists():
        return None
    try:
        kept = json.loads(path.read_text("utf-8"))
        rule = Policy(
            due=moment(kept["due"], "due"),
            per_day=Amount(**kept["per_day"]),
            at_most=Amount(**kept["at_most"]),
            grace_minutes=kept["grace_minutes"],
        )
        return rule, {student: Late(**one) for student, one in kept["students"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, MisuseError):
        raise MisuseError(f"{path} is damaged: run lmcourse late again") from None


def note(rule: Policy, late: Late, score: float, complete: bool) -> str:
    """What the learner and the instructor read."""
    if not late.days:
        return ""
    off = rule.deduction(late.days, score)
    so_far = "" if complete else " so far"
    days = f"{late.days} day{'s' if late.days > 1 else ''}"
    return (
        f"handed in {days} late ({late.handed_in}; due {rule.due.isoformat(' ', 'minutes')}):"
        f" {rule.per_day} a day, {off:g} points off, {score - off:g} remain{so_far};"
        " the points of the tasks are shown without it"
    )


def noted(result: Any, output: Path, assignment: str) -> Any:
    """A learner's `Result` with that word among its notes, if `lmcourse late` has looked."""
    kept = recall(file_of(output, assignment))
    if kept is None or result.problem or result.student not in kept[1]:
        return result
    complete = not any(grade.waiting for grade in result.grades)
    said = note(kept[0], kept[1][result.student], result.score, complete)
    return replace(result, notes=[*result.notes, *([said] if said else [])])


def rows(rule: Policy, late: Mapping[str, Late], scores: Mapping[str, float]) -> Iterable[list]:
    """For a table: student, time, days, points off, what remains."""
    for student, one in late.items():
        score = scores.get(student)
        off = None if score is None else rule.deduction(one.days, score)
        left = None if score is None or off is None else score - off
        yield [student, one.handed_in, one.days, score, off, left]


HEADER = ["student", "handed in", "days late", "points", "points off", "points after it"]
