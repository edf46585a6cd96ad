"""Right notebooks of `attention`, as learners of many habits would hand them in.

Each style is a function on the JSON of a right notebook. Where it writes no answer of its own, the
notebook has one of the right answers of tests/faults, another one for each style.
"""

import json
import re
from collections.abc import Callable

from class_attention import POINTS, Classroom
from faults import attention as faults
from notebook_edits import answer, cell_of, index, insert, name_of, source_of, without_markers
from right_sources import SOURCES

Style = Callable[[dict], None]


def notebooks(room: Classroom) -> dict[str, str]:
    """The text of each notebook file, by the name of its style."""
    made = {}
    for number, (name, style) in enumerate(STYLES.items()):
        nb = room.right()
        for task in POINTS:
            answer(nb, task, _variant(room, task, number))
        own = SOURCES.get(name, {})
        for task in own.keys() & POINTS.keys():
            answer(nb, task, own[task])
        style(nb)
        made[name] = json.dumps(nb, indent=1, ensure_ascii=False)
    # An editor on Windows writes the file itself so, too.
    made["Windows line ends"] = "\ufeff" + made["Windows line ends"].replace("\n", "\r\n")
    return made


def _variant(room: Classroom, task: str, number: int) -> str:
    """The solution, or one of the right answers to a task, in turns."""
    mine = [a.source(room.solved(task)) for a in faults.RIGHT if a.task == task]
    return without_markers([room.solved(task), *mine][number % (len(mine) + 1)])


def _nothing_more(nb: dict) -> None:
    """The answers themselves are the style."""


def _each_answer(change: Callable[[str], str]) -> Style:
    def style(nb: dict) -> None:
        for task in POINTS:
            answer(nb, task, change(source_of(cell_of(nb, task))))

    return style


def _first_lines(lines: str) -> Callable[[str], str]:
    """Statements at the start of each function and method."""

    def change(source: str) -> str:
        head = r'(^( *)def [^\n]*?(?:\([^)]*\))[^\n]*:\n(?:\2 +""".*?"""\n)?)'
        return re.sub(head, lambda m: m[1] + _indented(lines, m[2] + "    "), source, flags=re.M)

    return change


def _indented(lines: str, space: str) -> str:
    return "".join(f"{space}{line}\n" for line in lines.splitlines())


def _talks(nb: dict) -> None:
    says = "import sys, warnings\nwarnings.warn('is this right?', stacklevel=2)\n"
    _each_answer(_first_lines(f"{says}print('here', file=sys.stderr)"))(nb)
    insert(nb, "dot_product", "import warnings\nwarnings.simplefilter('always')")


def _prints(nb: dict) -> None:
    _each_answer(_first_lines("print('called with', {k: type(v) for k, v in locals().items()})"))(
        nb
    )
    _each_answer(lambda source: f"{source}\n\nprint('defined')\n1 + 1")(nb)


def _tabs(nb: dict) -> None:
    def change(source: str) -> str:
        return re.sub("^( {4})+", lambda m: "\t" * (len(m[0]) // 4), source, flags=re.M)

    _each_answer(change)(nb)


def _windows(nb: dict) -> None:
    for cell in nb["cells"]:
        cell["source"] = source_of(cell).replace("\n", "\r\n")


def _backwards(nb: dict) -> None:
    """The tasks from the last to the first; each before its tests."""
    tasks = [n for n, c in enumerate(nb["cells"]) if source_of(c).startswith("## Task")]
    ends = [*tasks[1:], len(nb["cells"])]
    parts = [nb["cells"][a:b] for a, b in zip(tasks, ends, strict=True)]
    nb["cells"][tasks[0] :] = [cell for part in reversed(parts) for cell in part]


def _answers_first(nb: dict) -> None:
    """All answers in one block under the setup, all tests at the end."""
    own = [cell for cell in nb["cells"] if name_of(cell) in POINTS]
    rest = [cell for cell in nb["cells"] if name_of(cell) not in POINTS]
    at = [name_of(cell) for cell in rest].index("setup") + 1
    nb["cells"] = rest[:at] + own + rest[at:]


def _scratch(nb: dict) -> None:
    """Cells of its own between all others, some of which do not work."""
    tried = (
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()",
        "%timeit -n 1 -r 1 sum(range(100))",
        "!echo hello",
        "attention?",
        "x = torch.randn(2, 3)\nx @ x",
        "del x",
        "raise KeyboardInterrupt",
        "import nowhere",
        "def broken(:",
        "",
        "# nothing came of this",
    )
    for task in POINTS:
        insert(nb, task, *tried)
    notes = {"cell_type": "markdown", "metadata": {}, "source": "## My notes\n\n* √D!"}
    nb["cells"].insert(index(nb, "masks"), notes)
    nb["cells"].append({"cell_type": "raw", "metadata": {}, "source": "the end"})


def _helpers(nb: dict) -> None:
    insert(nb, "dot_product", SOURCES["helper functions"]["helpers"])


def _in_one_cell(nb: dict) -> None:
    """All answers in the first one's cell; the other cells only say so."""
    own = [source_of(cell_of(nb, task)) for task in POINTS]
    for task in POINTS:
        answer(nb, task, "# see the first cell")
    answer(nb, "dot_product", "\n\n\n".join(own))


def _future(nb: dict) -> None:
    _each_answer(lambda source: f"from __future__ import annotations\n\n{source}")(nb)


def _saved_elsewhere(nb: dict) -> None:
    """Metadata, outputs and counts as other editors leave them."""
    nb["metadata"] |= {"kernelspec": {"name": "venv", "display_name": "my env"}, "colab": {}}
    for number, cell in enumerate(nb["cells"]):
        cell["metadata"] |= {"id": f"c{number}", "colab": {"base_uri": "x"}, "scrolled": True}
        if cell["cell_type"] == "code":
            said = {"output_type": "stream", "name": "stderr", "text": "old\n"}
            cell.update(execution_count=number, outputs=[said])


STYLES: dict[str, Style] = {
    "warnings and prints on stderr": _talks,
    "prints and values": _prints,
    "helper functions": _helpers,
    "objects that are called": _nothing_more,
    "numpy detours": _nothing_more,
    "lambdas and partial": _nothing_more,
    "einsum everywhere": _nothing_more,
    "loops, nothing in place": _nothing_more,
    "unicode names": _nothing_more,
    "star imports": _nothing_more,
    "odd quotes": _nothing_more,
    "torch as t": _nothing_more,
    "functions in functions": _nothing_more,
    "dataclasses": _nothing_more,
    "walrus and match": _nothing_more,
    "logging and tqdm": _nothing_more,
    "decorators and caches": _nothing_more,
    "names used twice": _nothing_more,
    "tabs": _tabs,
    "Windows line ends": _windows,
    "tasks backwards": _backwards,
    "answers first": _answers_first,
    "extra cells": _scratch,
    "all in one cell": _in_one_cell,
    "annotations from the future": _future,
    "saved by another editor": _saved_elsewhere,
}
