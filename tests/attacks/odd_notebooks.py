"""Attacks by what a notebook says beside its code: ids, metadata, outputs, and sizes of all of it.

Each changes a notebook whose `f` is wrong; `tests` are the names of its tests.
"""

import copy
from collections.abc import Callable

from notebook_edits import answer, cell_of, claims, index, insert

_ACTS = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def _code(nb: dict, *sources: str, **more: object) -> None:
    for source in sources:
        cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        nb["cells"].append({**cell, "source": source, **more})


def _words(nb: dict, *sources: str, **more: object) -> None:
    for source in sources:
        nb["cells"].append({"cell_type": "markdown", "metadata": {}, "source": source, **more})


def _ids(nb, tests):
    odd = ["../../owned", _ACTS, "a" * 1_000_000, "", "x\0y", 5, None, ["x"], {"a": 1}]
    for cell, own in zip(nb["cells"], odd, strict=False):
        cell["id"] = own
    for cell in nb["cells"][len(odd) :]:
        cell["id"] = "the same"


def _grade_ids(nb, tests):
    for name in ("../../../owned", _ACTS, "\x1b[2J\x1b]0;x\x07", "__proto__", "a" * 1_000_000, 5):
        _code(nb, "1", metadata={"nbgrader": {**claims(nb, "f"), "grade_id": name}})


def _look_alikes(nb, tests):
    """Cells that pass, before the true ones, under names that look the same."""
    for name in tests:
        for other in (f"{name}\u200b", name.replace("e", "\u0435"), f" {name}", name.upper()):
            twin = copy.deepcopy(cell_of(nb, name))
            twin["metadata"]["nbgrader"]["grade_id"], twin["source"] = other, "pass"
            nb["cells"].insert(index(nb, name), twin)


def _deep(nb, tests):
    deep: dict = {}
    for _ in range(400):
        deep = {"a": [deep]}
    nb["metadata"]["deep"] = deep
    for cell in nb["cells"]:
        cell["metadata"]["deep"] = deep


def _large(nb, tests):
    nb["metadata"]["large"] = "x" * 5_000_000
    nb["metadata"] |= {f"key {n}": n for n in range(50_000)}


def _attachments(nb, tests):
    text = "![x](attachment:x.png) ![y](attachment:../../key) <img src='attachment:x.svg'>"
    svg = {"image/svg+xml": f"<svg onload='alert(1)'>{_ACTS}</svg>", "text/html": _ACTS}
    for odd in ({"x.png": svg, "x.svg": svg}, {"x.png": {"image/png": 5}}, {"x.png": 5}, [1], "x"):
        _words(nb, text, attachments=odd)


def _outputs(nb, tests):
    page = {"output_type": "display_data", "metadata": {}, "data": {"text/html": _ACTS}}
    lists = ["x", {"a": 1}, 5, [5], [{"output_type": "own"}], [{}], [page] * 1_000, None]
    for cell, outputs in zip(nb["cells"], lists, strict=False):
        cell["outputs"] = outputs
    for name in tests:
        cell_of(nb, name)["outputs"] = [{**page, "data": {"application/javascript": "alert(1)"}}]


def _sources(nb, tests):
    for source in (5, None, True, {"a": "x = 1"}, [1, ["x = 1"], None], [["x"]], 1e308):
        _code(nb, source)
        _words(nb, source)
    for name in tests:
        cell_of(nb, name)["source"] = {"text": "pass"}


def _counts(nb, tests):
    for cell, count in zip(nb["cells"], (-1, 10**300, 1.5, "x", [], True, None), strict=False):
        cell["execution_count"] = count
    nb["nbformat_minor"] = 10**300


def _no_numbers(nb, tests):
    """JSON of Python's, which has more numbers than JSON."""
    nan, endless = float("nan"), float("inf")
    for name, points in zip(tests, (nan, endless, -5, 1e308, "100", True, [100]), strict=False):
        claims(nb, name)["points"] = points
    nb["metadata"]["lmcourse"] = {"score": nan, "digest": endless}


def _half_signs(nb, tests):
    half = "\ud800"
    nb["metadata"][half] = half
    _words(nb, f"# {half}")
    _code(nb, f"# {half}\nprint('\\ud800')\nname_{half} = 1", id=half, metadata={half: half})
    claims(nb, tests[0])["checksum"] = half


def _endless_words(nb, tests):
    """Markdown over which parsers think long."""
    forms = ("[" * 90_000, "*a " * 60_000, "> " * 60_000, "`" * 90_000, "<!--" * 40_000)
    _words(nb, *forms, "$$" + "{" * 90_000, "![" * 60_000, "a\n" * 80_000, "|" * 150_000)


def _endless_code(nb, tests):
    """Code over which highlighters and readers think long."""
    forms = ("(" * 190_000, "'" * 190_001, "\\" * 190_000, "%" * 190_000, "f'{" * 60_000)
    _code(nb, *forms, "0x" * 90_000, "\n" * 190_000, "#" * 190_000, "@" * 190_000, "-" * 190_000)


def _failing_cells(nb, tests):
    for number in range(800):
        insert(nb, "f", f"raise ValueError({number}, '{_ACTS}')")


