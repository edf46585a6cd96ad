"""Torch's operators and functions, withheld in this process and its forks.

Chapter: book/instructors/writing_tests.md

Threat: full points for calling torch's answer instead of writing one's own. An operator raises at
the dispatcher, below Python, for the whole process, whatever thread or mode calls it: each of its
kernels is replaced, those from which torch derives others, too, and so are private operators that
bear its name. A Python function is emptied where it is, and not replaced by name: whoever holds it,
a table, a closure or a subclass, holds a refusal. All of it deters and informs: an answer pasted
from elsewhere, or computed with what is left, cannot be told from one's own.

This file imports nothing of its package: an interpreter that the learner's code starts loads it
alone (`torch_files`).
"""

import contextlib
import ctypes
import importlib.util
import inspect
import re
import sys
import types
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

# Every way into an operator on the CPU, whether or not it has a kernel of its own there: plain,
# with gradients, under vmap, on nested tensors.
_KEYS = (
    *("CPU", "AutogradCPU", "NestedTensorCPU", "AutogradNestedTensor"),
    *("FuncTorchBatched", "FuncTorchBatchedDecomposition", "FuncTorchVmapMode"),
)
_KERNEL = re.compile(r"^(\w+)(?:\[alias\])?: registered at", re.MULTILINE)
# What else PyTorch has, under other names, of what an assignment withholds: it goes with it.
_FLEX, _CELLS = "torch._higher_order_ops.flex_attention", "torch.ao.nn.quantizable.modules.rnn"
_LOOPS, _LOSS = "torch.export._patches", "torch.nn.functional"
_LAYERS, _FUNC = "torch._decomp.decompositions", "torch._functorch"
_ELSEWHERE = {
    "scaled_dot_product_attention": (
        "torch.nn.attention.flex_attention.flex_attention",
        *(f"{_FLEX}.math_attention", f"{_FLEX}.sdpa_dense"),
    ),
    "lstm_cell": (f"{_CELLS}.LSTMCell", f"{_CELLS}.LSTM"),
    "lstm": (f"{_LOOPS}.lstm_while_loop_impl", f"{_LOOPS}.one_layer_while_loop_lstm"),
    "gru": (f"{_LOOPS}.gru_while_loop_impl", f"{_LOOPS}.one_layer_while_loop_gru"),
    "rnn_tanh": (f"{_LAYERS}.one_layer_rnn", f"{_LAYERS}.one_layer_rnn_data"),
    "rnn_tanh_cell": (f"{_LAYERS}.rnn_cell", f"{_LAYERS}.rnn_cell_data"),
    "cross_entropy_loss": (f"{_LOSS}.linear_cross_entropy", "torch.nn.LinearCrossEntropyLoss"),
    "binary_cross_entropy_with_logits": (
        *(f"{_LOSS}.multilabel_soft_margin_loss", "torch.nn.MultiLabelSoftMarginLoss"),
    ),
    "torch.optim.Adam": ("torch.optim.SparseAdam", "torch.optim._functional.sparse_adam"),
    "torch.func.grad": (
        *(f"{_FUNC}.apis.grad", f"{_FUNC}.apis.grad_and_value"),
        *(f"{_FUNC}.eager_transforms.grad_impl", f"{_FUNC}.eager_transforms.grad_and_value_impl"),
    ),
    **{
        f"torch.func.{name}": (f"{_FUNC}.eager_transforms.{name}",)
        for name in ("vjp", "jvp", "jacrev", "jacfwd")
    },
}
# The same for operators that bear another name.
_WITH = {
    "pad_sequence": r".*to_padded_.*|_pad_packed_sequence",
    "logsumexp": r"_?logcumsumexp",
}
# What torch's Python versions of an operator are made of.
_PARTS = {"native_layer_norm": ("torch._refs", "_normalize")}
# Files of whole layers, under names of another standard: they go with anything of torch's.
_WHOLE_LAYERS = ("onnx/ops/__init__.py", "onnx/ops/_impl.py")
_STORED = "quantized_"  # before a name: the same, on numbers that are stored so
# Of a class that is withheld these stay: others derive from it.
_KEPT = {"__init_subclass__", "__class_getitem__", "__subclasshook__", "__instancecheck__"}


def sentence(what: str, say: str) -> str:
    """What a learner reads who calls it."""
    return f"{what} is withheld in this assignment: {say}"


def apply(withheld: dict) -> None:
    """Withhold torch's part in this process and its forks (`Withheld.as_json`)."""
    say = withheld.get("say", "")
    for text in withheld.get("operators", ()):
        for library in _withhold_operators(compiled(text), say):
            # Out of Python's reach for good: torch undoes what a library did that is destroyed.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(library))
    for full in (*withheld.get("attributes", ()), *elsewhere(withheld)):
        _withhold_attribute(full, say)


@contextlib.contextmanager
def without(operators: str) -> Iterator[None]:
    """For a probe: within it, whatever thread or mode calls them, these operators raise.

    For what one task alone must not call, and others may. torch's own Python versions of them
    raise, too.

    Args:
        operators: their names, as a regular expression.

    Raises:
        ValueError: it is none, or torch has no operator of such a name.
    """
    undo: list[Callable[[], None]] = []
    # In a tuple: nobody else can empty it.
    libraries = (*_withhold_operators(compiled(operators), "writing it is the task", undo),)
    try:
        yield
    finally:
        del libraries  # torch undoes what they did
        for step in undo:
            step()


