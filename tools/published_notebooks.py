"""The executed notebooks, as they are published for Colab and Binder.

    python tools/published_notebooks.py TARGET

Colab opens one file and has no copy of the course, so each notebook with code begins with a cell
that installs the package where it is missing. And `glue`, with which the book takes numbers from
cells into its text, becomes a function that does nothing: Colab does not have its library. The text
is plain Markdown (tools/plain_markdown.py), what the page folds or hides is folded, and what the
book asserts behind the scenes does not stop a reader who changes a number: it prints a line.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from ext.number_bands import glued_numbers
from plain_markdown import Plain, calm_asserts, drawing_style, read_references

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
EXECUTED = ROOT / "_build/jupyter_execute/book"
INSTALL = """\
# Where the course is not installed, as on Colab: get it, in a minute or two
from importlib.util import find_spec

if find_spec("lmcourse") is None:
    %pip install --quiet {packages}"""
COURSE = "git+https://github.com/lmcourse/lmcourse"
GLUE = re.compile(r"^from myst_nb import glue$", re.MULTILINE)
NO_GLUE = """\
def glue(name, number, display=False):
    \"\"\"In the book this takes a number into the text; here it does nothing.\"\"\""""


CHANGED = "This is not as in the book: something above was changed."
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


def published(
    page: nbformat.NotebookNode, folder: Path = BOOK, numbers: Mapping[str, str] | None = None
) -> nbformat.NotebookNode:
    """A copy of the notebook that runs by itself and reads well where no book is built.

    Args:
        folder: of the page's source, from which what it includes is found.
        numbers: what the page's cells took into its text, printed, by name.
    """
    copy = nbformat.from_dict(page)
    _write_plainly(copy, folder, numbers or {})
    code = [cell for cell in copy.cells if cell.cell_type == "code"]
    if not code:
        return copy
    for cell in code:
        cell.source = GLUE.sub(NO_GLUE, cell.source)
        tags = set(cell.metadata.get("tags", []))
        if tags & FOLDED:
            cell.metadata["jupyter"] = {"source_hidden": True}
        if "remove-cell" in tags and "assert " in cell.source:
            cell.source = calm_asserts(cell.source, CHANGED)
    packages = [COURSE]
    if any("import tiktoken" in cell.source for cell in code):
        packages.append("tiktoken")
    first = nbformat.v4.new_code_cell(INSTALL.format(packages=" ".join(packages)), id="install")
    copy.cells.insert(0, first)
    return copy


def _write_plainly(page: nbformat.NotebookNode, folder: Path, numbers: Mapping[str, str]) -> None:
    plain = Plain(
        folder=folder,
        numbers=numbers,
        references=read_references(BOOK / "references.bib"),
        style=drawing_style((BOOK / "_static/lmcourse.css").read_text(encoding="utf-8")),
    )
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source, pictures = plain.cell(cell.source)
            if pictures:
                cell.attachments = pictures


def _numbers(executed: Path) -> dict[str, str]:
    """What the build has kept of the page's numbers, beside its notebook."""
    kept = executed.with_suffix(".glue.json")
    if not kept.is_file():
        return {}
    return glued_numbers(json.loads(kept.read_text(encoding="utf-8")))


def publish(executed: Path, target: Path) -> list[Path]:
    """Writes the copies under `target`, in the folders that they have under `executed`.

    Raises:
        FileNotFoundError: the book was not built.
    """
    sources = sorted(executed.rglob("*.ipynb"))
    if not sources:
        raise FileNotFoundError(f"there must be notebooks in {executed}: run make book")
    written = []
    for source in sources:
        path = target / source.relative_to(executed)
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = BOOK / source.relative_to(executed).parent
        page = nbformat.read(source, as_version=4)
        nbformat.write(published(page, folder, _numbers(source)), path)
        written.append(path)
    return written


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="the folder to write into")
    target = parser.parse_args(arguments).target
    try:
        print(f"{len(publish(EXECUTED, target))} notebooks in {target}")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
