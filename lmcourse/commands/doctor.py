"""Is this machine ready? What is there, what is missing, and how to get it.

Chapter: book/setup.md
"""

import codecs
import importlib
import importlib.metadata
import os
import platform
import shutil
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

# The modules of the course are imported when a row needs them: a broken PyTorch is a row, too.

COURSE = (
    "numpy",
    "matplotlib",
    "jaxtyping",
    "pooch",
    "regex",
    "rich",
    "safetensors",
    "tqdm",
    "typer",
)
LEARN = (
    "jupyterlab",
    "nbgrader",
    "nbclient",
    "ipykernel",
    "jupyter_client",
    "jupytext",
    "myst-nb",
    "psutil",
)
GRADING = ("joblib", "nbgrader", "nbclient", "nh3")
SHOWN = 3  # versions in a row
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass(frozen=True)
class Row:
    """One line of the report.

    Args:
        ok: False if a learner has something to mend; what only a teacher or an author needs
            may be missing.
        hint: what to do about it.
    """

    name: str
    value: str
    ok: bool = True
    hint: str = ""


def report() -> list[Row]:
    """All rows; none of them raises, whatever is broken."""
    checks = (
        *(_python, _text, _torch, _device, _threads, _course, _learn),
        *(_grading, _sandbox, _browser, _data),
    )
    rows = []
    for check in checks:
        try:
            rows.append(check())
        except Exception as error:  # a report about a broken machine must not break with it
            name = check.__name__.strip("_")
            rows.append(Row(name, f"{type(error).__name__}: {error}", False, _install("learn")))
    return rows


def _install(extra: str) -> str:
    return f'in the course\'s folder: python -m pip install -c constraints.txt -e ".[{extra}]"'


def _again(extra: str) -> str:
    return f"{_install(extra)}; what is broken first: python -m pip uninstall NAME"


def _python() -> Row:
    value = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    hint = "install Python 3.11 or later, and make a new environment with it"
    return Row("Python", value, sys.version_info >= (3, 11), hint)


def _text() -> Row:
    """Signs that an encoding lacks are written in another way: that is worth a word, not a no."""
    output = getattr(sys.stdout, "encoding", None) or "utf-8"
    names = sys.getfilesystemencoding()
    if all(codecs.lookup(encoding).name.startswith("utf") for encoding in (output, names)):
        return Row("text", "UTF-8")
    value = f"output in {output}, names of files in {names}: signs that are lacking there are"
    return Row("text", f"{value} written in ASCII; the variable PYTHONUTF8=1 shows them")


def _torch() -> Row:
    try:
        import torch
    except ImportError as error:
        return Row("PyTorch", f"cannot be imported: {error}", False, _install("learn"))
    works = (torch.ones(2, 2) @ torch.ones(2, 2)).sum().item() == 8
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    return Row("PyTorch", torch.__version__, works and version >= (2, 6), _install("learn"))


def _device() -> Row:
    from lmcourse.devices import VARIABLE, default_device

    wanted = os.environ.get(VARIABLE)
    try:
        device = default_device()
    except ValueError as error:
        return Row("device", f"{VARIABLE}={wanted!r}", False, str(error))
    return Row("device", f"{device} ({VARIABLE} is {wanted or 'not set'})")


def _threads() -> Row:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    setting = os.environ.get("OMP_NUM_THREADS") or "not set"
    return Row("threads", f"{torch.get_num_threads()} of {cores} (OMP_NUM_THREADS is {setting})")


def _packages(names: tuple[str, ...]) -> tuple[str, str]:
    """The first versions, and what is wrong: what is missing, and what is there but broken."""
    versions, missing, broken = [], [], []
    for name in names:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if why := _why_broken(name.replace("-", "_")):
            broken.append(f"{name} is broken ({why})")
    more = f" and {len(versions) - SHOWN} more" if len(versions) > SHOWN else ""
    wrong = [f"missing: {', '.join(missing)}"] if missing else []
    return ", ".join(versions[:SHOWN]) + more, "; ".join([*wrong, *broken])


def _why_broken(module: str) -> str:
    """Why a package that is installed cannot be imported; nothing if it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(module)
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}".partition("\n")[0][:200]
    return ""


def _course() -> Row:
    found, wrong = _packages(COURSE)
    return Row("the course", wrong or found, not wrong, _again("learn"))


def _learn() -> Row:
    found, wrong = _packages(LEARN)
    return Row("to learn", wrong or found, not wrong, _again("learn"))


def _grading() -> Row:
    found, wrong = _packages(GRADING)
    if not wrong:
        return Row("to grade", found)
    return Row("to grade", f"for teachers only: {wrong}", True, _again("grading"))


def _sandbox() -> Row:
    if path := shutil.which("bwrap"):
        return Row("sandbox", path)
    hint = "on Debian and Ubuntu: apt install bubblewrap"
    return Row("sandbox", "no bubblewrap, for teachers on Linux only", True, hint)


def _browser() -> Row:
    names = (os.environ["CHROMIUM"],) if os.environ.get("CHROMIUM") else BROWSERS
    for name in names:
        if path := shutil.which(name):
            return Row("browser", path)
    hint = "on Debian and Ubuntu: apt install chromium"
    return Row("browser", "no Chromium on the path, for make site-check only", True, hint)


def _data() -> Row:
    variable = "LMCOURSE_DATA"
    folder = os.environ.get(variable)
    if not folder:
        return Row("real data", f"downloaded when asked for ({variable} is not set)")
    hint = f"set {variable} to the folder of the files, or unset it"
    return Row("real data", f"{variable}={folder}", Path(folder).is_dir(), hint)
