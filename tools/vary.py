"""Runs the tests, the pages and the assignments with other kernels, seeds, orders, and beside load.

    python tools/vary.py                     variations without a result: an hour and a half in all
    python tools/vary.py --all               every test with every setting: four hours
    python tools/vary.py --only 'seed-*'     those whose setting, part or name fits
    python tools/vary.py --list              their names, and which have a result
    python tools/vary.py --again             results are not looked at, everything is run

A variation is one setting on one part. Its result is kept in _build/vary until a file of the
project, a version or the processor changes, so that a run that was stopped goes on. A failed one
keeps its result, too: a second run that happens to pass proves nothing.
"""

import argparse
import fnmatch
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEARTBEAT = 60  # seconds between two signs of life
LIMIT = 2400  # seconds for one variation, beside hogs: one that hangs ends all the same
SHOWN = 8  # lines of what failed, for each variation; its log has them all
SEEDS = range(1, 11)

PYTEST = ["-m", "pytest", "-p", "no:cacheprovider", "-m", "not slow"]
IN_TWO = ["-n", "2", "--dist", "loadscope"]
PARTS = {
    # The grader's own tests meet torch's kernels in answers alone, which are a part of their own.
    "course": [*PYTEST, *IN_TWO, "--ignore=tests/grading"],
    "grading": [*PYTEST, *IN_TWO, "tests/grading"],
    # One process, so that each test meets what those before it have left.
    "one-process": [*PYTEST, "--ignore=tests/grading"],
    "grading-alone": [*PYTEST, "tests/grading"],
    "pages": ["tools/page_runs.py"],
    "assignments": ["tools/right_answers.py"],
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is unlike the usual run.

    Args:
        parts: what it is tried on.
        more: what it is tried on, too, when there is time for all.
        variables: of the environment.
        seed: shifts the seeds of tests, pages and assignments.
        n_hogs: processes that keep a core each busy, in sessions of their own.
    """

    name: str
    parts: tuple[str, ...]
    more: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    seed: int | None = None
    n_hogs: int = 0


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One setting on one part."""

    setting: Setting
    part: str

    @property
    def name(self) -> str:
        return f"{self.setting.name}.{self.part}"

    @property
    def command(self) -> list[str]:
        seed, is_tool = self.setting.seed, PARTS[self.part][0].endswith(".py")
        more = [] if seed is None or not is_tool else ["--seed", str(seed)]
        return [sys.executable, *PARTS[self.part], *more]

    @property
    def environment(self) -> dict[str, str]:
        """What is set, over the usual one thread and hash seed."""
        seed = self.setting.seed
        shifted = {} if seed is None else {"LMCOURSE_TEST_SEED": str(seed)}
        found = {"PYTHONPATH": "tests"} if self.part == "assignments" else {}  # their answers
        usual = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        return usual | found | shifted | self.setting.variables

    def fits(self, pattern: str) -> bool:
        return any(
            fnmatch.fnmatch(text, pattern) for text in (self.name, self.setting.name, self.part)
        )


@dataclass(kw_only=True)
class Result:
    """How one went; `key` says for which state of the project, on which machine."""

    name: str
    key: str
    passed: bool
    seconds: float
    cpu_seconds: float
    failures: list[str]
    last_line: str
    log: str


def settings() -> list[Setting]:
    """All of them. Pages and assignments meet every setting that can change a number. Tests take
    longest: those that differ most, so that all ends within an hour and a half; the rest is `more`.
    """
    kernels = [
        # Torch's own loops: without vectors, and with those of 256 bits.
        ("aten-default", {"ATEN_CPU_CAPABILITY": "default"}),
        ("aten-avx2", {"ATEN_CPU_CAPABILITY": "avx2"}),
        # Products in bfloat16, some convolutions and activations.
        ("onednn-sse41", {"ONEDNN_MAX_CPU_ISA": "SSE41"}),
        ("onednn-avx2", {"ONEDNN_MAX_CPU_ISA": "AVX2"}),
        # Products in float32, where torch was built with MKL.
        ("mkl-compatible", {"MKL_CBWR": "COMPATIBLE"}),
    ]
    numbers, tests = ("pages", "assignments"), ("course", "grading")
    # The kernels that are furthest from the usual ones of a new processor.
    tested = {"aten-default": tests[:1], "onednn-sse41": tests[:1]}
    return [
        Setting(name="own", parts=numbers, more=tests),
        *(
            Setting(
                name=name, variables=variables, parts=numbers + tested.get(name, ()),
                more=tuple(part for part in tests if part not in tested.get(name, ())),
            )
            for name, variables in kernels
        ),
        Setting(
            name="hash-1", parts=("grading",), more=("pages", "course"),
            variables={"PYTHONHASHSEED": "1"},
        ),
        Setting(
            name="hash-4242", parts=("course",), more=("grading",),
            variables={"PYTHONHASHSEED": "4242"},
        ),
        Setting(
            name="reversed", parts=("one-process",), more=("grading-alone",),
            variables={"LMCOURSE_TEST_ORDER": "reversed"},
        ),
        Setting(
            name="shuffled", parts=("course",), more=("one-process", "grading-alone"),
            variables={"LMCOURSE_TEST_ORDER": "shuffled-1"},
        ),
        # Load changes no number: what it can upset is the tests, and what waits for an answer.
        Setting(name="hogs", parts=("assignments", "course"), more=("pages", "grading"), n_hogs=2),
        Setting(name="seed-1", parts=(*numbers, "course"), seed=1),
        *(
            Setting(name=f"seed-{seed}", parts=numbers, more=("course",), seed=seed)
            for seed in SEEDS[1:]
        ),
    ]  # fmt: skip


def variations(*, is_all: bool = False) -> list[Variation]:
    """Those of an hour and a half, or every one."""
    return [
        Variation(setting=setting, part=part)
        for setting in settings()
        for part in setting.parts + (setting.more if is_all else ())
    ]


def contents(root: Path) -> str:
    """The id of the tree that git would make of all files as they are now, ignored ones left out.

    Raises:
        ValueError: the folder is no work tree of git.
    """
    used = Path(root, _git(root, "rev-parse", "--git-path", "index"))
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder, "index")  # a copy: that of the person who works here stays as it is
        if used.is_file():
            shutil.copy(used, index)
        _git(root, "add", "--all", GIT_INDEX_FILE=str(index))
        return _git(root, "write-tree", GIT_INDEX_FILE=str(index))


