"""A graded notebook built anew from the little that its page needs.

Chapter: book/instructors/hand_grading.md

Threat: outputs with scripts, widgets and mermaid drawings, sizes and names in metadata that end an
attribute, attachments, languages that are no language. None of it is copied.
"""

from collections.abc import Mapping

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lmcourse.grading.reports.sanitize import is_picture
from lmcourse.grading.safe_text import plain
from lmcourse.grading.sandbox.budgets import CELL_CHARS


def safe_notebook(nb: NotebookNode) -> NotebookNode:
    """The same cells, with text, pictures and roles, and nothing else."""
    cells = [_cell(cell, index) for index, cell in enumerate(nb.get("cells", []))]
    return new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})


def _cell(cell: NotebookNode, index: int) -> NotebookNode:
    source = plain(_text(cell.get("source")), CELL_CHARS)
    own = {"id": f"cell-{index}", "metadata": _roles(cell), "source": source}
    if cell.get("cell_type") == "markdown":
        return new_markdown_cell(**own)
    outputs = [safe_output(output) for output in cell.get("outputs", [])]
    return new_code_cell(**own, outputs=outputs)


def _roles(cell: NotebookNode) -> dict:
    """nbgrader's name and roles of a cell, each of the type that it should have."""
    claims = cell.get("metadata", {}).get("nbgrader")
    if not isinstance(claims, Mapping):
        return {}
    roles = {role: claims.get(role) is True for role in ("grade", "solution", "task", "locked")}
    points = claims.get("points")
    points = float(points) if isinstance(points, int | float) else 0.0
    return {"nbgrader": {"grade_id": _text(claims.get("grade_id")), "points": points, **roles}}


def safe_output(output: Mapping) -> NotebookNode:
    """The output as text, or as one picture."""
    kind = output.get("output_type")
    if kind == "stream":
        return _stream(_text(output.get("text")))
    if kind == "error":
        said = f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}"
        return _stream("\n".join(map(_text, output.get("traceback") or [said])))
    data = output.get("data")
    data = data if isinstance(data, Mapping) else {}
    for form in ("image/png", "image/jpeg"):
        picture = "".join(_text(data.get(form)).split())
        if is_picture(picture, form):
            return new_output("display_data", {form: picture})
    if "text/plain" in data:
        return _stream(_text(data["text/plain"]))
    return _stream(f"[an output that is not shown here: {', '.join(map(str, data))}]")


def _stream(text: str) -> NotebookNode:
    return new_output("stream", name="stdout", text=plain(text, CELL_CHARS))


def _text(value: object) -> str:
    if isinstance(value, list):
        return "".join(map(_text, value))
    return value if isinstance(value, str) else ""
