"""lmcourse.recall: facts that are what they say, readers that differ in one thing, stored runs."""

import math

import pytest
import torch

from lmcourse import recall
from lmcourse.attention import attention
from lmcourse.recall import (
    ANIMALS,
    MOODS,
    AttentionReader,
    PairReader,
    SummaryReader,
    by_age,
    facts,
    learning_curve,
    matrix_state,
    measure,
    shares_by_age,
    shares_of,
    two_questions,
)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("draw", [facts, two_questions])
@pytest.mark.parametrize("n_facts", [2, 5, 16])
def test_the_answer_stands_among_the_facts_and_nothing_comes_twice(draw, n_facts):
    animals, moods, asked, answer = draw(n_facts, 64, dice())
    assert animals.shape == moods.shape == (64, n_facts)
    for row in range(64):
        assert len(set(animals[row].tolist())) == len(set(moods[row].tolist())) == n_facts
        known = dict(zip(animals[row].tolist(), moods[row].tolist(), strict=True))
        pairs = zip(asked[row].reshape(-1).tolist(), answer[row].reshape(-1).tolist(), strict=True)
        assert all(known[animal] == mood for animal, mood in pairs)


def test_two_questions_are_about_two_animals():
    _, _, asked, _ = two_questions(2, 500, dice())
    assert asked.shape == (500, 2)
    assert (asked[:, 0] != asked[:, 1]).all()


def test_every_place_is_asked_for_alike():
    animals, _, asked, _ = facts(4, 4000, dice())
    counts = (animals == asked[:, None]).sum(0)
    # 1000 ± 27.4 each; five standard deviations.
    assert (counts - 1000).abs().max() < 137


def test_facts_that_cannot_be_told_are_refused():
    with pytest.raises(ValueError, match="at most 16, got 17"):
        facts(17, 1, dice())
    with pytest.raises(ValueError, match="at least 0, got n_facts=-1"):
        facts(-1, 1, dice())
    with pytest.raises(ValueError, match="at least 2, got 1"):
        two_questions(1, 1, dice())


READERS = [
    lambda: SummaryReader(8),
    lambda: SummaryReader(8, question_first=True),
    lambda: SummaryReader(8, gated=True),
    lambda: AttentionReader(8),
    lambda: AttentionReader(8, matrix_state),
    lambda: AttentionReader(8, recurrent=True),
    lambda: PairReader(2, 8),
    lambda: PairReader(1, 8, deep=True),
]


@pytest.mark.parametrize("make", READERS)
def test_readers_give_a_score_to_each_mood(make):
    torch.manual_seed(0)
    reader = make()
    draw = two_questions if isinstance(reader, PairReader) else facts
    animals, moods, asked, answer = draw(3, 5, dice())
    logits = reader(animals, moods, asked)
    assert logits.shape == (*answer.shape, len(MOODS))
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in reader.parameters())


def test_the_control_differs_in_when_it_hears_the_question_alone():
    """Equal parameters; only the state of the control depends on the question."""
    torch.manual_seed(0)
    last, first = SummaryReader(8), SummaryReader(8, question_first=True)
    first.load_state_dict(last.state_dict())
    animals, moods, asked, _ = facts(3, 1, dice())
    other = animals[:, (animals[0] != asked[0]).int().argmax()]
    states = {}
    for name, reader in (("last", last), ("first", first)):
        found = []
        reader.answer.register_forward_pre_hook(lambda _, x, found=found: found.append(x[0]))
        reader(animals, moods, asked)
        reader(animals, moods, other)
        states[name] = [each[:, :8] for each in found]
    torch.testing.assert_close(*states["last"])
    assert not torch.allclose(*states["first"], atol=1e-3)


def test_a_gate_fades_out_of_the_state_what_the_question_says():
    torch.manual_seed(0)
    plain = SummaryReader(8)
    torch.manual_seed(0)
    gated = SummaryReader(8, gated=True)
    gated.load_state_dict(plain.state_dict(), strict=False)
    animals, moods, asked, _ = facts(3, 4, dice())
    with torch.no_grad():
        gated.gate.weight.zero_()
        gated.gate.bias.fill_(1.0)
        expected = plain(animals, moods, asked)
        torch.testing.assert_close(gated(animals, moods, asked), expected)
        gated.gate.bias.zero_()  # nothing of the facts is left
        torch.testing.assert_close(
            gated(animals, moods, asked), gated(animals.flip(0), moods.flip(0), asked)
        )
        assert not torch.allclose(plain(animals.flip(0), moods.flip(0), asked), expected)


