"""A graded notebook built anew from the little that its page needs.

Chapter: book/instructors/hand_grading.md

Threat: outputs with scripts, widgets and mermaid drawings, sizes and names in metadata that end an
attribute, attachments that are programs, languages that are no language. None of it is copied.
"""

from collections.abc import Mapping, Sequence

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lmcourse.grading.assignment.notebooks import PICTURES
from lmcourse.grading.reports.page_limits import OUTPUTS, PAGE, PICTURE, Allowance, cut_middle
from lmcourse.grading.reports.pictures import pixels
from lmcourse.grading.safe_text import plain
from lmcourse.grading.sandbox.budgets import CELL_CHARS


def safe_notebook(nb: NotebookNode, allowance: Allowance | None = None) -> NotebookNode:
    """The same cells, with text, pictures and roles, and nothing else.

    Args:
        allowance: of the page; without one, that of a page of its own.
    """
    allowance = allowance or Allowance()
    cells = [_cell(cell, index, allowance) for index, cell in enumerate(nb.get("cells", []))]
    return new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})


def _cell(cell: NotebookNode, index: int, allowance: Allowance) -> NotebookNode:
    source = allowance.cut(plain(_text(cell.get("source")), CELL_CHARS))
    own = {"id": f"cell-{index}", "metadata": _roles(cell), "source": source}
    if cell.get("cell_type") == "markdown":
        pasted = pictures(cell)
        return new_markdown_cell(**own, **({"attachments": pasted} if pasted else {}))
    return new_code_cell(**own, outputs=safe_outputs(cell.get("outputs", []), allowance))


def pictures(cell: Mapping) -> dict[str, dict[str, str]]:
    """The pictures that were pasted into a text, in the forms that are no programs."""
    said = cell.get("attachments")
    found = {}
    for name, forms in said.items() if isinstance(said, Mapping) else ():
        forms = forms if isinstance(forms, Mapping) else {}
        data = {kind: _text(forms.get(kind)) for kind in PICTURES}
        found[name] = {kind: data[kind] for kind in data if data[kind]}
    return {name: forms for name, forms in found.items() if forms}


def _roles(cell: NotebookNode) -> dict:
    """nbgrader's name and roles of a cell, each of the type that it should have."""
    claims = cell.get("metadata", {}).get("nbgrader")
    if not isinstance(claims, Mapping):
        return {}
    roles = {role: claims.get(role) is True for role in ("grade", "solution", "task", "locked")}
    points = claims.get("points")
    points = float(points) if isinstance(points, int | float) else 0.0
    return {"nbgrader": {"grade_id": _text(claims.get("grade_id")), "points": points, **roles}}


def safe_outputs(outputs: Sequence[Mapping], allowance: Allowance) -> list[NotebookNode]:
    """The outputs of a cell as text and pictures, as many as a page can show."""
    shown = [safe_output(output, allowance) for output in outputs[:OUTPUTS]]
    if rest := len(outputs) - len(shown):
        shown.append(_stream(f"[{rest:,} more outputs are not shown here]", allowance))
    return shown


def safe_output(output: Mapping, allowance: Allowance) -> NotebookNode:
    """The output as text, or as one picture."""
    kind = output.get("output_type")
    if kind == "stream":
        return _stream(_text(output.get("text")), allowance)
    if kind == "error":
        said = f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}"
        lines = "\n".join(map(_text, output.get("traceback") or [said]))
        colorless = plain(cut_middle(lines, CELL_CHARS), 2 * CELL_CHARS)
        return _stream(cut_middle(colorless), allowance)
    data = output.get("data")
    data = data if isinstance(data, Mapping) else {}
    too_large = ""
    for form in PICTURES:
        picture = "".join(_text(data.get(form)).split())
        size = pixels(picture, form)
        if allowance.may_draw(size):
            described = {form: {"alt": "A picture that the cell drew"}}
            return new_output("display_data", {form: picture}, metadata=described)
        if size:
            too_large = (
                f"[a picture of {size:,} pixels is not shown here: at most {PICTURE:,} are shown,"
                f" on one page {PAGE:,}]"
            )
    if too_large:
        return _stream(too_large, allowance)
    if "text/plain" in data:
        return _stream(_text(data["text/plain"]), allowance)
    forms = ", ".join(map(str, data))
    return _stream(f"[an output that is not shown here: {forms}]", allowance)


def _stream(text: str, allowance: Allowance) -> NotebookNode:
    shown = allowance.cut(plain(text, CELL_CHARS))
    return new_output("stream", name="stdout", text=shown)


def _text(value: object) -> str:
    if isinstance(value, list):
        return "".join(map(_text, value))
    return value if isinstance(value, str) else ""
