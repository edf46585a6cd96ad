"""How many days late each learner is, and what is said of it; the gradebook is left be.

Chapter: book/instructors/collecting.md
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lmcourse.files import write_file
from lmcourse.grading.errors import MisuseError
from lmcourse.grading.lateness import time_formats
from lmcourse.grading.lateness.hand_in_times import HandInTime
from lmcourse.grading.lateness.policy import Amount, Policy

if TYPE_CHECKING:  # it brings nbgrader, which takes over a second
    from lmcourse.grading.gradebook.results import Result


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


def count_days(rule: Policy, found: Mapping[str, HandInTime]) -> dict[str, Late]:
    """Each learner's days."""
    return {
        student: Late(
            handed_in=_clock(one.at, rule.due) if one.at else "",
            days=rule.days_late(one.at) if one.at else 0,
            source=one.source,
            problem=one.problem,
            digest=one.digest,
        )
        for student, one in sorted(found.items())
    }


def _clock(at: dt.datetime, due: dt.datetime) -> str:
    """A time to the minute; where that would look like the due time, as far as they differ."""
    there = at.astimezone(due.tzinfo)
    for to in ("minutes", "seconds", "milliseconds"):
        if there == due or there.isoformat(" ", to) != due.isoformat(" ", to):
            return at.isoformat(" ", to)
    return at.isoformat(" ", "microseconds")


def in_words(days: int) -> str:
    """So many days late."""
    return f"{days} day{'' if days == 1 else 's'} late"


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
        name = kept.get("timezone")
        zone = None if name is None else time_formats.zone_named(str(name))
        rule = Policy(
            due=time_formats.moment(kept["due"], zone),
            zone=zone,
            per_day=Amount(**kept["per_day"]),
            at_most=Amount(**kept["at_most"]),
            grace_minutes=kept["grace_minutes"],
        )
        return rule, {student: Late(**one) for student, one in kept["students"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
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
    due = rule.due.isoformat(" ", "seconds" if rule.due.second else "minutes")
    return (
        f"handed in {in_words(late.days)} ({late.handed_in}; due {due}):"
        f" {rule.per_day} a day, {off:g} points off, {score - off:g} remain{so_far};"
        " the points of the tasks are shown without it"
    )


def noted(result: "Result", output: Path, assignment: str) -> "Result":
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
