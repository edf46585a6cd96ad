"""Notebooks rebuilt from what their page needs."""

import json

import nbformat
from attacks import pages

from lmcourse.grading.reports.page_limits import OUTPUTS, PAGE, PICTURE, TEXT, TRACEBACK
from lmcourse.grading.reports.pictures import pixels
from lmcourse.grading.reports.safe_notebook import safe_notebook


def notebook(*cells):
    made = [{"cell_type": "code", "source": "", "metadata": {}, "outputs": [], **c} for c in cells]
    return nbformat.from_dict({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def drawn(width, height):
    data = {"image/png": pages.png(width, height), "text/plain": "<Figure>"}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def test_a_safe_notebook_has_text_pictures_and_roles_only():
    own = {"grade_id": "why", "grade": True, "solution": "yes", "points": "<b>", "extra": 1}
    cells = [
        {"cell_type": "code", "source": ["a", "b"], "metadata": {}, "outputs": pages.OUTPUTS},
        {"cell_type": "raw", "source": "<b>", "metadata": {"nbgrader": own}},
        {"cell_type": "markdown", "source": "c", "metadata": {"nbgrader": "?"}},
    ]
    nb = nbformat.from_dict({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    pages.hostile_metadata(nb)
    code, raw, text = safe_notebook(nb).cells
    roles = {"grade": True, "solution": False, "task": False, "locked": False}
    assert raw.metadata == {"nbgrader": {"grade_id": "why", "points": 0.0, **roles}}
    assert text.metadata == {}
    assert (code.source, raw.cell_type, text.cell_type) == ("ab", "code", "markdown")
    kinds = [out.output_type for out in code.outputs]
    assert kinds.count("display_data") == 1  # the one picture
    assert kinds.count("stream") == len(pages.OUTPUTS) - 1
    picture = code.outputs[kinds.index("display_data")]
    said = {"image/png": {"alt": "A picture that the cell drew"}}
    assert (picture.data, picture.metadata) == ({"image/png": pages.PNG}, said)
    assert "\x1b" not in json.dumps(code.outputs)
    assert "[an output that is not shown here: text/html]" in [o.get("text") for o in code.outputs]


def test_pictures_are_bounded_one_by_one_and_on_a_page():
    (cell,) = safe_notebook(notebook({"outputs": [drawn(16_000, 16_000), drawn(640, 480)]})).cells
    large, small = cell.outputs
    assert large.output_type == "stream"  # and what it is, is said
    assert large.text.startswith("[a picture of 256,000,000 pixels is not shown here")
    assert small.output_type == "display_data"
    many = [{"outputs": [drawn(4_000, 5_000)] * 5}] * 4  # each is just small enough
    shown = [
        pixels(out.data["image/png"], "image/png")
        for cell in safe_notebook(notebook(*many)).cells
        for out in cell.outputs
        if out.output_type == "display_data"
    ]
    assert shown
    assert max(shown) <= PICTURE
    assert sum(shown) <= PAGE


def test_a_traceback_keeps_its_end_and_is_bounded():
    lines = [f"line {n}" for n in range(50_000)]
    error = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": [*lines, "E: v"]}
    (cell,) = safe_notebook(notebook({"outputs": [error]})).cells
    (said,) = cell.outputs
    assert len(said.text) <= TRACEBACK + 10
    assert said.text.startswith("line 0\n")
    assert said.text.endswith("\nE: v")


def test_text_is_bounded_and_what_is_left_out_is_said():
    (cell,) = safe_notebook(notebook({"outputs": [stream("x")] * (OUTPUTS + 7)})).cells
    assert len(cell.outputs) == OUTPUTS + 1
    assert cell.outputs[-1].text == "[7 more outputs are not shown here]"
    full = {"source": "y" * 150_000, "outputs": [stream("z" * 150_000)]}
    found = safe_notebook(notebook(*[full] * 100)).cells
    assert len(found[0].source) < TEXT + 100
    assert found[0].source.endswith("\n[100,000 more characters are not shown here]")
    shown = sum(len(cell.source) + len(cell.outputs[0].text) for cell in found)
    assert shown < 3_000_000  # of 30 million
    assert found[-1].source.startswith("y" * 1_000)  # every cell is there


def test_pictures_that_were_pasted_stay_and_other_attachments_go():
    said = {"a": {"image/png": pages.PNG, "text/html": "<b>"}, "b": {"text/html": "<b>"}, "c": 3}
    cell = {"cell_type": "markdown", "source": "![](attachment:a)", "attachments": said}
    (text,) = safe_notebook(notebook(cell)).cells
    assert text.attachments == {"a": {"image/png": pages.PNG}}
