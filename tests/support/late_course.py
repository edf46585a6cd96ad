"""The tiny course with a rule for late days, and the tables that its commands write."""

import csv
from pathlib import Path

from tiny_course import make_course

LATE = """
c.Lateness.due = {"tiny": "2026-03-01 23:59Z"}
c.Lateness.per_day = "10%"
c.Lateness.grace_minutes = 15
"""


def late_course(root: Path, more: str = "") -> Path:
    """A course's folder; `more` is added to its settings."""
    make_course(root)
    with (root / "nbgrader_config.py").open("a") as file:
        file.write(LATE + more)
    return root


def rows(path: Path) -> list[dict]:
    with path.open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))
