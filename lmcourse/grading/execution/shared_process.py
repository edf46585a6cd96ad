"""Where answers and tests share one process: what the sandbox does for them, as far as it can be.

Chapter: book/setup.md

In the sandbox, answers have a process of their own, out of which the withheld bodies are cut.
`lmcourse check` has one process for all, so each withheld function looks who calls: the innermost
frame that belongs to a cell. This informs a learner, and stops nobody who wants to get round it.
In the same way a test cell runs as a whole under PyTorch's defaults (`bridge.torch_defaults`).
"""

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

from lmcourse.grading.sandbox.withheld_functions import Withheld, namespaces, other_forms, sentence

# Where torch's operators can be called by their own names; `functional` imports some of them.
_MODULES = ("torch", "torch._C._nn", "torch.nn.functional")


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
    withheld, tests, setups = json.loads(said)
    _settings.watch({*tests}, {*setups})
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
    for full in [*withheld["names"], *withheld["attributes"]]:
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
                if getattr(inner, "__module__", None) == full and callable(inner):
                    self._wrap(value, key, inner, f"{full}.{key}")
        else:
            self._wrap(owner, attribute, value, full)
            for form in other_forms(value) if full.startswith("torch.") else ():
                self._wrap(*_found(form), form)

    def operators(self, pattern: str) -> None:
        """Torch's functions whose names fit, wherever Python can call them by name."""
        for module in map(importlib.import_module, _MODULES):
            for key in dir(module):
                value = getattr(module, key, None)
                if isinstance(value, types.BuiltinFunctionType) and re.fullmatch(pattern, key):
                    self._wrap(module, key, value, f"torch's {key}")

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
