"""lmcourse.duplicates: exact copies by checksum, near ones by signatures, held to exact Jaccard."""

import random
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.corpora import zipf_words
from lmcourse.duplicates import (
    MinHash,
    all_near_copies,
    candidate_pairs,
    chance_of_candidate,
    changed,
    estimated_jaccard,
    first_copies,
    groups_of_copies,
    jaccard,
    keep_first,
    near_copies,
    shingles,
)

WORDS = list(zipf_words(4000, seed=5))


def text(seed, n_words=60):
    return " ".join(random.Random(seed).choices(WORDS, k=n_words))


def test_a_copy_is_one_whatever_its_capitals_spaces_and_kinds_of_letters():
    some = ["Straße  nach\tRom", "STRASSE NACH ROM", "strasse nach\nrom ", "straße nach rom."]
    assert first_copies(some) == [0, 0, 0, 3]
    assert first_copies(["ﬁsh", "fish", "fi sh"]) == [0, 0, 2]


def test_shingles_of_a_short_text_are_its_words_and_of_none_nothing():
    assert shingles("two words", 3) == {"two words"}
    assert shingles("…!", 3) == set()
    with pytest.raises(ValueError, match="n_words must be at least 1, got n_words=0"):
        shingles("a", 0)


sets = st.sets(st.sampled_from("abcdefghij"))


@given(sets, sets)
def test_jaccard_is_the_share_of_what_both_have(first, second):
    found = jaccard(first, second)
    assert found == jaccard(second, first)
    if first | second:
        both = sum(x in first and x in second for x in "abcdefghij")
        assert found == pytest.approx(both / len(first | second))
    else:
        assert found == 1


@pytest.mark.parametrize("n_shared", [0, 20, 60, 90, 100])
def test_signatures_estimate_jaccard_with_the_error_that_they_should_have(n_shared):
    first = {f"w{i}" for i in range(100)}
    second = {f"w{i}" for i in range(100 - n_shared, 200 - n_shared)}
    exact = jaccard(first, second)
    n_hashes, n_seeds = 128, 100
    estimates = []
    for seed in range(n_seeds):
        hashes = MinHash(n_hashes, seed)
        estimates.append(estimated_jaccard(hashes.signature(first), hashes.signature(second)))
    error = (exact * (1 - exact) / n_hashes) ** 0.5
    # The mean of 100 estimates lies within 5 of its standard errors but once in a million times;
    # the sample's deviation within a third of the true one about as surely.
    assert np.mean(estimates) == pytest.approx(exact, abs=5 * error / n_seeds**0.5 + 1e-9)
    assert np.std(estimates) == pytest.approx(error, rel=0.4, abs=1e-9)


def test_a_signature_does_not_depend_on_the_process_or_on_the_order():
    call = (
        "from lmcourse.duplicates import MinHash;"
        "print(MinHash(4, 3).signature({'a', 'b', 'c'}).tolist())"
    )
    here = MinHash(4, 3).signature(["c", "b", "a"]).tolist()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", call],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == str(here)


def test_an_empty_set_is_like_no_other_but_an_empty_one():
    hashes = MinHash(16)
    assert estimated_jaccard(hashes.signature(()), hashes.signature(["a"])) < 0.01
    assert estimated_jaccard(hashes.signature(()), hashes.signature(())) > 0.99
    assert hashes.signatures([]).shape == (0, 16)


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.7])
def test_pairs_become_candidates_as_often_as_the_curve_says(similarity):
    n_shared = round(200 * similarity / (1 + similarity))  # of 100 each: s = k / (200 − k)
    first = {f"w{i}" for i in range(100)}
    second = {f"w{i}" for i in range(100 - n_shared, 200 - n_shared)}
    exact, n_seeds = jaccard(first, second), 300
    found = sum(
        bool(candidate_pairs(MinHash(40, seed).signatures([first, second]), 10))
        for seed in range(n_seeds)
    )
    chance = chance_of_candidate(exact, 10, 4)
    # Five standard errors: a false alarm once in a million times.
    error = (chance * (1 - chance) / n_seeds) ** 0.5
    assert found / n_seeds == pytest.approx(chance, abs=5 * error + 0.01)


@given(st.lists(st.lists(st.integers(0, 2), min_size=6, max_size=6), max_size=12))
def test_candidates_are_the_pairs_that_agree_in_a_band(rows):
    signatures = np.array(rows, np.uint64).reshape(-1, 6)
    wanted = {
        (i, j)
        for i, j in combinations(range(len(rows)), 2)
        if any(rows[i][k : k + 2] == rows[j][k : k + 2] for k in (0, 2, 4))
    }
    assert candidate_pairs(signatures, 3) == wanted


def test_a_thousand_copies_make_no_half_million_pairs():
    signatures = MinHash(20).signatures([{"a"}] * 1000)
    assert len(candidate_pairs(signatures, 4, max_bucket=50)) == 999
    assert len(candidate_pairs(signatures[:40], 4, max_bucket=50)) == 40 * 39 // 2


def test_bands_must_divide_the_signature():
    with pytest.raises(ValueError, match="n_bands must divide n_hashes=20, got n_bands=3"):
        candidate_pairs(MinHash(20).signatures([{"a"}]), 3)


def test_planted_copies_are_found_and_what_is_found_is_one():
    texts = [text(seed) for seed in range(60)]
    texts += [changed(texts[i], n, WORDS, seed=i) for i in range(30) for n in (1, 5)]
    exact = {copy[:2] for copy in all_near_copies(texts, 0.5)}
    found = near_copies(texts, 0.5, n_bands=30, n_rows=4)
    assert {copy[:2] for copy in found} <= exact
    assert all(copy.similarity >= 0.5 for copy in found)
    missed = sum(1 - chance_of_candidate(c.similarity, 30, 4) for c in all_near_copies(texts, 0.5))
    assert len(exact) > 50
    # As many as the curve says are missed, and by chance a few more: at most 3.
    assert len(exact) - len(found) <= missed + 3


def test_a_changed_text_has_as_many_other_words_and_the_same_length():
    some = text(1)
    other = changed(some, 7, ["NEW"], seed=2)
    pairs = list(zip(some.split(" "), other.split(" "), strict=True))
    assert sum(a != b for a, b in pairs) == 7
    with pytest.raises(ValueError, match=r"n_changes must lie in 0…2, the words, got 3"):
        changed("a b", 3, ["x"])


pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.just(1.0)), max_size=12)


@given(pairs)
def test_groups_are_what_pairs_connect(pairs):
    groups = groups_of_copies(10, pairs)
    sets = [{i} for i in range(10)]
    for first, second, _ in pairs:  # the plain way: join whole sets
        joined = sets[first] | sets[second]
        for member in joined:
            sets[member] = joined
    assert groups == [min(members) for members in sets]
    assert keep_first(groups) == sorted(set(groups))


def test_a_threshold_lies_above_nothing():
    with pytest.raises(ValueError, match="threshold must lie above 0, up to 1, got threshold=0"):
        near_copies(["a"], threshold=0)
