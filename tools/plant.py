"""Plants one fault of each kind that each step of `make check` exists for: is it found?

    python tools/plant.py                      all of them, in copies of this checkout
    python tools/plant.py --tree ../before     in copies of another one
    python tools/plant.py --only WORD ...      those whose kind or step holds a WORD
    python tools/plant.py --list

A fault is found if the step's own command, restricted by arguments to what must notice it, fails
and says so in words of its own: a command that fails for another reason has found nothing.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from lmcourse.grading.cli.terminal import console

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = (".git", ".venv", "_build", "__pycache__", ".pytest_cache", ".ruff_cache", ".hypothesis")
PATHS = ("", "tests", "tests/support")  # where the tools find what they import
SECONDS = 1200  # for one command


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is planted, and who must find it.

    Args:
        kind: in words, as a line of the table.
        step: the step of `make check` that must find it.
        plant: makes the fault in a copy of the checkout.
        command: what the step runs, restricted to the part that must find the fault.
        says: a regular expression that what it prints must match.
        copy: faults with the same name share a copy, and what the same commands print there.
    """

    kind: str
    step: str
    plant: Callable[[Path], object]
    command: str
    says: str
    copy: str


@dataclass(frozen=True)
class Found:
    """Whether a fault was found; the line that says so, or why not."""

    fault: Fault
    by: str
    missed: str = ""


def copy_of(tree: Path, folder: Path) -> Path:
    """A copy of a checkout, with a history of its own and nothing that was built."""
    shutil.copytree(tree, folder, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    ours = ["-c", "user.name=plant", "-c", "user.email=plant@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], [*ours, "commit", "-q", "-m", "copy"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
    return folder


def environment_of(tree: Path, folder: Path) -> dict[str, str]:
    """In which the copy's package is imported, and the commands of the tree's environment run."""
    bins = [
        str(path) for path in (tree / ".venv/bin", Path(sys.executable).parent) if path.is_dir()
    ]
    return {
        **os.environ,
        "PATH": os.pathsep.join([*bins, os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join(str(folder / part) for part in PATHS),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "COLUMNS": "200",
    }


def try_copy(tree: Path, faults: list[Fault], seconds: float = SECONDS) -> list[Found]:
    """Plants the faults in one copy, runs each of their commands once, and looks for each fault."""
    with tempfile.TemporaryDirectory(prefix="lmcourse-plant-") as scratch:
        folder = copy_of(tree, Path(scratch).resolve() / "course")
        try:
            for fault in faults:
                fault.plant(folder)
        except (LookupError, OSError) as error:
            return [Found(fault, "", f"it could not be planted: {error}") for fault in faults]
        ran = {
            command: _run(command, folder, environment_of(tree, folder), seconds)
            for command in dict.fromkeys(fault.command for fault in faults)
        }
    return [_look(fault, *ran[fault.command]) for fault in faults]


def _run(command: str, folder: Path, environment: dict, seconds: float) -> tuple[int, str]:
    """The exit status of a command and all that it printed."""
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
        return process.returncode, said
    except subprocess.TimeoutExpired:
        return -1, f"it took more than {seconds:g} seconds"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with all that it started
        process.communicate()


def _look(fault: Fault, status: int, said: str) -> Found:
    match = re.search(fault.says, said)
    if status and match:
        start = said.rfind("\n", 0, match.start()) + 1
        line = said[start:].split("\n")[0]
        return Found(fault, " ".join(line.split())[:140])
    last = " | ".join(line.strip() for line in said.splitlines()[-4:] if line.strip())
    words = "with" if match else "without"
    return Found(fault, "", f"status {status}, {words} its words: {last[-300:]}")


def try_all(tree: Path, faults: Iterable[Fault], processes: int) -> list[Found]:
    """What became of each fault, in their order."""
    faults = list(faults)
    copies: dict[str, list[Fault]] = {}
    for fault in faults:
        copies.setdefault(fault.copy, []).append(fault)
    with ThreadPoolExecutor(processes) as pool:
        tried = []
        for found in pool.map(lambda each: try_copy(tree, each), copies.values()):
            tried += found
            for one in found:
                print(f"  {'missed' if one.missed else 'found '}  {one.fault.kind}", flush=True)
    return sorted(tried, key=lambda one: faults.index(one.fault))


def show(tried: list[Found]) -> None:
    """Prints the table."""
    table = Table("fault", "step that must find it", "found by", show_lines=False)
    for one in tried:
        words = one.by or f"MISSED: {one.missed}"
        table.add_row(one.fault.kind, one.fault.step, words, style="bold red" if one.missed else "")
    console().print(table, markup=False)


def main(arguments: list[str] | None = None, faults: list[Fault] | None = None) -> int:
    """The table, and 0 if every fault was found."""
    if faults is None:
        from planted_faults import FAULTS as faults  # noqa: N811
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tree", type=Path, default=ROOT, metavar="DIR", help="default: this one")
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD")
    parser.add_argument("--list", action="store_true", help="only name the faults")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="default: 2")
    options = parser.parse_args(arguments)
    chosen = [
        fault
        for fault in faults
        if any(word in fault.kind or word in fault.step for word in options.only)
    ]
    if not chosen:
        parser.error(f"no fault has {' or '.join(options.only)} in its kind or step")
    if options.list:
        for fault in chosen:
            print(f"{fault.step:16} {fault.kind}")
        return 0
    tried = try_all(options.tree.resolve(), chosen, options.processes)
    show(tried)
    n_found = sum(not one.missed for one in tried)
    print(f"planted faults found: {n_found} of {len(tried)}")
    return int(n_found < len(tried))


if __name__ == "__main__":
    sys.exit(main())
