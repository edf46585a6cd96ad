"""Runs the chapters and the solutions again: does what the reader sees come out a second time?

    python tools/run_notebooks.py               # both
    python tools/run_notebooks.py chapters      # or solutions

Chapters: every output of the executed notebooks that the build has left is compared. Solutions:
they are stored without outputs, so it is enough that each cell runs. A cell that reads a clock
carries the tag `nbval-ignore-output`.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import forked_kernels
import nbformat
from ext.sealed_execution import inputs_digest, seal

ROOT = Path(__file__).resolve().parent.parent
# The suite's own settings (doctests, warnings as errors, its folders) are not meant for notebooks.
PYTEST = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(ROOT), "-q",
          "-p", "no:cacheprovider", "-p", "no:doctest", "-p", "no:hypothesispytest",
          "--durations=10", "--nbval-kernel-name", forked_kernels.NAME,
          "--nbval-cell-timeout", "300"]  # fmt: skip
MODES = {"chapters": "--nbval", "solutions": "--nbval-lax"}
BUILD_FIRST = "the book must be built before its notebooks are run again, got no {}: run make book"


def has_code(notebook: nbformat.NotebookNode) -> bool:
    return any(cell.cell_type == "code" and cell.source.strip() for cell in notebook.cells)


def gather_chapters(build: Path, target: Path) -> list[Path]:
    """Copies of the chapters as the kernel left them, from the cache of the build.

    The notebooks beside the site lack what `glue` stored, so a glued number that has changed
    would not be seen; the cache has the whole.

    Raises:
        FileNotFoundError: the book was not built, or not from the package as it is now.
    """
    from jupyter_cache import get_cache

    executed = build / "jupyter_execute/book"
    cache_folder = build / ".jupyter_cache" / inputs_digest(ROOT)
    if not executed.is_dir():
        raise FileNotFoundError(BUILD_FIRST.format(executed))
    if not (cache_folder / "global.db").is_file():
        raise FileNotFoundError(BUILD_FIRST.format("build of the package as it is now"))
    cache = get_cache(str(cache_folder))
    shutil.rmtree(target, ignore_errors=True)
    copies = []
    for path in sorted(executed.rglob("*.ipynb")):
        page = nbformat.read(path, as_version=4)
        if not has_code(page):
            continue
        try:
            record = cache.match_cache_notebook(page)
        except KeyError:
            raise FileNotFoundError(BUILD_FIRST.format(f"run of {path.name}")) from None
        copy = target / path.relative_to(executed)
        copy.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(cache.get_cache_bundle(record.pk).nb, copy)
        copies.append(copy)
    return copies


def run_again(mode: str, notebooks: list[Path], processes: int, environment: dict) -> int:
    """The exit status of pytest, which runs each notebook in one of some processes."""
    names = ", ".join(path.stem for path in notebooks)
    print(f"{mode.removeprefix('--')}: {len(notebooks)} notebooks: {names}", flush=True)
    # All cells of a notebook go to one process.
    split = ["-n", str(processes), "--dist", "loadfile"] if processes > 1 else ["-p", "no:xdist"]
    command = [*PYTEST, *split, mode, *map(str, notebooks)]
    with forked_kernels.kernels() as found:
        return subprocess.call(command, cwd=ROOT, env={**environment, **found})


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--build", type=Path, default=ROOT / "_build", metavar="FOLDER", help="the build to check"
    )
    parser.add_argument("which", nargs="*", metavar="WHICH", help="chapters or solutions")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="default: 2")
    arguments = parser.parse_args()
    if unknown := set(arguments.which) - set(MODES):
        parser.error(f"WHICH must be chapters or solutions, got {', '.join(sorted(unknown))}")
    build = arguments.build.resolve()
    environment = dict(os.environ)
    seal(environment, build)
    statuses = []
    for which in arguments.which or MODES:
        try:
            notebooks = (
                gather_chapters(build, build / "nbval/book")
                if which == "chapters"
                else sorted(ROOT.glob("solutions/*/*.ipynb"))
            )
        except FileNotFoundError as error:
            print(error, file=sys.stderr)
            return 1
        if notebooks:
            mode = MODES[which]
            statuses.append(run_again(mode, notebooks, arguments.processes, environment))
        else:
            print(f"{which}: no notebook")
    return int(any(statuses))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
