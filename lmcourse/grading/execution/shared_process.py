"""Where answers and tests share one process: what the sandbox does for them, as far as it can be.

Chapter: book/setup.md

In the sandbox, answers have a process of their own, out of which the withheld bodies are cut.
`lmcourse check` has one process for all, so each withheld function looks who calls: the innermost
frame that belongs to a cell. This informs a learner, and stops nobody who wants to get round it.
In the same way a test cell runs as a whole under PyTorch's defaults (`bridge.torch_defaults`), and
an assertion that fails in a function of the test, while an answer calls it, ends the test, whoever
catches it: the functions of test cells note theirs as they leave.
"""

import ast
import contextlib
import functools
import importlib
import inspect
import json
import re
import sys
import types
from collections.abc import Callable, Collection
from typing import Any

from lmcourse.grading.withholding.torch_functions import (
    compiled,
    elsewhere,
    namespaces,
    operators_of,
    other_forms,
    sentence,
)
from lmcourse.grading.withholding.withheld import Withheld

# Where torch's operators can be called by their own names; `functional` imports some of them.
_MODULES = ("torch", "torch._C._nn", "torch.nn.functional", "torch.special", "torch.sparse")
_BUILT_IN = (types.BuiltinFunctionType, types.MethodDescriptorType)


def source(withheld: Withheld | None, tests: Collection[str], setups: Collection[str] = ()) -> str:
    """What to run before the first cell.

    Args:
        withheld: what cells other than tests may not call.
        tests: the sources of the cells that may call everything.
        setups: those of the other locked cells.
    """
    said = json.dumps([(withheld or Withheld()).as_json(), sorted(tests), sorted(setups)])
    return f"from {__name__} import install as _install\n_install({said!r})\ndel _install"


def install(said: str) -> None:
    """Put a refusal around all that is withheld, and the defaults around each test cell."""
    from IPython import get_ipython

    from lmcourse.grading.bridge.shell import CellTransformer

    withheld, tests, setups = json.loads(said)
    get_ipython().input_transformer_manager = CellTransformer()  # as in the sandbox
    _settings.watch({*tests}, {*setups})
    _assertions.watch({*tests}, {*setups})
    if withheld["names"] or withheld["operators"] or withheld["attributes"]:
        _refuse(withheld, tests)


class _Settings:
    """PyTorch's settings in this process, from when a cell has imported it."""

    def __init__(self) -> None:
        self._defaults: Any = None
        self._inside = contextlib.ExitStack()

    def watch(self, tests: Collection[str], setups: Collection[str]) -> None:
        """Have the defaults around each of the tests, and what the setups set among them."""
        from IPython import get_ipython

        def before(info: Any) -> None:
            if self._there() and info.raw_cell in tests:
                self._inside.enter_context(self._defaults.around())

        def after(result: Any) -> None:
            self._inside.close()
            if self._there() and result.info.raw_cell in setups:
                self._defaults.adopt()

        events = get_ipython().events
        events.register("pre_run_cell", before)
        events.register("post_run_cell", after)

    def changed(self) -> dict[str, str]:
        """What has changed since the last time, by how it is read."""
        return self._defaults.changed() if self._there() else {}

    def _there(self) -> bool:
        if self._defaults is None and hasattr(sys.modules.get("torch"), "get_default_dtype"):
            from lmcourse.grading.bridge.torch_defaults import Defaults

            self._defaults = Defaults()
        return self._defaults is not None


_settings = _Settings()
changed = _settings.changed


class _Assertions:
    """The first assertion that fails in a function of a test while an answer calls it."""

    def __init__(self) -> None:
        self._tests: set[str] = set()  # names of files, as the frames of cells have them
        self._setups: set[str] = set()
        self._found: AssertionError | None = None
        self._trace: types.TracebackType | None = None

    def watch(self, tests: Collection[str], setups: Collection[str]) -> None:
        """Have test cells, and the functions that they define, say which assertions failed."""
        from ipykernel.compiler import get_file_name
        from IPython import get_ipython

        self._tests, self._setups = ({get_file_name(s) for s in kind} for kind in (tests, setups))
        noting = _Noting()

        def before(info: Any) -> None:
            self._found = self._trace = None
            if info.raw_cell in tests:
                shell.ast_transformers.append(noting)

        def after(result: Any) -> None:
            if noting in shell.ast_transformers:
                shell.ast_transformers.remove(noting)

        shell = get_ipython()
        shell.events.register("pre_run_cell", before)
        shell.events.register("post_run_cell", after)

    def note(self, caller: types.FrameType | None) -> None:
        """An assertion leaves a function of a test, which `caller` has called."""
        error = sys.exception()
        if self._found is None and isinstance(error, AssertionError) and self._is_answer(caller):
            self._found, self._trace = error, error.__traceback__

    def _is_answer(self, frame: types.FrameType | None) -> bool:
        """Whether the innermost cell's frame, locked ones apart, is no test's."""
        from ipykernel.compiler import get_tmp_directory

        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith(get_tmp_directory()) and name not in self._setups:
                return name not in self._tests
            frame = frame.f_back
        return False

    def settle(self) -> None:
        """Raise what was noted, in the place of whatever ends the test."""
        if self._found is not None:
            raise self._found.with_traceback(self._trace) from None


