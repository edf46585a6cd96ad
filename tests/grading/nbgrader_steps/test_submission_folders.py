"""Under plain nbgrader, a submission's folder is looked at before anything in it is touched."""

import logging
import os
import re
import warnings
from types import SimpleNamespace

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from nbgrader.converters.base import NbGraderException

    from lmcourse.grading.nbgrader_steps.submission_folders import guard, refuse_oddities

from lmcourse.grading.assignment.notebooks import NotebookError
from lmcourse.grading.errors import FailureError
from lmcourse.grading.gradebook import lock


@pytest.fixture
def handed_in(tmp_path):
    """A folder with one submission."""
    folder = tmp_path / "submitted" / "ada" / "tiny"
    folder.mkdir(parents=True)
    (folder / "tiny.ipynb").write_text("{}")
    return tmp_path / "submitted"


@pytest.mark.parametrize(
    "time", [None, "", "\n", "2026-03-01 10:00:00.000000 UTC", "2026-03-01 10:00:00 Europe/Berlin"]
)
def test_a_plain_folder_is_let_through(handed_in, time):
    if time is not None:
        (handed_in / "ada/tiny/timestamp.txt").write_text(time)
    assert refuse_oddities(handed_in / "ada/tiny", handed_in) is None


@pytest.mark.parametrize(
    "time", ["no time", "2026-99-99 10:00:00 UTC", "9" * 30, "a b 99999999999999999999", "\0"]
)
def test_a_time_that_is_none_is_refused(handed_in, time):
    (handed_in / "ada/tiny/timestamp.txt").write_text(time)
    with pytest.raises(NotebookError, match=r"its timestamp\.txt is no time$"):
        refuse_oddities(handed_in / "ada/tiny", handed_in)


def test_a_time_that_is_no_plain_file_is_refused(handed_in):
    folder = handed_in / "ada/tiny"
    os.mkfifo(folder / "timestamp.txt")
    with pytest.raises(NotebookError, match="not a file"):
        refuse_oddities(folder, handed_in)
    (folder / "timestamp.txt").unlink()
    (folder / "timestamp.txt").symlink_to("/nowhere/at/all")
    with pytest.raises(NotebookError, match="it is a link"):
        refuse_oddities(folder, handed_in)
    (folder / "timestamp.txt").unlink()
    (folder / "timestamp.txt").write_bytes(b"1" * 1000)
    with pytest.raises(NotebookError, match="too large: 1,000 bytes"):
        refuse_oddities(folder, handed_in)


@pytest.mark.parametrize("which", ["eve", "eve/tiny"])
def test_a_folder_behind_a_link_is_refused(handed_in, which):
    link = handed_in / which
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(handed_in / "ada" / which.partition("/")[2])
    with pytest.raises(NotebookError, match=f"{which} is a link, not a folder"):
        refuse_oddities(handed_in / "eve/tiny", handed_in)


def test_what_leads_to_all_submissions_may_be_a_link(handed_in, tmp_path):
    (tmp_path / "elsewhere").symlink_to(handed_in)
    assert refuse_oddities(tmp_path / "elsewhere/ada/tiny", tmp_path / "elsewhere") is None


class Converter:
    """As much of nbgrader's as the guard touches."""

    def __init__(self, submitted):
        self.coursedir = SimpleNamespace(
            root=str(submitted.parent),
            db_url=f"sqlite:///{submitted.parent}/gradebook.db",
            submitted_directory=str(submitted),
            assignment_id="tiny",
            student_id="*",
            format_path=lambda step, student, assignment: f"{step}/{student}/{assignment}",
        )
        self.notebooks = [f"{submitted}/ada/tiny/tiny.ipynb"]
        self.assignments = {f"{submitted}/ada/tiny": self.notebooks}
        self.log = logging.getLogger("converter")
        self.saw = None
        self.done = []

    def _format_source(self, assignment, student, escape=False):
        folder = self.coursedir.submitted_directory
        return f"{re.escape(folder) if escape else folder}/{student}/{assignment}"

    def convert_notebooks(self):
        self.saw = {**self.assignments}
        for student in ("ada", "ben"):
            if self.init_destination("tiny", student):
                self.done.append(student)

    def init_destination(self, assignment, student):
        return True

    def init_assignment(self, assignment, student):
        folder = self._format_source(assignment, student)
        self.saw = sorted(os.listdir(folder))
        if student == "fails":
            raise OSError("no space left")


