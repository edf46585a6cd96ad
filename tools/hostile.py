"""Hostile submissions among good ones, through `lmcourse grade` and plain nbgrader.

Every one of them deserves 0 points. None may get a point, see or change what is not its own, reach
the network, or cost a neighbor anything; see tests/attacks for what each one tries.

Both ways run an answer by the same code (`execution.submission`), but each reads by its own what
was handed in. So an attack that lies in the answer goes through `lmcourse grade`, and a SAMPLE of
them through plain nbgrader, too, as of those with an odd notebook; others that lie in the notebook,
its folder or its time go both ways.

    export PYTHONPATH=tests:tests/support
    python tools/hostile.py               each attack in its ways, but for LONG ones
    python tools/hostile.py --all         each attack in both ways, between two good ones
    python tools/hostile.py [WORD]...     the same for those whose names hold a WORD
"""

import argparse
import hashlib
import os
import re
import socket
import stat
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from attacked_assignments import graded, of_the_author, servers_for
from attacks import LONG
from attacks.assignments import ASSIGNMENTS
from attacks.odd_folders import ODD_STAMPS
from attacks.odd_notebooks import ODD_NOTEBOOKS
from hostile_runs import (
    AIM,
    ALL,
    ATTACKS,
    GOOD,
    HIDDEN,
    HOST,
    KEY,
    NEIGHBOR,
    REFUSED,
    TIMES,
    Case,
    Graded,
    Row,
    by_lmcourse,
    by_nbgrader,
    hand_in,
    make_course,
)
from rich.table import Table

from lmcourse.grading.cli.terminal import console
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED

WAYS = {"lmcourse": by_lmcourse, "nbgrader": by_nbgrader}
SAMPLE = (
    *("a verdict forged on every socket", "the process forked", "a lying tensor"),
    *("metadata within metadata", "outputs that are none, and pages among them"),
    *("claims of another kind", "settings of the page"),
)
EACH = 3  # attacks between two good ones, unless all is asked for
# What an answer does to its own process needs no person, unless it breaks the judge itself.
MAY_BE_UNDECIDED = ("hashes that collide", "hashes that collide, once", "a flood of handles")
MARKS = (HIDDEN, NEIGHBOR, HOST, KEY)
LOCK = {".grading", ".grading/lock"}  # of the run itself, beside its course
ACTS = ("<script>alert", "<img src=x")
ACTIVE_OUTPUTS = ("text/html", "application/javascript")


@dataclass(kw_only=True)
class Line:
    """One attack in one way, and all that is wrong with how it was graded."""

    case: Case
    way: str
    row: Row
    wrong: list[str] = field(default_factory=list)


def judge(case: Case, way: str, row: Row) -> Line:
    """What is wrong with how one attack was graded."""
    line = Line(case=case, way=way, row=row)
    if row.score:
        line.wrong.append(f"{row.score:g} points")
    refused = case.name in REFUSED or (way == "nbgrader" and case.name in TIMES)
    if refused and (not row.problem or row.page):
        line.wrong.append("it was graded")
    if row.problem and not refused:
        line.wrong.append(f"no grade: {row.problem}")
    if row.ungraded and case.name in ATTACKS and case.name not in MAY_BE_UNDECIDED:
        line.wrong.append(f"{row.ungraded} for a person")
    seen = row.page + row.outputs + row.problem
    line.wrong += [f"leak: {mark}" for mark in MARKS if mark in seen]
    line.wrong += [f"acts: {word}" for word in ACTS if word in row.page]
    line.wrong += [f"acts: {word}" for word in ACTIVE_OUTPUTS if f'"{word}"' in row.outputs]
    kept = {f"{AIM}.ipynb", *(["timestamp.txt"] if case.name in ODD_STAMPS else [])}
    line.wrong += [f"was copied: {name}" for name in row.files if name not in kept]
    return line


def contents(root: Path) -> dict[str, str]:
    """What nobody may change, file by file."""
    return {str(path.relative_to(root)): _fingerprint(path) for path in sorted(root.rglob("*"))}


def _fingerprint(path: Path) -> str:
    facts = path.lstat()
    small = stat.S_ISREG(facts.st_mode) and facts.st_size < 1 << 30
    data = path.read_bytes() if small and os.access(path, os.R_OK) else b""
    return f"{facts.st_mode} {facts.st_size} {hashlib.sha256(data).hexdigest()}"


def wrong_beside(way: str, graded: Graded) -> list[str]:
    """What is wrong with the good ones, and with what the way itself said."""
    found = [*graded.wrong]
    found += [
        f"{name} has {row.score} points of {GOOD}: {row.problem}"
        for name, row in graded.rows.items()
        if name.endswith("good") and row.score != GOOD
    ]
    said = re.sub(r"\s+", " ", graded.said)
    found += [f"its words show: {mark}" for mark in MARKS if mark in said]
    return [f"{way}: {one}" for one in found]


