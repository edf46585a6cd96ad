"""The shape of the code: one order of imports, small files and functions, nothing on import."""

import ast
import json
import re
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import lmcourse

PACKAGE = Path(lmcourse.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
OUTSIDE_GRADING = [path for path in MODULES if "grading" not in path.parts]

each_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE))
)


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def layer(name):
    """`lmcourse.grading.safe_text` stands in the layer `grading`; the package itself in none."""
    return name.split(".")[1] if name.startswith("lmcourse.") else ""


def dotted(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path):
    """All that a file imports, wherever the line stands; `from a import b` gives a and a.b."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: imports must be absolute"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def functions(path):
    return [
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def lines_of_code(function):
    """Its lines without decorators and docstring: what one has to hold in mind."""
    body = function.body
    has_docstring = ast.get_docstring(function) is not None
    docstring = body[0].end_lineno - body[0].lineno + 1 if has_docstring else 0
    return function.end_lineno - function.lineno + 1 - docstring


# ---------------------------------------------------------------- who imports whom


ORDER = re.findall(r"^    (\w+)  +\S", lmcourse.__doc__, re.MULTILINE)


def test_the_map_of_the_package_names_every_layer():
    layers = {layer(dotted(path)) for path in MODULES} - {""}
    assert len(ORDER) == len(set(ORDER))
    assert layers - set(ORDER) == set(), "missing in lmcourse/__init__.py"
    assert set(ORDER) - layers == set(), "in lmcourse/__init__.py, but not there"


@each_module
def test_a_module_imports_only_from_those_before_it(path):
    mine = layer(dotted(path))
    allowed = set(ORDER[: ORDER.index(mine)]) | {mine} if mine else set()
    used = {layer(name) for name in imports(path)} - {""}
    assert used <= allowed, f"{path.name} imports from {sorted(used - allowed)}"


FOLDERS = sorted(path.parent for path in OUTSIDE_GRADING if path.name == "__init__.py")[1:]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_folder_has_a_map_in_the_order_of_its_imports(folder):
    docstring = ast.get_docstring(tree(folder / "__init__.py"))
    order = re.findall(r"^    (\w+)  +\S", docstring, re.MULTILINE)
    assert sorted(order) == sorted(path.stem for path in folder.glob("[!_]*.py"))
    assert len(order) <= 12
    for place, name in enumerate(order):
        later = {f"{dotted(folder)}.{other}" for other in order[place + 1 :]}
        assert imports(folder / f"{name}.py") & later == set()


def test_no_module_imports_itself_by_a_detour():
    """Inside a layer the order above does not help: no cycle in grading either."""
    names = {dotted(path) for path in MODULES}
    edges = {dotted(path): imports(path) & names - {dotted(path)} for path in MODULES}
    done = set()

    def visit(name, trail):
        assert name not in trail, " → ".join([*trail, name])
        if name not in done:
            for following in sorted(edges[name]):
                visit(following, [*trail, name])
            done.add(name)

    for name in sorted(names):
        visit(name, [])


@each_module
def test_each_library_has_one_place(path):
    places = {
        "matplotlib": {"plots"},
        "pooch": {"data"},
        "requests": {"data"},
        "urllib": {"data"},
        "nbgrader": {"grading"},
        "lmcourse.plots": {"plots", "live_figures"},
    }
    used = imports(path)
    for library, layers in places.items():
        if any(name == library or name.startswith(f"{library}.") for name in used):
            assert layer(dotted(path)) in layers, f"{library} belongs into {sorted(layers)}"


def test_what_is_named_is_there():
    """The linter may not look for it, since axes of shapes are names, too: of a letter or two."""
    root = PACKAGE.parent
    linter = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821"]
    call = [*linter, "--output-format", "concise", "lmcourse", "tools", "tests"]
    done = subprocess.run(call, cwd=root, capture_output=True, text=True)
    assert "F821" in done.stdout, done.stderr  # the axes
    missed = [line for line in done.stdout.splitlines() if re.search(r"name `\w{3,}`", line)]
    assert missed == []


# ---------------------------------------------------------------- size


@each_module
def test_a_file_can_be_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_functions_are_small():
    lengths = [lines_of_code(function) for path in MODULES for function in functions(path)]
    assert statistics.median(lengths) <= 12
    assert statistics.quantiles(lengths, n=10)[-1] <= 40


# ---------------------------------------------------------------- docstrings and types


@each_module
def test_a_module_says_what_it_is_and_which_chapter_explains_it(path):
    docstring = ast.get_docstring(tree(path))
    assert docstring, "no docstring"
    first, *others = docstring.splitlines()
    assert first.endswith((".", "?")), "the first line must be a sentence"
    if path != PACKAGE / "__init__.py":
        assert re.fullmatch(r"Chapter: book/[\w/]+\.md", others[1]), "no line `Chapter: book/….md`"


def public(path):
    """(name, node) of what others may use: without an underscore, in the module or its classes."""
    nodes = [(node.name, node) for node in tree(path).body if hasattr(node, "name")]
    for name, node in nodes:
        if name.startswith("_"):
            continue
        yield name, node
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    yield f"{name}.{inner.name}", inner


@each_module
def test_public_names_have_docstrings(path):
    bare = [
        name
        for name, node in public(path)
        # What an nn.Module's forward() maps to what is told by its class.
        if ast.get_docstring(node) is None and not name.endswith(".forward")
    ]
    assert bare == []


@pytest.mark.parametrize("path", OUTSIDE_GRADING, ids=lambda path: path.stem)
def test_what_a_property_is_cannot_be_taken_for_its_type(path):
    """Sphinx takes what stands before a colon there for a type, and looks for its page."""
    read = [
        name
        for name, node in public(path)
        if any(ast.unparse(each) == "property" for each in getattr(node, "decorator_list", []))
        and ": " in (ast.get_docstring(node) or "").partition("\n")[0]
    ]
    assert read == []


@each_module
def test_public_functions_are_typed(path):
    for name, node in public(path):
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            untyped = [
                x.arg for x in arguments if not x.annotation and x.arg not in ("self", "cls")
            ]
            assert untyped == [], f"{path.name}: {name}"
            assert node.returns is not None, f"{path.name}: {name} must say what it returns"


# ---------------------------------------------------------------- nothing on import


IMPORT = """
import json, socket, sys
def refuse(*arguments, **options):
    raise AssertionError("the network was used on import")