def test_attention_reads_facts_in_any_order():
    torch.manual_seed(0)
    reader = AttentionReader(8)
    animals, moods, asked, _ = facts(6, 7, dice())
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    expected = reader(animals, moods, asked)
    torch.testing.assert_close(
        reader(animals[:, order], moods[:, order], asked), expected, atol=1e-5, rtol=1e-5
    )


def test_a_matrix_keeps_apart_as_many_facts_as_it_has_rows():
    keys, values = torch.eye(8)[None], torch.randn(1, 8, 8, generator=dice())
    found, weights = matrix_state(keys[:, [5, 2]], keys, values)
    torch.testing.assert_close(found, values[:, [5, 2]])
    assert weights is None
    # A ninth key is a sum of the others, and brings home what they hold as well.
    ninth = torch.cat([keys, torch.ones(1, 1, 8)], 1)
    found, _ = matrix_state(ninth[:, :1], ninth, torch.cat([values, values[:, :1]], 1))
    torch.testing.assert_close(found[0, 0], 2 * values[0, 0])


def test_the_states_of_a_recurrent_reader_depend_on_what_came_before():
    torch.manual_seed(0)
    reader = AttentionReader(8, recurrent=True)
    animals, moods, asked, _ = facts(6, 7, dice())
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    expected, found = (
        reader(animals, moods, asked),
        reader(animals[:, order], moods[:, order], asked),
    )
    assert not torch.allclose(found, expected, atol=1e-3)


def test_by_age_tells_for_each_place_how_much_is_right():
    class KnowsTheSecond(torch.nn.Module):
        def forward(self, animals, moods, asked):
            return torch.nn.functional.one_hot(moods[:, 1], len(MOODS)).float()

    assert by_age(KnowsTheSecond(), 4, dice()) == pytest.approx([0.0, 1.0, 0.0, 0.0])


def test_one_head_and_two_have_equally_many_parameters():
    sizes = [sum(p.numel() for p in PairReader(n).parameters()) for n in (1, 2)]
    assert sizes[0] == sizes[1]


def test_a_short_run_learns_to_look_up_and_a_score_can_be_given():
    torch.manual_seed(0)
    asked_for = []

    def score(query, key, value):
        asked_for.append(query.shape)
        return attention(query, key, value)

    shares = learning_curve(AttentionReader(32, score), 2, (5, 60), seed=0)
    assert shares[0] < 0.8 < 0.95 < shares[1]
    assert asked_for[0] == (64, 1, 32)


def test_a_study_is_measured_once_and_read_again(tmp_path, monkeypatch):
    calls = []

    def quick(reader, n_facts, checkpoints, seed, rate, draw):
        calls.append((n_facts, seed, rate))
        return [1 - rate * n_facts / 8 + seed / 1e6 for _ in checkpoints]

    monkeypatch.setattr(recall, "learning_curve", quick)
    monkeypatch.setattr(recall, "by_age", lambda reader, n_facts, dice: [0.5] * n_facts)
    numbers = measure("recall", tmp_path, seed=7)
    n_runs = len(calls)
    assert measure("recall", tmp_path, seed=7) == numbers
    assert len(calls) == n_runs, "each run is kept"
    rates = {rate for n_facts, seed, rate in calls if seed < 100}
    assert rates == {min(recall.RATES)}, "the best rate, by the seed of the search"
    shares = shares_of(numbers, "attention", 8, 500)
    assert shares == pytest.approx([1 - 0.003 + (7 + each) / 1e6 for each in range(5)])
    ages = torch.tensor(shares_by_age(numbers, "summary", 8))
    torch.testing.assert_close(ages, torch.full((5, 8), 0.5))
    assert all(math.isfinite(share) for share in numbers.values())


def test_there_are_as_many_moods_as_animals_and_all_differ():
    assert len(set(ANIMALS)) == len(set(MOODS)) == 16