def elsewhere(withheld: dict) -> list[str]:
    """What else of PyTorch's goes with what is withheld, by full names."""
    named, patterns = withheld.get("attributes", ()), withheld.get("operators", ())
    if not (named or patterns):
        return []
    patterns = [compiled(text) for text in patterns]
    return whole_layers() + [
        full
        for key, others in _ELSEWHERE.items()
        if key in named or any(pattern.fullmatch(key) for pattern in patterns)
        for full in others
    ]


def whole_layers() -> list[str]:
    """The public functions in the files of whole layers; torch is not imported for it."""
    torch = Path(importlib.util.find_spec("torch").origin).parent  # type: ignore[union-attr,arg-type]
    return [
        f"torch.{file.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}.{name}"
        for file in _WHOLE_LAYERS
        if (torch / file).exists()
        for name in re.findall(r"^def ([a-z]\w*)", (torch / file).read_text("utf-8"), re.MULTILINE)
    ]


def compiled(pattern: str) -> re.Pattern:
    """A pattern for operators.

    Raises:
        ValueError: it is no regular expression.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"withheld operators must be regular expressions, got {pattern!r}: {error}"
        ) from None


def operators_of(pattern: re.Pattern) -> list[str]:
    """The operators, `namespace::name.overload`, that a pattern withholds.

    Besides those that it names, the private ones that bear one of these names among their words:
    `aten::_sparse_softmax` goes with `softmax`. A public one, `poisson_nll_loss`, must be named,
    but `quantized_lstm` goes with `lstm`: only how its numbers are stored is another.

    Raises:
        ValueError: torch has none of such a name.
    """
    import torch

    every = {full: full.partition("::")[2].partition(".")[0] for full in _all_operators()}
    named = [full for full, name in every.items() if pattern.fullmatch(name)]
    if not [full for full in named if full.startswith("aten::")]:
        raise ValueError(f"withheld operators must exist, got {pattern.pattern!r}")
    words = {every[full] for full in named}
    others = [compiled(other) for key, other in _WITH.items() if key in words]
    bears = bears_one_of(words)
    public = {key for key in (*dir(torch), *dir(torch.nn.functional)) if key[0] != "_"}
    return [
        full
        for full, name in every.items()
        if pattern.fullmatch(name)
        or any(other.fullmatch(name) for other in others)
        or (bears(name) and name not in public)
        or (name.startswith(_STORED) and pattern.fullmatch(name.removeprefix(_STORED)))
    ]


def bears_one_of(names: Iterable[str]) -> Callable[[str], bool]:
    """Whether one of these names stands in another one as whole words."""
    words = "|".join(sorted(re.escape(name.strip("_")) for name in names))
    found = re.compile(rf"(?:^|_)(?:{words})(?:_|$)") if words else None
    return lambda name: bool(found and found.search(name))


def python_form_of(pattern: re.Pattern, names: Collection[str]) -> Callable[[str], bool]:
    """Whether a function of torch's, by its name, does what one of the operators `names` does."""
    bears = bears_one_of(names)
    return lambda key: bool(pattern.fullmatch(key) or bears(key))


def _all_operators() -> list[str]:
    import torch

    return torch._C._dispatch_get_all_op_names()


def _withhold_operators(
    pattern: re.Pattern, say: str, undo: list[Callable[[], None]] | None = None
) -> list[Any]:
    """Replace all kernels; they stay replaced for as long as what is returned exists."""
    chosen = operators_of(pattern)
    libraries = refuse(chosen, say)
    _withhold_python_forms(pattern, chosen, say, undo)
    return libraries


def refuse(chosen: list[str], say: str) -> list[Any]:
    """Replace all kernels of operators, `namespace::name.overload`, as long as the list exists."""
    import torch

    # torch.library.Library would be found by a garbage collector's list, and destroyed.
    libraries = {
        space: torch._C._dispatch_library("IMPL", space, "", "", 0)
        for space in {full.partition("::")[0] for full in chosen}
    }
    known = torch._C.DispatchKey.__members__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that kernels are replaced: that is the point
        for full in chosen:
            space, _, name = full.partition("::")
            refused = refusal(f"torch's {name.partition('.')[0]}", say)
            own = {*_KERNEL.findall(torch._C._dispatch_dump(full))} & {*known}
            # Kernels for a device without numbers tell shapes.
            for key in {*_KEYS} | {key for key in own if "Meta" not in key}:
                libraries[space].impl(name, key, refused, False)
    return [*libraries.values()]


