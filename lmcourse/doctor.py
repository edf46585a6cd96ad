"""Is this machine ready? What is there, what is missing, and how to get it.

Chapter: book/setup.md
"""

import importlib.metadata
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

# The modules of the course are imported when a row needs them: a broken PyTorch is a row, too.

LEARN = ("jupyterlab", "nbgrader", "nbclient")
GRADING = ("joblib", "nbgrader", "nbclient", "nh3")
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
    checks = (_python, _torch, _device, _threads, _learn, _grading, _sandbox, _browser, _data)
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


def _python() -> Row:
    value = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    hint = "install Python 3.11 or later, and make a new environment with it"
    return Row("Python", value, sys.version_info >= (3, 11), hint)


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


def _packages(names: tuple[str, ...]) -> tuple[str, list[str]]:
    versions, missing = [], []
    for name in names:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    return ", ".join(versions), missing


def _learn() -> Row:
    found, missing = _packages(LEARN)
    value = f"missing: {', '.join(missing)}" if missing else found
    return Row("to learn", value, not missing, _install("learn"))


def _grading() -> Row:
    found, missing = _packages(GRADING)
    if not missing:
        return Row("to grade", found)
    return Row(
        "to grade", f"missing, for teachers only: {', '.join(missing)}", True, _install("grading")
    )


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
