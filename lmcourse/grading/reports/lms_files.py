"""The scores as files that Moodle, Canvas and spreadsheets import.

Chapter: book/instructors/collecting.md

A platform finds people by exactly what it calls them. So what would be a formula in a spreadsheet
is not made inert there: who is called that is left out and named. So is who is called nothing, or
as somebody else is: their points would be nobody's, or another's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from lmcourse.grading.errors import MisuseError
from lmcourse.grading.reports import tables

FORMATS = ("plain", "moodle", "canvas")
_CANVAS = ("name", "id", "sis_user_id", "sis_login_id", "section")
_EXACT = {"plain": (), "moodle": ("email",), "canvas": _CANVAS}
_WANTED = {"plain": (), "moodle": ("email",), "canvas": ("name", "id", "section")}
_KEY = {"moodle": "email", "canvas": "id"}  # by which the platform finds a person


def read_ids(path: Path, kind: str) -> dict[str, dict[str, str]]:
    """Who a student is for the other system: a table `student,…` with what its format wants.

    Raises:
        MisuseError: a column is missing, or a student stands in it twice.
    """
    found: dict[str, dict[str, str]] = {}
    for row in tables.read_csv(path, ("student", *_WANTED[kind])):
        if row["student"] in found:
            raise MisuseError(f"{path} must name each student once, got {row['student']!r} twice")
        found[row["student"]] = row
    return found


def faults(kind: str, ids: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Whom the platform could not find by this table, or would take for another, and why."""
    key = _KEY.get(kind, "")
    times = Counter(_called(own, key) for own in ids.values())
    found = {}
    for student, own in ids.items():
        said = {name: own.get(name, "") for name in _EXACT[kind]}
        odd = [name for name, value in said.items() if tables.spreadsheet_safe(value) != value]
        if odd:
            found[student] = f"{odd[0]} in the table of ids may pass for a formula"
        elif key and not _called(own, key):
            found[student] = f"{key} in the table of ids is empty"
        elif key and times[_called(own, key)] > 1:
            found[student] = f"{key} in the table of ids is another student's too: {own[key]}"
    return found


def _called(own: Mapping[str, str], key: str) -> str:
    return own.get(key, "").strip().casefold()


def table(
    kind: str,
    assignment: str,
    points: float,
    rows: Sequence[Mapping],
    ids: Mapping[str, Mapping[str, str]] | None,
) -> tuple[str, list[str]]:
    """The file's text, and who is not in it and why.

    Args:
        rows: each with `student`, `score` (None: not graded, and `problem` says why) and `open` (a
            person is waited for).
    """
    if ids is None and _WANTED[kind]:
        wanted = ", ".join(("student", *_WANTED[kind]))
        raise MisuseError(f"{kind} knows nobody by your names: give --ids FILE with {wanted}")
    left_out, ready, faulty = [], [], faults(kind, ids or {})
    for row in rows:
        student = str(row["student"])
        if student in faulty:
            left_out.append(f"{student}: {faulty[student]}")
        elif row["score"] is None:
            why = f" ({row['problem']})" if row.get("problem") else ""
            left_out.append(f"{student}: not graded{why}")
        elif row["open"]:
            left_out.append(f"{student}: waits for a person")
        elif ids is not None and student not in ids:
            left_out.append(f"{student}: not in the table of ids")
        else:
            own = ids[student] if ids is not None else {}
            ready.append((student, own, float(row["score"])))
    makers = {"plain": _plain, "moodle": _moodle, "canvas": _canvas}
    header, body = makers[kind](assignment, points, ready)
    return tables.as_csv(header, body), left_out


def _plain(assignment: str, points: float, ready: list) -> tuple[list, list]:
    names = sorted({key for _, own, _ in ready for key in own} - {"student"})
    body = [[s, *(own.get(n, "") for n in names), score, points] for s, own, score in ready]
    return ["student", *names, assignment, "maximum"], body


def _moodle(assignment: str, points: float, ready: list) -> tuple[list, list]:
    return ["Email address", assignment], [[own["email"], score] for _, own, score in ready]


def _canvas(assignment: str, points: float, ready: list) -> tuple[list, list]:
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", assignment]
    first = ["    Points Possible", "", "", "", "", points]
    return header, [first, *[[*(o.get(n, "") for n in _CANVAS), score] for _, o, score in ready]]
