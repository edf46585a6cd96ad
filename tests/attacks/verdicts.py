"""Attacks on the task `find_defect`: verdicts of somebody who has written no test.

`GUESSES` are apart: whoever remembers what each function answered has one guess, which of them is
right, and is right as often as a guess is.
"""

from typing import NamedTuple


class Attack(NamedTuple):
    """Where it is tried, and what with."""

    slug: str
    answer: str
    test: str
    source: str


# What its cell begins with.
_PUBLISHED = """
def published(query, key, value, mask=None):
    similarity = torch.einsum("...td,...sd->...ts", query, key)
    if mask is not None:
        similarity = similarity + mask
    weights = F.softmax(similarity, dim=-1)
    return weights @ value, weights
"""


def _find_defect(answer: str) -> Attack:
    return Attack("attention", "find_defect", "test_find_defect", _PUBLISHED + answer)


def _edges(answer: str) -> Attack:
    return Attack("attention", "find_defect", "test_find_defect_edges", _PUBLISHED + answer)


VERDICTS = {
    "find_defect: by the functions' names": _find_defect(
        """
def is_attention(candidate) -> bool:
    return candidate.__name__ in ("right", "scaled_first", "in_double", "in_steps")
""",
    ),
    "find_defect: by counting the calls": _find_defect(
        """
asked = 0
def is_attention(candidate) -> bool:
    global asked
    asked += 1
    return asked in (1, 5, 6, 7, 8)
""",
    ),
    "find_defect: by what its errors say": _find_defect(
        """
def is_attention(candidate) -> bool:
    try:
        candidate()
    except TypeError as error:
        said = str(error)
    return any(name in said for name in ("right", "scaled_first", "in_double", "in_steps"))
""",
    ),
    "find_defect: by the numbers of what it is given": _find_defect(
        """
def is_attention(candidate) -> bool:
    return candidate._number in (0, 4, 5, 6, 7)
""",
    ),
    "find_defect's edges: by the functions' names": _edges(
        """
def is_attention(candidate) -> bool:
    names = f"{candidate!r} {candidate} {getattr(candidate, '__qualname__', '')}"
    return not any(name in names for name in ("divided_by", "function", "lambda"))
""",
    ),
    "find_defect's edges: by counting the calls": _edges(
        """
asked = 0


def is_attention(candidate) -> bool:
    global asked
    asked += 1
    return asked in (1, 3, 5, 6, 7, 8)
""",
    ),
    "find_defect's edges: by their order, the one after a right one wrong": _edges(
        """
order = {}


def is_attention(candidate) -> bool:
    return order.setdefault(id(candidate), len(order)) % 2 == 0
""",
    ),
    "find_defect's edges: by how often it is asked about one": _edges(
        """
from collections import Counter

often = Counter()


def is_attention(candidate) -> bool:
    often[id(candidate)] += 1
    return often[id(candidate)] == max(often.values())
""",
    ),
    "find_defect's edges: by what its errors say": _edges(
        """
import traceback


def is_attention(candidate) -> bool:
    try:
        candidate(object(), object(), object())
    except BaseException:
        return "divided_by" not in traceback.format_exc()
    return True
""",
    ),
    "find_defect's edges: by the numbers of what it is given": _edges(
        """
def is_attention(candidate) -> bool:
    return vars(candidate).get("_number", 0) in (0, 2, 3, 4, 5)
""",
    ),
    "find_defect's edges: by what the stack holds": _edges(
        """
import sys


def is_attention(candidate) -> bool:
    frame = sys._getframe()
    while frame is not None:
        known = {**frame.f_globals, **frame.f_locals}
        for function, what in known.get("candidates", []):
            cells = getattr(candidate, "__closure__", None) or []
            if any(cell.cell_contents is function for cell in cells):
                return what == known["RIGHT"]
        frame = frame.f_back
    return True
""",
    ),
    "find_defect's edges: by what the garbage collector has": _edges(
        """
import gc


def is_attention(candidate) -> bool:
    made = [thing for thing in gc.get_objects() if "divided_by" in f"{thing!r}"]
    return not any(candidate in gc.get_referents(one) or one is candidate for one in made)
""",
    ),
    "find_defect's edges: by what is done to its tensors": _edges(
        """
class Watched(torch.Tensor):
    seen = []

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        cls.seen.append(f"{function}")
        return super().__torch_function__(function, types, args, kwargs)


def is_attention(candidate) -> bool:
    Watched.seen.clear()
    key = torch.randn(5, 7).as_subclass(Watched)
    try:
        candidate(torch.randn(3, 7).as_subclass(Watched), key, key)
    except Exception:
        pass
    return not any("mul" in name for name in Watched.seen)
""",
    ),
}
GUESSES = {
    "find_defect's edges: by the answers to one question, the first of them right": _edges(
        """
query, key = torch.linspace(-1, 1, 6).view(2, 3), torch.linspace(1, -2, 12).view(4, 3)
answers = {}


def is_attention(candidate) -> bool:
    weights = candidate(query, key, key)[1]
    first = answers.setdefault("first", weights)
    return torch.allclose(weights, first, atol=1e-4)
""",
    ),
    "find_defect's edges: by what most of them have answered so far": _edges(
        """
query, key = torch.linspace(-1, 1, 6).view(2, 3), torch.linspace(1, -2, 12).view(4, 3)
groups = []


def is_attention(candidate) -> bool:
    weights = candidate(query, key, key)[1]
    own = next((g for g in groups if torch.allclose(g[0], weights, atol=1e-4)), None)
    if own is None:
        groups.append(own := [weights, 0])
    own[1] += 1
    return own[1] == max(count for _, count in groups)
""",
    ),
}
