"""When something was handed in: times as people and programs write them, in their time zones.

Chapter: book/instructors/collecting.md

A time that cannot be read is an error with its reason; no other time ever takes its place.
"""

import datetime as dt
import re
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from dateutil.parser import UnknownTimezoneWarning
from dateutil.parser import parse as parse_date

from lmcourse.grading.assignment.notebooks import read_plain_file

TIMESTAMP = "timestamp.txt"
_TIMESTAMP_BYTES = 200
_EXAMPLES = "a time such as 2026-03-01 23:59 or 2026-03-01T23:59+01:00"
_NAME = re.compile(r"[A-Za-z][\w+/-]*")
_LAST_MINUTE = dt.time(23, 59, 59)


def zone_named(name: str) -> ZoneInfo:
    """The time zone of a name such as Europe/Berlin.

    Raises:
        ValueError: there is none.
    """
    try:
        return ZoneInfo(name)
    except Exception:  # of all kinds, for names that are paths, folders or no text
        raise ValueError(f"must be a name such as Europe/Berlin, got {name!r}") from None


def moment(
    said: object,
    zone: ZoneInfo | None = None,
    also: Iterable[ZoneInfo | None] = (),
    *,
    read: Callable[[str], dt.datetime] = dt.datetime.fromisoformat,
) -> dt.datetime:
    """A time, in the zone of the course.

    Args:
        zone: of the course, and of a time that states none; None is this machine's.
        also: where else an abbreviation such as CEST is looked up first.
        read: makes a time of the text without its zone's name.

    Raises:
        ValueError: it is none, or a year that Python does not know.
    """
    text = re.sub(r"(?<![A-Za-z])\s*(UTC|GMT|Z)$", "+00:00", str(said).strip())
    head, _, name = text.rpartition(" ")
    named = bool(head and _NAME.fullmatch(name)) and name.lower() not in ("am", "pm")
    try:
        time = read(head if named else text)
        if named:
            time = _in_zone_named(time.replace(tzinfo=None), name, (*also, zone))
        return _shown_in(zone, instant(time, zone))
    except _UnknownZoneError:
        raise
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"must be {_EXAMPLES}, got {str(said)[:_TIMESTAMP_BYTES]!r}") from None


def due_moment(said: object, zone: ZoneInfo | None = None) -> dt.datetime:
    """As `moment`; of a date without a time its last minute, all of it.

    Raises:
        ValueError: it is none.
    """
    try:
        day = dt.date.fromisoformat(str(said).strip())
    except ValueError:
        return moment(said, zone)
    return _shown_in(zone, instant(dt.datetime.combine(day, _LAST_MINUTE), zone))


def stated_in(
    path: Path, zone: ZoneInfo | None = None, also: Iterable[ZoneInfo | None] = ()
) -> dt.datetime:
    """The time in a `timestamp.txt`, in any form that nbgrader can be set to write.

    Raises:
        ValueError: it cannot be read, or is no time.
    """
    data = read_plain_file(path, _TIMESTAMP_BYTES)
    text = data.decode("utf-8-sig", "replace").strip()
    if not text:
        raise ValueError("is empty")
    return moment(text, zone, also, read=_freely_written)


def file_time(path: Path, zone: ZoneInfo | None = None) -> dt.datetime:
    """When a file was last written.

    Raises:
        ValueError: it has a year that Python does not know.
        OSError: it cannot be looked at.
    """
    seconds = path.stat().st_mtime
    try:
        return _shown_in(zone, dt.datetime.fromtimestamp(seconds, dt.UTC))
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"must be in the years 1 to 9999, got {seconds:.0f} seconds") from None


def instant(time: dt.datetime, zone: ZoneInfo | None, *, latest: bool = False) -> dt.datetime:
    """The moment at which clocks in the zone show this, if it states no zone of its own.

    Where the clock changes, a time may come twice or never.

    Args:
        latest: of the two that are possible then, the later one.
    """
    if time.tzinfo is not None:
        return time
    both = [time.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1)]
    return max(both) if latest else both[0]


def _shown_in(zone: ZoneInfo | None, time: dt.datetime) -> dt.datetime:
    """The moment by the clocks of the zone, with its offset alone.

    Python subtracts and compares two times in one zone by what clocks show, not as moments.
    """
    there = time.astimezone(zone)
    return there.replace(tzinfo=dt.timezone(there.utcoffset() or dt.timedelta()), fold=0)


def _freely_written(text: str) -> dt.datetime:
    """A time in any form that means one thing only: a whole date, no day to take for a month."""
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        pass
    read = set()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnknownTimezoneWarning)
        for year, day_first in ((2000, False), (2001, True)):
            default = dt.datetime(year, year - 1999, year - 1999)  # for what the text leaves out
            try:
                read.add(parse_date(text, default=default, dayfirst=day_first))
            except UnknownTimezoneWarning:
                raise ValueError("it names a zone in its middle") from None
    if len(read) > 1:
        raise ValueError("it can be read in two ways")
    return read.pop()


class _UnknownZoneError(ValueError):
    """A zone's name that means nothing here, or more than one thing."""


def _in_zone_named(time: dt.datetime, name: str, own: Iterable[ZoneInfo | None]) -> dt.datetime:
    """The time in the zone with this name: an abbreviation of one's own, of anybody, or a key."""
    found = _abbreviated(time, name, own)
    if not found:
        found = _abbreviated(time, name, map(ZoneInfo, sorted(available_timezones())))
    if not found:
        try:
            return time.replace(tzinfo=zone_named(name))
        except ValueError:
            raise _UnknownZoneError(
                f"must name a zone that is known, got {name}: write its offset, as in +01:00"
            ) from None
    if len({one.utcoffset() for one in found}) > 1:
        raise _UnknownZoneError(
            f"must name one zone, got {name}, which is used in several: write its offset, as in"
            " +01:00, or set c.Lateness.timezone"
        )
    return found[0]


def _abbreviated(
    time: dt.datetime, name: str, zones: Iterable[ZoneInfo | None]
) -> list[dt.datetime]:
    """The moments at which clocks show this time and this abbreviation, in any of the zones."""
    here = [
        # Without a zone Python asks the machine, which knows what it calls its own.
        time.replace(tzinfo=zone, fold=fold) if zone else time.replace(fold=fold).astimezone()
        for zone in zones
        for fold in (0, 1)
    ]
    return [one for one in here if one.tzname() == name]
