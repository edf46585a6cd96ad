"""Breaks each system of tests/systems.csv once: the test that shows it working must then fail.

    python tools/breaks.py            # all of them
    python tools/breaks.py S31 S33    # some

A row's `break` is `file: old => new`, where `old` stands exactly once in the file. It is applied to
a copy; nothing here is changed.
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("lmcourse", "tests", "tools", "pyproject.toml")
SECONDS = 300
FAILED = 1  # pytest's exit code; others say that it could not even run the test


@dataclass(frozen=True)
class System:
    id: str
    chapter: str
    test: str
    edit: str

    def parts(self) -> tuple[str, str, str]:
        """The file, the old text and the new one."""
        file, colon, change = self.edit.partition(": ")
        old, arrow, new = change.partition(" => ")
        if not (colon and arrow and old != new):
            raise ValueError(f"{self.id}: break must read `file: old => new`, got {self.edit!r}")
        return file, old, new


def read_systems(root: Path) -> list[System]:
    """The rows of tests/systems.csv."""
    with (root / "tests/systems.csv").open(encoding="utf-8", newline="") as lines:
        return [
            System(row["id"], row["chapter"], row["test"], row["break"])
            for row in csv.DictReader(lines)
        ]


def broken(system: System, text: str) -> str:
    """The text of the file after the edit."""
    file, old, new = system.parts()
    if text.count(old) != 1:
        raise ValueError(
            f"{system.id}: {old!r} must stand exactly once in {file}, got {text.count(old)} times"
        )
    return text.replace(old, new)


def copy(root: Path, target: Path) -> Path:
    """What a test needs, without what was built."""
    for name in COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, target / name)
    return target


def run_test(folder: Path, test: str) -> tuple[int, int]:
    """Pytest's exit code, and how many tests ran and passed."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    environment = os.environ | {
        "PYTHONPATH": str(folder),  # the copy comes before the installed package
        "PYTHONDONTWRITEBYTECODE": "1",  # an edit within a second must not meet the old bytecode
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # loading all plugins takes longer than a test
    }
    try:
        done = subprocess.run(
            [*command, f"--junitxml={report}", test],
            cwd=folder,
            env=environment,
            capture_output=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return -1, 0
    cases = ElementTree.parse(report).iter("testcase") if report.exists() else ()
    return done.returncode, sum(len(case) == 0 for case in cases)


def judge(root: Path, system: System) -> str:
    """What is wrong with a row; empty if its test passes, and fails once the system is broken."""
    with tempfile.TemporaryDirectory(prefix="lmcourse-break-") as folder:
        target = copy(root, Path(folder))
        try:
            file = target / system.parts()[0]
            changed = broken(system, file.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            return str(error)
        code, passed = run_test(target, system.test)
        if code or not passed:
            return f"{system.test} must pass before anything is broken, got exit code {code}"
        file.write_text(changed, encoding="utf-8")
        code, _ = run_test(target, system.test)
        if code == 0:
            return f"{system.test} must fail when the system is broken: it passes"
        return "" if code == FAILED else f"{system.test} must fail, not break: exit code {code}"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The table, and 0 if every break was noticed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="default: all systems")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="default: 2")
    options = parser.parse_args(arguments)
    systems = read_systems(root)
    if unknown := set(options.ids) - {system.id for system in systems}:
        parser.error(f"ID must be in tests/systems.csv, got {', '.join(sorted(unknown))}")
    systems = [system for system in systems if not options.ids or system.id in options.ids]

    with ThreadPoolExecutor(options.processes) as pool:
        verdicts = pool.map(lambda system: judge(root, system), systems)
        shown = track(verdicts, "breaking", total=len(systems), console=Console(stderr=True))
        problems = list(shown)
    table = Table("system", "chapter", "broken by", "")
    for system, problem in zip(systems, problems, strict=True):
        table.add_row(system.id, system.chapter, system.edit, problem or "noticed")
    Console().print(table)
    print(f"breaks noticed: {problems.count('')} of {len(problems)}")
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(main())
