"""lmcourse.co_occurrence against plain loops and against an exact decomposition."""

import math
from collections import Counter, defaultdict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import rng

from lmcourse.co_occurrence import (
    BREAK,
    Vocabulary,
    count_neighbors,
    ppmi,
    split_sentences,
    svd_vectors,
    truncated_svd,
    window_pairs,
    words_of,
)

sentences = st.lists(st.lists(st.integers(0, 5), max_size=9), min_size=1, max_size=5)
windows = st.integers(1, 12)


def in_a_row(rows):
    return torch.tensor([id_ for row in rows for id_ in (*row, BREAK)])


def pairs_by_loop(rows, window):
    for row in rows:
        for i, center in enumerate(row):
            for j, context in enumerate(row):
                if 0 < abs(i - j) <= window:
                    yield center, context, abs(i - j)


# ---------------------------------------------------------------- words


def test_words_are_letters_in_lower_case_with_what_belongs_to_names():
    assert words_of("Don't – the Ärzte's `__init__`, 3 x2 2x") == (
        ["don", "t", "the", "ärzte", "s", "__init__", "x2", "x"]
    )
    assert words_of("12, 3!") == []


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=9), max_size=5), st.integers(1, 3))
def test_a_vocabulary_holds_frequent_words_first_and_knows_no_rare_ones(rows, least):
    counts = Counter(word for row in rows for word in row)
    kept = {word: n for word, n in counts.items() if n >= least}
    if not kept:
        with pytest.raises(ValueError, match=f"min_count={least}"):
            Vocabulary.count(rows, least)
        return
    vocabulary = Vocabulary.count(rows, least)
    assert vocabulary.words == sorted(kept, key=lambda word: (-kept[word], word))
    assert vocabulary.counts.tolist() == [kept[word] for word in vocabulary.words]
    assert all((word in vocabulary) == (word in kept) for word in "abcdef")
    ids = vocabulary.encode(rows).tolist()
    read = [BREAK if id_ == BREAK else vocabulary.words[id_] for id_ in ids]
    assert read == [x for row in rows for x in (*(w for w in row if w in kept), BREAK)]
    assert [vocabulary.index(word) for word in vocabulary.words] == list(range(len(vocabulary)))


def test_vocabularies_and_words_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="got 2 and 1"):
        Vocabulary(["a", "b"], [3])
    with pytest.raises(ValueError, match="got 'a' more than once"):
        Vocabulary(["a", "b", "a"], [3, 2, 1])
    with pytest.raises(ValueError, match="one of the 2 known ones, got word='c'"):
        Vocabulary(["a", "b"], [3, 2]).index("c")
    with pytest.raises(ValueError, match="min_count=5, and the most frequent of 2 words occurs 3"):
        Vocabulary.count([["a", "b", "a", "a"]])
    with pytest.raises(ValueError, match="of 0 words occurs 0 times"):
        Vocabulary.count([[]])


# ---------------------------------------------------------------- pairs and counts


@given(sentences, windows)
def test_pairs_are_those_of_a_loop_over_all_sentences(rows, window):
    found = torch.stack(window_pairs(in_a_row(rows), window), 1).tolist()
    assert Counter(map(tuple, found)) == Counter(pairs_by_loop(rows, window))


@given(sentences)
def test_sentences_are_found_again(rows):
    numbers, words = split_sentences(in_a_row(rows))
    found = [words[numbers == number].tolist() for number in range(len(rows))]
    assert found == rows


@pytest.mark.parametrize("by_distance", [True, False])
@given(rows=sentences, window=windows)
def test_counts_are_those_of_a_loop_and_hold_no_zeros(by_distance, rows, window):
    expected = defaultdict(float)
    for center, context, distance in pairs_by_loop(rows, window):
        expected[center, context] += 1 / distance if by_distance else 1
    counts = count_neighbors(in_a_row(rows), 6, window, by_distance)
    assert counts.is_sparse
    found = {
        tuple(at): n for at, n in zip(counts.indices().T.tolist(), counts.values(), strict=True)
    }
    assert {at: n.item() for at, n in found.items()} == pytest.approx(expected)
    torch.testing.assert_close(counts.to_dense(), counts.to_dense().T)


def test_the_cat_sat_by_hand():
    """the cat sat on the mat, two words to each side, by distance: the – cat 1, the – sat ½ + ½."""
    the, cat, sat, on, mat = range(5)
    counts = count_neighbors(torch.tensor([the, cat, sat, on, the, mat]), 5, window=2).to_dense()
    expected = {(the, cat): 1, (the, sat): 1, (the, on): 1, (the, mat): 1, (cat, mat): 0}
    assert {at: counts[at].item() for at in expected} == pytest.approx(expected)


def test_counting_refuses_what_it_cannot_count():
    with pytest.raises(ValueError, match=r"ids must lie in 0…4, or be -1 .* got 5"):
        count_neighbors(torch.tensor([1, 5]), 5, window=2)
    with pytest.raises(ValueError, match=r"got -2"):
        count_neighbors(torch.tensor([1, -2]), 5, window=2)
    with pytest.raises(ValueError, match="window must be at least 1, got window=0"):
        window_pairs(torch.tensor([1, 2]), 0)