def names_of(way: str, *, everything: bool = False) -> list[str]:
    """The attacks that are graded in a way; see the rule above."""
    if everything:
        return [*ALL]
    left_out = {*ATTACKS, *ODD_NOTEBOOKS} - {*SAMPLE} if way == "nbgrader" else {*LONG}
    return [name for name in ALL if name not in left_out]


_Found = tuple[list[Line], list[str]]


def run(folder: Path, names: dict[str, list[str]], each: int) -> _Found:
    """All lines, and what is wrong beside them.

    The ways go on at once, each with a course of its own in the folder: most of the time an attack
    waits for a limit.

    Args:
        names: the attacks of each way.
        each: so many of them, then a good one.
    """
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        server.setblocking(False)
        port = server.getsockname()[1]
        found = [*pool.map(lambda way: _run_way(way, folder / way, names[way], port, each), names)]
        lines = [line for some, _ in found for line in some]
        wrong = [one for _, some in found for one in some]
        try:
            server.accept()
            wrong.append("somebody reached the network")
        except BlockingIOError:
            pass
    return lines, wrong


def _run_way(way: str, folder: Path, names: list[str], port: int, each: int) -> _Found:
    root = folder / "course"
    root.mkdir(parents=True)
    cases = hand_in(root, make_course(root), names, port, each)
    before = contents(root)
    graded = WAYS[way](root, root.with_name("graded"))
    wrong = wrong_beside(way, graded)
    after = contents(root)
    odd = sorted(n for n in {*before, *after} - LOCK if before.get(n) != after.get(n))
    wrong += [f"{way}: {name} was changed" for name in odd]
    return [judge(case, way, graded.rows[case.student]) for case in cases], wrong


def run_on_assignments(names: list[str]) -> _Found:
    """All lines of attacks on the course's own assignments, and what is wrong beside them."""
    lines, wrong = [], []
    for slug, test in sorted({(ASSIGNMENTS[n].slug, ASSIGNMENTS[n].test) for n in names}):
        mine = [n for n in names if (ASSIGNMENTS[n].slug, ASSIGNMENTS[n].test) == (slug, test)]
        with servers_for(slug, test) as servers:
            own = of_the_author(servers, ASSIGNMENTS[mine[0]])
            if (own.verdict, own.fraction) != (PASSED, 1.0):
                wrong.append(f"{slug}: the author's answer does not pass {test}: {own.message}")
            for name in mine:
                outcome = graded(servers, ASSIGNMENTS[name])
                row = Row(score=outcome.fraction, ungraded=int(outcome.verdict == UNGRADED))
                case = Case(name=name, student="")
                faults = [f"{row.score:g} of its points"] * bool(row.score)
                faults += [f"its verdict is {outcome.verdict}"] * (outcome.verdict != FAILED)
                lines.append(Line(case=case, way=slug, row=row, wrong=faults))
    return lines, wrong


def show(lines: list[Line]) -> None:
    table = Table("what it tried", "graded by", "points", "for a person", "wrong")
    for line in lines:
        row = line.row
        points = "–" if row.score is None else f"{row.score:g}"
        cells = (line.case.name, line.way, points, str(row.ungraded or ""), "; ".join(line.wrong))
        table.add_row(*cells, style="bold red" if line.wrong else "")
    console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("words", metavar="WORD", nargs="*", help="only attacks with it in the name")
    parser.add_argument("--by", choices=WAYS, help="only this way; default: both")
    parser.add_argument("--all", action="store_true", help="each attack in both ways")
    options = parser.parse_args()
    words = options.words
    everywhere = [*ALL, *ASSIGNMENTS]
    if not any(word in name for name in everywhere for word in words or [""]):
        parser.error(f"no attack has a name with {' or '.join(words)} in it")
    everything = bool(options.all or options.by or words)
    names = {
        way: [n for n in names_of(way, everything=everything) if any(w in n for w in words or [""])]
        for way in ([options.by] if options.by else WAYS)
    }
    names = {way: chosen for way, chosen in names.items() if chosen}
    chosen = [name for name in ASSIGNMENTS if any(w in name for w in words or [""])]
    with (
        tempfile.TemporaryDirectory(prefix="lmcourse-hostile-") as folder,
        ThreadPoolExecutor() as pool,
    ):
        ways = pool.submit(run, Path(folder).resolve(), names, 1 if everything else EACH)
        more, odd = run_on_assignments(chosen if options.by != "nbgrader" else [])
        lines, wrong = (
            part + other for part, other in zip(ways.result(), (more, odd), strict=True)
        )
    show(lines)
    for one in wrong:
        print(f"wrong: {one}")
    failed = sum(bool(line.wrong) for line in lines) + len(wrong)
    print(f"{len({line.case.name for line in lines})} attacks")
    print(f"{sum(not line.wrong for line in lines)} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
