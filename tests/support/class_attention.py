"""A class that hands in `attention`: what each learner did, and the points that this deserves.

The points are stated here, from the headings of the tasks and from what was broken, never from what
a grader said: 27 for the seven tested tasks, less each that is lost, or its edge cases alone; the
written answer waits for a person.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from broken_notebooks import doctored, misbehaving
from faults import attention as faults
from notebook_edits import answer, name_of, source_of, without_markers, write

ASSIGNMENT = "attention"
POINTS = {
    "dot_product": 4,
    "masks": 3,
    "masked_attention": 5,
    "heads": 3,
    "multi_head": 5,
    "additive": 3,
    "find_defect": 4,
}
# How many of them the edge cases have, which stand in test cells of their own.
EDGES = {
    "dot_product": 1,
    "masks": 1,
    "masked_attention": 2,
    "heads": 1,
    "multi_head": 2,
    "additive": 1,
    "find_defect": 1,
}
TESTED = sum(POINTS.values())
BY_HAND = 3

GRADED, HAND, PARTLY, NOT = "graded", "hand grading", "partly graded", "could not be graded"


@dataclass(frozen=True, kw_only=True)
class Learner:
    """One entry of the folder that was handed in.

    Args:
        did: what is special about it.
        lost: the tasks that it deserves no points for.
        lost_edges: those of which it deserves the core alone.
        ungraded: the tasks whose core a person must look at.
        status: the grader's word for the row.
        hand_in: writes the entry into the folder of the class.
    """

    student: str
    did: str
    hand_in: Callable[[Path], None]
    lost: tuple[str, ...] = ()
    lost_edges: tuple[str, ...] = ()
    ungraded: tuple[str, ...] = ()
    status: str = HAND

    @property
    def deserved(self) -> float | None:
        """The points of the tests; None where nothing could be graded."""
        if self.status == NOT:
            return None
        edges = sum(EDGES[name] for name in self.lost_edges)
        unseen = sum(POINTS[name] - EDGES[name] for name in self.ungraded)
        return TESTED - sum(POINTS[name] for name in self.lost) - edges - unseen


class Classroom:
    """The release, the answers, and the class made of them."""

    def __init__(self, release: Path, solution: Path):
        self._release = json.loads(release.read_text("utf-8"))
        cells = json.loads(solution.read_text("utf-8"))["cells"]
        self._solved = {name_of(cell): "".join(cell["source"]) for cell in cells if name_of(cell)}

    def right(self) -> dict:
        """A notebook with every answer right, the written one too."""
        nb = self.blank()
        for name in POINTS:
            answer(nb, name, without_markers(self._solved[name]))
        answer(nb, "explain", "The causal mask is missing: each position sees its own target.")
        return nb

    def blank(self) -> dict:
        """The notebook as it was handed out."""
        return copy.deepcopy(self._release)

    def solved(self, task: str) -> str:
        """The author's cell, markers and all."""
        return self._solved[task]

    def fault(self, task: str, name: str) -> str:
        """A wrong answer of tests/faults, as a learner would have it."""
        found = [a for a in faults.WRONG if (a.task, a.name) == (task, name)]
        return without_markers(found[0].source(self._solved[task]))

    def variants(self) -> dict[str, str]:
        """For each task the first right answer in another style."""
        first = {answer.task: answer for answer in reversed(faults.RIGHT)}
        return {task: without_markers(a.source(self._solved[task])) for task, a in first.items()}

    def learners(self) -> list[Learner]:
        return [*self._answers(), *doctored(self), *misbehaving(self), *self._files()]

    def learner(self, student: str, did: str, change: Callable[[dict], None], **deserves):
        nb = self.right()
        change(nb)
        return Learner(student=student, did=did, hand_in=in_folder(student, nb), **deserves)

    def _answers(self) -> list[Learner]:
        """Right, wrong, half and blank."""

        def several(nb):
            answer(nb, "dot_product", self.fault("dot_product", "no scale"))
            answer(nb, "masks", self.fault("masks", "upper triangle"))
            answer(nb, "additive", self.fault("additive", "no tanh"))

        def subtle(nb):
            answer(nb, "dot_product", self.fault("dot_product", "naive exp"))
            answer(nb, "multi_head", self.fault("multi_head", "weights detached"))
            answer(nb, "find_defect", self.fault("find_defect", "no look at the scale"))

        def variants(nb):
            for name, source in self.variants().items():
                answer(nb, name, source)

        def half(nb):
            blank = {name_of(cell): cell for cell in self.blank()["cells"]}
            for name in ("multi_head", "additive", "find_defect", "explain"):
                answer(nb, name, source_of(blank[name]))

        blank = Learner(
            student="cleo",
            did="blank",
            hand_in=in_folder("cleo", self.blank()),
            lost=tuple(POINTS),
            status=GRADED,
        )
        return [
            self.learner("ada", "right", lambda nb: None),
            self.learner("ben", "differently right", variants),
            blank,
            self.learner(
                "dan", "several wrong", several, lost=("dot_product", "masks", "additive")
            ),
            self.learner(
                "eva",
                "wrong where only hidden tests look",
                subtle,
                lost=("multi_head", "find_defect"),
                lost_edges=("dot_product",),
            ),
            self.learner(
                "finn",
                "half done, no written answer",
                half,
                lost=("multi_head", "additive", "find_defect"),
                status=GRADED,
            ),
        ]

    def _files(self) -> list[Learner]:
        """Files that are no notebook, and notebooks in other places."""
        right = self.right()
        text = json.dumps(right)
        deep = {"cells": right["cells"], "metadata": {"deep": "[" * 9 + "]" * 9}}
        one_place = {"nbformat": 4, "nbformat_minor": 5, **deep}

        def beside(folder: Path) -> None:
            (folder / "zoe.ipynb").write_text(text, "utf-8")

        def nested(folder: Path) -> None:
            write(folder / "zack" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", json.dumps(one_place))

        def empty_folder(folder: Path) -> None:
            (folder / "zz-nothing").mkdir()

        def linked(folder: Path) -> None:
            (folder / "zz-link").mkdir()
            (folder / "zz-link" / f"{ASSIGNMENT}.ipynb").symlink_to(folder / "zoe.ipynb")

        def raw(student: str, data: str) -> Callable[[Path], None]:
            return lambda folder: write(folder / student / f"{ASSIGNMENT}.ipynb", data)

        def bad(student: str, did: str, hand_in) -> Learner:
            return Learner(student=student, did=did, hand_in=hand_in, status=NOT)

        return [
            Learner(student="zoe", did="one file, no folder", hand_in=beside),
            Learner(student="zack", did="a folder in a folder", hand_in=nested),
            bad("zz-json", "bad JSON", raw("zz-json", text[: len(text) // 2])),
            bad("zz-empty", "an empty file", raw("zz-empty", "")),
            bad("zz-list", "JSON that is no notebook", raw("zz-list", "[1, 2]")),
            bad("zz-nothing", "no notebook", empty_folder),
            bad("zz-link", "a link to another's notebook", linked),
            bad("zz [odd] name", "a name that is no id", raw("zz [odd] name", text)),
        ]


def in_folder(student: str, nb: dict) -> Callable[[Path], None]:
    """Hand in as <folder>/<student>/attention.ipynb."""
    text = json.dumps(nb, indent=1)
    return lambda folder: write(folder / student / f"{ASSIGNMENT}.ipynb", text)
