"""The folder of a submission under plain `nbgrader autograde`: of what lies in it, one file counts.

Chapter: book/instructors/sandbox.md

Threat: nbgrader copies all that a submission's folder holds and reads its `timestamp.txt` before
any step of ours. A link there brings in a file of the machine, a pipe stops the batch for ever, a
file of holes fills the disk, a time that is none ends the command; so does a student id with the
end of a line in it. So each folder is looked at first, by its name too, and nbgrader gets to see
another one, which holds nothing but what counts.

Threat: nbgrader writes to the gradebook and its folders while a run of `lmcourse` does. So it holds
the same lock.
"""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any

from nbgrader.converters.base import NbGraderException
from nbgrader.utils import parse_utc

from lmcourse.grading.assignment.handed_in import STUDENT_ID, shown
from lmcourse.grading.assignment.notebooks import NotebookError, read_plain_file
from lmcourse.grading.errors import FailureError
from lmcourse.grading.gradebook import lock

TIME = "timestamp.txt"
_TIME_BYTES = 200


def guard(converter: Any) -> None:
    """Let nbgrader's `Autograde` look at each submission's folder first, and copy nothing of it.

    Who has a name that is no student id is left out and named; the others are graded, and then the
    command fails, as it does after any submission that it could not grade. And it works only while
    the gradebook is its own: no run of `lmcourse` goes on beside it.
    """
    prepare, register = converter.init_destination, converter.init_assignment
    convert, looks = converter.convert_notebooks, []

    def convert_notebooks() -> None:
        course = converter.coursedir
        own = lock.lock_file(Path(course.root))
        with contextlib.ExitStack() as held:
            try:
                looks.append(held.enter_context(lock.hold(own, course.db_url)))
            except FailureError as error:
                converter.log.error("%s", error)
                raise NbGraderException(str(error)) from None
            _convert_the_named(converter, convert)

    def init_destination(assignment_id: str, student_id: str) -> bool:
        try:
            for look in looks:
                look()
        except FailureError as error:
            converter.log.error("%s", error)
            # For any other exception nbgrader removes the folder, which may be another run's now.
            raise SystemExit(1) from None
        refuse_oddities(_source(converter, assignment_id, student_id), _handed_in(converter))
        return prepare(assignment_id, student_id)

    def init_assignment(assignment_id: str, student_id: str) -> None:
        source = _source(converter, assignment_id, student_id)
        with _in_place_of(converter, source, assignment_id, student_id):
            register(assignment_id, student_id)

    converter.convert_notebooks = convert_notebooks
    converter.init_destination = init_destination
    converter.init_assignment = init_assignment


def _convert_the_named(converter: Any, convert: Callable[[], None]) -> None:
    odd = _leave_out(converter)
    try:
        convert()
    finally:
        for line in odd:
            converter.log.error("%s", line)
    if odd:
        raise NbGraderException("; ".join(odd))


def _leave_out(converter: Any) -> list[str]:
    """Take out of nbgrader's list what it would stumble over; a line for each learner without."""
    kept, odd = {}, []
    course = converter.coursedir
    # Names with brackets are patterns to nbgrader: it finds their folder, and no notebook in it.
    there = glob(converter._format_source(course.assignment_id, course.student_id))
    for source in {*converter.assignments, *there}:
        notebooks = converter.assignments.get(source, [])
        student = _student(converter, source)
        if not STUDENT_ID.fullmatch(student):
            odd.append(
                f"{shown(student)} was not graded: the name is no student id (letters a to z and"
                " A to Z, digits, . _ -, at most 64): rename it"
            )
        # A notebook beside the one that counts may be called anything.
        elif plain := [path for path in notebooks if Path(path).name == shown(Path(path).name)]:
            kept[source] = plain
        elif notebooks:
            odd.append(f"{student} was not graded: no notebook there has a name that can be read")
    converter.assignments = kept
    return sorted(odd)


def _student(converter: Any, source: str) -> str:
    """Whose folder it is, by the course's own structure; here a name may have several lines."""
    pattern = converter._format_source("(?P<assignment_id>.*)", "(?P<student_id>.*)", escape=True)
    found = re.fullmatch(pattern, source, re.DOTALL)
    return found["student_id"] if found else source


def refuse_oddities(folder: Path, handed_in: Path) -> None:
    """Return only where the folder is none behind a link, and its time, if it has one, is a time.

    Args:
        handed_in: where all submissions lie; what leads there is the instructor's own affair.

    Raises:
        NotebookError: with the reason; the submission then has no grade, and the next one comes.
    """
    for place in (folder, *folder.parents):
        if place == handed_in or not place.is_relative_to(handed_in):
            break
        if place.is_symlink():
            raise NotebookError(f"{place.relative_to(handed_in)} is a link, not a folder")
    time = folder / TIME
    if not time.exists() and not time.is_symlink():
        return
    try:
        parse_utc(read_plain_file(time, _TIME_BYTES).decode("utf-8").strip() or None)
    except Exception as error:  # of all kinds, from years beyond 9999 say
        why = f": {error}" if isinstance(error, NotebookError) else ""
        raise NotebookError(f"its {TIME} is no time{why}") from None


def _source(converter: Any, assignment_id: str, student_id: str) -> Path:
    return Path(converter._format_source(assignment_id, student_id))


def _handed_in(converter: Any) -> Path:
    course = converter.coursedir
    return Path(course.format_path(course.submitted_directory, ".", "."))


@contextmanager
def _in_place_of(
    converter: Any, source: Path, assignment_id: str, student_id: str
) -> Iterator[None]:
    """For a while the folder of the submission is one with its time and empty notebooks.

    The notebook itself is read later, from where it lies (`preprocessors.StrictNotebook`); the
    author's own files reach the sandbox from the author's folder (`author`).
    """
    course, before = converter.coursedir, converter.coursedir.submitted_directory
    with tempfile.TemporaryDirectory(prefix="lmcourse-") as folder:
        course.submitted_directory = folder
        try:
            stands = _source(converter, assignment_id, student_id)
            stands.mkdir(parents=True, exist_ok=True)
            for notebook in map(Path, converter.notebooks):
                (stands / notebook.name).touch()
            if (source / TIME).exists():
                shutil.copyfile(source / TIME, stands / TIME)
            yield
        finally:
            course.submitted_directory = before
