"""When each learner handed in: the files' own times, what nbgrader noted, or a table.

Chapter: book/instructors/collecting.md
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from lmcourse.grading.assignment.handed_in import Entry, entries
from lmcourse.grading.assignment.notebooks import NotebookError, digest
from lmcourse.grading.errors import MisuseError
from lmcourse.grading.lateness import time_formats
from lmcourse.grading.reports import tables


@dataclass(frozen=True, kw_only=True)
class HandInTime:
    """When a notebook was handed in and who says so; or, with a `problem`, why that is unknown."""

    source: str
    at: dt.datetime | None = None
    problem: str = ""
    digest: str = ""  # of the notebook that lay there


def times_from_csv(path: Path, zone: ZoneInfo | None = None) -> dict[str, HandInTime]:
    """The times in a table `student,time`; of several for one learner the last counts.

    Who has no time there is left out. One that cannot be read leaves its learner's time unknown.

    Raises:
        MisuseError: it is no such table, or none of its times can be read.
    """
    found: dict[str, HandInTime] = {}
    for number, row in enumerate(tables.read_csv(path, ("student", "time")), start=2):
        if not row["time"]:
            continue
        source = f"{path.name}, line {number}"
        try:
            new = HandInTime(source=source, at=time_formats.moment(row["time"], zone))
        except ValueError as error:
            new = HandInTime(source=source, problem=f"{source}: time {error}")
        found[row["student"]] = _later(found.get(row["student"]), new)
    problems = [one.problem for one in found.values() if one.problem]
    if problems and len(problems) == len(found):
        raise MisuseError(problems[0])
    return found


def _later(one: HandInTime | None, other: HandInTime) -> HandInTime:
    """The later of two; not known, if one of them is not."""
    if one is None or one.at is None or other.at is None:
        return other if one is None or one.at is not None else one
    return max(one, other, key=lambda each: each.at)


def times_from_files(
    folder: Path, assignment: str, zone: ZoneInfo | None = None, also: Iterable[ZoneInfo] = ()
) -> dict[str, HandInTime]:
    """When each notebook was last written, or what nbgrader's timestamp.txt beside it says.

    What cannot be graded, a link or broken JSON say, has no time.

    Args:
        also: where else the abbreviations of time zones come from.
    """
    found = {}
    for entry in entries(folder, assignment):
        submission = entry.read()
        if submission.problem:  # no notebook, no time: not even that of what a link leads to
            continue
        try:
            notebook = entry.notebook()
        except (NotebookError, OSError):  # it went meanwhile
            continue
        own = digest(submission.cells)
        found[entry.student] = _time_of(entry, notebook, own, zone, tuple(also))
    return found


def _time_of(
    entry: Entry, notebook: Path, own: str, zone: ZoneInfo | None, also: tuple[ZoneInfo, ...]
) -> HandInTime:
    stamp = notebook.parent / time_formats.TIMESTAMP
    if entry.path != notebook and (stamp.exists() or stamp.is_symlink()):
        source, read = (
            f"nbgrader's {time_formats.TIMESTAMP}",
            lambda: time_formats.stated_in(stamp, zone, also),
        )
    else:
        source, read = "the file's own time", lambda: time_formats.file_time(notebook, zone)
    try:
        return HandInTime(source=source, at=read(), digest=own)
    except Exception as error:  # of whatever kind: it is this learner's time alone
        known = isinstance(error, ValueError | OSError)
        why = str(error) if known else f"cannot be read ({type(error).__name__})"
        colon = ":" if isinstance(error, NotebookError) else ""  # which says "it is …"
        return HandInTime(source=source, problem=f"{source}{colon} {why}", digest=own)


def _digest(entry: Entry) -> str:
    submission = entry.read()
    return "" if submission.problem else digest(submission.cells)


def with_notebooks(
    found: Mapping[str, HandInTime], folder: Path, assignment: str
) -> dict[str, HandInTime]:
    """The times of a table, each with the notebook that lies in the folder now."""
    digests = {entry.student: _digest(entry) for entry in entries(folder, assignment)}
    return {name: replace(one, digest=digests.get(name, "")) for name, one in found.items()}
