"""Where tests and tools find what they import: said once, in pyproject.toml; no doubles."""

import ast
import importlib.util
import sys
import tomllib
from collections import Counter
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOLD = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PLACES = [ROOT / place for place in TOLD["tool"]["pytest"]["ini_options"].get("pythonpath", [])]
TESTS, TOOLS = sorted((ROOT / "tests").rglob("*.py")), sorted((ROOT / "tools").rglob("*.py"))
OURS = {"attacks", "benchmarks", "faults", "lmcourse"}  # packages of this project
INSTALLED = set(sys.stdlib_module_names) | set(metadata.packages_distributions()) - OURS
FREE = {
    Path(__file__).resolve(),  # speaks of it
    ROOT / "tools/forked_kernels.py",  # forks kernels that find what a new one would
    ROOT / "tools/forked_tests.py",  # forks a process that runs the tests of another folder
    ROOT / "tools/gpu.py",  # for machines on which nothing of this is installed
}

each_test_file = pytest.mark.parametrize(
    "path",
    [path for path in TESTS if path.name.startswith("test_")],
    ids=lambda path: str(path.relative_to(ROOT / "tests")),
)


def tree(path):
    return ast.parse(path.read_text("utf-8"))


def imported(path):
    """The first parts of the names that a file imports, wherever the line stands."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


def found_in(name, folders):
    """The files or packages of this name that stand in the folders."""
    candidates = [folder / f"{name}.py" for folder in folders]
    candidates += [folder / name for folder in folders]
    return {path for path in candidates if path.exists()}


@pytest.mark.parametrize("path", TESTS + TOOLS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_and_no_tool_changes_where_python_looks(path):
    edits = [
        node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr == "path"
        and isinstance(node.value, ast.Name)
        and node.value.id == "sys"
    ]
    assert edits == [] or path in FREE


@each_test_file
def test_a_test_file_can_be_collected_alone(path):
    """What it imports is found in the places of pyproject.toml, not in another test's folder."""
    for name in set(imported(path)):
        if name not in INSTALLED and importlib.util.find_spec(name) is None:
            pytest.fail(f"{name} is nowhere")
        if name not in INSTALLED:
            assert found_in(name, {*PLACES, path.parent}), name


def test_no_helper_and_no_tool_hides_a_module_of_the_same_name():
    names = [path.stem for place in PLACES for path in place.glob("*.py")]
    names += [path.parent.name for place in PLACES for path in place.glob("*/__init__.py")]
    names += [path.stem for path in TESTS if path.name[:5] == "test_" and path.parent not in PLACES]
    doubles = {name for name, n in Counter(names).items() if n > 1} - {"conftest"}
    assert doubles == set()
    assert INSTALLED & {*names} == set()
