"""lmcourse.association against every permutation, and on vectors whose association is known."""

from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import rng

from lmcourse.association import association_test, associations
from lmcourse.co_occurrence import Vocabulary

LISTS = ("a", "b", "c"), ("p", "q", "r")
ATTRIBUTES = ("he", "him"), ("she", "her", "hers")
WORDS = [word for row in (*LISTS, *ATTRIBUTES) for word in row]
VOCABULARY = Vocabulary(WORDS, [1] * len(WORDS))


def vectors(k=0, lean=0.0, device="cpu"):
    """Random ones, in which the first list leans to one side and the second to the other."""
    drawn = torch.randn(len(WORDS), 7, generator=rng(k)).to(device)
    drawn[:3, 0] += lean
    drawn[3:6, 0] -= lean
    drawn[6:8, 0] += 3
    drawn[8:, 0] -= 3
    return drawn


def test_an_association_is_a_difference_of_mean_cosines(device):
    table = vectors(device=device)
    found = associations(table, VOCABULARY, ["q", "a"], *ATTRIBUTES)
    for word, each in zip(("q", "a"), found.tolist(), strict=True):
        means = [
            sum(torch.cosine_similarity(table[WORDS.index(word)], table[WORDS.index(other)], dim=0)
                for other in row) / len(row)
            for row in ATTRIBUTES
        ]  # fmt: skip
        assert each == pytest.approx((means[0] - means[1]).item(), abs=1e-6)


@pytest.mark.parametrize("k", range(5))
def test_effect_and_p_are_those_of_every_permutation(device, k):
    table = vectors(k, lean=0.3, device=device)
    result = association_test(table, VOCABULARY, LISTS, ATTRIBUTES)
    values = associations(table, VOCABULARY, WORDS[:6], *ATTRIBUTES).tolist()
    mean = sum(values) / 6
    spread = (sum((x - mean) ** 2 for x in values) / 5) ** 0.5
    assert result.effect == pytest.approx((sum(values[:3]) - sum(values[3:])) / 3 / spread)
    seen = sum(values[:3]) - sum(values[3:])
    as_far = [sum(x[:3]) - sum(x[3:]) >= seen - 1e-6 for x in permutations(values)]
    assert result.p_value == pytest.approx(sum(as_far) / len(as_far))


def test_two_lists_the_other_way_round_have_the_opposite_effect():
    table = vectors(lean=5.0)
    there = association_test(table, VOCABULARY, LISTS, ATTRIBUTES)
    back = association_test(table, VOCABULARY, LISTS[::-1], ATTRIBUTES)
    assert there.effect == pytest.approx(-back.effect)
    assert there.effect > 1
    # The least that three words against three can reach: one cut in twenty.
    assert there.p_value == pytest.approx(1 / 20)
    assert back.p_value == 1


def test_without_an_association_p_is_small_as_rarely_as_it_says():
    results = [association_test(vectors(k), VOCABULARY, LISTS, ATTRIBUTES) for k in range(200)]
    low = sum(result.p_value <= 0.2 + 1e-9 for result in results)
    # 40 on average, a standard deviation of 5.7: a false alarm in 100,000 seeds.
    assert abs(low - 40) <= 25


@given(st.integers(0, 50))
def test_drawn_cuts_say_what_all_of_them_say(k):
    table = vectors(k, lean=0.3)
    exact = association_test(table, VOCABULARY, LISTS, ATTRIBUTES)
    drawn = association_test(table, VOCABULARY, LISTS, ATTRIBUTES, rng(k), n_draws=19)
    assert drawn.effect == exact.effect
    assert drawn.p_value >= 1 / 19 - 1e-9
    assert abs(drawn.p_value - exact.p_value) <= 0.6  # five standard deviations, and 1 in 19
    again = association_test(table, VOCABULARY, LISTS, ATTRIBUTES, rng(k), n_draws=19)
    assert again == drawn


def test_words_that_are_all_alike_are_associated_with_nothing():
    result = association_test(torch.ones(len(WORDS), 3), VOCABULARY, LISTS, ATTRIBUTES)
    assert (result.effect, result.p_value) == (0, 1)


def test_lists_that_make_no_test_are_refused():
    def with_lists(*lists, **options):
        return association_test(vectors(), VOCABULARY, lists, ATTRIBUTES, **options)

    with pytest.raises(ValueError, match="got 3 and 2, 5 different"):
        with_lists(("a", "b", "c"), ("p", "q"))
    with pytest.raises(ValueError, match="got 1 and 1, 2 different"):
        with_lists(("a",), ("p",))
    with pytest.raises(ValueError, match="got 2 and 2, 3 different"):
        with_lists(("a", "b"), ("p", "a"))
    with pytest.raises(ValueError, match="n_draws=19 ways to cut 6 words"):
        with_lists(*LISTS, n_draws=19)
