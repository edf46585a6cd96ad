"""Late work: how many days, and what the course's own rule makes of them; the gradebook is left be.

Chapter: book/instructors/collecting.md
"""

import contextlib
import datetime as dt
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lmcourse.files import write_file
from lmcourse.grading.assignment.notebooks import NotebookError, digest, read_cells
from lmcourse.grading.assignment.submissions import Entry, entries
from lmcourse.grading.errors import MisuseError
from lmcourse.grading.gradebook.results import Result
from lmcourse.grading.reports import tables, times

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)")
SETTINGS = {"due", "per_day", "grace_minutes", "at_most", "timezone"}


@dataclass(frozen=True, kw_only=True)
class Amount:
    """So many points, or so many per cent of the points that were reached."""

    number: float
    per_cent: bool

    def of(self, score: float) -> float:
        """The points that it takes of so many."""
        return score * self.number / 100 if self.per_cent else self.number

    def __str__(self) -> str:
        return f"{self.number:g}{' %' if self.per_cent else ' points'}"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """When an assignment is due, and what each day that has begun after it costs.

    A day ends when clocks in the course's time zone show the due time again: it has 23 or 25 hours
    when they are changed.

    Args:
        grace_minutes: that pass without a word; later, days count from the due time itself.
        at_most: in all.
        zone: of the course; None is this machine's.
    """

    due: dt.datetime
    per_day: Amount = Amount(number=0.0, per_cent=False)
    grace_minutes: float = 0.0
    at_most: Amount = Amount(number=100.0, per_cent=True)
    zone: ZoneInfo | None = None

    def days_late(self, handed_in: dt.datetime) -> int:
        """How many days have begun between the due time and this one."""
        handed_in = handed_in.astimezone(dt.UTC)  # Python compares other zones by their clocks
        seconds = (handed_in - self.due.astimezone(dt.UTC)).total_seconds()
        if seconds <= 60 * self.grace_minutes:
            return 0
        days = int(seconds // 90_000)  # of 25 hours: not too many, and nearly enough
        while self._end(days) < handed_in:
            days += 1
        return max(1, days)

    def _end(self, days: int) -> dt.datetime:
        """The moment at which so many days are over."""
        if not days:
            return self.due.astimezone(dt.UTC)
        clock = self.due.astimezone(self.zone).replace(tzinfo=None)
        try:
            return times.instant(clock + dt.timedelta(days=days), self.zone, latest=True)
        except OverflowError:  # beyond the last year
            return dt.datetime.max.replace(tzinfo=dt.UTC)

    def deduction(self, days: int, score: float) -> float:
        """Points to take off; never more than there are."""
        if not days:
            return 0.0
        return max(0.0, min(days * self.per_day.of(score), self.at_most.of(score), score))


@dataclass(frozen=True, kw_only=True)
class HandedIn:
    """When a notebook was handed in and who says so; or, with a `problem`, why that is unknown."""

    source: str
    at: dt.datetime | None = None
    problem: str = ""
    digest: str = ""  # of the notebook that lay there


@dataclass(frozen=True, kw_only=True)
class Late:
    """What is known of one learner's time."""

    handed_in: str  # ISO 8601; nothing if it is unknown
    days: int
    source: str = ""
    problem: str = ""  # why it is unknown
    digest: str | None = None  # of the notebook that it is the time of; None: nobody noted it

    def doubt(self, graded: str) -> str:
        """Why the days say nothing of the notebook that was graded; empty if they do.

        Args:
            graded: its digest, if it is known.
        """
        if self.problem:
            return f"time unknown: {self.problem}"
        if graded and self.digest is not None and graded != self.digest:
            return (
                "days late unknown since the notebook changed: run lmcourse late again when what"
                " was handed in last is graded"
            )
        return ""


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
    zone = _zone(config.get("timezone"))
    try:
        due_time = times.due_moment(due[assignment], zone)
    except ValueError as error:
        raise MisuseError(f"c.Lateness.due[{assignment!r}] {error}") from None
    return Policy(
        due=due_time,
        per_day=_amount(config.get("per_day", "0"), "per_day"),
        grace_minutes=float(grace),
        at_most=_amount(config.get("at_most", "100%"), "at_most"),
        zone=zone,
    )


def _zone(name: object) -> ZoneInfo | None:
    try:
        return None if name is None else times.zone_named(str(name))
    except ValueError as error:
        raise MisuseError(f"c.Lateness.timezone {error}") from None


def zone_of_exchange(config: Mapping[str, Any]) -> tuple[ZoneInfo, ...]:
    """The zone that nbgrader's exchange is set to write its times in, if Python knows it."""
    name = config.get("Exchange", {}).get("timezone")
    try:
        return (times.zone_named(name),) if isinstance(name, str) else ()
    except ValueError:
        return ()


def _amount(said: object, what: str) -> Amount:
    found = _AMOUNT.fullmatch(str(said).strip())
    if not found:
        raise MisuseError(
            f'c.Lateness.{what} must be points such as "2" or per cent such as "10%", got {said!r}'
        )
    return Amount(number=float(found[1]), per_cent=bool(found[2]))


def times_from_csv(path: Path, zone: ZoneInfo | None = None) -> dict[str, HandedIn]:
    """The times in a table `student,time`; of several for one learner the last counts.

    Who has no time there is left out. One that cannot be read leaves its learner's time unknown.

    Raises:
        MisuseError: it is no such table, or none of its times can be read.
    """
    found: dict[str, HandedIn] = {}
    for number, row in enumerate(tables.read_csv(path, ("student", "time")), start=2):
        if not row["time"]:
            continue
        source = f"{path.name}, line {number}"
        try:
            new = HandedIn(source=source, at=times.moment(row["time"], zone))
        except ValueError as error:
            new = HandedIn(source=source, problem=f"{source}: time {error}")
        found[row["student"]] = _later(found.get(row["student"]), new)
    problems = [one.problem for one in found.values() if one.problem]
    if problems and len(problems) == len(found):
        raise MisuseError(problems[0])
    return found


def _later(one: HandedIn | None, other: HandedIn) -> HandedIn:
    """The later of two; not known, if one of them is not."""
    if one is None or one.at is None or other.at is None:
        return other if one is None or one.at is not None else one
    return max(one, other, key=lambda each: each.at)


def times_from_files(
    folder: Path, assignment: str, zone: ZoneInfo | None = None, also: Iterable[ZoneInfo] = ()
) -> dict[str, HandedIn]:
    """When each notebook was last written, or what nbgrader's timestamp.txt beside it says.

    Args:
        also: where else the abbreviations of time zones come from.
    """
    found = {}
    for entry in entries(folder, assignment):
        try:
            found[entry.student] = _time_of(entry, entry.notebook(), zone, tuple(also))
        except (NotebookError, OSError):  # no notebook, no time
            continue
    return found


def _time_of(
    entry: Entry, notebook: Path, zone: ZoneInfo | None, also: tuple[ZoneInfo, ...]
) -> HandedIn:
    stamp = notebook.parent / times.TIMESTAMP
    if entry.path != notebook and (stamp.exists() or stamp.is_symlink()):
        source, read = f"nbgrader's {times.TIMESTAMP}", lambda: times.stated_in(stamp, zone, also)
    else:
        source, read = "the file's own time", lambda: times.file_time(notebook, zone)
    try:
        return HandedIn(source=source, at=read(), digest=_digest(notebook))
    except (ValueError, OSError) as error:
        return HandedIn(source=source, problem=f"{source} {error}", digest=_digest(notebook))


def _digest(notebook: Path) -> str:
    try:
        return digest(read_cells(notebook))
    except (NotebookError, OSError):
        return ""


def with_notebooks(
    found: Mapping[str, HandedIn], folder: Path, assignment: str
) -> dict[str, HandedIn]:
    """The times of a table, each with the notebook that lies in the folder now."""
    digests = {}
    for entry in entries(folder, assignment):
        with contextlib.suppress(NotebookError, OSError):
            digests[entry.student] = _digest(entry.notebook())
    return {name: replace(one, digest=digests.get(name, "")) for name, one in found.items()}


def judge(rule: Policy, found: Mapping[str, HandedIn]) -> dict[str, Late]:
    """Each learner's days."""
    return {
        student: Late(
            handed_in=one.at.isoformat(" ", "minutes") if one.at else "",
            days=rule.days_late(one.at) if one.at else 0,
            source=one.source,
            problem=one.problem,
            digest=one.digest,
        )
        for student, one in sorted(found.items())
    }


def file_of(output: Path, assignment: str) -> Path:
    """Where the days of an assignment are kept, for the reports."""
    return output / "grades" / f"{assignment}.late.json"


def save(path: Path, rule: Policy, late: Mapping[str, Late]) -> Path:
    """Keep the days and the rule that they are judged by."""
    kept = {
        "due": rule.due.isoformat(" "),
        "timezone": rule.zone.key if rule.zone else None,
        "per_day": asdict(rule.per_day),
        "at_most": asdict(rule.at_most),
        "grace_minutes": rule.grace_minutes,
        "students": {student: asdict(one) for student, one in late.items()},
    }
    return write_file(path, json.dumps(kept, indent=1) + "\n")


def read_days(path: Path) -> tuple[Policy, dict[str, Late]] | None:
    """What `save` kept; None if it kept nothing.

    Raises:
        MisuseError: it is damaged.
    """
    if not path.exists():
        return None
    try:
        kept = json.loads(path.read_text("utf-8"))
        zone = _zone(kept.get("timezone"))
        rule = Policy(
            due=times.moment(kept["due"], zone),
            zone=zone,
            per_day=Amount(**kept["per_day"]),
            at_most=Amount(**kept["at_most"]),
            grace_minutes=kept["grace_minutes"],
        )
        return rule, {student: Late(**one) for student, one in kept["students"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, MisuseError):
        raise MisuseError(f"{path} is damaged: run lmcourse late again") from None


def note(rule: Policy, late: Late, score: float, complete: bool, graded: str = "") -> str:
    """What the learner and the instructor read.

    Args:
        graded: the digest of the notebook that was graded.
    """
    doubt = late.doubt(graded)
    if doubt:
        return f"{doubt}; no points off"
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


def noted(result: Result, output: Path, assignment: str) -> Result:
    """A learner's row with that word among its notes, if `lmcourse late` has looked.

    Raises:
        MisuseError: what it kept is damaged.
    """
    kept = read_days(file_of(output, assignment))
    if kept is None or result.problem or result.student not in kept[1]:
        return result
    complete = not any(grade.waiting for grade in result.grades)
    said = note(kept[0], kept[1][result.student], result.score, complete, result.digest)
    return replace(result, notes=[*result.notes, *([said] if said else [])])


def rows(
    rule: Policy, late: Mapping[str, Late], graded: Mapping[str, tuple[float | None, str]]
) -> Iterable[list]:
    """For a table: student, time, days, points off, what remains, and who says so.

    Args:
        graded: the points of each learner, if there are some, and the digest of the notebook.
    """
    for student, one in late.items():
        score, notebook = graded.get(student, (None, ""))
        doubt = one.doubt(notebook)
        off = 0.0 if doubt else None if score is None else rule.deduction(one.days, score)
        left = None if score is None or off is None else score - off
        days = None if doubt else one.days
        yield [student, one.handed_in, days, score, off, left, doubt or one.source]


HEADER = [
    *("student", "handed in", "days late", "points", "points off", "points after it"),
    "time from",
]