class _Noting(ast.NodeTransformer):
    """Has each function of a test cell note assertions, and the cell settle at its end."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        self.generic_visit(node)
        future = [s for s in node.body if getattr(s, "module", None) == "__future__"]
        body = [s for s in node.body if s not in future]
        if body:
            end = _statement("settle()")
            ended = ast.Try(body=body, handlers=[], orelse=[], finalbody=[_put(end, body[-1])])
            node.body = [*future, ast.copy_location(ended, body[0])]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        if any(getattr(decorator, "id", "") == "probe" for decorator in node.decorator_list):
            return node  # it runs beside the answer, and asserts nothing
        self.generic_visit(node)
        head = 0 if ast.get_docstring(node) is None else 1
        if body := node.body[head:]:
            watched = ast.parse("try: pass\nexcept AssertionError:\n    pass\n    raise").body[0]
            watched.handlers[0].body[0] = _statement("note(__import__('sys')._getframe(1))")
            _put(watched, node)
            watched.body = body
            node.body[head:] = [watched]
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        self.generic_visit(node)
        if not any(isinstance(part, ast.NamedExpr | ast.Yield) for part in ast.walk(node)):
            call = _statement("called(lambda: 0)").value
            _put(call, node)
            call.args[0].body = node.body
            node.body = call
        return node


def _statement(call: str) -> ast.Expr:
    """A call of a function of this module, from a cell that knows no name of it."""
    return ast.parse(f"__import__('sys').modules[{__name__!r}].{call}").body[0]  # type: ignore


def _put(new: ast.AST, place: ast.AST) -> ast.AST:
    """`new`, all of it at the line of `place`."""
    for part in ast.walk(new):
        if "lineno" in part._attributes:
            ast.copy_location(part, place)
    return new


_assertions = _Assertions()
note, settle = _assertions.note, _assertions.settle


def called(body: Callable[[], Any]) -> Any:
    """What the body of a test's lambda gives."""
    try:
        return body()
    except AssertionError:
        note(sys._getframe(1).f_back)
        raise


def _refuse(withheld: dict, tests: Collection[str]) -> None:
    """Refuse what is withheld; what this machine's torch lacks is passed over."""
    from ipykernel.compiler import get_file_name, get_tmp_directory

    cells, allowed = get_tmp_directory(), {get_file_name(test) for test in tests}

    def is_refused() -> bool:
        frame = sys._getframe(2)
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith(cells):
                return name not in allowed
            frame = frame.f_back
        return False

    guard = _Guard(is_refused, withheld["say"])
    for full in [*withheld["names"], *withheld["attributes"], *elsewhere(withheld)]:
        guard.name(full)
    for pattern in withheld["operators"]:
        guard.operators(pattern)


class _Guard:
    """Wraps functions, so that they raise where `is_refused` says so.

    Args:
        say: the end of the message.
    """

    def __init__(self, is_refused: Callable[[], bool], say: str):
        self._is_refused = is_refused
        self._say = say

    def name(self, full: str) -> None:
        """A function, class, method or module, by its full name."""
        try:
            owner, attribute, value = _found(full)
        except (ImportError, AttributeError):
            return
        if isinstance(value, types.ModuleType):
            for key, inner in list(vars(value).items()):
                home = getattr(inner, "__module__", None)
                if f"{home}.".startswith(f"{full}.") and callable(inner):
                    self._wrap(value, key, inner, f"{full}.{key}")
        else:
            self._wrap(owner, attribute, value, full)
            for form in other_forms(value) if full.startswith("torch.") else ():
                self._wrap(*_found(form), form)

    def operators(self, pattern: str) -> None:
        """Torch's functions whose names fit, wherever Python can call them, and tensors' methods.

        In the sandbox the operator itself raises, whatever it is called by: what a learner is told
        to be right here must not turn out wrong there.
        """
        import torch

        try:
            every = operators_of(compiled(pattern))
        except ValueError:  # this torch has none
            return
        names = {full.partition("::")[2].partition(".")[0] for full in every}
        for owner in (*map(importlib.import_module, _MODULES), torch.Tensor):
            for key in dir(owner):
                value = getattr(owner, key, None)
                if isinstance(value, _BUILT_IN) and (key in names or re.fullmatch(pattern, key)):
                    self._wrap(owner, key, value, f"torch's {key}")

    def _wrap(self, owner: Any, attribute: str, value: Any, full: str) -> None:
        if isinstance(value, type):
            # A class stays itself, for `isinstance` and for those that derive from it.
            value.__init__ = self._refusing(value.__init__, full)
            return
        wrapped = self._refusing(value, full)
        setattr(owner, attribute, wrapped)
        if not isinstance(owner, type):
            for scope in namespaces(sys.modules.values()):
                for key in [key for key, other in scope.items() if other is value]:
                    scope[key] = wrapped

    def _refusing(self, function: Callable[..., Any], full: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if self._is_refused():
                raise RuntimeError(sentence(full, self._say))
            return function(*args, **kwargs)

        return checked


def _found(full: str) -> tuple[Any, str, Any]:
    """The owner of a name, its last part, and what it stands for."""
    parts = full.split(".")
    for n in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:n]))
        except ImportError:
            continue
        owner: Any = None
        for part in parts[n:]:
            owner, value = value, inspect.getattr_static(value, part)
        return owner, parts[-1], value
    raise ImportError(full)
