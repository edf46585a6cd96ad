"""Runs the pages' cells without building the book: does each assertion hold, each number fall
into its band of tests/bands.csv?

    python tools/page_runs.py                      every page, as the book runs it
    python tools/page_runs.py --seed 3 attention   one page, with SEED = 3 in place of its own
    python tools/page_runs.py --seed 3 --numbers FILE   what each page measured, a line of JSON each

A page goes on after a cell that fails, so that all that depends on the seed is found in one run.
"""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
import nbformat
from ext.number_bands import Band, complaints, glued_numbers, read_bands
from ext.sealed_execution import seal
from myst_nb.ext.glue import extract_glue_data_cell
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent

WORKERS = 2
CELL_SECONDS = 900  # long, since the machine may be busy: a cell that hangs ends all the same
SEED = re.compile(r"^SEED = \d+$", re.MULTILINE)
COLORS = re.compile(r"\x1b\[[0-9;]*m")
ARROW = re.compile(r"^-+> *\d+ (.*)$", re.MULTILINE)  # the line of the cell, in IPython's traceback


@dataclass(kw_only=True)
class Outcome:
    """What came of one page; `problems` is empty if all is well."""

    page: str
    seconds: float
    is_seeded: bool  # has the page a SEED that could be set?
    problems: list[str] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)


def read(path: Path) -> nbformat.NotebookNode:
    return jupytext.read(path, fmt="md:myst")


def pages(root: Path) -> list[Path]:
    """The pages that have cells to run."""
    found = sorted((root / "book").rglob("*.md"))
    return [path for path in found if "{code-cell}" in path.read_text(encoding="utf-8")]


def set_seed(page: nbformat.NotebookNode, seed: int) -> bool:
    """Puts the seed into the page's line `SEED = 0`; False if it has none."""
    for cell in page.cells:
        if cell.cell_type == "code" and SEED.search(cell.source):
            cell.source = SEED.sub(f"SEED = {seed}", cell.source)
            return True
    return False


def run(path: Path, seed: int | None, bands: list[Band], root: Path = ROOT) -> Outcome:
    """Runs a page in a kernel of its own."""
    start = time.monotonic()
    page = read(path)
    is_seeded = seed is not None and set_seed(page, seed)
    client = NotebookClient(
        page, timeout=CELL_SECONDS, kernel_name="python3", allow_errors=True,
        extra_arguments=["--log-level=ERROR"],  # each kernel would warn of its ports
        resources={"metadata": {"path": str(path.parent)}},
    )  # fmt: skip
    slug = path.relative_to(root / "book").with_suffix("").as_posix()
    numbers = {}
    try:
        client.execute()
    except Exception as error:  # the kernel died, or a cell took too long
        problems = [f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"]
    else:
        problems = list(failures(page))
        own = [band for band in bands if band.page == slug]
        glued = glued_numbers(glue(page))
        numbers = dict(as_numbers(glued))
        if problems:  # a number that a failed cell did not get to is no finding of its own
            own = [band for band in own if band.name in glued]
        problems += [problem for _, problem in complaints({slug: glued}, own)]
    return Outcome(
        page=slug, seconds=time.monotonic() - start, is_seeded=is_seeded,
        problems=problems, numbers=numbers,
    )  # fmt: skip


def as_numbers(glued: dict[str, str]) -> Iterator[tuple[str, float]]:
    """What was glued, without what is no number."""
    for name, text in glued.items():
        with suppress(ValueError):
            yield name, float(text)


def failures(page: nbformat.NotebookNode) -> Iterator[str]:
    """One line for each cell that failed or wrote to stderr, which ends a build as well."""
    for cell in page.cells:
        if "raises-exception" in cell.metadata.get("tags", []):
            continue
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                where = ARROW.search(COLORS.sub("", "\n".join(output.traceback)))
                place = where[1].strip() if where else cell.source.splitlines()[0]
                yield f"{output.ename}: {output.evalue.splitlines()[0] if output.evalue else ''}" \
                      f" at: {place}"  # fmt: skip
            elif output.output_type == "stream" and output.name == "stderr":
                yield f"stderr: {output.text.strip().splitlines()[0]}"


def glue(page: nbformat.NotebookNode) -> dict[str, dict]:
    """What the page glued, by name."""
    cells = [cell for cell in page.cells if cell.cell_type == "code"]
    return dict(pair for cell in cells for pair in extract_glue_data_cell(cell))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, metavar="N", help="in place of each page's SEED")
    parser.add_argument("--numbers", type=Path, metavar="FILE", help="for tools/band_seeds.py")
    parser.add_argument("pages", nargs="*", metavar="SLUG", help="only these")
    options = parser.parse_args()
    found = {path.relative_to(ROOT / "book").with_suffix("").as_posix(): path
             for path in pages(ROOT)}  # fmt: skip
    for slug in options.pages:
        if slug not in found:
            parser.error(f"SLUG must be one of {', '.join(found)}, got {slug}")
    (ROOT / "_build/vary").mkdir(parents=True, exist_ok=True)
    seal(os.environ, ROOT / "_build/vary")
    bands = read_bands(ROOT / "tests/bands.csv")
    wanted = [found[slug] for slug in options.pages or found]
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = []
        for outcome in pool.map(lambda path: run(path, options.seed, bands), wanted):
            outcomes.append(outcome)
            print(f"{outcome.page}: {len(outcome.problems)} problems, {outcome.seconds:.0f} s")
            for problem in outcome.problems:
                print(f"FAILED {outcome.page}: {problem}", flush=True)
            if options.numbers:
                line = {"page": outcome.page, "numbers": outcome.numbers,
                        "seed": options.seed if outcome.is_seeded else None}  # fmt: skip
                with options.numbers.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
    if options.seed is not None:
        fixed = [outcome.page for outcome in outcomes if not outcome.is_seeded]
        print(f"run as they are, since they have no SEED: {', '.join(fixed) or 'none'}")
    failed = [outcome.page for outcome in outcomes if outcome.problems]
    print(f"pages without a problem: {len(outcomes) - len(failed)} of {len(outcomes)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
