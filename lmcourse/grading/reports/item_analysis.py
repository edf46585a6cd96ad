"""What a class's points say of each task: how hard it was, whom it told apart, where it failed.

Chapter: book/instructors/collecting.md
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

_FEWEST = 5  # learners, below which a correlation says nothing


def difficulty(points: Sequence[float | int], maximum: float | int) -> float | None:
    """The share of its points that a task gave on average: 1 is easy, 0 is hard."""
    return sum(points) / len(points) / maximum if points and maximum else None


def discrimination(points: Sequence[float | int], rest: Sequence[float | int]) -> float | None:
    """The correlation of a task's points with those of all other tasks together.

    Above 0.3 it tells who knows; near 0 it is chance; below 0 the strong lose it, which is most
    often a test at fault. None for fewer than five learners, or where all got the same.

    Reference: the corrected item–total correlation of classical test theory.
    """
    if len(points) < _FEWEST or len(points) != len(rest):
        return None
    mean_x, mean_y = sum(points) / len(points), sum(rest) / len(rest)
    x, y = [p - mean_x for p in points], [r - mean_y for r in rest]
    spread = math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))
    return sum(a * b for a, b in zip(x, y, strict=True)) / spread if spread > 1e-12 else None


def commonest(messages: Iterable[str], most: int = 3) -> list[tuple[str, int]]:
    """What failed tests said most often: first lines, numbers aside, with their counts."""
    firsts = [text.strip().splitlines()[0][:160] for text in messages if text.strip()]
    kinds = Counter("".join("#" if c.isdigit() else c for c in first) for first in firsts)
    examples = {"".join("#" if c.isdigit() else c for c in first): first for first in firsts[::-1]}
    return [(examples[kind], times) for kind, times in kinds.most_common(most)]


def of_tasks(
    table: Sequence[Sequence[float | int | None]],
    maxima: Sequence[float | int],
    waiting: Sequence[bool] | None = None,
) -> list[dict]:
    """Difficulty and discrimination of each task.

    Args:
        table: for each learner the points of each task; None where they are not known.
        waiting: for each task whether a person has still to decide some: those that are decided,
            blank ones above all, then say nothing of the rest.
    """
    whole = [[p for p in row if p is not None] for row in table if None not in row]
    found = []
    for number, maximum in enumerate(maxima):
        if waiting and waiting[number]:
            found.append({"difficulty": None, "discrimination": None})
            continue
        own = [row[number] for row in table]
        rest = [sum(row) - row[number] for row in whole]
        found.append(
            {
                "difficulty": difficulty([p for p in own if p is not None], maximum),
                "discrimination": discrimination([row[number] for row in whole], rest),
            }
        )
    return found