def test_nbgrader_sees_nothing_but_the_notebook_and_the_time(handed_in):
    folder = handed_in / "ada/tiny"
    (folder / "timestamp.txt").write_text("2026-03-01 10:00:00 UTC")
    (folder / "data").mkdir()
    (folder / "data/big.bin").write_text("x")
    (folder / "link").symlink_to("/")
    converter = Converter(handed_in)
    guard(converter)
    assert converter.init_destination("tiny", "ada")
    converter.init_assignment("tiny", "ada")
    assert converter.saw == ["timestamp.txt", "tiny.ipynb"]
    assert converter.coursedir.submitted_directory == str(handed_in)


def test_the_folder_is_put_back_when_nbgrader_fails(handed_in):
    converter = Converter(handed_in)
    guard(converter)
    with pytest.raises(OSError, match="no space left"):
        converter.init_assignment("tiny", "fails")
    assert converter.coursedir.submitted_directory == str(handed_in)


def test_nothing_is_graded_while_a_run_has_the_gradebook(handed_in, caplog):
    converter = Converter(handed_in)
    guard(converter)
    own = handed_in.parent / ".grading/lock"
    with lock.hold(own), pytest.raises(NbGraderException):
        converter.convert_notebooks()
    assert converter.done == []
    assert "in use by process" in caplog.text
    assert "--wait" not in caplog.text
    converter.convert_notebooks()
    assert converter.done == ["ada", "ben"]
    with lock.hold(own):  # and it is free again
        pass


def test_nobody_else_holds_the_lock_while_nbgrader_grades(handed_in):
    own, refused = handed_in.parent / ".grading/lock", []

    class Looking(Converter):
        def init_destination(self, assignment, student):
            try:
                lock.hold(own).__enter__()
            except FailureError as error:
                refused.append(str(error))
            return True

    converter = Looking(handed_in)
    guard(converter)
    converter.convert_notebooks()
    assert len(refused) == 2
    assert f"in use by process {os.getpid()}" in refused[0]


def test_the_next_submission_is_not_begun_once_the_lock_is_lost(handed_in, caplog):
    """By what nbgrader takes for no failure of the submission: it would remove the folder."""
    own = handed_in.parent / ".grading/lock"

    class Losing(Converter):
        def init_destination(self, assignment, student):
            own.unlink()
            return True

    converter = Losing(handed_in)
    guard(converter)
    with pytest.raises(SystemExit):
        converter.convert_notebooks()
    assert converter.done == ["ada"]
    assert "was removed or replaced" in caplog.text


ODD = ["a\nb", "c\x1b[31m", "d e", "-rf", "Lo\udc94sung", "<b>f</b>", "x" * 65]


def test_a_name_that_is_no_student_id_is_left_out_and_the_others_are_graded(handed_in, caplog):
    converter = Converter(handed_in)
    ada = dict(converter.assignments)
    converter.assignments |= {f"{handed_in}/{name}/tiny": ["x/tiny.ipynb"] for name in ODD}
    (handed_in / "[b]x/tiny").mkdir(parents=True)  # in nbgrader's list it never was
    guard(converter)
    with pytest.raises(NbGraderException) as raised:
        converter.convert_notebooks()
    assert converter.saw == ada
    lines = caplog.text.splitlines()
    assert len(lines) == len(ODD) + 1
    for line in [*lines, *str(raised.value).split("; ")]:
        assert "was not graded: the name is no student id" in line
        assert line.isprintable()


def test_a_notebook_beside_the_one_that_counts_may_be_called_anything(handed_in):
    converter = Converter(handed_in)
    (source,) = converter.assignments
    converter.assignments[source] = [
        f"{source}/{name}.ipynb" for name in ("a\nb", "Lo\udc94sung", "tiny", "tiny copy")
    ]
    guard(converter)
    converter.convert_notebooks()
    assert converter.saw == {source: [f"{source}/tiny.ipynb", f"{source}/tiny copy.ipynb"]}
