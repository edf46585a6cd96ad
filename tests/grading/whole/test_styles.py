"""However a right answer is written, it gets full marks, and the same ones again."""

import json
from pathlib import Path

import pytest
from class_attention import ASSIGNMENT, POINTS, TESTED, Classroom
from forks import lmcourse
from right_styles import STYLES, notebooks

ROOT = Path(__file__).parents[3]
SECRET = "a secret of this test, and of no other"


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    name = f"{ASSIGNMENT}/{ASSIGNMENT}.ipynb"
    return notebooks(Classroom(ROOT / "exercises" / name, ROOT / "solutions" / name))


def grade(files: dict[str, str], folder: Path, secret: str = SECRET) -> dict[str, dict]:
    """The rows of `lmcourse grade`, by style."""
    students = {style: f"s{number:02}" for number, style in enumerate(STYLES)}
    for style, text in files.items():
        path = folder / "in" / students[style] / f"{ASSIGNMENT}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(text, "utf-8", newline="")
    (folder / "secret").write_text(secret)
    options = ("--output", folder / "out", "--secret", folder / "secret")
    done = lmcourse("grade", folder / "in", "-a", ASSIGNMENT, *options, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((folder / f"out/grades/{ASSIGNMENT}.json").read_text("utf-8"))
    rows = {row["student"]: row for row in report["students"]}
    return {style: rows[students[style]] for style in files}


def of_the_run(row: dict) -> list[tuple]:
    return [(g["name"], g["verdict"], g["points"], g["seed"]) for g in row["grades"]]


def test_the_styles_are_many_and_differ(files):
    assert len(files) == len(STYLES) >= 20
    assert len({*files.values()}) == len(files)


@pytest.mark.parametrize(
    "each",
    [
        pytest.param(5, marks=pytest.mark.slow),  # a fifth of them
        pytest.param(1, marks=pytest.mark.large),
    ],
)
def test_each_style_gets_full_marks_and_the_same_ones_again(files, each, tmp_path):
    files = dict([*files.items()][::each])
    first = grade(files, tmp_path / "first")
    lost = {
        style: [(g["name"], g["message"]) for g in row["grades"] if g["verdict"] == "failed"]
        for style, row in first.items()
        if row["score"] != TESTED
    }
    assert lost == {}
    for row in first.values():
        passed = [g["name"] for g in row["grades"] if g["verdict"] == "passed"]
        for name in POINTS:  # each has one test cell, or several
            assert any(f"{test}_".startswith(f"test_{name}_") for test in passed), name
        assert {g["verdict"] for g in row["grades"] if g["name"].startswith("test_")} == {"passed"}
    some = dict([*files.items()][:: 5 if each == 1 else 3])
    again = grade(some, tmp_path / "again")
    assert {s: of_the_run(row) for s, row in again.items()} == {
        s: of_the_run(first[s]) for s in some
    }
    other = grade(dict([*some.items()][:1]), tmp_path / "other", secret=SECRET[::-1])
    for style, row in other.items():
        assert row["score"] == TESTED
        assert of_the_run(row) != of_the_run(first[style])