def _git(root: Path, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, env=os.environ | variables, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(f"{root} must be a work tree of git: {done.stderr.strip()}")
    return done.stdout.strip()


def key(variation: Variation, tree: str) -> str:
    """Changes with the files, what is set, Python, torch and the processor."""
    told = [
        tree, variation.environment, variation.command[1:], variation.setting.n_hogs,
        sys.version, importlib.metadata.version("torch"), platform.machine(), _processor(),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    kinds = ("model name", "flags")
    return "\n".join(sorted({line for line in lines if line.startswith(kinds)}))


def stored(variation: Variation, folder: Path, tree: str) -> Result | None:
    """The result that is still true; None without one."""
    try:
        result = Result(**json.loads((folder / f"{variation.name}.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return result if result.key == key(variation, tree) else None


# A hog ends by itself when the process that started it is gone, however that ended.
HOG = "import os, sys\nparent = int(sys.argv[1])\nwhile os.getppid() == parent: pass"


@contextmanager
def hogs(count: int) -> Iterator[None]:
    """Keeps so many cores busy. Each in a session of its own: Linux shares the processor fairly
    among sessions first, so hogs in ours would take time from our own processes alone."""
    started = [
        subprocess.Popen([sys.executable, "-c", HOG, str(os.getpid())], start_new_session=True)
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def run(variation: Variation, folder: Path, tree: str, root: Path = ROOT) -> Result:
    """Runs one and stores its result; nothing is stored if it is interrupted."""
    log, start, before = folder / f"{variation.name}.log", time.monotonic(), os.times()
    with hogs(variation.setting.n_hogs), log.open("w", encoding="utf-8") as output:
        set_ = " ".join(f"{name}={value}" for name, value in variation.environment.items())
        print(set_, *variation.command, file=output, flush=True)
        process = subprocess.Popen(
            variation.command, cwd=root, env=os.environ | variation.environment,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            status = _wait(process, log, start)
        except BaseException:
            _end(process)
            raise
    after = os.times()
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    failures = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
    if status and not failures:
        failures = [f"it ended with status {status}" if status > 0 else f"it took over {LIMIT} s"]
    result = Result(
        name=variation.name,
        key=key(variation, tree),
        passed=status == 0,
        seconds=round(time.monotonic() - start, 1),
        cpu_seconds=round(sum(after[2:4]) - sum(before[2:4]), 1),
        failures=failures,
        last_line=next((line for line in reversed(lines) if line.strip()), ""),
        log=str(log),
    )
    text = json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n"
    (folder / f"{variation.name}.json").write_text(text, encoding="utf-8")
    return result


def _wait(process: subprocess.Popen, log: Path, start: float) -> int:
    """The exit status, with a sign of life now and then; below 0 if it took too long."""
    while True:
        try:
            return process.wait(timeout=HEARTBEAT)
        except subprocess.TimeoutExpired:
            seconds = time.monotonic() - start
            if seconds > LIMIT:
                _end(process)
                return -1
            tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            print(f"    … {seconds:.0f} s: {''.join(tail)[:100]}", flush=True)


def _end(process: subprocess.Popen) -> None:
    """Ends it with its children, gently first."""
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(timeout=10)
            return
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def report(results: list[Result], folder: Path) -> int:
    """Prints what failed and how many passed; 1 if one failed."""
    failed = [result for result in results if not result.passed]
    for result in failed:
        print(f"\nfailed: {result.name}, {result.log}")
        for line in result.failures[:SHOWN]:
            print(f"    {line}")
        if len(result.failures) > SHOWN:
            print(f"    … and {len(result.failures) - SHOWN} more")
    seconds = sum(result.seconds for result in results)
    print(f"\n{seconds / 60:.0f} minutes in all; results and logs: {folder}")
    print(f"variations passed: {len(results) - len(failed)} of {len(results)}")
    return int(bool(failed))


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="PATTERN", action="append", help="may be repeated")
    parser.add_argument("--all", action="store_true", help="every test with every setting, too")
    parser.add_argument("--list", action="store_true", help="show what there is")
    parser.add_argument("--again", action="store_true", help="run what has a result, too")
    options = parser.parse_args(arguments)
    chosen = variations(is_all=options.all)
    wanted = [v for v in chosen if any(map(v.fits, options.only or ["*"]))]
    if not wanted:
        parser.error(f"--only must fit a variation, got --only={options.only}: see --list")
    folder = root / "_build/vary"
    folder.mkdir(parents=True, exist_ok=True)
    tree, results = contents(root), []
    known = {v.name: None if options.again else stored(v, folder, tree) for v in wanted}
    if options.list:
        for v in wanted:
            print(f"{v.name:28}{_state(known[v.name])}")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # how CI stops a job
    try:
        for number, variation in enumerate(wanted, 1):
            print(f"[{number} of {len(wanted)}] {variation.name}", flush=True)
            results.append(known[variation.name] or run(variation, folder, tree, root))
            before = " (from before)" if known[variation.name] else ""
            print(f"    {_state(results[-1])}{before}", flush=True)
    except KeyboardInterrupt:
        print(f"\nstopped after {len(results)} of {len(wanted)}: run it again to go on")
        return 130
    return report(results, folder)


def _state(result: Result | None) -> str:
    if result is None:
        return "no result"
    return f"{'passed' if result.passed else 'failed'} in {result.seconds:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
