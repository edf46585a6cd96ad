"""A whole class of the assignment `attention`: every learner gets exactly what is deserved.

All thirty notebooks are graded by `pytest -m large`; otherwise one of each kind of verdict.
"""

import csv
import json
import os
import random
import re
import signal
import subprocess
import time
from html import escape
from pathlib import Path

import pytest
from class_attention import ASSIGNMENT, BY_HAND, EDGES, NOT, POINTS, TESTED, Classroom
from class_small import command
from forks import lmcourse
from notebook_edits import source_of
from waiting import wait_until

ROOT = Path(__file__).parents[3]
SOLUTION = ROOT / "solutions" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
RELEASE = ROOT / "exercises" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"


# A wrong answer that only hidden tests find, a test that a person must see, an endless loop, what
# cannot be read.
KINDS = ("eva", "kim", "tom", "zz-json")


@pytest.fixture(scope="module")
def classroom() -> Classroom:
    return Classroom(RELEASE, SOLUTION)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("small", marks=pytest.mark.slow),
        pytest.param("whole", marks=pytest.mark.large),
    ],
)
def learners(classroom, request):
    """Those who hand in."""
    return [x for x in classroom.learners() if request.param == "whole" or x.student in KINDS]


@pytest.fixture(scope="module")
def graded(learners, tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    (folder / "in").mkdir()
    for learner in learners:
        learner.hand_in(folder / "in")
    workers = 1 if len(learners) == len(KINDS) else 2
    options = ("--output", folder / "out", "--seconds", 5, "-n", workers)
    done = lmcourse("grade", folder / "in", "-a", ASSIGNMENT, *options, cwd=ROOT)
    print(done.stdout)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return folder / "out", done, rows_of(folder / "out")


def rows_of(out):
    with (out / "grades" / f"{ASSIGNMENT}.csv").open(encoding="utf-8-sig") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_the_points_stated_here_are_those_of_the_headings(classroom):
    texts = [source_of(cell) for cell in classroom.blank()["cells"]]
    found = [int(n) for text in texts for n in re.findall(r"^## Task .*\((\d+) points?\)", text)]
    assert found == [*POINTS.values(), BY_HAND]
    assert TESTED + BY_HAND == 30
    parts = [re.search(r"core (\d+), edges (\d+) ", text) for text in texts]
    assert [(int(m[1]), int(m[2])) for m in parts if m] == [
        (POINTS[task] - EDGES[task], EDGES[task]) for task in POINTS
    ]


def test_the_class_is_large_and_its_names_differ(classroom):
    learners = classroom.learners()
    assert len({learner.student for learner in learners}) == len(learners) >= 18
    assert len({learner.did for learner in learners}) == len(learners)


def test_everyone_gets_what_is_deserved(learners, graded):
    _, _, rows = graded
    assert totals(rows) == deserved(learners)


def totals(rows):
    return {name: (row["total"], row["status"]) for name, row in rows.items()}


def deserved(learners):
    return {
        learner.student: (
            "" if learner.deserved is None else f"{learner.deserved:g}",
            learner.status,
        )
        for learner in learners
    }


@pytest.mark.large
def test_the_class_gets_the_same_from_a_grader_that_is_stopped_ten_times(classroom, tmp_path):
    """Each time for longer than any of its cells may wait, wherever it happens to be."""
    learners, out, seconds, draw = classroom.learners(), tmp_path / "out", 5, random.Random(0)
    (tmp_path / "in").mkdir()
    for learner in learners:
        learner.hand_in(tmp_path / "in")
    options = ("--output", out, "--seconds", seconds, "-n", 2)
    call = command("grade", tmp_path / "in", "-a", ASSIGNMENT, *options)
    with (tmp_path / "said").open("w") as said:
        running = subprocess.Popen(call, cwd=ROOT, stdout=said, stderr=said, start_new_session=True)
        stops, pages = 0, sum(learner.status != NOT for learner in learners)
        for graded in sorted(draw.sample(range(pages - 2), 10)):
            wait_until(
                lambda graded=graded: (
                    running.poll() is not None or len(list((out / "feedback").glob("*"))) >= graded
                ),
                1800.0,
            )
            time.sleep(draw.uniform(0.0, 2.0))
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGSTOP)
                time.sleep(2.5 * seconds)
                os.killpg(running.pid, signal.SIGCONT)
                stops += 1
        running.wait()
    assert stops == 10
    assert totals(rows_of(out)) == deserved(learners)


def test_each_lost_task_is_the_one_that_was_broken(learners, graded):
    out, _, _ = graded
    data = json.loads((out / "grades" / f"{ASSIGNMENT}.json").read_text("utf-8"))
    for learner in learners:
        (row,) = [row for row in data["students"] if row["student"] == learner.student]
        verdicts = {grade["name"]: grade["verdict"] for grade in row["grades"]}
        for name in POINTS if learner.status != NOT else ():
            core = edges = "failed" if name in learner.lost else "passed"
            edges = "failed" if name in learner.lost_edges else edges
            core = "ungraded" if name in learner.ungraded else core
            got = verdicts[f"test_{name}"], verdicts[f"test_{name}_edges"]
            assert got == (core, edges), (learner.student, name)


def test_the_feedback_of_all_holds_no_hidden_test_and_no_script(learners, graded):
    out, _, _ = graded
    tests = [source_of(c) for c in json.loads(SOLUTION.read_text("utf-8"))["cells"]]
    hidden = {
        line.strip()
        for text in tests
        for region in re.findall(r"### BEGIN HIDDEN TESTS\n(.*?)### END", text, re.S)
        for line in region.splitlines()
        if len(line.strip()) > 30 and '"' not in line
    }
    pages = list((out / "feedback").glob(f"*/{ASSIGNMENT}/{ASSIGNMENT}.html"))
    assert len(pages) == sum(learner.status != NOT for learner in learners)
    assert len(hidden) > 20
    for page in pages:
        text = page.read_text("utf-8")
        assert "<script" not in text
        # An answer may well hold the same line as a reference in a hidden test.
        submitted = out / "submitted" / page.parts[-3] / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        own = "\n".join(map(source_of, json.loads(submitted.read_text("utf-8"))["cells"]))
        assert not [line for line in hidden if escape(line) in text and line not in own], page


def test_the_command_says_what_became_of_the_class(graded):
    _, done, rows = graded
    assert done.returncode == 1
    not_graded = sum(row["status"] == NOT for row in rows.values())
    assert f"{len(rows)} submissions: " in done.stdout
    assert f"1 partly, {not_graded} could not be graded." in done.stdout