def _withhold_python_forms(
    pattern: re.Pattern, chosen: list[str], say: str, undo: list[Callable[[], None]] | None
) -> None:
    """PyTorch's own versions of operators in Python, which it traces and compiles."""
    import torch

    with warnings.catch_warnings():  # of TorchScript, which it uses
        warnings.simplefilter("ignore")
        importlib.import_module("torch._decomp.decompositions_for_jvp")  # it reads their sources

    schemas = {full.partition(".")[0] for full in chosen}
    for kind, table in torch._decomp.global_decomposition_table.items():
        for operator, function in table.items() if kind != "meta" else ():  # those tell shapes
            name = getattr(getattr(operator, "_schema", None), "name", "")
            if name in schemas:
                empty(function, f"torch's {name.partition('::')[2]}", say, undo)
    for full in chosen:
        space, _, name = full.partition("::")
        base, _, overload = name.partition(".")
        packet = getattr(getattr(torch.ops, space), base)
        for key, function in getattr(packet, overload or "default").py_kernels.items():
            if "Meta" not in str(key):
                empty(function, f"torch's {base}", say, undo)
    is_form = python_form_of(
        pattern, {name.partition("::")[2].partition(".")[0] for name in chosen}
    )
    for module, part in (_PARTS[full[6:]] for full in chosen if full[6:] in _PARTS):
        empty(getattr(sys.modules[module], part), f"{module}.{part}", say, undo)
    names = [name for name in sys.modules if name.startswith(("torch._decomp", "torch._refs"))]
    for name in names:
        for key, value in [*vars(sys.modules[name]).items()]:
            if is_form(key) and getattr(value, "__module__", "") in names:
                empty(value, f"{name}.{key}", say, undo)


def _withhold_attribute(full: str, say: str) -> None:
    """Empty a function or class, and what bears its name beside it."""
    module, _, name = full.rpartition(".")
    try:
        original = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise ValueError(f"withheld attributes must exist, got {full!r}") from None
    original = _body(original)
    forms = other_forms(original)
    if isinstance(original, type):
        # A class stays a class, so that `isinstance` and subclasses' definitions still work.
        for key, method in [*vars(original).items()]:
            if key not in _KEPT:
                empty(getattr(method, "__func__", method), full, say)
        if "__init__" not in vars(original):
            original.__init__ = refusal(full, say)
    elif isinstance(original, types.FunctionType):
        empty(original, full, say)
    else:  # it has no body in Python
        _replace(original, refusal(full, say))
    for form, function in forms.items():
        empty(function, form, say)


def empty(function: Any, what: str, say: str, undo: list[Callable[[], None]] | None = None) -> None:
    """Take the body out of a function, and out of what it wraps, wherever they are held."""
    if not isinstance(function, types.FunctionType) or function.__dict__.get("_withheld"):
        return
    inner = [getattr(function, "__wrapped__", None)]
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # an empty one
            inner.append(cell.cell_contents)
    with contextlib.suppress(ValueError, TypeError):
        function.__signature__ = inspect.signature(function)
    old, function._withheld = function.__code__, True
    function.__code__ = _refusing_code(function, sentence(what, say))
    if undo is not None:
        undo.append(lambda: _restore(function, old))
    for other in inner:
        if getattr(other, "__name__", None) == function.__name__:
            empty(other, what, say, undo)


def _restore(function: Any, code: types.CodeType) -> None:
    function.__code__ = code
    function.__dict__.pop("_withheld", None)
    function.__dict__.pop("__signature__", None)


def _refusing_code(function: types.FunctionType, text: str) -> types.CodeType:
    """A body that raises, with as many names from outside as that of the function has."""
    names = function.__code__.co_freevars
    scope: dict[str, Any] = {}
    exec(
        f"def outer({', '.join(names)}):\n"
        f" def withheld(*_args, **_named):\n"
        f"  raise RuntimeError({text!r})\n"
        f"  {' ; '.join(names) or 'pass'}\n"
        " return withheld",
        scope,
    )
    return scope["outer"](*names).__code__.replace(co_name=function.__name__)


def _replace(original: Any, replacement: Any) -> None:
    for scope in namespaces(sys.modules.values()):
        for key in [key for key, value in scope.items() if value is original]:
            scope[key] = replacement


def other_forms(original: Any) -> dict[str, Any]:
    """The private functions beside a function or class that bear its name, by their full names.

    `torch.optim.Adam` is done by `adam`, and `adam` by `_single_tensor_adam`.
    """
    original = _body(original)
    home = getattr(original, "__module__", None)
    return {
        f"{home}.{key}": value
        for key, value in [*vars(sys.modules.get(home, types)).items()]
        if is_form_of(original.__name__, key) and isinstance(value, types.FunctionType)
        if value is not original
    }


def _body(original: Any) -> Any:
    """Of an operator that is written in Python, `torch.library.custom_op`, its function."""
    return getattr(original, "_init_fn", original)


def is_form_of(name: str, key: str) -> bool:
    """Whether the private name `key` bears the name of a function or class."""
    return key.startswith("_") and name.strip("_").lower() in key.lower()


def namespaces(modules: Iterable[Any]) -> list[dict]:
    """The names of each module, to be changed in place."""
    return [vars(module) for module in [*modules] if type(getattr(module, "__dict__", 0)) is dict]


def refusal(what: str, say: str) -> Callable[..., Any]:
    """A function that raises, whatever it is called with."""

    def withheld(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(sentence(what, say))

    return withheld