def _magics(nb, tests):
    insert(
        nb,
        "f",
        "%%script bash\ncat /etc/passwd; touch owned; kill -9 -1",
        "%run /etc/passwd",
        "%load https://localhost/x.py",
        "%%writefile /learner/aim.ipynb\n{}",
        "%store -r\n%autocall 2\n%automagic on\n%xmode Verbose",
        "%alias_magic time timeit\n%alias print echo",
        "%config InteractiveShell.ast_node_interactivity = 'all'",
        "%load_ext autoreload\n%autoreload 3",
        "!kill -9 -1",
        "%kill_embedded --yes\n%quit",
    )


def _checksums(nb, tests):
    """Roles, checksums and versions of nbgrader's as they would be after grading."""
    for name in tests:
        own = {"grade": True, "solution": True, "locked": False, "task": True}
        claims(nb, name).update(own, schema_version=99, checksum=claims(nb, "setup")["checksum"])
        claims(nb, name)["score"] = claims(nb, name)["max_score"] = claims(nb, name)["auto"] = 1.0
        answer(nb, name, "pass")


def _no_claims(nb, tests):
    """What nbgrader reads of a cell is of another kind."""
    odd = [[1], "x", 5, None, True, {"grade_id": ["test_0"]}, {"grade_id": {"a": 1}}]
    for cell, claim in zip(nb["cells"], odd, strict=False):
        cell["metadata"]["nbgrader"] = claim
    nb["cells"][-1]["metadata"] = ["nbgrader"]


def _kernel(nb, tests):
    argv = ["/bin/sh", "-c", "touch owned"]
    nb["metadata"] = {
        "kernelspec": {"name": "../../owned", "display_name": _ACTS, "argv": argv, "language": 5},
        "kernel_info": {"name": _ACTS},
    }


def _page_settings(nb, tests):
    """What nbconvert reads of a notebook for its page."""
    state = {"x": {"model_name": "HTMLModel", "state": {"value": f"</script>{_ACTS}"}}}
    widget = {"version_major": 2, "version_minor": 0, "state": state}
    nb["metadata"] = {
        "title": f"</title>{_ACTS}",
        "authors": [{"name": _ACTS}],
        "widgets": {"application/vnd.jupyter.widget-state+json": widget},
        "language_info": {
            "name": _ACTS,
            "pygments_lexer": "../../owned",
            "file_extension": "/../../owned.py",
            "nbconvert_exporter": "os.system",
            "codemirror_mode": {"name": _ACTS},
            "mimetype": _ACTS,
        },
        "rise": {"header": _ACTS},
    }


def _tags(nb, tests):
    hides = ["hide-cell", "remove_cell", "remove-input", "parameters", "injected-parameters"]
    for cell in nb["cells"]:
        cell["metadata"] |= {"tags": hides, "slideshow": _ACTS, "jupyter": {"source_hidden": True}}
        cell["metadata"] |= {"collapsed": _ACTS, "format": "text/html", "name": _ACTS}
    _words(nb, _ACTS)
    nb["cells"].append({"cell_type": "raw", "metadata": {"format": "text/html"}, "source": _ACTS})


def _kinds(nb, tests):
    for kind in ("heading", "CODE", "", None, 5, ["code"], "x" * 100_000, _ACTS):
        _code(nb, "1 / 0", cell_type=kind, level=-1)
    for name in tests[:3]:
        cell_of(nb, name)["cell_type"] = {"code": 1}


def _cells_in_cells(nb, tests):
    inner = copy.deepcopy(nb["cells"])
    for cell in inner:
        cell["source"] = "pass"
    nb["cells"] = [*nb["cells"], 5, None, "x", inner, [], {}, {"cells": inner}]
    nb["worksheets"] = [{"cells": inner}]


def _ends_of_lines(nb, tests):
    """What one reader takes for the end of a line, and another does not."""
    for sign in "\x0b\x0c\x1c\x85\u2028\u2029":
        insert(nb, tests[0], f"# {sign}def f(x): return 2 * x", f"'{sign} 1'", f"{sign}%time 1")
        _words(nb, f"{sign}# A title{sign}{_ACTS}")


ODD_NOTEBOOKS: dict[str, Callable[[dict, list[str]], None]] = {
    "ids that act, and ids of all sizes": _ids,
    "grade ids that act, and one of a million characters": _grade_ids,
    "tests that pass, under names that look the same": _look_alikes,
    "metadata within metadata": _deep,
    "metadata without end": _large,
    "attachments that are none": _attachments,
    "outputs that are none, and pages among them": _outputs,
    "sources that are no text": _sources,
    "counts of no kind": _counts,
    "points that are no numbers": _no_numbers,
    "halves of signs everywhere": _half_signs,
    "words over which parsers think long": _endless_words,
    "code over which highlighters think long": _endless_code,
    "eight hundred cells that fail": _failing_cells,
    "magics that leave": _magics,
    "roles and checksums as after grading": _checksums,
    "claims of another kind": _no_claims,
    "a kernel that starts a program": _kernel,
    "settings of the page": _page_settings,
    "tags that hide, and raw pages": _tags,
    "cells of unknown kinds": _kinds,
    "cells within cells": _cells_in_cells,
    "lines that end elsewhere": _ends_of_lines,
}
