"""What learners do to a notebook, as functions on its JSON."""

import copy
import re
from pathlib import Path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def without_markers(source: str) -> str:
    """An answer as a learner writes it."""
    return re.sub(r"^ *### (BEGIN|END) SOLUTION\n?", "", source, flags=re.MULTILINE).rstrip()


def name_of(cell: dict) -> str | None:
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def source_of(cell: dict) -> str:
    return "".join(cell["source"])


def index(nb: dict, name: str) -> int:
    return [name_of(cell) for cell in nb["cells"]].index(name)


def cell_of(nb: dict, name: str) -> dict:
    return nb["cells"][index(nb, name)]


def claims(nb: dict, name: str) -> dict:
    return cell_of(nb, name)["metadata"]["nbgrader"]


def answer(nb: dict, name: str, source: str) -> None:
    cell_of(nb, name)["source"] = source


def delete(nb: dict, name: str) -> None:
    del nb["cells"][index(nb, name)]


def double(nb: dict, name: str) -> None:
    nb["cells"].insert(index(nb, name), copy.deepcopy(cell_of(nb, name)))


def insert(nb: dict, before: str, *sources: str) -> None:
    """Extra code cells of the learner's own."""
    for source in sources:
        extra = {"cell_type": "code", "metadata": {}, "source": source}
        nb["cells"].insert(index(nb, before), {**extra, "outputs": [], "execution_count": None})
