"""Do the bands of tests/bands.csv hold what many seeds measure, with room to spare?

    python tools/page_runs.py --seed 3 --numbers FILE   for each seed: adds to FILE
    python tools/band_seeds.py FILE                     bands that seeds leave or come close to
    python tools/band_seeds.py FILE --widen             widens those in the table

A band has room if a quarter of the range that the seeds measured is left on each side of it. Where
there is less, that side is moved to half of the range; what was never negative stays so, and what
was never above 1. A band says how large a number is. What a page concludes from it is asserted in
its cells, for each seed.
"""

import argparse
import csv
import json
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests/bands.csv"
ENOUGH = 10  # seeds, at least
ROOM = 1 / 4
WIDER = 1 / 2

Row = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A band without room: what it was, what the seeds measured, and what it should be."""

    row: Row
    least: float
    most: float
    n_seeds: int
    low: str
    high: str

    def __str__(self) -> str:
        leaves = self.least < float(self.row["low"]) or self.most > float(self.row["high"])
        return (
            f"{self.row['name']} {'leaves' if leaves else 'comes close to'} "
            f"{self.row['low']} to {self.row['high']} with {self.n_seeds} seeds: "
            f"{self.least:.4g} to {self.most:.4g}, so {self.low} to {self.high}"
        )


def measured(lines: Iterable[str]) -> dict[tuple[str, str], list[float]]:
    """What each seed measured, by page and name; a seed that was run twice counts once."""
    by_seed: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for line in lines:
        run = json.loads(line)
        if run["seed"] is not None:
            for name, value in run["numbers"].items():
                by_seed[run["page"], name][run["seed"]] = value
    return {key: list(seeds.values()) for key, seeds in by_seed.items()}


def without_room(rows: list[Row], numbers: dict[tuple[str, str], list[float]]) -> Iterator[Finding]:
    """The bands that must be wider, so far as enough seeds were run."""
    for row in rows:
        values = numbers.get((row["page"], row["name"]), [])
        if len(values) < ENOUGH or len(set(values)) == 1:  # stored, not drawn
            continue
        low, high, least, most = float(row["low"]), float(row["high"]), min(values), max(values)
        spread = most - least
        is_share = low >= 0 and high <= 1 and least >= 0 and most <= 1
        new_low, new_high = row["low"], row["high"]
        if least - low < ROOM * spread and not (low == 0 and least >= 0):
            wanted = least - WIDER * spread
            wanted = max(wanted, 0.0) if low >= 0 and least >= 0 else wanted
            new_low = rounded(wanted, spread, math.floor)
        if high - most < ROOM * spread and not (is_share and high == 1):
            wanted = most + WIDER * spread
            new_high = rounded(min(wanted, 1.0) if is_share else wanted, spread, math.ceil)
        if (new_low, new_high) != (row["low"], row["high"]):
            yield Finding(
                row=row, least=least, most=most, n_seeds=len(values), low=new_low, high=new_high
            )


def rounded(value: float, spread: float, towards: Callable[[float], int]) -> str:
    """With as many digits as a twentieth of the spread has, never inwards."""
    step = 10.0 ** math.floor(math.log10(spread / 20))
    slack = 1e-9 if towards is math.floor else -1e-9  # 0.3 / 0.1 is a hair below 3
    return f"{towards(value / step + slack) * step:.10g}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("numbers", type=Path, metavar="FILE", help="from page_runs.py --numbers")
    parser.add_argument("--widen", action="store_true", help="write the table")
    options = parser.parse_args()
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = measured(options.numbers.read_text(encoding="utf-8").splitlines())
    found = list(without_room(rows, numbers))
    for finding in found:
        print(finding)
        if options.widen:
            finding.row.update(low=finding.low, high=finding.high, seeds=str(finding.n_seeds))
    few = sum(0 < len(values) < ENOUGH for values in numbers.values())
    print(f"bands without room: {len(found)} of {len(rows)}"
          + (f"; {few} numbers have fewer than {ENOUGH} seeds" if few else ""))  # fmt: skip
    if options.widen and found:
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return int(bool(found) and not options.widen)


if __name__ == "__main__":
    sys.exit(main())
