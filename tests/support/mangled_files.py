"""What editors and platforms make of the file of a right notebook of the tiny course.

TOOLS and FORMATS keep all points of the tests; they get the notebook's JSON and change it, or
return what the file holds. BROKEN are files of which nothing can be read: the row says what to do,
in the words beside each.
"""

import copy
import json
from collections.abc import Callable

from mangled_cells import lose_names
from notebook_edits import source_of

Change = Callable[[dict], bytes | str | None]


def _about(**metadata) -> Change:
    return lambda nb: nb["metadata"].update(metadata)


def _in_cells(own: Callable[[int], dict], **metadata) -> Change:
    """Metadata of each cell, and of the notebook."""

    def change(nb: dict) -> None:
        nb["metadata"].update(metadata)
        for number, cell in enumerate(nb["cells"]):
            cell["metadata"].update(own(number))

    return change


def _kernel(name: str, language: str = "python", **info) -> Change:
    spec = {"name": name, "display_name": f"{name} [conda]", "language": language}
    return _about(kernelspec=spec, language_info={"name": language, **info})


def _run(nb: dict) -> None:
    """As after Run All: counts, outputs, pictures, an error."""
    page = {"text/html": "<b>1</b>", "text/plain": "1", "image/png": "iVBORw0KGgo="}
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["a\n", "b"]},
        {"output_type": "execute_result", "data": page, "metadata": {}, "execution_count": 3},
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["\x1b[31mE\x1b[0m"]},
    ]
    for number, cell in enumerate(nb["cells"]):
        if cell["cell_type"] == "code":
            cell.update(execution_count=number, outputs=copy.deepcopy(outputs))


def _minor(minor: int, *, ids: bool) -> Change:
    def change(nb: dict) -> None:
        nb["nbformat_minor"] = minor
        for cell in nb["cells"]:
            if not ids:
                cell.pop("id", None)

    return change


def _ids(make: Callable[[int], object]) -> Change:
    def change(nb: dict) -> None:
        for number, cell in enumerate(nb["cells"]):
            cell["id"] = make(number)

    return change


