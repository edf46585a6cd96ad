"""The answers that an assignment withholds in the learner's sandbox: this package's and torch's.

Chapter: book/instructors/writing_tests.md

Threat: full points for calling the answer instead of writing it. The package's answers are cut out
of a copy that is bound over the real one before anything imports it, so they are not there. Torch's
operators raise at the dispatcher, below Python, also in another interpreter that the learner's code
starts: there, a file stands where torch's first one was (`covers`). So one does where torch defines
a function or class that is withheld, for its module can be loaded again. All of it deters and
informs: an answer pasted from elsewhere, or computed with what is left, cannot be told from one's
own, and nothing here claims so.
"""

import ast
import ctypes
import importlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Every way into an operator on the CPU: plain, with gradients, under vmap, on nested tensors.
_KEYS = (
    *("CPU", "AutogradCPU", "NestedTensorCPU", "AutogradNestedTensor"),
    *("FuncTorchBatched", "FuncTorchBatchedDecomposition", "FuncTorchVmapMode"),
)
IN_SANDBOX = (
    "/opt/course/lmcourse/grading/sandbox/withheld_functions.py"  # this file (`bubblewrap`)
)
# What else PyTorch has, under other names, of what an assignment withholds: it goes with it.
_FLEX, _CELLS = "torch._higher_order_ops.flex_attention", "torch.ao.nn.quantizable.modules.rnn"
_LOOPS, _LOSS = "torch.export._patches", "torch.nn.functional"
_ELSEWHERE = {
    "scaled_dot_product_attention": (
        "torch.nn.attention.flex_attention.flex_attention",
        *(f"{_FLEX}.math_attention", f"{_FLEX}.sdpa_dense"),
    ),
    "lstm_cell": (f"{_CELLS}.LSTMCell", f"{_CELLS}.LSTM"),
    "lstm": (f"{_LOOPS}.lstm_while_loop_impl", f"{_LOOPS}.one_layer_while_loop_lstm"),
    "gru": (f"{_LOOPS}.gru_while_loop_impl", f"{_LOOPS}.one_layer_while_loop_gru"),
    "cross_entropy_loss": (f"{_LOSS}.linear_cross_entropy", "torch.nn.LinearCrossEntropyLoss"),
    "binary_cross_entropy_with_logits": (
        *(f"{_LOSS}.multilabel_soft_margin_loss", "torch.nn.MultiLabelSoftMarginLoss"),
    ),
    "torch.optim.Adam": ("torch.optim.SparseAdam", "torch.optim._functional.sparse_adam"),
}
_TORCH = "withheld_torch"  # a folder with files that stand where torch has those of their names
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


@dataclass(frozen=True, kw_only=True)
class Withheld:
    """What an assignment withholds; it stands in the assignment's own metadata.

    Args:
        names: functions, classes, methods or whole modules of this package, by their full names.
        operators: names of torch's operators (`aten::…`), as regular expressions.
        attributes: torch's Python functions and classes, by their full names.
        say: what to do instead.
    """

    names: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    say: str = "writing it is the task"

    def as_json(self) -> dict:
        """What a fork server gets (`apply`)."""
        return asdict(self)


def stated(withheld: Any) -> Withheld:
    """What `metadata.lmcourse.withheld` of a notebook says.

    Raises:
        ValueError: it is not written as it must be.
    """
    known = Withheld().as_json()
    if not isinstance(withheld, dict) or not set(withheld) <= set(known):
        raise ValueError(f"withheld must hold nothing but {sorted(known)}, got {withheld!r}")
    read = {}
    for key, value in withheld.items():
        if key == "say" and isinstance(value, str):
            read[key] = value
        elif key != "say" and isinstance(value, list) and all(type(v) is str for v in value):
            read[key] = tuple(value)
        else:
            wanted = "a text" if key == "say" else "a list of texts"
            raise ValueError(f"withheld {key} must be {wanted}, got {value!r}")
    return Withheld(**read)


