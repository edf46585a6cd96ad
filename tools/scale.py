"""How fast a large class is graded, beside stock nbgrader, and whether anything depends on how.

    export PYTHONPATH=tests:tests/support
    python tools/scale.py                      300 submissions, 30 of them by stock nbgrader
    python tools/scale.py --count 12 --stock 3 --kill-after 4      to try it

One worker, two, a run that is killed and started again, a Dask cluster of two workers and a
PostgreSQL gradebook, each with nothing kept from before: the time by the clock, the least that the
processor worked, the memory, and whether gradebook and scores are the same. Run it when the
machine has nothing else to do; the load that it found is printed.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from class_attention import ASSIGNMENT
from class_large import Generator, HandedIn, misjudged, write_class
from class_small import command, gradebook
from dask_and_postgres import DASK, DRIVER, POSTGRES, dask_cluster, postgres
from rich.table import Table

from lmcourse.grading.cli.terminal import console

ROOT = Path(__file__).resolve().parents[1]

MIB = 1 << 20
STOCK_CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "stock"
c.CourseDirectory.source_directory = "solutions"
"""


@dataclass(kw_only=True)
class Run:
    """One way to grade a class, and what it took."""

    name: str
    count: int
    seconds: float = 0.0
    processor: float = 0.0
    memory: list[tuple[float, float, float]] = field(default_factory=list)  # time, grader, all
    load: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def each(self) -> float:
        return self.seconds / self.count

    def grows(self) -> str:
        """The grader's memory after a third of the time and at the end, and the most of all."""
        if len(self.memory) < 6:
            return ""
        early, late = self.memory[len(self.memory) // 3], self.memory[-2]
        return f"{early[1]:.0f} → {late[1]:.0f}, {max(row[2] for row in self.memory):.0f}"


class Watch(threading.Thread):
    """Looks at a process and all below it, several times a second."""

    def __init__(self, pid: int, run: Run):
        super().__init__(daemon=True)
        self._process, self._run, self._spent = psutil.Process(pid), run, {}
        self._over = threading.Event()

    def run(self) -> None:
        started = time.monotonic()
        while not self._over.wait(0.25):
            with contextlib.suppress(psutil.Error):
                below = self._process.children(recursive=True)
                sizes = [self._look(process) for process in (self._process, *below)]
                passed = time.monotonic() - started
                self._run.memory.append((passed, sizes[0], sum(sizes)))

    def _look(self, process: psutil.Process) -> float:
        try:
            times = process.cpu_times()
            self._spent[process.pid, process.create_time()] = times.user + times.system
            return process.memory_info().rss / MIB
        except psutil.Error:
            return 0.0

    def stop(self) -> None:
        self._over.set()
        self.join()
        self._run.processor = sum(self._spent.values())


def timed(run: Run, line: list, cwd: Path, until=lambda: False, **options) -> int:
    """Run a command, until it ends or `until` says that it is to be killed."""
    run.load = os.getloadavg()[0]
    started = time.monotonic()
    process = subprocess.Popen(list(map(str, line)), cwd=cwd, **options)
    watch = Watch(process.pid, run)
    watch.start()
    while process.poll() is None:
        if until():
            process.kill()
        time.sleep(0.05)
    run.seconds += time.monotonic() - started
    watch.stop()
    return process.returncode


class Bench:
    """One class, graded in many ways."""

    def __init__(self, root: Path, learners: list[HandedIn]):
        self.root, self.learners, self.runs = root, learners, []
        self.course = root / "course"
        for folder in ("solutions", "exercises"):
            shutil.copytree(ROOT / folder / ASSIGNMENT, self.course / folder / ASSIGNMENT)
        shutil.copy(ROOT / "nbgrader_config.py", self.course)
        (self.course / "secret").write_text("the secret of this measurement")
        write_class(root / "in", learners)
        self.first: list[tuple] = []

    def ours(self, name: str, *options, db_url: str = "", kill_after: int = 0) -> None:
        """`lmcourse grade`, with nothing kept; with `kill_after`, killed and started again."""
        run, out = Run(name=name, count=len(self.learners)), self.root / name.replace(" ", "-")
        say(name)
        given = ("-a", ASSIGNMENT, "--output", out, "--secret", self.course / "secret")
        line = command("grade", self.root / "in", *given, *options)
        log = out / f"grades/{ASSIGNMENT}.log"
        with (self.root / "said").open("wb") as said:
            to = {"stdout": said, "stderr": said}
            twice = []
            if kill_after:
                timed(run, line, self.course, lambda: len(graded(log)) >= kill_after, **to)
                twice = graded(log)
            code = timed(run, line, self.course, **to)
        if code not in (0, 1):
            run.wrong.append((self.root / "said").read_text("utf-8", "replace")[-500:])
        else:
            again = sorted({*twice} & {*graded(log)})
            run.wrong += [f"{len(again)} graded twice"] if again else []
            self._compare(run, out, db_url)
        self.runs.append(run)

    def _compare(self, run: Run, out: Path, db_url: str) -> None:
        report = json.loads((out / f"grades/{ASSIGNMENT}.json").read_text("utf-8"))
        run.wrong += misjudged(self.learners, report)[:3]
        held = gradebook(out, db_url)
        self.first = self.first or held
        if held != self.first:
            run.wrong.append("another gradebook than that of the first run")

    def stock(self, count: int) -> None:
        """nbgrader as it comes: no settings of ours, a plain course folder."""
        say(f"stock nbgrader on {count}")
        fit = [learner for learner in self.learners if learner.for_stock][:count]
        run, plain = Run(name="stock nbgrader", count=len(fit)), self.root / "stock"
        shutil.copytree(ROOT / "solutions" / ASSIGNMENT, plain / "solutions" / ASSIGNMENT)
        (plain / "nbgrader_config.py").write_text(STOCK_CONFIG)
        write_class(plain / "submitted", fit, nested=ASSIGNMENT)
        nbgrader = [sys.executable, "-m", "nbgrader"]
        bin_folder = str(Path(sys.executable).parent)
        environment = {
            **os.environ,
            "PATH": bin_folder + os.pathsep + os.environ["PATH"],
            "PYTHONWARNINGS": "ignore",
        }
        with (self.root / "said").open("wb") as said:
            to = {"stdout": said, "stderr": said, "env": environment}
            subprocess.run([*nbgrader, "generate_assignment", ASSIGNMENT], cwd=plain, **to)
            code = timed(run, [*nbgrader, "autograde", ASSIGNMENT], plain, **to)
        if code:
            run.wrong.append((self.root / "said").read_text("utf-8", "replace")[-500:])
        self.runs.insert(0, run)

    def table(self) -> Table:
        count = len(self.learners)
        names = ("", "graded", "s each", f"s for {count}", "× stock", "cpu s each ≥")
        table = Table(*names, "MiB: grader, all", "load", "wrong")
        stock = next((run.each for run in self.runs if run.name.startswith("stock")), None)
        for run in self.runs:
            table.add_row(
                run.name,
                str(run.count),
                f"{run.each:.2f}",
                f"{run.each * count:.0f}",
                f"{stock / run.each:.1f}" if stock and run.each else "",
                f"{run.processor / run.count:.2f}",
                run.grows(),
                f"{run.load:.1f}",
                "; ".join(run.wrong),
                style="bold red" if run.wrong else "",
            )
        return table


def graded(log: Path) -> list[str]:
    """Whom a run has graded itself."""
    if not log.exists():
        return []
    lines = log.read_text("utf-8").splitlines()
    return [line.split()[-1] for line in lines if " was graded: " in line]


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=300, help="submissions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stock", type=int, default=30, help="of them, by stock nbgrader")
    parser.add_argument("--kill-after", type=int, default=100, help="submissions")
    parser.add_argument("--only", nargs="*", help="one, two, killed, dask, postgres, stock")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    chosen = options.only or ["stock", "one", "two", "killed", "dask", "postgres"]
    learners = Generator(options.seed).learners(options.count)
    print(", ".join(f"{n} {kind}" for kind, n in Counter(x.kind for x in learners).items()))
    with tempfile.TemporaryDirectory(prefix="lmcourse-scale-") as folder:
        root = Path(folder).resolve()
        bench = Bench(root, learners)
        if "stock" in chosen:
            bench.stock(options.stock)
        if "one" in chosen:
            bench.ours("one worker", "-n", 1)
        if "two" in chosen:
            bench.ours("two workers", "-n", 2)
        if "killed" in chosen:
            bench.ours("killed and again", "-n", 2, kill_after=options.kill_after)
        if "dask" in chosen and DASK:
            with dask_cluster(root) as address:
                bench.ours("Dask cluster", "--backend", "dask", "--scheduler", address)
        if "postgres" in chosen and POSTGRES and DRIVER:
            with postgres(root) as db_url:
                config = f"\nc.CourseDirectory.db_url = {db_url!r}\n"
                with (bench.course / "nbgrader_config.py").open("a") as file:
                    file.write(config)
                bench.ours("PostgreSQL", "-n", 2, db_url=db_url)
    console().print(bench.table())
    return int(any(run.wrong for run in bench.runs))


if __name__ == "__main__":
    sys.exit(main())
