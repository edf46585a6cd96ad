"""What a course sets in nbgrader_config.py, and the author's folder, as one spec."""

import json
from pathlib import Path

import pytest
from tiny_course import solution
from traitlets.config import Config

from lmcourse.grading.assignment.notebooks import read_cells
from lmcourse.grading.assignment.plan import stated_plan
from lmcourse.grading.execution.settings import ExecutionSettings
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.inventory import Inventory, Place

UNSEEN = Inventory(places=(Place(path=Path("/the/course")),))


@pytest.fixture
def spec_with(tmp_path):
    """The spec of `tiny` in a course with these settings."""
    notebook = tmp_path / "solutions/tiny/tiny.ipynb"
    notebook.parent.mkdir(parents=True)
    notebook.write_text(json.dumps(solution()), "utf-8")
    (notebook.parent / "words.txt").write_text("here")
    plan = stated_plan(read_cells(notebook))

    def spec(**said):
        settings = ExecutionSettings(config=Config({"ExecutionSettings": said}))
        return settings.spec("tiny", notebook, plan, tmp_path, UNSEEN)

    return spec


def test_without_settings_the_budgets_are_the_usual_ones(spec_with, tmp_path):
    spec = spec_with()
    assert (spec.budgets, spec.sandbox, spec.assignment) == (Budgets(), True, "tiny")
    assert spec.wanted == {"double", "square"}
    assert spec.files == {"words.txt": b"here"}
    assert spec.unseen == UNSEEN
    assert spec.secret == (tmp_path / ".course_secret").read_bytes().strip()


@pytest.mark.parametrize(("seconds", "call"), [(5.0, 5.0), (60.0, Budgets.call_seconds)])
def test_the_seconds_that_are_asked_for_reach_the_budgets(spec_with, seconds, call):
    budgets = spec_with(cell_seconds=seconds, test_seconds=seconds, total_seconds=900.0).budgets
    assert budgets == Budgets(
        cell_seconds=seconds, test_seconds=seconds, call_seconds=call, total_seconds=900.0
    )


def test_another_secret_and_no_sandbox(spec_with, tmp_path):
    (tmp_path / "mine").write_text("a secret of one's own\n")
    spec = spec_with(secret_file=str(tmp_path / "mine"), sandbox=False)
    assert (spec.secret, spec.sandbox) == (b"a secret of one's own", False)