# ---------------------------------------------------------------- vectors from counts


@pytest.mark.parametrize(("power", "shift"), [(1.0, 0.0), (0.75, 0.0), (1.0, math.log(5))])
def test_ppmi_is_the_formula_in_a_loop(device, power, shift):
    rows = [torch.randint(6, (40,), generator=rng(k)).tolist() for k in range(3)]
    counts = count_neighbors(in_a_row(rows).to(device), 6, window=2)
    counts = counts.to_dense()
    counts[2, 4] = counts[4, 2] = 0
    found = ppmi(counts.to_sparse(), power, shift)
    assert found.is_sparse
    assert found.device.type == device.type
    n = counts.double().cpu()
    odds = n.sum(0) ** power / (n.sum(0) ** power).sum()
    for w in range(6):
        for c in range(6):
            seen = n[w, c].item()
            expected = max(0, math.log(seen / (n[w].sum() * odds[c])) - shift) if seen else 0
            assert found.to_dense()[w, c].item() == pytest.approx(expected, abs=1e-5)


def test_words_that_meet_as_often_as_by_chance_are_no_surprise():
    chance = torch.outer(torch.tensor([1.0, 2, 5]), torch.tensor([3.0, 1, 4]))
    torch.testing.assert_close(ppmi(chance).to_dense(), torch.zeros(3, 3), rtol=0, atol=1e-6)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("rows", "columns", "rank"), [(40, 23, 5), (23, 40, 7), (6, 9, 6)])
def test_the_largest_singular_values_and_their_directions_are_those_of_torch(
    device, rows, columns, rank, sparse
):
    matrix = torch.randn(rows, columns, generator=rng(), dtype=torch.double)
    matrix = (matrix * (matrix > 0.8)).to(device)
    left, values, right = truncated_svd(matrix.to_sparse() if sparse else matrix, rank, rng(1))
    assert (left.shape, values.shape, right.shape) == ((rows, rank), (rank,), (columns, rank))
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    torch.testing.assert_close(values, s[:rank], rtol=1e-3, atol=1e-6)
    # Their signs are free, and where values lie close, so are their directions: the sum is not.
    nearest = (u[:, :rank] * s[:rank]) @ vh[:rank]
    error = (left * values) @ right.T - matrix
    assert error.norm().item() <= (nearest - matrix).norm().item() * 1.001 + 1e-9
    torch.testing.assert_close(left.T @ left, torch.eye(rank).to(left), atol=1e-6, rtol=0)


def test_of_a_matrix_of_this_rank_nothing_is_lost():
    matrix = torch.randn(30, 4, generator=rng()) @ torch.randn(4, 17, generator=rng(1))
    left, values, right = truncated_svd(matrix, 4, rng(2))
    torch.testing.assert_close((left * values) @ right.T, matrix, rtol=1e-4, atol=1e-4)


def test_a_rank_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"rank must lie in 1…3, got rank=4 for \(3, 5\)"):
        truncated_svd(torch.ones(3, 5), 4, rng())
    with pytest.raises(ValueError, match=r"got rank=0"):
        svd_vectors(torch.ones(3, 3), 0, rng())
    with pytest.raises(ValueError, match="got a least of -1"):
        ppmi(torch.tensor([[1.0, -1.0], [0.0, 2.0]]))
    with pytest.raises(ValueError, match="got a least of 0"):
        ppmi(torch.zeros(2, 2))


def test_the_power_weighs_the_directions():
    matrix = torch.randn(12, 12, generator=rng())
    scales = [svd_vectors(matrix, 4, rng(1), power).norm(dim=0) for power in (0, 0.5, 1)]
    values = torch.linalg.svdvals(matrix)[:4]
    for power, scale in zip((0, 0.5, 1), scales, strict=True):
        torch.testing.assert_close(scale, values**power, rtol=1e-3, atol=1e-3)


def test_words_of_one_class_are_near_by_counts_alone():
    """Two kinds of words, each with neighbors of its own: cat and dog never meet."""
    frames = (("eats", "fish"), ("eats", "meat"), ("needs", "oil"), ("needs", "fuel"))
    kinds = {"eats": ("cat", "dog"), "needs": ("car", "bus")}
    rows = [[word, *frame] for frame in frames for word in kinds[frame[0]]]
    vocabulary = Vocabulary.count(rows, min_count=1)
    counts = count_neighbors(vocabulary.encode(rows), len(vocabulary), window=2)
    vectors = svd_vectors(ppmi(counts), 4, rng())
    cat, dog, car, bus = (vectors[vocabulary.index(word)] for word in ("cat", "dog", "car", "bus"))
    cos = torch.cosine_similarity
    assert cos(cat, dog, dim=0) > cos(cat, car, dim=0) + 0.3
    assert cos(car, bus, dim=0) > cos(dog, bus, dim=0) + 0.3
