"""A class of any size that hands in `attention`: right, wrong, blank, broken; always the same.

python tests/support/class_large.py FOLDER [--count 300] [--seed 0]
"""

import argparse
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from class_attention import ASSIGNMENT, POINTS, Classroom
from faults import attention as faults
from notebook_edits import answer, cell_of, double, insert, name_of, source_of

from lmcourse.grading.assignment.plan import answer_of

ROOT = Path(__file__).resolve().parents[2]
SHARES = {"right": 45, "wrong": 35, "half": 8, "blank": 5, "broken": 7}  # of a hundred


@dataclass(frozen=True, kw_only=True)
class HandedIn:
    """One learner's file, and what is known of it beforehand."""

    student: str
    kind: str
    text: str
    lost: frozenset[str]  # tasks that must get no points
    kept: frozenset[str]  # tasks that must get all

    @property
    def for_stock(self) -> bool:
        """Whether plain nbgrader, which stops at odd notebooks, can be asked to grade it."""
        return self.kind != "broken"


class Generator:
    """Learners one after another, drawn from one seed."""

    def __init__(self, seed: int = 0):
        folder = f"{ASSIGNMENT}/{ASSIGNMENT}.ipynb"
        self._room = Classroom(ROOT / "exercises" / folder, ROOT / "solutions" / folder)
        self._draw = random.Random(seed)
        self._faults = {task: [a.name for a in faults.WRONG if a.task == task] for task in POINTS}
        self._released = {name_of(cell): source_of(cell) for cell in self._room.blank()["cells"]}

    def learners(self, count: int) -> list[HandedIn]:
        return [self._learner(number) for number in range(count)]

    def _learner(self, number: int) -> HandedIn:
        kind = self._draw.choices([*SHARES], [*SHARES.values()])[0]
        make: Callable = getattr(self, f"_{kind}")
        nb = self._room.right()
        student = f"student-{number:04}"
        insert(nb, "dot_product", f"# {student}")  # no two are the same
        text, lost, kept = make(nb)
        return HandedIn(
            student=student, kind=kind, text=text, lost=frozenset(lost), kept=frozenset(kept)
        )

    def _right(self, nb):
        self._style(nb)
        return json.dumps(nb), [], POINTS

    def _wrong(self, nb):
        lost = self._draw.sample([*POINTS], self._draw.randint(1, 3))
        for task in lost:
            answer(nb, task, self._room.fault(task, self._draw.choice(self._faults[task])))
        return json.dumps(nb), lost, []

    def _half(self, nb):
        begun = self._draw.randint(1, len(POINTS) - 1)
        lost = [*POINTS][begun:]
        for task in lost:
            answer(nb, task, self._released[task])
        return json.dumps(nb), lost, []

    def _blank(self, nb):
        return json.dumps(self._room.blank()), POINTS, []

    def _broken(self, nb):
        """What a grader must live through; a loop takes its time, so there are few."""
        how = self._draw.choices(
            ["syntax", "doubled", "exit", "json", "empty", "loop"], [3, 3, 3, 2, 2, 2]
        )[0]
        task = self._draw.choice([*POINTS])
        lost = [task]
        if how == "syntax":
            answer(nb, task, source_of(cell_of(nb, task)).replace("(", "((", 1))
        elif how == "doubled":
            double(nb, task)
            lost = []
        elif how == "exit":
            cell_of(nb, task)["source"] += "\n\n\nimport os\nos._exit(1)"
        elif how == "loop":
            cell_of(nb, task)["source"] = "while True:\n    pass"
        text = {"json": json.dumps(nb)[:5000], "empty": ""}.get(how, json.dumps(nb))
        return text, POINTS if how in ("json", "empty") else lost, []

    def _style(self, nb) -> None:
        """Some tasks solved in another style."""
        variants = self._room.variants()
        for task in self._draw.sample([*variants], min(2, len(variants))):
            if self._draw.random() < 0.5:
                answer(nb, task, variants[task])


def write_class(folder: Path, learners: list[HandedIn], nested: str = "") -> None:
    """Hand in all, as FOLDER/<student>/[nested/]attention.ipynb."""
    for learner in learners:
        path = folder / learner.student / nested / f"{ASSIGNMENT}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(learner.text, "utf-8")


def misjudged(learners: list[HandedIn], report: dict) -> list[str]:
    """What a report (grades/attention.json) says that cannot be, one line for each."""
    rows = {row["student"]: row for row in report["students"]}
    found = [f"{name} is missing" for name in {learner.student for learner in learners} - {*rows}]
    for learner in learners:
        grades = rows.get(learner.student, {}).get("grades", [])
        points = {grade["name"]: grade["points"] for grade in grades}
        for task, of in POINTS.items():
            # A task may have several test cells: who is wrong loses one of them at least.
            own = [name for name in points if answer_of(name, POINTS) == task]
            got = sum(points[name] for name in own)
            if (task in learner.lost and got >= of) or (task in learner.kept and got != of):
                found.append(f"{learner.student} ({learner.kind}) has {got} of {of} for {task}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write_class(options.folder, Generator(options.seed).learners(options.count))


if __name__ == "__main__":
    main()
