"""A copy of this package without the answers that an assignment withholds.

Chapter: book/instructors/writing_tests.md

Threat: full points for calling the answer instead of writing it. The copy is bound over the real
package before anything imports it, so the answers are not there.
"""

import ast
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from lmcourse.grading.withholding import torch_files
from lmcourse.grading.withholding.torch_functions import __name__ as _FUNCTIONS
from lmcourse.grading.withholding.torch_functions import sentence
from lmcourse.grading.withholding.withheld import Withheld


def require(withheld: Withheld, package: Path) -> None:
    """Return only where all that is withheld is there to withhold, tried in another process.

    Raises:
        ValueError: with the name that is not.
    """
    with tempfile.TemporaryDirectory(prefix="lmcourse-") as folder:
        stub_tree(package, Path(folder) / package.name, withheld)
    if not (withheld.operators or withheld.attributes):
        return
    script = (
        f"import json, sys\nfrom {_FUNCTIONS} import apply\n"
        "try: apply(json.loads(sys.argv[1]))\nexcept ValueError as error: sys.exit(str(error))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(withheld.as_json())],
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(done.stderr.strip().splitlines()[-1] if done.stderr else "it failed")


def stub_tree(package: Path, target: Path, withheld: Withheld) -> Path:
    """A copy of the package without what is withheld: its bodies raise and say why.

    Raises:
        ValueError: a name is not there to withhold, or an operator is no regular expression.
    """
    # Weights are megabytes for each server, and no task reads them.
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "*.safetensors")
    shutil.copytree(package, target, ignore=ignored)
    trees = {
        module: (path, ast.parse(path.read_text(encoding="utf-8")))
        for module, path in _modules(package.name, target).items()
        if any(_stands_in(name, module) or _stands_in(module, name) for name in withheld.names)
    }
    there = {full for module, (_, tree) in trees.items() for full in _names(tree, module)}
    if missing := {*withheld.names} - there:
        raise ValueError(f"withheld names must exist, got {', '.join(sorted(missing))}")
    for module, (path, tree) in trees.items():
        _cut(tree, module, withheld, _helpers(tree, module, withheld.names))
        path.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")
    torch_files.write_into(target, withheld)
    return target


def is_withheld(full: str, names: Collection[str]) -> bool:
    """Whether a definition is one of `names`, or stands in one: in a package, module or class."""
    return any(_stands_in(full, name) for name in names)


def withheld_helpers(package: Path, names: Collection[str]) -> list[str]:
    """What goes with withheld names, by full names: private, and used by nothing that stays."""
    return [
        full
        for module, path in _modules(package.name, package).items()
        for full in _helpers(ast.parse(path.read_text(encoding="utf-8")), module, names)
    ]


def _stands_in(full: str, name: str) -> bool:
    return f"{full}.".startswith(f"{name}.")


def _modules(name: str, folder: Path) -> dict[str, Path]:
    return {
        ".".join((name, *path.relative_to(folder).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): path
        for path in sorted(folder.rglob("*.py"))
    }


def _definitions(scope: Any) -> list[Any]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in scope.body if isinstance(node, kinds)]


def _names(scope: Any, name: str) -> Iterator[str]:
    """A module or class and all that is defined in it, by full names."""
    yield name
    for node in _definitions(scope):
        if isinstance(node, ast.ClassDef):
            yield from _names(node, f"{name}.{node.name}")
        else:
            yield f"{name}.{node.name}"


def _helpers(tree: ast.Module, module: str, names: Collection[str]) -> list[str]:
    """The private definitions of a module that withheld ones use, and nothing else there.

    They hold a part of the answer: `_Pairs` counts and merges for `learn_merges`.
    """
    nodes = {node.name: node for node in _definitions(tree)}
    gone = {name for name in nodes if is_withheld(f"{module}.{name}", names)}
    if not gone and not any(_stands_in(name, module) for name in names):
        return []
    helpers: list[str] = []
    while True:
        stays, goes = set(), set()
        for node in tree.body:
            name = getattr(node, "name", "")
            (goes if name in gone else stays).update(_used(node, module, names) - {name})
            if name not in gone and isinstance(node, ast.ClassDef):
                goes |= _used(node, module, ()) - _used(node, module, names)
        more = {name for name in nodes if name[0] == "_" and name in goes - stays} - gone
        if not more:
            return [f"{module}.{name}" for name in helpers]
        gone |= more
        helpers += sorted(more)


def _used(node: Any, module: str, names: Collection[str]) -> set[str]:
    """The names that a statement uses, withheld methods of a class aside."""
    left_out = {
        part
        for method in (_definitions(node) if isinstance(node, ast.ClassDef) else ())
        if is_withheld(f"{module}.{node.name}.{method.name}", names)
        for part in ast.walk(method)
    }
    return {
        part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part not in left_out
    }


def _cut(scope: Any, name: str, withheld: Withheld, helpers: Collection[str]) -> None:
    """Cut the withheld definitions of a module or class, and their helpers."""
    gone = set()
    for node in _definitions(scope):
        full = f"{name}.{node.name}"
        if is_withheld(full, withheld.names) or full in helpers:
            gone.add(node.name)
            _empty(node, full, withheld.say)
        elif isinstance(node, ast.ClassDef):
            _cut(node, full, withheld, helpers)
    # What is made of them while the module is loaded is not there: others must load.
    for node in scope.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            calls = [part for part in ast.walk(node.value) if isinstance(part, ast.Call)]
            if gone & {part.id for call in calls for part in ast.walk(call) if _is_name(part)}:
                node.value = ast.Constant(None)


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


def _empty(node: Any, full: str, say: str) -> None:
    refusal = ast.parse(f"raise RuntimeError({sentence(full, say)!r})").body
    if isinstance(node, ast.ClassDef):
        [init] = ast.parse("def __init__(self, *args, **kwargs): pass").body
        init.body, refusal = refusal, [init]
        # A tuple with names lets nobody write how it is made.
        node.bases = [base for base in node.bases if not ast.unparse(base).endswith("NamedTuple")]
    node.decorator_list = []
    node.body = refusal