def _format_3(nb: dict) -> str:
    """Worksheets, `input` for the source of code, headings as cells of their own."""
    cells = []
    for cell in nb["cells"]:
        old = {"cell_type": cell["cell_type"], "metadata": cell["metadata"]}
        if cell["cell_type"] == "code":
            old |= {"input": source_of(cell), "language": "python", "prompt_number": 1}
            old |= {"outputs": [], "collapsed": False}
        else:
            old["source"] = source_of(cell)
        cells.append(old)
    heading = {"cell_type": "heading", "level": 1, "metadata": {}, "source": "Mine"}
    sheets = [{"cells": [heading, *cells[:4]], "metadata": {}}, {"cells": cells[4:]}]
    whole = {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": sheets}
    return json.dumps(whole)


def _sources(change: Callable[[str], object]) -> Change:
    def edit(nb: dict) -> None:
        for cell in nb["cells"]:
            cell["source"] = change(source_of(cell))

    return edit


def _without(*fields: str) -> Change:
    def drop(nb: dict) -> None:
        for cell in nb["cells"]:
            for field in fields:
                cell.pop(field, None)

    return drop


def _fields(**values) -> Change:
    return lambda nb: [cell.update(values) for cell in nb["cells"]] and None


def _dropped(*fields: str) -> Change:
    return lambda nb: [nb.pop(field, None) for field in fields] and None


def _text(nb: dict, **options) -> str:
    return json.dumps(nb, **{"indent": 1, "ensure_ascii": False, **options}) + "\n"


def _large(nb: dict) -> None:
    _run(nb)
    for cell in nb["cells"]:
        for output in cell.get("outputs", [])[:1]:
            output["text"] = "plot " * 1_500_000


_DATABRICKS = "application/vnd.databricks.v1+"
TOOLS: dict[str, Change] = {
    "Colab": _in_cells(
        lambda n: {
            "id": f"x{n}",
            "outputId": "y",
            "colab": {"base_uri": "https://localhost:8080/"},
        },
        colab={"provenance": [], "toc_visible": True, "name": "Copy of tiny.ipynb"},
        accelerator="GPU",
        kernelspec={"name": "python3", "display_name": "Python 3"},
        language_info={"name": "python"},
    ),
    "Colab, names lost": lambda nb: (lose_names(nb), nb["metadata"].update(colab={}))[1],
    "Colab, a form": _in_cells(lambda n: {"cellView": "form"}),
    "VS Code": _in_cells(lambda n: {"vscode": {"languageId": "python"}}, orig_nbformat=4),
    "VS Code, its own Python": _kernel("python3", version="3.12.4", pygments_lexer="ipython3"),
    "JupyterLab": _in_cells(lambda n: {"editable": True, "slideshow": {"slide_type": ""}}),
    "JupyterLab, a heading folded": _in_cells(lambda n: {"jp-MarkdownHeadingCollapsed": True}),
    "JupyterLab, cells hidden": _in_cells(
        lambda n: {"jupyter": {"source_hidden": True, "outputs_hidden": True}, "collapsed": True}
    ),
    "JupyterLite": _kernel("python", codemirror_mode={"name": "python", "version": 3}),
    "the classic notebook": _in_cells(lambda n: {"scrolled": True}, celltoolbar="Edit Metadata"),
    "its contents and variables": _about(
        toc={"base_numbering": 1, "toc_cell": False}, varInspector={"cols": {"lenName": 16}}
    ),
    "its slides": _in_cells(
        lambda n: {"slideshow": {"slide_type": "slide"}}, rise={"scroll": True}
    ),
    "nbgrader's own marks": _about(celltoolbar="Create Assignment", nbgrader={"x": 1}),
    "Databricks": _in_cells(
        lambda n: {f"{_DATABRICKS}cell": {"nuid": f"{n}", "title": "", "inputWidgets": {}}},
        **{f"{_DATABRICKS}notebook": {"language": "python", "widgets": {}}},
    ),
    "Kaggle": _in_cells(
        lambda n: {"_uuid": "8f2839f25d", "_kg_hide-input": True, "trusted": True},
        kaggle={"accelerator": "none", "dataSources": [], "isGpuEnabled": False},
    ),
    "SageMaker": _kernel("conda_pytorch_p310", file_extension=".py"),
    "SageMaker Studio": _about(
        instance_type="ml.t3.medium", availableInstances=[{"_defaultOrder": 0, "vcpuNum": 2}] * 40
    ),
    "Deepnote": _in_cells(
        lambda n: {"deepnote_cell_type": "code", "source_hash": "b623e53d", "execution_start": 17},
        deepnote_notebook_id="x",
        deepnote={},
    ),
    "Azure ML": _in_cells(
        lambda n: {"gather": {"logged": 1700000000000}, "nteract": {"transient": {}}},
        microsoft={"host": {"AzureML": {"notebookHasBeenCompleted": True}}},
        kernel_info={"name": "python38-azureml"},
    ),
    "nteract": _in_cells(lambda n: {"inputHidden": False}, nteract={"version": "0.15.0"}),
    "PyCharm": _in_cells(lambda n: {"pycharm": {"name": "#%%\n", "is_executing": True}}),
    "Emacs": _in_cells(lambda n: {"ein.tags": "worksheet-0", "ein.hycell": False}),
    "CoCalc": _in_cells(lambda n: {"cocalc": {"last_runtime": 1}}, **{"kernel": "python3-ubuntu"}),
    "Papermill": _in_cells(
        lambda n: {"papermill": {"duration": 0.1, "status": "completed"}, "tags": ["parameters"]},
        papermill={"input_path": "tiny.ipynb", "parameters": {}},
    ),
    "jupytext, paired": _in_cells(
        lambda n: {"lines_to_next_cell": 2},
        jupytext={"formats": "ipynb,py:percent", "cell_metadata_filter": "-all"},
    ),
    "Hydrogen and Quarto": _about(title="x", jupyter="python3", format={"html": {"toc": True}}),
    "widgets": _about(widgets={"application/vnd.jupyter.widget-state+json": {"state": {}}}),
    "run once": _run,
    "outputs of 30 MB": _large,
    "times of each cell": _in_cells(
        lambda n: {"execution": {"iopub.execute_input": "2026-01-01T00:00:00Z"}, "ExecuteTime": {}}
    ),
    "a kernel of R": _kernel("ir", "R"),
    "a kernel of Julia": _kernel("julia-1.10", "julia", file_extension=".jl"),
    "a kernel of Python 2": _kernel("python2", version="2.7.18"),
    "a kernel in a folder": _kernel("venv (Python 3.11.7) /home/ada/änv"),
    "attachments": _fields(attachments={"x.png": {"image/png": "iVBORw0KGgo="}}),
}
FORMATS: dict[str, Change] = {
    "a mark of byte order": lambda nb: "\ufeff" + _text(nb),
    "Windows' line ends": lambda nb: _text(nb).replace("\n", "\r\n"),
    "both": lambda nb: "\ufeff" + _text(nb).replace("\n", "\r\n"),
    "Windows' line ends in the cells": _sources(lambda text: text.replace("\n", "\r\n")),
    "old Macs' line ends in the cells": _sources(lambda text: text.replace("\n", "\r")),
    "one line": lambda nb: _text(nb, indent=None, separators=(",", ":")),
    "indented by tabs": lambda nb: _text(nb, indent="\t"),
    "keys in order": lambda nb: _text(nb, sort_keys=True),
    "keys the other way round": lambda nb: _text(dict(reversed(nb.items()))),
    "all signs escaped": lambda nb: _text(nb, ensure_ascii=True),
    "blank lines around": lambda nb: "\n\n  " + _text(nb) + "\n\n",
    "lines in lists": _sources(lambda text: text.splitlines(keepends=True)),
    "letters in lists": _sources(list),
    "format 4.0": _minor(0, ids=False),
    "format 4.2": _minor(2, ids=False),
    "format 4.4": _minor(4, ids=False),
    "format 4.5 without ids": _minor(5, ids=False),
    "format 4.4 with ids": _minor(4, ids=True),
    "format 4.9": _minor(9, ids=True),
    "format 3": _format_3,
    "no format": _dropped("nbformat", "nbformat_minor"),
    "no metadata": _dropped("metadata"),
    "one id for all": _ids(lambda n: "x"),
    "ids with blanks": _ids(lambda n: f"cell {n}!"),
    "ids that are numbers": _ids(lambda n: n),
    "ids that are too long": _ids(lambda n: f"{n}" * 200),
    "no outputs": _without("outputs"),
    "no counts": _without("execution_count"),
    "counts that are text": _fields(execution_count="7"),
    "more beside the cells": lambda nb: nb.update(signature="", cells_2=[], author="ada"),
}
BROKEN: dict[str, tuple[Callable[[dict], bytes | str], str]] = {
    "an empty file": (lambda nb: "", "the file is empty"),
    "half a file": (lambda nb: _text(nb)[:900], "its JSON is broken"),
    "a comma too many": (lambda nb: _text(nb).replace("]", ",]"), "its JSON is broken"),
    "a page to log in": (lambda nb: "<!doctype html><title>Log in</title>", "its JSON is broken"),
    "a script": (lambda nb: "# %%\ndef double(x):\n    return 2 * x\n", "its JSON is broken"),
    "an archive": (lambda nb: b"PK\x03\x04" + bytes(100), "it is not a notebook"),
    "UTF-16": (lambda nb: _text(nb).encode("utf-16"), "its text is not UTF-8"),
    "Latin-1": (
        lambda nb: _text({**nb, "author": "Zoë"}).encode("latin-1", "replace"),
        "its text is not UTF-8",
    ),
    "two versions": (
        lambda nb: _text(nb).replace('\n "cells"', '\n<<<<<<< HEAD\n "cells"', 1),
        "git could not merge",
    ),
    "JSON in JSON": (lambda nb: json.dumps(_text(nb)), "it is JSON, but not a notebook"),
    "a list of cells": (lambda nb: json.dumps(nb["cells"]), "it is JSON, but not a notebook"),
    "settings": (lambda nb: '{"version": 1}', "it has no list of cells"),
    "format 1": (
        lambda nb: json.dumps({"cells": [{"cell_type": "code", "code": "1", "prompt_number": 1}]}),
        "it has nbformat 1",
    ),
    "a thousand cells": (
        lambda nb: _text({**nb, "cells": [*nb["cells"], *nb["cells"][:1] * 1_000]}),
        "at most 1,000 are read",
    ),
}
