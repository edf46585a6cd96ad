"""Files that stand over torch's own where a submission runs, without what is withheld.

Chapter: book/instructors/writing_tests.md

Threat: a module of torch's that is loaded again, or an interpreter that the learner's code starts,
would bring back what `torch_functions` has taken out of this process.
"""

import ast
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

from lmcourse.grading.withholding.torch_functions import (
    compiled,
    elsewhere,
    is_form_of,
    python_form_of,
    sentence,
)
from lmcourse.grading.withholding.withheld import Withheld

# Where the sandbox has `torch_functions` (`bubblewrap`).
IN_SANDBOX = "/opt/course/lmcourse/grading/withholding/torch_functions.py"
_TORCH = "withheld_torch"  # a folder with files that stand where torch has those of their names
_OPERATORS = ("_decomp/*.py", "_refs/**/*.py")  # torch's own versions of operators in Python
_DEFINED = re.compile(r"^(?:def|class) (\w+)", re.MULTILINE)  # at the top of a module
# What follows torch's own first file for an interpreter that has just been started.
_WITHHOLD = """

def _withhold():
    import importlib.util

    path = {path!r}  # by its place: this interpreter may have been told to find no package
    spec = importlib.util.spec_from_file_location("_withheld_functions", path)
    functions = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(functions)
    functions.apply({withheld!r})


_withhold()
del _withhold
"""


def write_into(package: Path, withheld: Withheld) -> None:
    """Put the files into a tree that stands for this package; `covers` finds them there."""
    if not (withheld.operators or withheld.attributes):
        return
    for name, text in _texts(withheld).items():
        (package / _TORCH / name).parent.mkdir(parents=True, exist_ok=True)
        (package / _TORCH / name).write_text(text, encoding="utf-8")


def covers(package: Path) -> list[tuple[str, str]]:
    """What to put over which file in a submission's own namespace: (new, old).

    Args:
        package: the tree that stands for this package, if it is a `stub_tree`.
    """
    import torch

    pairs = []
    for new in sorted((package / _TORCH).rglob("*.py")):
        old = Path(torch.__file__).parent / new.relative_to(package / _TORCH)
        # Over the compiled one, too: it is no compiled file, so Python reads the source.
        compiled = Path(importlib.util.cache_from_source(str(old)))
        pairs += [(str(new), str(path)) for path in (old, compiled) if path.exists()]
    return pairs


def _texts(withheld: Withheld) -> dict[Path, str]:
    """Torch's own first file, and after it what `apply` does; and files without what is withheld.

    Torch itself is not imported for it.
    """
    first = Path(importlib.util.find_spec("torch").origin)
    starts = _WITHHOLD.format(path=IN_SANDBOX, withheld=withheld.as_json())
    texts = {Path(first.name): first.read_text("utf-8") + starts}
    for full in (*withheld.attributes, *elsewhere(withheld.as_json())):
        module, _, name = full.rpartition(".")

        def chosen(key: str, name: str = name) -> bool:
            return key == name or is_form_of(name, key)

        for path in _may_define(first.parent, module):
            inside = path.relative_to(first.parent)
            text = texts.get(inside) or path.read_text("utf-8")
            if re.search(rf"^(def|class) {re.escape(name)}\b", text, re.MULTILINE):
                texts[inside] = _without(text, chosen, full, withheld.say)
    for pattern in map(compiled, withheld.operators):
        for path in sorted(path for some in _OPERATORS for path in first.parent.glob(some)):
            inside = path.relative_to(first.parent)
            text = texts.get(inside) or path.read_text("utf-8")
            names = {name for name in re.findall(r"\w+", text) if pattern.fullmatch(name)}
            new = _without(
                text, python_form_of(pattern, names), f"torch's {path.stem}", withheld.say
            )
            if new != text:
                texts[inside] = new
    return texts


def _may_define(torch: Path, module: str) -> list[Path]:
    """The files in which a name of a module of torch's may be defined."""
    top, *below = module.split(".")
    if top != torch.name:
        return []
    place = torch.joinpath(*below)
    found = place.glob("**/*.py" if below else "*.py")  # nothing, where it is no folder
    found = [*found, place.with_suffix(".py")]
    return sorted(path for path in found if path.exists() and path.name != "__init__.py")


def _without(text: str, chosen: Callable[[str], bool], full: str, say: str) -> str:
    """The text of a module in which the functions and classes with a chosen name raise.

    Every other line keeps its number: whoever looks up the source of something finds it there.
    """
    if not any(map(chosen, _DEFINED.findall(text))):
        return text  # most of torch's files: they are long, and parsing them takes seconds
    lines = text.split("\n")
    for node in ast.parse(text).body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or not chosen(node.name):
            continue
        first, last = node.body[0].lineno, node.body[-1].end_lineno
        head = "def __init__(self, *args, **kwargs): " if isinstance(node, ast.ClassDef) else ""
        refusal = f"{head}raise RuntimeError({sentence(full, say)!r})"
        empty = [""] * (last - first)
        # Of an overload the body stands in the last line of the head.
        before = lines[first - 1].encode()[: node.body[0].col_offset].decode()
        lines[first - 1 : last] = [before + refusal, *empty]
    return "\n".join(lines)