socket.socket.connect = socket.getaddrinfo = refuse
for name in {first!r}:
    __import__(name)
before = set(sys.modules)
torch = sys.modules.get("torch")
state = torch and torch.get_rng_state()
for name in {modules!r}:
    __import__(name)
if torch:
    assert torch.equal(state, torch.get_rng_state()), "random numbers were drawn, or a seed set"
    assert not torch.cuda.is_initialized(), "a device was looked for"
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@cache
def loaded(modules, first=()):
    """What a fresh Python has loaded after importing, in json as its only output."""
    script = IMPORT.format(modules=modules, first=first)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    names = json.loads(done.stdout)  # a print on import would make this no json
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)


def test_importing_does_nothing_else():
    """No print, no warning, no network, no seed, no look for a device: for all modules at once."""
    names = tuple(
        name for path in OUTSIDE_GRADING if not (name := dotted(path)).endswith("__main__")
    )
    assert "lmcourse" in loaded(names, first=("torch",))


def test_importing_the_grader_does_nothing_else():
    """All of it, nbgrader and IPython included, whose own warnings are not ours."""
    names = tuple(dotted(path) for path in MODULES if path not in OUTSIDE_GRADING)
    first = ("torch", "nbgrader.apps", "nbgrader.server_extensions.formgrader.formgrader")
    assert "lmcourse" in loaded(names, first=(*first, "IPython", "distributed"))


def test_the_package_itself_costs_nothing():
    assert loaded(("lmcourse",)) == {"lmcourse"}


def test_what_most_programs_begin_with_is_there_when_it_is_asked_for():
    from lmcourse import GPT, generate, train

    homes = [thing.__module__ for thing in (GPT, generate, train)]
    assert homes == ["lmcourse.gpt", "lmcourse.generation", "lmcourse.training"]
    with pytest.raises(AttributeError, match="module 'lmcourse' has no attribute 'nonsense'"):
        lmcourse.nonsense  # noqa: B018


def test_attention_costs_torch_and_little_more():
    # jaxtyping loads numpy and its own printer.
    allowed = {"lmcourse", "jaxtyping", "wadler_lindig", "numpy"}
    assert loaded(("lmcourse.attention",), first=("torch",)) <= allowed


def test_the_doctor_needs_no_torch():
    assert loaded(("lmcourse.commands.doctor",)) == {"lmcourse"}


# ---------------------------------------------------------------- the grader's folders


