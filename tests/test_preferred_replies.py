"""lmcourse.preferred_replies: known preferences, their limit, reward models, DPO."""

import copy
import math

import pytest
import torch

from lmcourse.alignment import RewardModel
from lmcourse.carried_sums import carries, new_gpt, problems
from lmcourse.preferred_replies import (
    Pair,
    best_possible,
    differing_in,
    liking,
    mean_log_prob,
    prefer,
    preferences,
    rewards,
    share_agreed,
    train_reward_model,
)

SUM = (37, 45)


def test_a_reader_likes_what_is_right_and_whole_sentences():
    texts = ("it is 8 2", "8 2", "it is 7 2", "7 2", "8 2 or 7 2")
    assert [liking(text.split(), SUM) for text in texts] == [4, 3, 1, 0, 0]


def test_preferences_are_drawn_as_bradley_and_terry_have_it():
    pairs = preferences(4000, seed=0)
    assert all(carries(pair.problem) and pair.chosen != pair.rejected for pair in pairs)
    agreed = expected = 0.0
    for pair in pairs:
        gap = liking(pair.chosen, pair.problem) - liking(pair.rejected, pair.problem)
        assert pair.sureness == pytest.approx(1 / (1 + math.exp(-abs(gap))))
        agreed += 0.5 if gap == 0 else gap > 0
        expected += pair.sureness
    # Whoever knows the reader agrees as often as the pairs say: 4000 draws, three standard errors.
    assert agreed / 4000 == pytest.approx(expected / 4000, abs=0.025)
    assert best_possible(pairs) == pytest.approx(expected / 4000)


def test_the_exam_asks_what_nothing_was_trained_on():
    assert {pair.problem for pair in preferences(200, 0, "exam")} <= set(problems("exam"))
    assert {pair.problem for pair in preferences(200, 0)} <= set(problems())
    with pytest.raises(ValueError, match="n must be at least 1, got n=0"):
        preferences(0, 0)


@pytest.mark.parametrize("what", ["matter", "manner"])
def test_pairs_that_differ_in_one_thing(what):
    for pair in differing_in(what, 0, n=50):
        gap = liking(pair.chosen, pair.problem) - liking(pair.rejected, pair.problem)
        assert gap == {"matter": 3, "manner": 1}[what]
        assert (len(pair.chosen) == len(pair.rejected)) == (what == "matter")


def test_only_one_of_two_things_is_known():
    with pytest.raises(ValueError, match='"matter" or "manner", got what=\'length\''):
        differing_in("length", 0)


def test_padding_does_not_change_a_reward():
    torch.manual_seed(0)
    model = RewardModel(new_gpt(0))
    together = rewards(model, [(SUM, ["8", "2"]), (SUM, ["it", "is", "8", "2"])])
    alone = rewards(model, [(SUM, ["8", "2"])])
    torch.testing.assert_close(together[:1], alone)


def test_a_reward_model_learns_which_words_win():
    pairs = [Pair(SUM, ["it", "is", "8"], ["8"], 1.0), Pair(SUM, ["it", "is", "7"], ["7"], 1.0)]
    body = new_gpt(0)
    before = copy.deepcopy(body)
    model = train_reward_model(body, pairs, 20, seed=0)
    unseen = [Pair((26, 47), ["it", "is", "6"], ["6"], 1.0)]
    assert share_agreed(model, unseen) == 1
    assert share_agreed(model, [Pair(unseen[0][0], ["6"], ["it", "is", "6"], 1.0)]) == 0
    for one, two in zip(body.parameters(), before.parameters(), strict=True):
        assert torch.equal(one, two)  # exact: it trains a copy


def test_dpo_makes_the_winner_likelier_beside_the_loser():
    pair = Pair(SUM, ["8", "2"], ["7", "2"], 1.0)
    model = new_gpt(0)

    def margin():
        return mean_log_prob(model, [(SUM, pair.chosen)]) - mean_log_prob(
            model, [(SUM, pair.rejected)]
        )

    before = margin()
    losses = prefer(model, [pair], 20, seed=0, rate=1e-3)
    assert losses[0] == pytest.approx(math.log(2), abs=1e-5)
    assert losses[-1] < losses[0] - 0.05
    assert margin() > before + 0.1
