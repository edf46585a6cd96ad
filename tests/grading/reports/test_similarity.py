"""Copies are found under other names and layouts; what the course gave, and chance, are not."""

import json
from itertools import combinations
from pathlib import Path

import pytest
from class_attention import ASSIGNMENT, POINTS, Classroom
from faults import attention as faults
from notebook_edits import answer, without_markers

from lmcourse.grading.assignment.notebooks import Cell, parse_cells
from lmcourse.grading.reports import similarity

ROOT = Path(__file__).parents[3]
RELEASE, SOLUTION = (
    ROOT / kind / ASSIGNMENT / f"{ASSIGNMENT}.ipynb" for kind in ("exercises", "solutions")
)
ONE = """
def split(x, n_heads):
    batch, positions, width = x.shape
    if width % n_heads:
        raise ValueError("no")
    return x.reshape(batch, positions, n_heads, width // n_heads).transpose(1, 2)
"""
COPY = """
# my own idea!
def zerlege(reihe,   koepfe):
    "I wrote this."

    b, t, c = reihe.shape
    if c % koepfe:
        raise ValueError('d_model is odd')
    return reihe.reshape(
        b, t, koepfe, c // koepfe,
    ).transpose(1, 2)
"""
OTHER = """
def split(x, n_heads):
    pieces = []
    for head in range(n_heads):
        start = head * (x.size(-1) // n_heads)
        pieces.append(x.narrow(-1, start, x.size(-1) // n_heads))
    return torch.stack(pieces, dim=1)
"""


def code(*sources):
    return [Cell(kind="code", source=source) for source in sources]


def test_another_name_comment_layout_and_string_change_little():
    (pair,) = similarity.pairs({"ada": code(ONE), "ben": code(COPY)}, [])
    assert pair.least >= 0.75, pair
    assert "transpose(1, 2)" in pair.passages[-1]
    assert similarity.pairs({"ada": code(ONE), "ben": code(OTHER)}, []) == []


def test_what_was_handed_out_counts_for_nobody():
    assert len(similarity.pairs({"ada": code(ONE), "ben": code(ONE)}, code(OTHER))) == 1
    assert similarity.pairs({"ada": code(ONE), "ben": code(ONE)}, code(ONE)) == []


def test_locked_cells_and_tests_count_for_nobody():
    locked = Cell(kind="code", source=ONE, claims={"locked": True})
    test = Cell(kind="code", source=ONE, claims={"grade": True})
    assert similarity.pairs({"ada": [locked, test], "ben": [locked, test]}, []) == []


def test_what_most_of_a_class_writes_is_no_ones_own():
    everybody = {f"s{n}": code(ONE) for n in range(10)}
    assert similarity.pairs(everybody, []) == []
    assert len(similarity.pairs(everybody, [], common=1.0)) == 45
    few = {name: everybody[name] for name in ("s1", "s2", "s3")}
    assert len(similarity.pairs(few, [])) == 3


def test_written_answers_are_compared_by_their_words():
    words = " ".join(f"word{n}" for n in range(40))
    copied = Cell(kind="markdown", source=f"**Well**, {words.upper()}!\n\nThat is it.")
    (pair,) = similarity.pairs({"ada": [Cell(kind="markdown", source=words)], "ben": [copied]}, [])
    assert pair.of_first == 1.0


@pytest.mark.parametrize("source", ["def f(:", "'''", "\t x\n  y", "$$$", "", "\0", "x = (" * 500])
def test_what_is_no_python_stops_nothing(source):
    both = {"ada": code(source, ONE), "ben": code(source, ONE)}
    (pair,) = similarity.pairs(both, code(source))
    assert (pair.of_first, pair.of_second) == (1.0, 1.0)


def test_shares_are_checked():
    with pytest.raises(
        ValueError, match=r"least must lie above 0 and at most at 1, got least=2\.0"
    ):
        similarity.pairs({}, [], least=2.0)


@pytest.fixture(scope="module")
def room():
    return Classroom(RELEASE, SOLUTION)


@pytest.fixture(scope="module")
def handed_out():
    return parse_cells(RELEASE.read_bytes())


def test_who_wrote_alone_is_not_accused(room, handed_out):
    """Every two right answers of other hands to the same task; none shares the half.

    These were written to be unlike each other, so this shows that the method sees differences;
    what it does in a class of beginners, who are more alike, only that class can show.
    """
    checked = wrong = 0
    for task in POINTS:
        own = [a for a in faults.RIGHT if a.task == task]
        texts = [
            without_markers(s)
            for s in [room.solved(task), *(a.source(room.solved(task)) for a in own)]
        ]
        for first, second in combinations(texts, 2):
            found = similarity.pairs({"a": code(first), "b": code(second)}, handed_out)
            checked, wrong = checked + 1, wrong + bool(found)
    print(f"false alarms: {wrong} of {checked} pairs of independent answers")
    assert checked >= 40
    assert wrong == 0


def test_a_class_that_copied_is_found(room, handed_out, tmp_path):
    """The class of `class_attention` has one author: those who changed little are all alike."""
    cells = {}
    for learner in room.learners():
        (tmp_path / learner.student).mkdir()
        learner.hand_in(tmp_path / learner.student)
        files = [p for p in (tmp_path / learner.student).rglob("*.ipynb") if not p.is_symlink()]
        try:
            cells[learner.student] = parse_cells(files[0].read_bytes())
        except (ValueError, IndexError):
            continue
    found = similarity.pairs(cells, handed_out, common=1.0)
    names = {frozenset((pair.first, pair.second)) for pair in found}
    n = len(cells)
    print(f"{len(names)} of {n * (n - 1) // 2} pairs share half")
    assert frozenset(("ada", "gil")) in names
    assert not [pair for pair in names if "cleo" in pair]  # who handed in nothing shares nothing
    assert frozenset(("ada", "ben")) not in names  # ben wrote everything differently


def test_the_wrong_answer_that_two_share_is_shown(room, handed_out):
    def handed_in(task, name):
        nb = room.blank()
        answer(nb, task, room.fault(task, name))
        return parse_cells(json.dumps(nb).encode())

    a, b = handed_in("heads", "interleaved heads"), handed_in("heads", "interleaved heads")
    (pair,) = similarity.pairs({"a": a, "b": b}, handed_out)
    assert pair.least == 1.0
    assert any("n_heads" in passage for passage in pair.passages)