GRADING = PACKAGE / "grading"
GRADERS = sorted(GRADING.rglob("*.py"))
# The lines of the map in grading/__init__.py: names that stand in one line do not import each other
# (`errors`, `outcomes`, `safe_text` and the doors are files).
FLOORS = [
    set(names.split(", "))
    for names in re.findall(
        r"^    ([a-z_]+(?:, [a-z_]+)*)(?:  +\S|$)",
        ast.get_docstring(ast.parse((GRADING / "__init__.py").read_text("utf-8"))),
        re.MULTILINE,
    )
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
KNOW_NBGRADER = {
    "gradebook/database.py",
    "assignment/author.py", "assignment/course.py", "assignment/release.py",
    "batch/graded_class.py", "formgrader", "gradebook/recorder.py", "nbgrader_steps",
}  # fmt: skip

each_grader = pytest.mark.parametrize(
    "path", GRADERS, ids=lambda path: str(path.relative_to(GRADING))
)


def room(name):
    """`lmcourse.grading.sandbox.frames` stands in `sandbox`; the package itself in none."""
    parts = name.split(".")
    return parts[2] if parts[:2] == ["lmcourse", "grading"] and len(parts) > 2 else ""


def test_the_map_of_the_grader_names_every_folder_and_file_in_it():
    there = {path.stem for path in GRADING.glob("[!_]*.py")}
    there |= {path.parent.name for path in GRADING.glob("*/__init__.py")}
    assert sum(map(len, FLOORS)) == len(FLOOR)
    assert set(FLOOR) == there


@each_grader
def test_a_folder_of_the_grader_imports_only_from_those_above_it(path):
    names = {dotted(module) for module in GRADERS}
    mine = room(dotted(path))
    used = {room(name) for name in imports(path) & names} - {"", mine}
    wrong = {name for name in used if not mine or FLOOR[name] >= FLOOR[mine]}
    assert wrong == set(), f"{path.relative_to(GRADING)} imports from {sorted(wrong)}"


@pytest.mark.parametrize("folder", sorted({path.parent for path in GRADERS}), ids=lambda p: p.name)
def test_a_folder_of_the_grader_can_be_overlooked(folder):
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 12


@each_grader
def test_few_parts_of_the_grader_know_nbgrader(path):
    if any(name.partition(".")[0] == "nbgrader" for name in imports(path)):
        place = path.relative_to(GRADING)
        assert KNOW_NBGRADER & {place.as_posix(), place.parts[0]}, f"{place} imports nbgrader"


def test_check_loads_nothing_of_the_sandbox_but_its_budgets():
    """A learner's machine need not be able to hold strangers' code: it may run Windows."""
    script = (
        "import json, sys\nfrom lmcourse.grading.learner import check, report_lines\n"
        "print(json.dumps([name for name in sys.modules if name.startswith('lmcourse.')]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = [name for name in json.loads(done.stdout) if room(name) in ("sandbox", "bridge")]
    sandbox = "lmcourse.grading.sandbox"
    assert sorted(names) == [sandbox, f"{sandbox}.budgets"]


# Modules without a test file of their name, and the file that tests them.
TESTED_BY = {
    "batch/graded_class": "whole/test_tiny_class",
    "cli/options": "cli/test_grading_commands",
    "config": "whole/test_tiny_class",
    "errors": "cli/test_terminal",
    "formgrader/launch": "whole/test_formgrader_browser",
    "formgrader/rendering": "whole/test_formgrader_browser",
    "formgrader/server": "whole/test_formgrader_browser",
    "learner/no_proof": "learner/test_check",
    "learner/task_report": "learner/test_check",
    "nbgrader_steps/feedback_exporter": "whole/test_tiny_class",
    "nbgrader_steps/preprocessors": "whole/test_tiny_class",
    "repair/placed": "repair/test_under_plan",
}


@each_grader
def test_a_module_of_the_grader_has_a_test_file_or_says_which_one_tests_it(path):
    place, tests = path.relative_to(GRADING).with_suffix(""), PACKAGE.parent / "tests/grading"
    if path.name == "__init__.py":
        return
    own = tests / place.parent / f"test_{place.name}.py"
    other = TESTED_BY.get(place.as_posix())
    assert own.exists() != (other is not None), f"{place} must have {own}, or a line in TESTED_BY"
    assert own.exists() or (tests / f"{other}.py").exists()


def test_test_files_of_the_grader_mirror_its_folders():
    tests = PACKAGE.parent / "tests/grading"
    known = {path.relative_to(GRADING).with_suffix("").as_posix() for path in GRADERS}
    for path in tests.rglob("test_*.py"):
        place = path.relative_to(tests).with_suffix("")
        if place.parts[0] != "whole":  # submissions and classes from end to end
            assert (place.parent / place.name.removeprefix("test_")).as_posix() in known, place
