"""One mistake, its own points: in the course's assignments, and by plain nbgrader as by ours."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chained_course import FULL, POINTS, WRONG, answered, make_course, spec_of, with_answers
from forks import lmcourse
from plain_nbgrader import autograde

from lmcourse.grading.assignment.notebooks import read_cells, withheld_from
from lmcourse.grading.execution.warm_servers import WarmServers
from lmcourse.grading.outcomes import PASSED, TestOutcome

SOLUTIONS = Path(__file__).parents[3] / "solutions"
SPLIT = (
    "n_positions, n_heads, d_model // n_heads).transpose(1, 2)",
    "n_heads, n_positions, d_model // n_heads)",
)
LATER = "start", "remember", "speak"  # tasks of `gpt` that call its model
FEED_FORWARD = ("return self.down_projection(F.relu(", "return self.down_projection(F.gelu(")


Lost = Callable[..., tuple[set, set, dict]]


@contextmanager
def losses_of(slug: str) -> Iterator[Lost]:
    """Of a solution with one answer edited: the tests it fails, those that were helped, why."""
    path = SOLUTIONS / slug / f"{slug}.ipynb"
    one = spec_of(read_cells(path), slug, withheld=withheld_from(path))

    def lost(answer: str, *edits: tuple[str, str]) -> tuple[set, set, dict]:
        (source,) = [cell.source for cell in one.reference if cell.name == answer]
        for old, new in edits:
            assert old in source
            source = source.replace(old, new)
        cells = with_answers(one, **{answer: source})
        pairs = zip(cells, warm_servers.grade(f"ada/{slug}", cells), strict=True)
        outcomes = {cell.name: r for cell, r in pairs if isinstance(r, TestOutcome)}
        failed = {name for name, outcome in outcomes.items() if outcome.verdict != PASSED}
        carried = {name for name, outcome in outcomes.items() if outcome.carried}
        assert not failed & carried
        said = {name: f"{o.verdict}: {o.message} {o.carried}" for name, o in outcomes.items()}
        return failed, carried, said

    with WarmServers(one) as warm_servers:
        yield lost


def test_a_wrong_feed_forward_costs_two_points_of_thirty():
    with losses_of("transformer") as lost:
        failed, carried, said = lost("feed_forward", FEED_FORWARD)
    assert failed == {"test_feed_forward"}, said
    blocks = ("test_encoder_block", "test_decoder_block")
    assert carried == {*blocks, *(f"{name}_edges" for name in blocks)}, said


@pytest.mark.parametrize(
    ("slug", "mistakes"),
    [
        (
            "tokenizers",
            [("merge", ("i += 2", "i += 1"), {"learn", "encode_word", "encode"})],
        ),
        ("attention", [("heads", SPLIT, {"multi_head"})]),
        (
            "recurrent",
            [
                ("run", ("torch.where(real, n, o)", "torch.where(real, o, n)"), {"classifier"}),
                ("lstm_step", ("candidate.tanh()", "candidate.sigmoid()"), {"classifier"}),
            ],
        ),
        (
            "gpt",
            [
                ("rotary", ("second * cos + first * sin", "second * cos"), {"model", *LATER}),
                ("grouped", ("/ math.sqrt(d_head)", "/ d_head"), {"model", *LATER}),
                ("model", ("rms_norm(x, self.norm) @", "x @"), {*LATER}),
            ],
        ),
        (
            "finetuning",
            [("quantize", ("codes.double() / 7 *", "codes.double() / 8 *"), {"qlora"})],
        ),
    ],
)
@pytest.mark.slow
def test_so_it_is_in_the_other_assignments(slug, mistakes):
    with losses_of(slug) as lost:
        for answer, edit, also in mistakes:
            failed, carried, said = lost(answer, edit)
            others = {name for name in failed if not name.startswith(f"test_{answer}")}
            assert others == set(), said
            assert failed, said
            assert {name.removeprefix("test_").removesuffix("_edges") for name in carried} <= also
            assert carried, said


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A course with three submissions: all right, and wrong in one place or in three."""
    root = make_course(tmp_path_factory.mktemp("chained"))
    done = lmcourse("release", cwd=root)
    assert done.returncode == 0, done.stderr
    for student, wrong in (("ada", {}), ("ben", {"layer": WRONG["layer"]}), ("cleo", WRONG)):
        nb = json.loads((root / "exercises/chained/chained.ipynb").read_text("utf-8"))
        path = root / "submitted" / student / "chained/chained.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(answered(nb, **wrong)), "utf-8")
    return root


DESERVED = {
    "ada": FULL,
    "ben": FULL - POINTS["layer"],
    "cleo": FULL - sum(POINTS[name] for name in WRONG),
}


def test_the_class_gets_what_it_deserves_and_is_told_why(course, tmp_path):
    def grade(*options):
        call = ("grade", course / "submitted", "-a", "chained", "--output", tmp_path, *options)
        done = lmcourse(*call, cwd=course)
        assert done.returncode == 0, done.stdout + done.stderr
        rows = json.loads((tmp_path / "grades/chained.json").read_text("utf-8"))["students"]
        return {row["student"]: row["score"] for row in rows}, rows

    scores, rows = grade()
    assert scores == DESERVED
    page = (tmp_path / "feedback/ben/chained/chained.html").read_text("utf-8")
    assert "Graded with the author&#x27;s `Layer` of Task 3 in the place of yours" in page
    # The author's text, which this learner's own answer does not hold.
    assert "44d1" not in (tmp_path / "feedback/cleo/chained/chained.html").read_text("utf-8")
    carried = [grade["carried"] for row in rows for grade in row["grades"]]
    # What is kept says it as well, and a second time gives the same.
    for options in ((), ("--regrade",)):
        again, rows = grade(*options)
        assert again == scores
        assert [grade["carried"] for row in rows for grade in row["grades"]] == carried


@pytest.mark.slow
def test_plain_nbgrader_gives_the_same_points(course, tmp_path):
    assert autograde(course, "chained") == DESERVED