def require(withheld: Withheld, package: Path) -> None:
    """Return only where all that is withheld is there to withhold, tried in another process.

    Raises:
        ValueError: with the name that is not.
    """
    with tempfile.TemporaryDirectory(prefix="lmcourse-") as folder:
        stub_tree(package, Path(folder) / package.name, withheld)
    if not (withheld.operators or withheld.attributes):
        return
    script = "import json, sys\nfrom lmcourse.grading.sandbox.withheld_functions import apply\n"
    script += (
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
        ValueError: a name is not there to withhold.
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
    if withheld.operators or withheld.attributes:
        for name, text in _torch_that_withholds(withheld).items():
            (target / _TORCH / name).parent.mkdir(parents=True, exist_ok=True)
            (target / _TORCH / name).write_text(text, encoding="utf-8")
    return target


def _torch_that_withholds(withheld: Withheld) -> dict[Path, str]:
    """Torch's own first file, and after it what `apply` does; and files without what is withheld.

    Torch itself is not imported for it.
    """
    first = Path(importlib.util.find_spec("torch").origin)
    starts = _WITHHOLD.format(path=IN_SANDBOX, withheld=withheld.as_json())
    texts = {Path(first.name): first.read_text("utf-8") + starts}
    for full in (*withheld.attributes, *elsewhere(withheld.as_json())):
        module, _, name = full.rpartition(".")
        for path in _may_define(first.parent, module):
            inside = path.relative_to(first.parent)
            text = texts.get(inside) or path.read_text("utf-8")
            if re.search(rf"^(def|class) {re.escape(name)}\b", text, re.MULTILINE):
                texts[inside] = _without(text, full, withheld.say)
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


def _without(text: str, full: str, say: str) -> str:
    """The text of a module in which a function or class, and its `other_forms`, raise.

    Every other line keeps its number: whoever looks up the source of something finds it there.
    """
    name, lines = full.rpartition(".")[2], text.split("\n")
    for node in ast.parse(text).body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            continue
        if node.name != name and not _is_form_of(name, node.name):
            continue
        first, last = node.body[0].lineno, node.body[-1].end_lineno
        head = "def __init__(self, *args, **kwargs): " if isinstance(node, ast.ClassDef) else ""
        refusal = f"{head}raise RuntimeError({sentence(full, say)!r})"
        empty = [""] * (last - first)
        # Of an overload the body stands in the last line of the head.
        before = lines[first - 1].encode()[: node.body[0].col_offset].decode()
        lines[first - 1 : last] = [before + refusal, *empty]
    return "\n".join(lines)


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


def sentence(what: str, say: str) -> str:
    """What a learner reads who calls it."""
    return f"{what} is withheld in this assignment: {say}"


def apply(withheld: dict) -> None:
    """Withhold torch's part in this process and its forks (`Withheld.as_json`)."""
    say = withheld.get("say", "")
    if patterns := withheld.get("operators"):
        for text in patterns:
            _withhold_operators(_compiled(text), say)
    for full in (*withheld.get("attributes", ()), *elsewhere(withheld)):
        _withhold_attribute(full, say)


def elsewhere(withheld: dict) -> list[str]:
    """What else of PyTorch's goes with what is withheld, by full names."""
    named, patterns = withheld.get("attributes", ()), withheld.get("operators", ())
    patterns = [_compiled(text) for text in patterns]
    return [
        full
        for key, others in _ELSEWHERE.items()
        if key in named or any(pattern.fullmatch(key) for pattern in patterns)
        for full in others
    ]


def _compiled(pattern: str) -> re.Pattern:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"withheld operators must be regular expressions, got {pattern!r}: {error}"
        ) from None


def _withhold_operators(pattern: re.Pattern, say: str) -> None:
    import torch

    names = [name.removeprefix("aten::") for name in torch._C._dispatch_get_all_op_names()]
    chosen = [name for name in names if pattern.fullmatch(name.partition(".")[0])]
    if not chosen:
        raise ValueError(f"withheld operators must exist, got {pattern.pattern!r}")
    for key in _KEYS:
        # torch.library.Library would be found by a garbage collector's list, and destroyed.
        library = torch._C._dispatch_library("IMPL", "aten", key, "", 0)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # torch says that kernels are replaced: that is the point
            for name in chosen:
                library.impl(name, key, _refusal(f"torch's {name.partition('.')[0]}", say), False)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(library))  # out of Python's reach for good
    _withhold_python_forms(pattern, {name.partition(".")[0].strip("_") for name in chosen}, say)


def _withhold_python_forms(pattern: re.Pattern, words: Iterable[str], say: str) -> None:
    """PyTorch's own versions of operators in Python, which it traces and compiles."""
    import torch

    refused: dict[Any, Any] = {}
    for kind, table in torch._decomp.global_decomposition_table.items():
        for operator, function in table.items() if kind != "meta" else ():  # those tell shapes
            name = getattr(getattr(operator, "_schema", None), "name", "").partition("::")[2]
            if pattern.fullmatch(name):
                table[operator] = refused.setdefault(function, _refusal(f"torch's {name}", say))
    names = [name for name in sys.modules if name.startswith(("torch._decomp", "torch._refs"))]
    for name in names:
        for key, function in vars(sys.modules[name]).items():
            ours = pattern.fullmatch(key) or any(word in key for word in words)
            if ours and isinstance(function, types.FunctionType):
                refused.setdefault(function, _refusal(f"{name}.{key}", say))
    for name in names:
        scope = vars(sys.modules[name])
        scope |= {
            key: refused[function]
            for key, function in scope.items()
            if isinstance(function, types.FunctionType) and function in refused
        }


def _withhold_attribute(full: str, say: str) -> None:
    """Replace a function or class in every module that has it."""
    module, _, name = full.rpartition(".")
    try:
        original = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise ValueError(f"withheld attributes must exist, got {full!r}") from None
    replacement: Any = _refusal(full, say)
    if isinstance(original, type):
        # A class stays a class, so that `isinstance` and subclasses' definitions still work.
        replacement = type(name, original.__bases__, {"__init__": _refusal(full, say)})
    _replace(original, replacement)
    for form, function in other_forms(original).items():
        _replace(function, _refusal(form, say))


def _replace(original: Any, replacement: Any) -> None:
    for scope in namespaces(sys.modules.values()):
        for key in [key for key, value in scope.items() if value is original]:
            scope[key] = replacement


def other_forms(original: Any) -> dict[str, Any]:
    """The private functions beside a function or class that bear its name, by their full names.

    `torch.optim.Adam` is done by `adam`, and `adam` by `_single_tensor_adam`.
    """
    home = getattr(original, "__module__", None)
    return {
        f"{home}.{key}": value
        for key, value in [*vars(sys.modules.get(home, types)).items()]
        if _is_form_of(original.__name__, key) and isinstance(value, types.FunctionType)
        if value is not original
    }


def _is_form_of(name: str, key: str) -> bool:
    return key.startswith("_") and name.strip("_").lower() in key.lower()


def namespaces(modules: Iterable[Any]) -> list[dict]:
    """The names of each module, to be changed in place."""
    return [vars(module) for module in [*modules] if type(getattr(module, "__dict__", 0)) is dict]


def _refusal(what: str, say: str) -> Callable[..., Any]:
    def withheld(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(sentence(what, say))

    return withheld
