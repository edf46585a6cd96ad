"""Builds the book, strictly: a warning, a failing cell, a number outside of its band end it.

    python tools/build_book.py                      the site is _build/html
    python tools/build_book.py --output /tmp/mine   a private build: /tmp/mine/_build/html

Pages are always written anew, since the warnings of a page that is skipped would be lost; what
their cells print is taken from a cache as long as neither the page nor the package has changed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from durations import print_longest
from ext.sealed_execution import PROCESSES, seal
from published_notebooks import publish

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build"]
COLORS = re.compile(r"\x1b\[[0-9;]*m")
EXECUTED = re.compile(r"(\S+)\.md: Executed notebook in (\d+\.\d+) seconds")
WARNING = re.compile(r"\b(WARNING|ERROR|CRITICAL|Exception|Error):")
# Said by each kernel; it listens on this machine only.
NOISE = "[IPKernelApp] WARNING | Kernel is running over TCP without encryption."


def build(output: Path, *, cold: bool = False, processes: int = 2) -> int:
    """Builds into `output`/_build and prints how it went; returns the exit status."""
    start = time.monotonic()
    folder = output / "_build"
    for stale in ["html", "jupyter_execute", *([".jupyter_cache"] if cold else [])]:
        shutil.rmtree(folder / stale, ignore_errors=True)
    environment = dict(os.environ)
    seal(environment, folder)
    environment[PROCESSES] = str(processes)
    command = [
        *COMMAND,
        str(ROOT),
        "--path-output",
        str(output),
        "--all",
        "-W",
        "-n",
        "--keep-going",
    ]
    status, said, complaints = _run(command, environment)
    seconds = time.monotonic() - start
    if status:
        print(f"\nThe book was not built ({seconds:.0f} s): {len(complaints)} warnings and errors.")
        print("\n".join(complaints) or "No warning was given; the reason stands above.")
        return 1
    # What the download button hands out: readable without the book.
    publish(folder / "jupyter_execute/book", folder / "html/_sources/book")
    print_longest("page", _seconds(said))
    pages = len(list((folder / "html/book").rglob("*.html")))
    where = f"Open {os.path.relpath(folder / 'html/index.html')}"
    serve = ", or run: make serve" if output == ROOT else ""
    print(f"\n{pages} pages in {seconds:.0f} s, no warning. {where}{serve}")
    return 0


def _seconds(lines: list[str]) -> dict[str, float]:
    """How long the cells of each page ran, of those that were executed."""
    found = map(EXECUTED.search, lines)
    return {match[1]: float(match[2]) for match in found if match}


def _run(command: list[str], environment: dict) -> tuple[int, list[str], list[str]]:
    """Runs it, shows what it prints as it comes; returns its status, progress and complaints."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    complaints: list[str] = []
    errors = threading.Thread(target=_follow_errors, args=(process.stderr, complaints))
    errors.start()
    try:
        said = [_show_progress(line) for line in process.stdout]
        errors.join()
        return process.wait(), said, complaints
    except KeyboardInterrupt:
        process.wait()  # it got the same Ctrl-C, and ends its kernels
        raise


def _show_progress(line: str) -> str:
    """The line as it is shown; empty if it is not."""
    # One line a page. jupyter-book's banners and empty lines say nothing.
    text = COLORS.sub("", line).strip().replace(str(ROOT) + os.sep, "").removesuffix(" [mystnb]")
    if not text.startswith(("reading sources", "writing output")) and not EXECUTED.search(text):
        return ""
    print(text, flush=True)
    return text


def _follow_errors(stream, complaints: list[str]) -> None:
    """Keeps each warning with the lines that belong to it, as a traceback's."""
    previous = ""
    for line in stream:
        text = COLORS.sub("", line.rstrip()).replace(str(ROOT) + os.sep, "")
        if '"<string>", line 1' in text and previous.startswith("Traceback"):
            break  # jupyter-book's own traceback, by which it says that there were warnings
        if previous:
            _keep(previous, complaints)
        previous = "" if text.startswith(NOISE) else text
    else:
        if previous:
            _keep(previous, complaints)
    for _ in stream:  # read to its end, or the writer waits
        pass


def _keep(text: str, complaints: list[str]) -> None:
    print(text, file=sys.stderr, flush=True)
    if complaints and (text.startswith(" ") or not WARNING.search(text)):
        complaints[-1] += "\n" + text
    else:
        complaints.append(text)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output", type=Path, default=ROOT, metavar="FOLDER", help="where _build/ is to be"
    )
    parser.add_argument("--cold", action="store_true", help="run every cell, use no cache")
    parser.add_argument(
        "--processes", type=int, default=2, metavar="N", help="pages that run at a time; default: 2"
    )
    arguments = parser.parse_args()
    try:
        return build(arguments.output.resolve(), cold=arguments.cold, processes=arguments.processes)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
