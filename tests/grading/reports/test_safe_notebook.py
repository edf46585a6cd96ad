"""Notebooks rebuilt from what their page needs."""

import json

import nbformat
from attacks import pages

from lmcourse.grading.reports.safe_notebook import safe_notebook


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
    assert (picture.data, picture.metadata) == ({"image/png": pages.PNG}, {})
    assert "\x1b" not in json.dumps(code.outputs)
    assert "[an output that is not shown here: text/html]" in [o.get("text") for o in code.outputs]
