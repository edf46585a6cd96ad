"""What the author's folder says of an assignment."""

import json

import pytest
from tiny_course import answered, solution

from lmcourse.grading.assignment.author import authors_files, reference_cells
from lmcourse.grading.assignment.notebooks import read_cells, withheld_from
from lmcourse.grading.assignment.plan import stated_plan


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "tiny" / "tiny.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps(solution()), "utf-8")
    return path


def test_the_reference_has_the_author_s_answers_and_the_recorded_tests(notebook):
    plan = stated_plan(read_cells(notebook))
    changed = solution()
    changed["cells"][4]["source"] = "assert False"
    notebook.write_text(json.dumps(answered(changed)), "utf-8")
    cells = {cell.name: cell for cell in reference_cells(notebook, plan)}
    kinds = {name: cell.kind for name, cell in cells.items()}
    assert kinds == {
        "setup": "setup",
        "double": "learner",
        "test_double": "test",
        "square": "learner",
        "test_square": "test",
    }
    assert "double(2) == 4" in cells["test_double"].source
    assert reference_cells(notebook.with_name("none.ipynb"), plan) == []


def test_what_is_withheld_stands_in_the_notebook_s_metadata(notebook):
    assert withheld_from(notebook).names == ()
    nb = solution()
    nb["metadata"]["lmcourse"] = {"withheld": {"names": ["lmcourse.attention"]}}
    notebook.write_text(json.dumps(nb), "utf-8")
    assert withheld_from(notebook).names == ("lmcourse.attention",)
    nb["metadata"]["lmcourse"] = {"withheld": {"colors": []}}
    notebook.write_text(json.dumps(nb), "utf-8")
    with pytest.raises(ValueError, match="withheld must hold nothing but"):
        withheld_from(notebook)


def test_the_author_s_files_are_those_beside_the_notebook(notebook):
    (notebook.parent / "data").mkdir()
    (notebook.parent / "data" / "words.txt").write_text("here")
    (notebook.parent / ".hidden").write_text("no")
    assert authors_files(notebook) == {"data/words.txt": b"here"}
