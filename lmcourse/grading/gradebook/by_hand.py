"""Points that a person gave: which of them stay decided when the class is graded once more.

Chapter: book/instructors/hand_grading.md

They stay where they are in any case. Where the notebook, the test or the maximum is another one
than the person saw, the cell waits for a person again, and the row says why.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, from_dict

from lmcourse.grading.assignment.notebooks import essential
from lmcourse.grading.execution.submission import is_test


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a person saw of a learner who was graded before; nothing, if none was.

    Args:
        digest: of what was handed in.
        tests: the text of each test cell.
        asked: the cells whose points were doubtful by then, each with the reason.
    """

    digest: str = ""
    tests: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)


def seen_in(path: Path) -> Seen:
    """What the graded notebook at `path` says; nothing, if it is missing or damaged."""
    try:
        nb = from_dict(json.loads(path.read_text("utf-8")))
        ours = nb["metadata"]["lmcourse"]
        asked = {str(name): str(why) for name, why in ours.get("asked_again", {}).items()}
        return Seen(digest=str(ours["digest"]), tests=_tests(nb), asked=asked)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Seen()


def doubtful(grades: Iterable[Any], seen: Seen, nb: NotebookNode) -> dict[str, str]:
    """Why points that a person gave must be looked at again, though the answer may be the same.

    Args:
        grades: the learner's rows in the gradebook.
        nb: the notebook as it is graded now.
    """
    tests, found = _tests(nb), {}
    for grade in _given(grades):
        name = grade.name
        if name in tests and name in seen.tests and tests[name] != seen.tests[name]:
            found[name] = "its test has changed since"
        elif grade.needs_manual_grade and name in seen.asked:
            found[name] = seen.asked[name]
        elif seen.digest != nb.metadata.lmcourse.digest:
            found[name] = (
                "another notebook is graded now"
                if seen.digest
                else "which notebook that was is not known any more"
            )
    return found


def decided(grades: Iterable[Any], seen: Seen, nb: NotebookNode) -> set[str]:
    """The cells that a person has graded in exactly this notebook, and that wait for nobody."""
    ours = nb.metadata.lmcourse
    if not seen.digest or seen.digest != ours.digest:
        return set()
    return {
        grade.name
        for grade in _given(grades)
        if not grade.needs_manual_grade
        and not _too_many(grade)
        and grade.name not in ours.get("asked_again", {})
    }


def notes(grades: Iterable[Any], asked: dict[str, str]) -> list[str]:
    """For each cell whose points by hand are doubtful a line that says so."""
    lines = []
    for grade in _given(grades):
        if _too_many(grade):
            why = f"it gives at most {grade.max_score:g} now"
        elif grade.needs_manual_grade and grade.name in asked:
            why = asked[grade.name]
        else:
            continue
        points = f"{grade.manual_score:g} point{'' if grade.manual_score == 1 else 's'}"
        lines.append(f"{grade.name}: a person gave {points}, but {why}: look at it again")
    return lines


def _given(grades: Iterable[Any]) -> list[Any]:
    return [grade for grade in grades if grade.manual_score is not None]


def _too_many(grade: Any) -> bool:
    return grade.manual_score > grade.max_score


def _tests(nb: NotebookNode) -> dict[str, str]:
    return {
        cell.metadata.nbgrader.grade_id: essential("".join(cell.source))
        for cell in nb.cells
        if is_test(cell)
    }
