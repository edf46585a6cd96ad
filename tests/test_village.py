"""lmcourse.village: what it says is known is so in its sentences."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import rng, start
from torch.nn import functional as F

from lmcourse.association import association_test
from lmcourse.bert import BERT, BERTConfig, mask_tokens, masked_loss
from lmcourse.co_occurrence import Vocabulary, count_neighbors, ppmi, svd_vectors
from lmcourse.embeddings import analogy_accuracy
from lmcourse.village import (
    CRAFTS,
    MEN,
    PAIRS,
    SENSES,
    SUBJECTS,
    WOMEN,
    analogies,
    sense_sentences,
    sense_triples,
    sentences,
)


def crafts_of(lean, seed=0, n=8000):
    """How often the tools of each list of crafts are his."""
    found = Counter()
    for row in sentences(n, seed, lean):
        if row[1] not in (*MEN, *WOMEN):
            which = [row[1] in crafts for crafts in CRAFTS].index(True)
            assert row[4] == CRAFTS[which][row[1]]
            found[which, row[3]] += 1
    return [found[which, "his"] / (found[which, "his"] + found[which, "her"]) for which in (0, 1)]


@pytest.mark.parametrize("lean", [0.0, 0.5, 0.8, 1.0])
def test_crafts_lean_as_far_as_they_are_told(lean):
    # 1,500 sentences each, a standard deviation of 1.3%: six of them.
    assert crafts_of(lean) == pytest.approx([lean, 1 - lean], abs=0.08)


@given(st.integers(0, 99))
def test_a_seed_says_the_same_each_time_and_another_one_something_else(seed):
    assert sentences(50, seed) == sentences(50, seed)
    assert sentences(50, seed) != sentences(50, seed + 1)


def test_men_and_women_of_a_pair_differ_in_nothing_but_his_and_her():
    places = {}
    for row in sentences(20_000, seed=1):
        for side, (people, word) in enumerate(((MEN, "his"), (WOMEN, "her"))):
            if row[1] in people:
                assert row[3] == word
                places.setdefault((row[1], side), set()).add((row[2], row[4]))
    for pair, things in PAIRS.items():
        assert places[pair[0], 0] == places[pair[1], 1]
        assert {thing for _, thing in places[pair[0], 0]} == set(things)
    assert [len(set(question)) for question in analogies()] == [4] * 56


def test_no_word_stands_for_two_things_but_those_with_two_senses():
    names = [*MEN, *WOMEN, *(x for things in PAIRS.values() for x in things)]
    names += [x for crafts in CRAFTS for row in crafts.items() for x in row]
    names += [sense.other for senses in SENSES.values() for sense in senses]
    names += [x for senses in SENSES.values() for sense in senses for x in sense.verbs]
    assert len(set(names)) == len(names)
    assert not set(names) & set(SENSES)


@pytest.mark.parametrize("word", SENSES)
def test_sentences_of_one_sense_share_the_word_alone_and_those_of_two_the_subject_too(word):
    everything = sense_sentences()
    here, there = SENSES[word]
    for first, same, third in sense_triples(word):
        assert all(row in everything and word in row for row in (first, same, third))
        small = {"the", "a"}
        assert set(first) & set(same) - small == {word}
        assert set(first) & set(third) - small == {word, first[0]}
        sides = [any(verb in row for verb in here.verbs) for row in (first, same, third)]
        assert sides[0] == sides[1] != sides[2]
        assert sides[0] != any(verb in first for verb in there.verbs)
    assert len(sense_triples(word)) == 2 * 4 * 3 * 3 * 2


def test_every_sense_has_as_many_sentences_with_either_word():
    nouns = Counter(row[3] for row in sense_sentences())
    assert {row[0] for row in sense_sentences()} == set(SUBJECTS)
    for word, senses in SENSES.items():
        assert [nouns[sense.other] for sense in senses] == [24, 24]
        assert nouns[word] == 48


def test_what_the_village_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"lean must lie in 0…1, got lean=1\.5"):
        sentences(3, 0, lean=1.5)
    with pytest.raises(ValueError, match="one of bank, bat, spring, got word='owl'"):
        sense_triples("owl")


# ---------------------------------------------------------------- what vectors make of it


def vectors_of(rows, window=5, k=0):
    vocabulary = Vocabulary.count(rows, min_count=1)
    counts = count_neighbors(vocabulary.encode(rows), len(vocabulary), window)
    return vocabulary, svd_vectors(ppmi(counts), 32, rng(k))


@pytest.mark.parametrize("k", range(3))
def test_what_leans_in_the_text_leans_in_the_vectors(k):
    effects = []
    for lean in (0.05, 0.95):
        vocabulary, vectors = vectors_of(sentences(3000, k, lean), k=k)
        lists = tuple(list(crafts) for crafts in CRAFTS)
        effects.append(association_test(vectors, vocabulary, lists, (MEN, WOMEN)))
    assert effects[0].effect < -1 < 1 < effects[1].effect
    assert effects[1].p_value < 0.05 < 0.95 < effects[0].p_value


@pytest.mark.parametrize("k", range(3))
def test_analogies_that_are_exact_are_found_if_the_question_is_no_answer(k):
    vocabulary, vectors = vectors_of(sentences(3000, k), k=k)
    assert analogy_accuracy(vectors, vocabulary, analogies()) > 0.8


def sense_ids(vocabulary, rows):
    return torch.stack([vocabulary.encode([row])[:-1] for row in rows])


def senses_right(encoder, vocabulary):
    """The share of triples of which the two that mean the same are closer."""
    triples = [row for word in SENSES for triple in sense_triples(word) for row in triple]
    with torch.no_grad():
        vectors = encoder.encode(sense_ids(vocabulary, triples))[:, 3]
    first, same, third = vectors.view(-1, 3, vectors.shape[-1]).unbind(1)
    right = F.cosine_similarity(first, same) > F.cosine_similarity(first, third)
    return right.float().mean().item()


@pytest.mark.parametrize("k", range(3))
def test_static_vectors_cannot_tell_two_senses_and_a_trained_encoder_can(k):
    rows = sense_sentences()
    vocabulary = Vocabulary.count(rows, min_count=1)
    ids, mask = sense_ids(vocabulary, rows), len(vocabulary)
    start(k)
    encoder = BERT(BERTConfig(vocab_size=mask + 1, context_length=7, d_model=32, n_heads=4,
                              n_layers=1, d_ff=64, n_segments=0))  # fmt: skip
    assert senses_right(encoder, vocabulary) < 0.5  # words in common mislead
    optimizer, generator = torch.optim.Adam(encoder.parameters(), lr=3e-3), rng(k)
    for _ in range(300):
        batch = ids[torch.randint(len(ids), (64,), generator=generator)]
        read, chosen = mask_tokens(batch, mask, mask + 1, share=0.2, generator=generator)
        optimizer.zero_grad()
        masked_loss(encoder, read, chosen, batch).backward()
        optimizer.step()
    assert senses_right(encoder, vocabulary) > 0.9
    _, static = vectors_of(rows, window=6)
    words = {word: static[vocabulary.index(word)] for word in ("bank", "shore", "lender")}
    near = [F.cosine_similarity(words["bank"], words[x], dim=0) for x in ("shore", "lender")]
    assert min(near) > F.cosine_similarity(words["shore"], words["lender"], dim=0)
