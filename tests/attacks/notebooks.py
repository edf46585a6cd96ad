"""Attacks on the notebook itself: what it says of its cells, and what else is in it.

Each changes a notebook whose `f` is wrong; `tests` are the names of its tests.
"""

import copy
from collections.abc import Callable

from notebook_edits import answer, cell_of, claims, delete, double, index, insert


def each_test(change: Callable[[dict, str], None]) -> Callable[[dict, list[str]], None]:
    """An attack that does the same to every test cell."""

    def attack(nb: dict, tests: list[str]) -> None:
        for name in tests:
            change(nb, name)

    return attack


def _role(nb, name):
    claims(nb, name).update(grade=False, solution=True, locked=False)
    answer(nb, name, "pass")


def _points(nb, name):
    claims(nb, name)["points"] = 100


def _written(nb, name):
    claims(nb, name).update(grade=True, solution=True, locked=False, cell_type="markdown")
    cell_of(nb, name)["cell_type"] = "markdown"


def _skipped(nb, name):
    cell_of(nb, name)["metadata"]["tags"] = ["skip-execution", "raises-exception"]


def _hidden_output(nb, name):
    text = {"text/plain": "2.0"}
    output = {"output_type": "execute_result", "data": text, "metadata": {}, "execution_count": 1}
    cell_of(nb, name)["outputs"] = [output]


def _twin(nb, name):
    """A second cell of the same name, that passes, before the true one."""
    twin = copy.deepcopy(cell_of(nb, name))
    twin["source"] = "pass"
    nb["cells"].insert(index(nb, name), twin)


def _kernel(nb, tests):
    nb["metadata"] = {
        "kernelspec": {"name": "bash", "display_name": "x", "language": "bash"},
        "lmcourse": {"outcomes": {name: {"verdict": "passed", "fraction": 1} for name in tests}},
    }


def _first(nb, tests):
    insert(nb, "setup", "import lmcourse.grading.testing as t\nt.close = lambda *a, **k: None")


def _page(nb, tests):
    text = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    nb["cells"].append({"cell_type": "markdown", "metadata": {}, "source": text})


def _markers(nb, tests):
    """Marks that tools search for, where no author put them."""
    begin, end = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
    insert(nb, "f", f"x = 1\n{begin}\n", f"{end}\n{end}", "### BEGIN SOLUTION")
    nb["cells"].append({"cell_type": "markdown", "metadata": {}, "source": begin})


def _swapped(nb, tests):
    """The answer's cell is the setup, and the setup's is the answer."""
    claims(nb, "setup")["grade_id"], claims(nb, "f")["grade_id"] = "f", "setup"
    insert(nb, "setup", "get_ipython().run_cell = lambda *a, **k: None")


NOTEBOOKS = {
    "tests emptied": each_test(lambda nb, name: answer(nb, name, "pass")),
    "tests deleted": each_test(delete),
    "tests made answers": each_test(_role),
    "tests made written answers": each_test(_written),
    "tests doubled": each_test(double),
    "tests that pass, under the same names": each_test(_twin),
    "tests skipped by their tags": each_test(_skipped),
    "points raised": each_test(_points),
    "outputs forged": each_test(_hidden_output),
    "another kernel, and a verdict in the metadata": _kernel,
    "a cell before the setup": _first,
    "the setup taken for the answer": _swapped,
    "text that acts": _page,
    "markers of hidden tests": _markers,
}
