"""The course's rule for late work (`c.Lateness`): what is due when, and what a day costs.

Chapter: book/instructors/collecting.md
"""

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from lmcourse.grading.errors import MisuseError
from lmcourse.grading.lateness import time_formats

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
            return time_formats.instant(clock + dt.timedelta(days=days), self.zone, latest=True)
        except OverflowError:  # beyond the last year
            return dt.datetime.max.replace(tzinfo=dt.UTC)

    def deduction(self, days: int, score: float) -> float:
        """Points to take off; never more than there are."""
        if not days:
            return 0.0
        return max(0.0, min(days * self.per_day.of(score), self.at_most.of(score), score))


def policy_for(config: Mapping[str, Any], assignment: str) -> Policy:
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
        due_time = time_formats.due_moment(due[assignment], zone)
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
        return None if name is None else time_formats.zone_named(str(name))
    except ValueError as error:
        raise MisuseError(f"c.Lateness.timezone {error}") from None


def zone_of_exchange(config: Mapping[str, Any]) -> tuple[ZoneInfo, ...]:
    """The zone that nbgrader's exchange is set to write its times in, if Python knows it."""
    name = config.get("Exchange", {}).get("timezone")
    try:
        return (time_formats.zone_named(name),) if isinstance(name, str) else ()
    except ValueError:
        return ()


def _amount(said: object, what: str) -> Amount:
    found = _AMOUNT.fullmatch(str(said).strip())
    if not found:
        raise MisuseError(
            f'c.Lateness.{what} must be points such as "2" or per cent such as "10%", got {said!r}'
        )
    return Amount(number=float(found[1]), per_cent=bool(found[2]))
