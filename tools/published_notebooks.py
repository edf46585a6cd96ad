"""The executed notebooks, as they are published for Colab and Binder.

    python tools/published_notebooks.py TARGET

Colab opens one file and has no copy of the course, so each notebook with code begins with a cell
that installs the package where it is missing. And `glue`, with which the book takes numbers from
cells into its text, becomes a function that does nothing: Colab does not have its library.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
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


def published(page: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy of the notebook that runs by itself; one without code stays as it is."""
    copy = nbformat.from_dict(page)
    code = [cell for cell in copy.cells if cell.cell_type == "code"]
    if not code:
        return copy
    for cell in code:
        cell.source = GLUE.sub(NO_GLUE, cell.source)
    packages = [COURSE]
    if any("import tiktoken" in cell.source for cell in code):
        packages.append("tiktoken")
    first = nbformat.v4.new_code_cell(INSTALL.format(packages=" ".join(packages)), id="install")
    copy.cells.insert(0, first)
    return copy


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
        nbformat.write(published(nbformat.read(source, as_version=4)), path)
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
