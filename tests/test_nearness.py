"""lmcourse.nearness: triples that differ in one word, and which of them is nearer."""

import pytest
import torch

from lmcourse.missing_verb import encode, new_bert, sentences
from lmcourse.nearness import agreeing_is_nearer, learn_nearness, triples, vectors


def words(sentence):
    return str(sentence).split()


def test_the_second_says_little_and_the_third_the_opposite():
    known = sentences()
    found = triples() + triples(held_out=True)
    assert len(found) == len({first for first, _, _ in found}) == len(known) // 3
    for first, agreeing, denying in found:
        assert {first, agreeing, denying} <= known.keys()
        rest = words(agreeing)
        rest.remove("little")
        assert rest == words(first)
        changed = {a for a, b in zip(words(first), words(denying), strict=True) if a != b}
        assert changed in ({"often"}, {"never"})


def test_teachers_are_held_out():
    for held_out in (False, True):
        for first, _, _ in triples(held_out):
            assert bool({"teacher", "teachers"} & {*first.left}) == held_out


def test_the_larger_cosine_is_nearer_whatever_the_lengths():
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    near, far = torch.tensor([[9.0, 1.0], [0.1, 0.2]]), torch.tensor([[1.0, 0.5], [5.0, 5.0]])
    assert agreeing_is_nearer(first, near, far) == pytest.approx(0.5)
    assert agreeing_is_nearer(first, first, far) == 1


def test_a_vector_is_the_mean_of_its_words_or_of_what_the_model_makes_of_them():
    model = new_bert(0)
    chosen = [first for first, _, _ in triples()[:40:7]]
    ids, mask, _ = (part.to(model.embedding.device) for part in encode(chosen))
    with torch.no_grad():
        made = model.encode(ids, mask)
    for row, sentence in enumerate(chosen):
        n = len(words(sentence)) + 2
        expected = {
            "words": model.embedding[ids[row, :n]].mean(0),
            "mean": made[row, :n].mean(0),
            "first": made[row, 0],
        }
        for kind, vector in expected.items():
            found = vectors(model, chosen, kind)[row]
            torch.testing.assert_close(found, vector, rtol=0, atol=1e-4)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_map_learns_what_shall_be_near(swapped):
    """Either of the two, so it is the triples that decide and not the map."""
    model = new_bert(0)
    first, *others = (
        vectors(model, column, "words") for column in zip(*triples()[::8], strict=True)
    )
    near, far = reversed(others) if swapped else others
    new = learn_nearness(first, near, far, seed=0, n_steps=150)
    assert agreeing_is_nearer(new(first), new(near), new(far)) > 0.95
