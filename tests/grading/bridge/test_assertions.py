"""What test cells call: `close` and `raises` say what is wrong, an award counts once."""

import random

import pytest
import torch

from lmcourse.grading.bridge import assertions
from lmcourse.grading.sandbox.frames import WireError
from lmcourse.grading.testing import award, close, probe, raises, takes_objects, verdicts


def test_what_is_refused_is_refused_in_place_too():
    with pytest.raises(ValueError, match=r"a probe must not draw .* got probe='bad', line 1 of it"):

        @probe
        def bad(f):
            return f(torch.rand(3))

    with pytest.raises(ValueError, match="a probe must be a function written with `def`"):
        probe(lambda f: f(1))


def test_in_place_it_works_on_copies_and_returns_data():
    @probe
    def changed(function, x):
        function(x)
        return x, x.requires_grad

    x = torch.zeros(3)
    (after, graph) = changed(lambda t: t.add_(1), x)
    assert x.tolist() == [0, 0, 0]
    assert after.tolist() == [1, 1, 1]
    assert graph is False


def test_in_place_an_object_cannot_come_back():
    @probe
    def leak():
        return object()

    with pytest.raises(WireError, match="an object of type object is no plain data"):
        leak()


def test_close_compares_kinds_before_numbers():
    with pytest.raises(
        AssertionError,
        match=r"^expected an object of type Tensor, got an object of type object\n\nhint$",
    ):
        close(object(), torch.ones(1), "hint")
    close([1.0, torch.ones(2)], [1.0, torch.ones(2)])


@pytest.mark.parametrize(
    ("actual", "expected", "said"),
    [
        (torch.ones(1).int(), torch.ones(1), "The dtype is wrong: expected float32, got int32."),
        (torch.ones(2, 1), torch.ones(2), "The shape is wrong: expected [2], got [2, 1]."),
        (
            [torch.ones(2)], [torch.ones(1)],
            "The shape is wrong: expected [1], got [2]. The failure occurred for item [0]",
        ),
        (torch.ones(1, device="meta"), torch.ones(1),
         "The device is wrong: expected cpu, got meta."),
        (1, 1.0, "The type is wrong: expected float, got int."),
    ],
)  # fmt: skip
def test_what_is_wrong_besides_the_numbers_is_said_before_the_hint(actual, expected, said):
    """The hint guesses why numbers differ; here they were not looked at."""
    with pytest.raises(AssertionError) as caught:
        close(actual, expected, "Is the scale missing?")
    assert str(caught.value) == f"{said}\n\nIs the scale missing?"


def test_of_wrong_numbers_the_hint_is_said_first():
    with pytest.raises(AssertionError, match=r"^Is the scale missing\?\n\nMismatched elements: 1"):
        close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0]), "Is the scale missing?")


def test_raises_wants_the_kind_and_the_words():
    with raises(ValueError, "b must"):
        raise ValueError("B must")
    with pytest.raises(AssertionError, match="does not say 'x'"), raises(ValueError, "x"):
        raise ValueError("y")
    message = "ValueError was not raised: the message"
    with pytest.raises(AssertionError, match=message), raises(ValueError, "x"):
        pass


def test_another_error_than_the_one_asked_for_is_named_beside_it():
    message = "^ValueError should be raised here, got KeyError: 'b'$"
    with pytest.raises(AssertionError, match=message), raises(ValueError, "b must"):
        {}["b"]


def test_what_is_no_answer_goes_through():
    """An answer that is missing, and what the test itself asserts in a function it passes in."""
    with pytest.raises(NotImplementedError), raises(ValueError):
        raise NotImplementedError
    with pytest.raises(AssertionError, match=r"^seen twice$"), raises(ValueError):
        raise AssertionError("seen twice")


def test_beside_the_judge_only_what_the_answer_raised_is_its_own(monkeypatch):
    monkeypatch.setattr(assertions, "_carrier", lambda *_: None)

    class OwnError(assertions.LearnerError, IndexError):
        pass

    message = "ValueError should be raised here, got OwnError: x"
    with pytest.raises(AssertionError, match=message), raises(ValueError):
        raise OwnError("x")
    with pytest.raises(TypeError, match="a slip of the test's"), raises(ValueError):
        raise TypeError("a slip of the test's")


def test_an_award_is_a_share_and_is_taken_once():
    award(0.5)
    # exact: copies
    assert (assertions.take_award(), assertions.take_award()) == (0.5, None)
    with pytest.raises(ValueError, match="fraction must lie between 0 and 1, got fraction=2"):
        award(2.0)


def asked_about(seed, candidates=range(12)):
    asked = []

    def judge(x):
        asked.append(x)
        return x % 3 == 0

    random.seed(seed)
    assert verdicts(judge, candidates) == [x % 3 == 0 for x in candidates]
    return asked


def test_neither_order_nor_count_tells_the_candidates():
    first, again, *others = [asked_about(seed) for seed in (0, 0, 1, 2, 3)]
    assert first == again
    assert len({tuple(asked) for asked in (first, *others)}) == 4
    assert len({len(asked) for asked in (first, *others)}) > 1
    for asked in (first, *others):
        assert {asked.count(x) for x in range(12)} == {2, 3}
    right = [{n for n, x in enumerate(asked) if x % 3 == 0} for asked in (first, *others)]
    assert len({frozenset(places) for places in right}) == 4


def test_the_candidates_names_are_not_shown():
    def right(x):
        return 2 * x

    def wrong(x):
        return 3 * x

    names = []

    def judge(function):
        names.append((function.__name__, function.__qualname__))
        return function(x=4) == 8

    assert verdicts(judge, [right, wrong, takes_objects(lambda x: 8)]) == [True, False, True]
    assert len(set(names)) == 1


def test_a_verdict_is_true_or_false_and_the_same_each_time():
    with pytest.raises(AssertionError, match="must be True or False, got an object of type Tensor"):
        verdicts(lambda x: torch.tensor(True), [1])
    with pytest.raises(AssertionError, match="True or False, got None, which is what a function"):
        verdicts(lambda x: None, [1])
    turns = iter([True, False] * 9)
    with pytest.raises(AssertionError, match="asked twice about the same one"):
        verdicts(lambda x: next(turns), [1, 2])
