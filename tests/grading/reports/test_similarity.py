"""Copies are found under other names and layouts; what the course gave, and chance, are not."""

import json
from itertools import combinations
from pathlib import Path

import pytest
from class_attention import ASSIGNMENT, POINTS, Classroom
from faults import attention as faults
from notebook_edits import answer, without_markers

from lmcourse.grading.assignment.notebooks import Cell, parse_cells
from lmcourse.grading.assignment.plan import stated_plan
from lmcourse.grading.repair.under_plan import repair
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


def pairs(submissions, handed_out, **shares):
    """As the command has it: what was handed in is put under the plan of the release."""
    plan = stated_plan(handed_out)
    made = [
        similarity.prints(name, repair(cells, plan).cells) for name, cells in submissions.items()
    ]
    return similarity.pairs(made, handed_out, **shares)


def test_another_name_comment_layout_and_string_change_little():
    (pair,) = pairs({"ada": code(ONE), "ben": code(COPY)}, [])
    assert pair.least >= 0.75, pair
    assert "transpose(1, 2)" in pair.passages[-1]
    assert pairs({"ada": code(ONE), "ben": code(OTHER)}, []) == []


def test_what_was_handed_out_counts_for_nobody():
    assert len(pairs({"ada": code(ONE), "ben": code(ONE)}, code(OTHER))) == 1
    assert pairs({"ada": code(ONE), "ben": code(ONE)}, code(ONE)) == []


def claiming(source, kind="code", **claims):
    return Cell(kind=kind, source=source, claims={"grade_id": "split", **claims})


RELEASED = [
    claiming("def split(x, n_heads):\n    raise NotImplementedError", solution=True),
    Cell(kind="code", source=OTHER, claims={"grade_id": "setup", "locked": True}),
]
QUOTES = "'''"
COPIES = {
    "locked": [claiming(COPY, locked=True)],
    "graded": [claiming(COPY, grade=True)],
    "a graded answer": [claiming(COPY, grade=True, solution=True)],
    "a text": [claiming(COPY, kind="markdown", solution=True)],
    "no cell of the release": [Cell(kind="code", source=COPY, claims={"locked": True})],
    "an extra test": [Cell(kind="code", source=COPY, claims={"grade": True, "grade_id": "t"})],
    "in a string": code(f"exec({COPY!r})"),
    "in a string of lines": code(f"exec({QUOTES}{COPY}{QUOTES})"),
    "in bytes": code(f"exec({COPY.encode()!r})"),
    "in a string in a string": code(f"exec({f'exec({COPY!r})'!r})"),
    "in a docstring": code(f"def f():\n    {COPY!r}\nexec(f.__doc__)"),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found_whatever_its_cell_claims_to_be(name):
    honest = [claiming(ONE, solution=True)]
    (pair,) = pairs({"ada": honest, "ben": COPIES[name]}, RELEASED)
    assert pair.least >= 0.6, pair


def test_what_the_author_locked_counts_for_nobody():
    edited = [Cell(kind="code", source=ONE, claims={"grade_id": "setup", "locked": True})]
    assert pairs({"ada": edited, "ben": edited}, RELEASED) == []  # it was put back


def long_answer(lines=56):
    """Other code each time, so that it is as long for the fingerprints as for the eye."""
    steps = [f"x = x.step_{n}(x.size({n}), dim={n}) + {n} * y.part_{n}[{n}:]" for n in range(60)]
    return "def answer(x, y):\n    " + "\n    ".join(steps[:lines]) + "\n    return x\n"


def padding(lines):
    return "\n".join(f"p = {n} - q.of_{n}({n}, {n + 1}) ** {n}" for n in range(lines))


def test_a_copy_beside_much_else_is_found_by_the_share_of_the_other():
    submissions = {"ada": code(long_answer()), "ben": code(long_answer(), padding(600))}
    (pair,) = pairs(submissions, [])
    assert pair.of_first == 1.0
    assert pair.of_second < 0.3
    assert pair.shared >= similarity.LONG


def test_a_short_answer_that_somebody_has_too_is_no_copy_of_a_notebook():
    submissions = {"ada": code(long_answer(4)), "ben": code(long_answer(4), padding(600))}
    assert pairs(submissions, []) == []


def test_the_most_alike_come_first_by_the_share_that_counts():
    submissions = {
        "a": code(long_answer()),
        "b": code(long_answer(), padding(600)),
        "c": code(padding(300)),
    }
    found = pairs(submissions, [])
    assert [(p.first, p.second) for p in found] == [("a", "b"), ("b", "c")]
    assert all(pair.counted == max(pair.of_first, pair.of_second) for pair in found)


def test_a_sentence_that_is_python_by_chance_is_a_string():
    both = {"ada": code(ONE), "ben": code(ONE.replace('"no"', '"width is odd"'))}
    (pair,) = pairs(both, [])
    assert (pair.of_first, pair.of_second) == (1.0, 1.0)


def test_what_is_read_is_bounded_and_what_was_left_out_is_known(monkeypatch):
    read = []
    monkeypatch.setattr(similarity, "_winnowed", lambda sequence: read.append(len(sequence)) or [])
    long = "a.b\n" * (similarity.CELL_TOKENS // 3 + 1)
    made = similarity.prints("ada", repair(code(*[long] * 20), []).cells)
    assert max(read) == similarity.CELL_TOKENS
    assert sum(read) == similarity.TOKENS
    assert made.left_out == 20
    text = f"x = {'y' * 190_000!r}"
    made = similarity.prints("ada", repair(code(*[text] * 20), []).cells)
    assert made.left_out == 20 - similarity.CHARS // len(text)


def test_the_authors_cells_are_read_before_what_was_put_beside_them():
    extra = code("a.b\n" * 300_000)
    handed_in = [*extra, claiming(ONE, solution=True)]
    (pair,) = pairs({"ada": [claiming(ONE, solution=True)], "ben": handed_in}, RELEASED, least=0.01)
    assert pair.of_first == 1.0


def test_what_most_of_a_class_writes_is_no_ones_own():
    everybody = {f"s{n}": code(ONE) for n in range(10)}
    assert pairs(everybody, []) == []
    assert len(pairs(everybody, [], common=1.0)) == 45
    few = {name: everybody[name] for name in ("s1", "s2", "s3")}
    assert len(pairs(few, [])) == 3


def test_written_answers_are_compared_by_their_words():
    words = " ".join(f"word{n}" for n in range(40))
    copied = Cell(kind="markdown", source=f"**Well**, {words.upper()}!\n\nThat is it.")
    (pair,) = pairs({"ada": [Cell(kind="markdown", source=words)], "ben": [copied]}, [])
    assert pair.of_first == 1.0


@pytest.mark.parametrize("source", ["def f(:", "'''", "\t x\n  y", "$$$", "", "\0", "x = (" * 500])
def test_what_is_no_python_stops_nothing(source):
    both = {"ada": code(source, ONE), "ben": code(source, ONE)}
    (pair,) = pairs(both, code(source))
    assert (pair.of_first, pair.of_second) == (1.0, 1.0)


def test_shares_are_checked():
    with pytest.raises(
        ValueError, match=r"least must lie above 0 and at most at 1, got least=2\.0"
    ):
        pairs({}, [], least=2.0)


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
            found = pairs({"a": code(first), "b": code(second)}, handed_out)
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
    found = pairs(cells, handed_out, common=1.0)
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
    (pair,) = pairs({"a": a, "b": b}, handed_out)
    assert pair.least == 1.0
    assert any("n_heads" in passage for passage in pair.passages)
