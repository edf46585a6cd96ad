"""lmcourse.who_helped_whom: the sentences differ in order alone, and training teaches to tell."""

import math
from collections import Counter

import pytest
import torch
from torch.nn import functional as F

from lmcourse import who_helped_whom as whom
from lmcourse.who_helped_whom import (
    DEEDS,
    PEOPLE,
    Event,
    contrastive_loss,
    encode,
    encode_pairs,
    events,
    fit_near,
    fit_pairs,
    measure,
    names_found,
    new_bert,
    readable,
    telling,
    trainable_mean,
    vectors,
)

N_EVENTS = len(PEOPLE) * (len(PEOPLE) - 1) * len(DEEDS)


def test_every_event_is_known_or_held_out_and_its_turned_one_with_it():
    known, new = set(events()), set(events(held_out=True))
    assert not known & new
    assert len(known | new) == N_EVENTS
    assert {each.turned() for each in known} == known
    assert {each.turned() for each in new} == new
    assert 0.2 < len(new) / N_EVENTS < 0.3


def test_turned_sentences_have_the_same_words_and_all_are_as_long():
    for each in events(held_out=True):
        for one, two in (
            (each.active(), each.turned().active()),
            (each.passive(), each.turned().passive()),
            (each.plain(), each.turned().plain()),
        ):
            assert one != two
            assert Counter(one) == Counter(two)
        assert [len(row) for row in each.forms()] == [9, 9, 9]
        orders = [[word for word in row if word in PEOPLE] for row in each.forms()]
        assert orders == [[each.who, each.whom], [each.whom, each.who], [each.who, each.whom]]


def test_ids_stand_for_words_and_the_second_sentence_is_a_segment_of_its_own():
    each = Event("cook", "helped", "king")
    ids = encode([each.active()])
    assert " ".join(whom.TOKENS[i] for i in ids[0]) == (
        "[CLS] it was the cook who helped the king . [SEP]"
    )
    ids, segments = encode_pairs([(each.active(), each.passive())])
    second = [whom.TOKENS[i] for i in ids[0][segments[0] == 1]]
    assert second == [*each.passive(), "[SEP]"]


# ---------------------------------------------------------------- who can tell


def keys_of(rows, understands):
    """For each sentence a vector of its event, or of its words alone."""
    found = []
    for row in rows:
        people = [PEOPLE.index(word) for word in row if word in PEOPLE]
        if understands and row[0] == "the":  # passive: whom comes first
            people = people[::-1]
        vector = torch.zeros(2, len(PEOPLE))
        for place, person in enumerate(people):
            vector[place if understands else 0, person] = 1.0
        deed = F.one_hot(torch.tensor([DEEDS.index(w) for w in row if w in DEEDS]), len(DEEDS))
        found.append(torch.cat([vector.flatten(), deed[0].float()]))
    return torch.stack(found)


def test_who_understands_tells_always_and_who_counts_words_never():
    understood = telling(lambda rows: keys_of(rows, understands=True))
    assert understood["other order"] == understood["same order"] == understood["told"] == 1
    assert understood["same"] == pytest.approx(1)
    counted = telling(lambda rows: keys_of(rows, understands=False))
    assert counted["told"] == pytest.approx(0.5)
    assert counted["other order"] == counted["same order"] == pytest.approx(0.5)
    assert counted["turned"] == pytest.approx(1)


def test_who_goes_by_the_order_of_the_names_has_one_half():
    def by_order(rows):
        return torch.stack([
            torch.cat([
                F.one_hot(torch.tensor(PEOPLE.index(word)), len(PEOPLE)).float()
                for word in row
                if word in PEOPLE
            ])
            for row in rows
        ])  # fmt: skip

    found = telling(by_order)
    assert (found["other order"], found["same order"]) == (0, 1)
    assert found["told"] == pytest.approx(0.5)


def test_a_linear_map_reads_what_is_there_and_no_more():
    assert readable(lambda rows: keys_of(rows, understands=True)) == 1
    assert readable(lambda rows: keys_of(rows, understands=False)) == pytest.approx(0.5)


def test_the_mean_of_static_vectors_cannot_tell(seed):
    found = telling(vectors(new_bert(seed), "words"))
    assert found["told"] == pytest.approx(0.5)
    assert found["turned"] == pytest.approx(1)


def test_the_loss_is_that_of_the_definition():
    first, second = torch.randn(5, 7).double(), torch.randn(5, 7).double()
    total = 0.0
    for i in range(5):
        shares = [
            math.exp(F.cosine_similarity(first[i], second[j], dim=0).item() / 0.1) for j in range(5)
        ]
        total -= math.log(shares[i] / sum(shares)) / 5
    assert contrastive_loss(first, second).item() == pytest.approx(total)


def test_training_on_pairs_teaches_who_and_near_vectors_need_their_own():
    """With seed 0 and as many steps: names found in 1.00, told half and then 1.00."""
    model = new_bert(0)
    assert names_found(model) < 0.1
    losses = fit_pairs(model, 400, seed=0)
    assert losses[-1] < 0.5 * losses[0]
    assert names_found(model) > 0.9
    assert telling(vectors(model, "mean"))["told"] < 0.7
    assert readable(vectors(model, "mean")) > 0.8
    fit_near(model, trainable_mean(model), 80, seed=0)
    found = telling(vectors(model, "mean"))
    assert found["told"] > 0.9
    assert found["same"] > found["turned"]


def test_partners_of_the_turned_event_make_the_wrong_one_nearer():
    model = new_bert(1)
    fit_near(model, trainable_mean(model), 120, seed=1, turned=1.0)
    assert telling(vectors(model, "mean"))["told"] < 0.3


def test_a_comparison_is_measured_once(tmp_path, monkeypatch):
    monkeypatch.setattr(whom, "N_STEPS", 2)
    monkeypatch.setattr(whom, "N_NEAR_STEPS", 1)
    monkeypatch.setattr(whom, "N_SEEDS", 1)
    numbers = measure(tmp_path, 3)
    assert numbers["words, told, seed 0"] == pytest.approx(0.5)
    assert 0 <= numbers["near, told, seed 0"] <= 1
    assert numbers["names found, seed 0"] < 0.1
    monkeypatch.setattr(whom, "new_bert", None)  # nothing is trained a second time
    assert measure(tmp_path, 3) == numbers  # exact: what was kept
