"""Wherever a course lies, no answer sees it; where one would, nothing is graded.

Each part of the course lies below a folder of the system or of Python, under an odd name.
"""

import json
import shutil
import sys
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest
from attacks import places, source
from forks import lmcourse
from notebook_edits import answer
from plain_nbgrader import nbgrader, run
from tiny_course import answered, make_course

SETTINGS = """
c.Exchange.root = {exchange!r}
c.Execute.secret_file = {secret!r}
"""


@pytest.fixture(scope="module")
def marks() -> dict[str, str]:
    """What must not be seen: of this run alone, for a run that was killed leaves its folders."""
    run = uuid.uuid4().hex
    return {what: f"mark of {what} {run}" for what in ("a neighbor", "the secret", "the exchange")}


@pytest.fixture(scope="module")
def parts(marks):
    """The folders of a course: its own, what was handed in, what is written, the key, exchange."""
    with ExitStack() as made:
        named = {
            "course": (places.COURSE, places.PLAIN),
            "handed in": (places.HANDED_IN, places.ODD),
            "output": (places.OUTPUT, places.PLAIN),
            "key": (places.SECRET, places.ODD),
            "exchange": (places.EXCHANGE, places.ODD),
        }
        found = {name: made.enter_context(places.folder(*which)) for name, which in named.items()}
        course, key = make_course(found["course"]), found["key"] / "key"
        key.write_text(f"{marks['the secret']}\n")
        (found["exchange"] / "inbound").write_text(marks["the exchange"])
        with (course / "nbgrader_config.py").open("a") as file:
            file.write(SETTINGS.format(exchange=str(found["exchange"]), secret=str(key)))
        assert lmcourse("release", cwd=course).returncode == 0
        text = (course / "exercises/tiny/tiny.ipynb").read_text("utf-8")
        spy = source(places.EVERYTHING_PRINTED.replace("FALSE\n", ""))
        look = [str(folder.parent) for folder in found.values()]
        for student, more in (
            ("spy", spy.replace("PLACES", repr(look))),
            ("zoe", f"# {marks['a neighbor']}"),
        ):
            nb = answered(json.loads(text))
            cell = next(cell for cell in nb["cells"] if cell["id"] == "double")
            answer(nb, "double", f"{''.join(cell['source'])}\n{more}")
            path = found["handed in"] / student / "tiny" / "tiny.ipynb"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(nb), "utf-8")
        shutil.copytree(found["handed in"], course / "submitted")
        yield found


def shown_to_the_spy(out) -> str:
    """What the answer printed: nothing of it is its own, and the rest of it worked."""
    graded = json.loads((out / "autograded/spy/tiny/tiny.ipynb").read_text("utf-8"))
    outcomes = graded["metadata"]["lmcourse"]["outcomes"]
    assert {one["verdict"] for one in outcomes.values()} == {"passed"}
    return json.dumps([cell.get("outputs", []) for cell in graded["cells"]])


def test_lmcourse_grade_shows_nothing_of_it(parts, marks):
    options = ("-a", "tiny", "--output", parts["output"], "--secret", parts["key"] / "key")
    done = lmcourse("grade", parts["handed in"], *options, cwd=parts["course"])
    assert done.returncode == 0, done.stdout + done.stderr
    said = shown_to_the_spy(parts["output"])
    assert [mark for mark in (*marks.values(), "SECRET = -3") if mark in said] == []


@pytest.fixture
def only_its_own(parts):
    """Without what plain nbgrader cannot know of: folders that another command was told."""
    aside = parts["course"] / "aside"
    for name in ("handed in", "output"):
        shutil.copytree(parts[name], aside / name)
        shutil.rmtree(parts[name])
    yield parts["course"]
    for name in ("handed in", "output"):
        shutil.copytree(aside / name, parts[name])


def test_plain_nbgrader_shows_nothing_of_it(only_its_own, marks):
    course = only_its_own
    nbgrader("generate_assignment", "tiny", "--force", cwd=course)
    nbgrader("autograde", "tiny", cwd=course)
    said = shown_to_the_spy(course)
    assert [mark for mark in (*marks.values(), "SECRET = -3") if mark in said] == []


def test_where_something_would_be_seen_both_refuse_with_its_path(parts, tmp_path, monkeypatch):
    """A home that is the folder of Python's own libraries cannot be hidden from Python."""
    libraries = places.OUTPUT[0]
    monkeypatch.setenv("HOME", libraries)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    wanted = f"what learners hand in could read the home folder {libraries}: "
    options = ("-a", "tiny", "--output", tmp_path / "out")
    done = lmcourse("grade", parts["handed in"], *options, cwd=parts["course"])
    assert (done.returncode, wanted in " ".join(done.stderr.split())) == (1, True), done.stderr
    assert not (tmp_path / "out/gradebook.db").exists()
    program = [str(Path(sys.executable).with_name("nbgrader"))]
    into = f"--CourseDirectory.autograded_directory={tmp_path}/autograded"
    done = run(program, "autograde", "tiny", into, "--force", cwd=parts["course"])
    assert (done.returncode, wanted in done.stderr) == (1, True), done.stderr
    assert "NameError" not in done.stderr
    assert not (tmp_path / "autograded").exists()
