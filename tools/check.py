"""Everything that continuous integration runs: what can be read off the files, then the rest.

    python tools/check.py
    python tools/check.py book nbval       # these steps, and those that they need

Three steps run at a time, on two cores: each waits now and then, for a kernel, a browser or a limit
that a test runs into. What a step prints is kept in _build/logs; if it failed, all of it is shown
at the end, beside how long each step took, how long it should, and what in it took longest. The
last lines say once more what failed: of a long log that is often all that one sees.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from durations import Duration, longest, read_durations
from rich.table import Table

from lmcourse.grading.cli.terminal import console

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "_build/logs"
HEARTBEAT = 60  # seconds between two signs of life
PYTHON = sys.executable
GRADING = "tests/grading"
WHOLE = "tests/grading/whole"
BIN = Path(PYTHON).parent
AT_ONCE = 3  # steps
# These build on the helpers of the tests.
HELPERS = dict.fromkeys(("run_faults", "hostile"), ("env", "PYTHONPATH=tests:tests/support"))

# Seconds that a step may take on a fast machine of two cores that does nothing else. A step that
# takes more than OVER times as long is named in a warning: it never fails for it.
BUDGETS = {
    "ruff": 1, "ruff format": 1, "codespell": 3, "pip check": 2, "release": 6, "exercises": 1,
    "book": 260, "nbval chapters": 160, "nbval solutions": 50, "site-check": 75,
    "test course": 200, "test classes": 225, "test grading": 225,
    "faults": 70, "breaks": 92, "hostile": 140,
}  # fmt: skip
# Roughly, the seconds of the processor that the long steps take on a slow machine: what takes
# longest is started first, so that nothing long is left alone at the end.
TOOK = {
    "book": 700, "nbval chapters": 1000, "site-check": 1000, "test course": 2000,
    "test classes": 900, "test grading": 750, "faults": 800, "breaks": 200, "hostile": 250,
}  # fmt: skip
OVER = 2
LONGEST = 12  # lines on what took longest
MOST = 10  # lines of a failed step that are shown again


@dataclass
class Step:
    name: str
    command: list[str]
    needs: str = ""  # the step without which this one makes no sense
    state: str = "waiting"  # then running, passed, failed or skipped
    started: float = 0.0
    seconds: float = 0.0
    processor: float = 0.0  # seconds, of all its processes that were waited for: not of sandboxes
    process: subprocess.Popen | None = None

    @property
    def budget(self) -> float:
        return BUDGETS.get(self.name, 0.0)

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name.replace(' ', '-')}.log"

    def start(self) -> None:
        self.state, self.started = "running", time.monotonic()
        with self.log.open("wb") as log:
            # A session of its own, so that Ctrl-C can end the step with all that it started.
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def is_over(self) -> bool:
        """Whether it has ended; notes how."""
        self.seconds = time.monotonic() - self.started
        ended, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if not ended:
            return False
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.processor = usage.ru_utime + usage.ru_stime
        self.state = "failed" if status else "passed"
        return True

    def end(self) -> None:
        """Ends it with its children, gently first."""
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            try:
                os.killpg(self.process.pid, how)
                self.process.wait(timeout=10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self.state = "stopped"

    def last_line(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip()[:90] for line in reversed(lines) if line.strip()), "")


def tool(name: str, *arguments: str) -> list[str]:
    return [*HELPERS.get(name, ()), PYTHON, f"tools/{name}.py", *arguments]


def first_steps() -> list[Step]:
    ruff, codespell, lmcourse = (str(BIN / name) for name in ("ruff", "codespell", "lmcourse"))
    return [
        Step("ruff", [ruff, "check", "."]),
        Step("ruff format", [ruff, "format", "--check", "."]),
        Step("codespell", [codespell]),
        Step("pip check", [PYTHON, "-m", "pip", "check"]),
        Step("release", [lmcourse, "release"]),
        Step("exercises", tool("check", "--exercises-are-fresh"), needs="release"),
    ]


def other_steps() -> list[Step]:
    suite = [PYTHON, "-m", "pytest", "--durations=30"]
    return [
        Step("book", tool("build_book", "--processes=1")),
        Step("nbval chapters", tool("run_notebooks", "chapters", "--processes=1"), needs="book"),
        Step("nbval solutions", tool("run_notebooks", "solutions", "--processes=1")),
        Step("site-check", tool("site_check", "_build/html"), needs="book"),
        # The three parts leave nothing out: what is not in a folder is in another part.
        Step("test classes", [*suite, WHOLE]),
        Step("test grading", [*suite, GRADING, f"--ignore={WHOLE}"]),
        Step("test course", [*suite, f"--ignore={GRADING}"]),
        Step("faults", tool("run_faults")),
        Step("breaks", tool("breaks")),
        Step("hostile", tool("hostile")),
    ]


def in_order(steps: list[Step]) -> list[Step]:
    """The steps as they should be started: first those after which most is still to be done."""

    def rest(step: Step) -> float:
        return TOOK.get(step.name, step.budget) + max(
            (rest(each) for each in steps if each.needs == step.name), default=0
        )

    return sorted(steps, key=rest, reverse=True)


def run(steps: list[Step], at_once: int = AT_ONCE) -> None:
    """Runs the steps, some at a time: whenever one ends, the next that has what it needs starts."""
    waiting, running = list(steps), []
    beat = time.monotonic()
    try:
        while waiting or running:
            for step in [each for each in running if each.is_over()]:
                running.remove(step)
                print(f"  {step.state}  {step.name} ({step.seconds:.0f} s)", flush=True)
            _skip(steps, waiting)
            ready = [step for step in waiting if _state(steps, step.needs) == "passed"]
            for step in ready[: at_once - len(running)]:
                waiting.remove(step)
                running.append(step)
                print(f"  started {step.name}", flush=True)
                step.start()
            if time.monotonic() - beat > HEARTBEAT:
                beat = time.monotonic()
                for step in running:
                    print(f"  …       {step.name} ({step.seconds:.0f} s): {step.last_line()}")
            time.sleep(0.1)
    finally:
        for step in running:
            step.end()


def _state(steps: list[Step], name: str) -> str:
    """The state of the step of that name; what is not among the steps counts as passed."""
    return next((step.state for step in steps if step.name == name), "passed")


def _skip(steps: list[Step], waiting: list[Step]) -> None:
    """Takes away those whose need has failed, and those that need one of these."""
    while useless := [
        step for step in waiting if _state(steps, step.needs) in ("failed", "skipped")
    ]:
        for step in useless:
            waiting.remove(step)
            step.state = "skipped"
            print(f"  skipped {step.name}: it needs {step.needs}", flush=True)


def stale_exercises() -> str:
    """What differs between exercises/, just released anew, and what git knows of it."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        return ""  # a copy without its history: there is nothing to compare with
    changed = subprocess.run(
        ["git", "diff", "--stat", "--exit-code", "--", "exercises"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    untracked = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "--", "exercises"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return (changed.stdout + changed.stderr if changed.returncode else "") + untracked.stdout


def report(steps: list[Step], seconds: float) -> int:
    for step in steps:
        if step.state == "failed":
            print(f"\n──── {step.name} failed; {step.log.relative_to(ROOT)} ────")
            print(step.log.read_text(encoding="utf-8", errors="replace").rstrip())
    table = Table("step", "result", "seconds", "budget", "of budget", "processor seconds")
    for step in steps:
        ran = bool(step.seconds)
        table.add_row(
            step.name,
            step.state,
            f"{step.seconds:.0f}" if ran else "",
            f"{step.budget:.0f}",
            f"{step.seconds / step.budget:.0%}" if ran and step.budget else "",
            f"{step.processor:.0f}" if ran else "",
        )
    console().print(table)
    print("what took longest:")
    for step, one in what_took_longest(steps):
        print(f"  {one}  ({step.name})")
    for step in steps:
        if step.seconds > OVER * step.budget > 0:
            print(
                f"warning: {step.name} took {step.seconds:.0f} s, more than {OVER} times its budget"
                f" of {step.budget:.0f} s: is the machine busy, or has it grown?"
            )
    count = [step.state for step in steps].count
    skipped = f", {count('skipped')} skipped" if count("skipped") else ""
    for step in steps:
        if step.state == "failed":
            print(f"{step.name} failed:")
            log = step.log.read_text(encoding="utf-8", errors="replace")
            print("\n".join(f"  {line[:200]}" for line in essence(log)))
    print(f"{seconds:.0f} s")
    print(f"{count('passed')} passed, {count('failed')} failed{skipped}")
    return int(count("passed") < len(steps))


def essence(log: str) -> list[str]:
    """The few lines of a failed step's log that say what failed: pytest's summary or the last ones.

    How long parts took, which some steps print there, is left out.
    """
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    summary = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
    return summary[:MOST] or [line for line in lines if not read_durations(line)][-MOST:]


def what_took_longest(steps: list[Step]) -> list[tuple[Step, Duration]]:
    """The tests, pages, rows and attacks of all steps that took longest, each with its step."""
    found = {
        one: step
        for step in steps
        if step.log.is_file() and step.seconds
        for one in read_durations(step.log.read_text(encoding="utf-8", errors="replace"))
    }
    return [(found[one], one) for one in longest(found, LONGEST)]


def chosen(steps: list[Step], names: list[str]) -> list[Step]:
    """The steps of these names and those that they need; all if no name is given."""
    wanted = set(names)
    while more := {step.needs for step in steps if step.name in wanted} - wanted - {""}:
        wanted |= more
    return [step for step in steps if step.name in wanted or not names]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--exercises-are-fresh", action="store_true", help="only compare exercises/ with git"
    )
    parser.add_argument("steps", nargs="*", metavar="STEP", help="only these; default: all")
    options = parser.parse_args()
    if options.exercises_are_fresh:
        stale = stale_exercises()
        if stale:
            print("exercises/ must be what solutions/ gives: run make exercises and commit it, got")
            print(stale)
        return int(bool(stale))
    first, others = first_steps(), in_order(other_steps())
    names = [step.name for step in (*first, *others)]
    if unknown := set(options.steps) - set(names):
        parser.error(f"STEP must be one of {', '.join(names)}, got {', '.join(sorted(unknown))}")
    LOGS.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    first, others = chosen(first, options.steps), chosen(others, options.steps)
    # SIGTERM is how CI and `timeout` stop a job: then, too, nothing may stay behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(first)
        run(others)
    except KeyboardInterrupt:
        print("\nstopped: all steps have been ended", file=sys.stderr)
        return 130
    return report([*first, *others], time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
