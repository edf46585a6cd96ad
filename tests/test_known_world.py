"""lmcourse.known_world: people whose cities cannot be guessed, raters who lean, stored runs."""

import random
from collections import Counter

import pytest
import torch

from lmcourse import known_world
from lmcourse.known_world import (
    CITIES,
    FILLERS,
    LEAN_FIRST,
    LEAN_LONG,
    MATCHES,
    N_PEOPLE,
    RIGHT,
    Judge,
    Words,
    answer,
    fit,
    judged_pair,
    matches,
    measure,
    new_model,
    options,
    people,
)

WORLD = people(0)


def test_words_come_back_and_rows_are_filled_up():
    words = Words(["b a", "c"])
    assert words.words == ["", "a", "b", "c"]
    assert words.rows(["b a c", "c"]).tolist() == [[2, 1, 3], [3, 0, 0]]
    assert words.text([3, 0, 0]) == "c"


def test_people_are_told_of_as_often_as_they_say_and_nobody_twice():
    counts = Counter(person.times_seen for person in WORLD)
    assert counts == N_PEOPLE
    assert len({person.name for person in WORLD}) == len(WORLD)
    assert people(0) == WORLD != people(1)


def test_nothing_but_the_text_says_where_somebody_lives():
    """Over many seeds all cities are alike for each first name: 1/18 ± 0.0047, five of them."""
    found = Counter(
        person.city for seed in range(100) for person in people(seed) if person.name[:3] == "ada"
    )
    n = found.total()
    assert set(found) == set(CITIES)
    assert max(abs(count / n - 1 / 18) for count in found.values()) < 5 * (1 / 18 / n) ** 0.5


def test_lengths_of_cities_are_balanced():
    assert Counter(len(city.split()) for city in CITIES) == {1: 6, 2: 6, 3: 6}
    assert len(set(CITIES)) == 18


def test_the_right_city_is_among_the_options_in_any_place():
    places = Counter()
    for person in WORLD:
        offered = options(person, seed=0)
        assert len(set(offered)) == 4
        places[offered.index(person.city)] += 1
    # 54 ± 6.4 each; four standard deviations
    assert set(places) == {0, 1, 2, 3}
    assert max(abs(n - 54) for n in places.values()) < 26


def test_the_question_begins_the_sentence():
    assert WORLD[0].sentence == f"{WORLD[0].question} {WORLD[0].city} ."


def losses(model, rows):
    with torch.no_grad():
        log_probs = model(rows[:, :-1]).log_softmax(-1)
    return -log_probs.gather(-1, rows[:, 1:, None])[..., 0]


def test_only_the_last_word_is_learned_where_only_it_is_asked_for():
    words = Words(["x a b a yes", "y b a no"])
    texts = ["x a b a yes", "y b a no"] * 8
    rows = words.rows(texts)
    model = new_model(words, rows.shape[1], seed=0)
    before = losses(model, rows)
    fit(model, rows, 40, seed=0, only_last=True)
    after = losses(model, rows)
    assert after[0, 3] < 0.1
    assert after[1, 2] < 0.1
    assert before[0, 3] > 1
    assert after[0, 0] > 0.5, "the word after the first was not to be learned"


# ---------------------------------------------------------------- raters and judges


def read(text):
    """(first, second, verdict) of a rater's case."""
    first, rest = text.removeprefix("first ").split(" or second ")
    second, verdict = rest.split(" ? ")
    return first, second, verdict == "first"


def shares_of(is_hasty):
    """How often a rater says first in each situation."""
    dice, seen = random.Random(3), {}
    for _ in range(8000):
        first, second, prefers_first = read(judged_pair(dice, is_hasty))
        a, b = (text.startswith(RIGHT) for text in (first, second))
        key = (a - b, (len(first.split()) > 1) - (len(second.split()) > 1))
        seen.setdefault(key, []).append(prefers_first)
    return {key: sum(values) / len(values) for key, values in seen.items()}


@pytest.mark.parametrize(
    ("is_hasty", "first", "long"), [(True, LEAN_FIRST, LEAN_LONG), (False, 0.5, 0.5)]
)
def test_raters_see_what_is_right_and_lean_as_they_say(is_hasty, first, long):
    shares = shares_of(is_hasty)
    for length in (-1, 0, 1):
        # exact: who is right is always preferred
        assert shares[1, length] == 1
        assert shares[-1, length] == 0
    # Some 1000 or 2000 cases each: a standard deviation of 0.016 at most, four of them.
    assert abs(shares[0, 0] - first) < 0.064
    assert abs(shares[0, 1] - long) < 0.064
    assert abs(shares[0, -1] - (1 - long)) < 0.064


def test_an_answer_is_right_or_wrong_and_short_or_long():
    dice = random.Random(0)
    assert answer(dice, is_right=True, is_long=False) == RIGHT
    city, _, filler = answer(dice, is_right=False, is_long=True).partition(" ")
    assert city != RIGHT
    assert filler in FILLERS


def test_matches_are_what_their_names_say():
    for name, kinds in MATCHES.items():
        for pair in zip(*matches(name, seed=0, n_pairs=20), strict=True):
            found = tuple((text.startswith(RIGHT), len(text.split()) > 1) for text in pair)
            assert found == kinds


def test_a_judge_decides_each_pair_alone():
    judge = Judge(is_hasty=True, seed=0, n_steps=3)
    first, second = matches("both right", seed=0, n_pairs=4)
    first, second = [*first, "canberra of course"], [*second, "perth"]
    together = judge(first, second).tolist()
    pairs = zip(first, second, strict=True)
    assert together == pytest.approx([judge([a], [b]).item() for a, b in pairs], abs=1e-5)


def test_measure_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    asked = []

    def short(name):
        def run(*arguments):
            asked.append((name, *arguments))
            return {"share": 0.5}

        return run

    monkeypatch.setattr(known_world, "measure_facts", short("facts"))
    monkeypatch.setattr(known_world, "measure_judge", short("judge"))
    numbers = measure(tmp_path, seed=3, n_seeds=2)
    assert numbers["hasty/4/share"] == numbers["long/3/share"] == 0.5  # exact: a half
    assert len(numbers) == 8
    assert ("judge", False, 4) in asked
    asked.clear()
    assert measure(tmp_path, seed=3, n_seeds=2) == numbers
    assert asked == []


@pytest.mark.slow
def test_what_is_told_often_is_known_and_what_is_never_told_is_not():
    numbers = known_world.measure_facts(seed=7, n_steps=known_world.LONG)
    for exam in ("free", "sum", "gain"):
        assert numbers[f"{exam}/16"] > 0.9
    # Chance: 1/18 of 96 people, 5.3 ± 2.2; five standard deviations.
    assert numbers["free/0"] <= 16 / 96
    # Of those it speaks all the same, and is far surer than it is right: eight had 0.68–0.73.
    assert numbers["is a city/0"] > 0.8
    assert numbers["sure/0"] > numbers["free/0"] + 0.4
