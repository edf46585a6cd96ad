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
    missing = set(withheld.names)
    for path in sorted(target.rglob("*.py")):
        parts = (package.name, *path.relative_to(target).with_suffix("").parts)
        module = ".".join(parts).removesuffix(".__init__")
        if not any(f"{name}.".startswith(f"{module}.") for name in withheld.names):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        missing -= _cut(tree, module, withheld, whole=module in withheld.names)
        path.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")
    if missing:
        raise ValueError(f"withheld names must exist, got {', '.join(sorted(missing))}")
    torch_files.write_into(target, withheld)
    return target


def _cut(scope: Any, name: str, withheld: Withheld, *, whole: bool) -> set[str]:
    """Cut the withheld definitions of a module or class; the names that were found."""
    found = {name} if whole else set()
    for node in scope.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        full = f"{name}.{node.name}"
        if whole or full in withheld.names:
            found.add(full)
            _empty(node, full, withheld.say)
        elif isinstance(node, ast.ClassDef):
            found |= _cut(node, full, withheld, whole=False)
    return found


def _empty(node: Any, full: str, say: str) -> None:
    refusal = ast.parse(f"raise RuntimeError({sentence(full, say)!r})").body
    if isinstance(node, ast.ClassDef):
        [init] = ast.parse("def __init__(self, *args, **kwargs): pass").body
        init.body, refusal = refusal, [init]
    node.decorator_list = []
    node.body = refusal
