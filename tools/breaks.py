"""Breaks each system of tests/systems.csv once: the test that shows it working must then fail.

    python tools/breaks.py            # all of them
    python tools/breaks.py S31 S33    # some

A row's `break` is `file: old => new`, where `old` stands exactly once in the file. It is applied to
a copy; nothing here is changed. The test must pass in a copy that is whole, and fail in the broken
one: pytest's exit code is then 1, and not that of a test that could not run. Whole, the tests of a
file run in one process, and each in its own if they do not all pass; broken, each has its own.
"""

import argparse
import csv
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from durations import print_longest
from forked_tests import Ran, run_all
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("lmcourse", "tests", "tools", "pyproject.toml")
SECONDS = 300
FAILED = 1  # pytest's exit code; others say that it could not even run the test


@dataclass(frozen=True, kw_only=True)
class Break:
    """Tests, and the text that a file of the copy has when they run; none: nothing is broken."""

    tests: tuple[str, ...]
    file: str = ""
    text: str = ""


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


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a row, empty if nothing is, and the processor time of its tests."""

    system: System
    problem: str
    seconds: float = 0.0


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


def judge(root: Path, systems: list[System], processes: int = 2) -> Iterator[Verdict]:
    """What is said of each row, as it comes.

    A row is well if its test passes, and fails once the system is broken.
    """
    breaks = {}
    for system in systems:
        try:
            breaks[system] = make_break(root, system)
        except (ValueError, OSError) as error:
            yield Verdict(system, str(error))
    before = run_whole(root, dict.fromkeys(each.test for each in breaks), processes)
    tried = []
    for system in breaks:
        ran = before[system.test]
        if ran.code or not took(ran, system.test):
            problem = f"must pass before anything is broken, got exit code {ran.code}"
            yield Verdict(system, f"{system.test} {problem}")
        else:
            tried.append(system)
    # The longest first: then both processes end at about the same time.
    tried.sort(key=lambda system: -took(before[system.test], system.test))
    for number, ran in run(root, [breaks[system] for system in tried], processes):
        system = tried[number]
        seconds = took(before[system.test], system.test) + ran.seconds
        yield Verdict(system, _problem(system, ran), seconds)


def run_whole(root: Path, tests: Iterable[str], processes: int) -> dict[str, Ran]:
    """How each test ends where nothing is broken, those of a file at once if they all pass."""
    by_file: dict[str, list[str]] = {}
    for test in tests:
        by_file.setdefault(test.partition("::")[0], []).append(test)
    ended, alone = {}, []
    files = [Break(tests=tuple(group)) for group in by_file.values()]
    for number, ran in run(root, files, processes):
        group = files[number].tests
        well = not ran.code and all(took(ran, test) for test in group)
        if well or len(group) == 1:
            ended |= dict.fromkeys(group, ran)
        else:
            alone += [Break(tests=(test,)) for test in group]
    ended |= {alone[number].tests[0]: ran for number, ran in run(root, alone, processes)}
    return ended


def took(ran: Ran, test: str) -> float:
    """The seconds of a test in a run; 0 if it did not pass there."""
    # pytest gives the path from the folder that it takes for the project's.
    return sum(seconds for name, seconds in ran.passed.items() if test.endswith(name))


def make_break(root: Path, system: System) -> Break:
    """The test of a row and the file as it is when the system is broken."""
    file = system.parts()[0]
    text = broken(system, (root / file).read_text(encoding="utf-8"))
    return Break(tests=(system.test,), file=file, text=text)


def run(root: Path, breaks: list[Break], processes: int) -> Iterator[tuple[int, Ran]]:
    """(number, how its tests ended) as they come, each in a copy of its own."""
    with tempfile.TemporaryDirectory(prefix="lmcourse-break-") as folder:
        yield from run_all(_copies(root, Path(folder).resolve(), breaks), SECONDS, processes)


def _copies(root: Path, folder: Path, breaks: list[Break]) -> Iterator[tuple[Path, Sequence[str]]]:
    whole = folder / "whole"
    whole.mkdir()
    copy(root, whole)
    for number, each in enumerate(breaks):
        # Links to the files of one copy; the file that is broken becomes a new one.
        target = shutil.copytree(whole, folder / str(number), copy_function=os.link)
        if each.file:
            (target / each.file).unlink()
            (target / each.file).write_text(each.text, encoding="utf-8")
        yield target, each.tests


def _problem(system: System, ran: Ran) -> str:
    if ran.code == 0:
        return f"{system.test} must fail when the system is broken: it passes"
    if ran.code != FAILED:
        return f"{system.test} must fail, not break: exit code {ran.code}"
    return ""


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

    coming = judge(root, systems, options.processes)
    shown = track(coming, "breaking", total=len(systems), console=Console(stderr=True))
    verdicts = {verdict.system: verdict for verdict in shown}
    table = Table("system", "chapter", "broken by", "seconds", "")
    for system in systems:
        verdict = verdicts[system]
        seconds = f"{verdict.seconds:.1f}" if verdict.seconds else ""
        cells = system.id, system.chapter, system.edit, seconds, verdict.problem or "noticed"
        table.add_row(*map(escape, cells))  # an index in brackets is no markup
    # Here, not above: nothing of the package may be there before it is broken.
    from lmcourse.grading.cli.terminal import console

    console().print(table)
    print_longest("row", {system.id: verdicts[system].seconds for system in systems})
    problems = [verdict.problem for verdict in verdicts.values()]
    print(f"breaks noticed: {problems.count('')} of {len(problems)}")
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(main())
