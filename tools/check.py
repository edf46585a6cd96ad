"""Everything that continuous integration runs: what can be read off the files, then two lanes.

    python tools/check.py

What a step prints is kept in _build/logs; if it failed, all of it is shown at the end.
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

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "_build/logs"
HEARTBEAT = 60  # seconds between two signs of life
PYTHON = sys.executable
BIN = Path(PYTHON).parent


@dataclass
class Step:
    name: str
    command: list[str]
    needs: str = ""  # the step without which this one makes no sense
    state: str = "waiting"  # then running, passed, failed or skipped
    started: float = 0.0
    seconds: float = 0.0
    process: subprocess.Popen | None = None

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
        status = self.process.poll()
        if status is None:
            return False
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
    return [PYTHON, f"tools/{name}.py", *arguments]


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


def lanes() -> list[list[Step]]:
    pages = [
        Step("book", tool("build_book")),
        Step("nbval", tool("nbval"), needs="book"),
        Step("site-check", tool("site_check", "_build/html"), needs="book"),
        # Not about pages, but the other lane is longer.
        Step("faults", tool("faults")),
        Step("breaks", tool("breaks")),
        Step("hostile", tool("hostile")),
    ]
    code = [
        Step("test", [PYTHON, "-m", "pytest", "--durations=30"]),
    ]
    return [pages, code]


def run(lanes: list[list[Step]]) -> None:
    """Runs the lanes side by side, the steps of a lane one after the other."""
    done: dict[str, Step] = {}
    queues = [list(lane) for lane in lanes]
    running: list[Step | None] = [None] * len(lanes)
    beat = time.monotonic()
    try:
        while any(queues) or any(running):
            for index, queue in enumerate(queues):
                step = running[index]
                if step and step.is_over():
                    done[step.name] = step
                    print(f"  {step.state}  {step.name} ({step.seconds:.0f} s)", flush=True)
                    running[index] = None
                if not running[index] and queue:
                    running[index] = _start_next(queue.pop(0), done)
            if time.monotonic() - beat > HEARTBEAT:
                beat = time.monotonic()
                for step in filter(None, running):
                    print(f"  …       {step.name} ({step.seconds:.0f} s): {step.last_line()}")
            time.sleep(0.1)
    finally:
        for step in filter(None, running):
            step.end()


def _start_next(step: Step, done: dict[str, Step]) -> Step | None:
    if step.needs and done[step.needs].state != "passed":
        step.state = "skipped"
        done[step.name] = step
        print(f"  skipped {step.name}: it needs {step.needs}", flush=True)
        return None
    print(f"  started {step.name}", flush=True)
    step.start()
    return step


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
    table = Table("step", "result", "seconds")
    for step in steps:
        table.add_row(step.name, step.state, f"{step.seconds:.0f}" if step.seconds else "")
    Console().print(table)
    count = [step.state for step in steps].count
    skipped = f", {count('skipped')} skipped" if count("skipped") else ""
    print(f"{seconds:.0f} s")
    print(f"{count('passed')} passed, {count('failed')} failed{skipped}")
    return int(count("passed") < len(steps))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--exercises-are-fresh", action="store_true", help="only compare exercises/ with git"
    )
    if parser.parse_args().exercises_are_fresh:
        stale = stale_exercises()
        if stale:
            print("exercises/ must be what solutions/ gives: run make exercises and commit it, got")
            print(stale)
        return int(bool(stale))
    LOGS.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    first, both = first_steps(), lanes()
    steps = [*first, *both[0], *both[1]]
    # SIGTERM is how CI and `timeout` stop a job: then, too, nothing may stay behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run([first])
        run(both)
    except KeyboardInterrupt:
        print("\nstopped: both lanes have been ended", file=sys.stderr)
        return 130
    return report(steps, time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
