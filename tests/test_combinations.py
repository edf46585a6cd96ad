"""lmcourse.applications.combinations: what is kept out is out, and the control has it."""

import json

import pytest
import torch

from lmcourse.applications import combinations as module
from lmcourse.applications.combinations import (
    BOOK,
    ONLY_SONG,
    SEEN,
    SONG,
    SPLITS,
    asked_pairs,
    hidden,
    measure,
    measure_one,
    parts,
    training_pairs,
)
from lmcourse.applications.few_pairs import N_SEEDS, known_share, learn, values
from lmcourse.applications.translation import Translator
from lmcourse.corpora import HELD_OUT_PAIR

SEED = 3


@pytest.fixture(scope="module")
def known():
    """The training pairs of each split, and of the control."""
    return {name: training_pairs(SEED, name) for name in (*SPLITS, SEEN)}


@pytest.mark.parametrize("name", SPLITS)
def test_a_combination_is_in_no_training_pair_and_in_each_test_pair(known, name):
    is_out, test = SPLITS[name], asked_pairs(SEED, name)
    assert not any(is_out(english) for english, _ in known[name])
    assert len(test) > 20
    assert all(is_out(english) for english, _ in test)
    assert known_share(known[name], test) == 1, "no word of the test is unknown"


@pytest.mark.parametrize("name", SPLITS)
def test_the_control_has_the_combinations_and_not_the_sentences(known, name):
    n_seen = sum(SPLITS[name](english) for english, _ in known[SEEN])
    assert n_seen >= 5, "a control without the combination would be none"
    test = asked_pairs(SEED, name)
    assert not set(known[SEEN]) & set(test)
    assert known_share(known[SEEN], test) == 1


def test_all_learn_from_as_many_pairs_and_none_is_asked_for(known):
    assert {len(pairs) for pairs in known.values()} == {400}
    for pairs in known.values():
        assert len(set(pairs)) == 400
        assert not {SONG, HELD_OUT_PAIR} & set(pairs)
    songs = [english for english, _ in known["one song"] if "song" in english]
    assert songs == [ONLY_SONG]


def test_half_of_the_combinations_are_asked_for_and_half_may_be_learned():
    learned, tests = parts(SEED)
    for name, is_out in SPLITS.items():
        n_learned = sum(is_out(english) for english, _ in learned)
        # Some of its test pairs may be in the test of another split instead.
        assert 0.6 * len(tests[name]) < n_learned <= len(tests[name]) + 1, name
    assert parts(SEED) == (learned, tests)
    assert parts(SEED + 1)[0] != learned


def test_what_is_hidden_is_out_of_sight_and_other_words_are_not():
    translator = learn(training_pairs(0, SEEN), 0, n_steps=80)
    found = hidden(translator)
    assert len(found) == 3 * 6
    assert all(0 <= value <= 1 for value in found.values())
    at = SONG[1].index("首")
    for way, probs in {
        "seen": translator.hide(*SONG, ()),
        "words": translator.hide(*SONG, (1, 3)),
        "other": translator.hide(*SONG, (4, 5)),
        "encoder": translator.hide(*SONG, (1, 3), from_encoder=True),
        "all": translator.hide(*SONG, range(9)),
        "book": translator.hide(BOOK, SONG[1], ()),
    }.items():
        torch.testing.assert_close(found[f"measure {way}"], probs[at].item(), rtol=1e-4, atol=1e-6)
    # With all hidden, no source is left: any other of the same length gives the same.
    same = "she eats an apple in Beijing in the morning"
    torch.testing.assert_close(
        translator.hide(same, SONG[1], range(len(same.split()))),
        translator.hide(*SONG, range(9)),
    )


def test_a_share_and_what_was_wrong(monkeypatch):
    class Parrot(Translator):
        def __init__(self):
            """Nothing to build."""

        def translate(self, sentences):
            return ["对"] * len(sentences)

    pairs = [("a", "对"), ("b", "错"), ("c", "错"), ("d", "错"), ("e", "错")]
    monkeypatch.setattr(module, "learn", lambda pairs, seed: Parrot())
    monkeypatch.setattr(module, "asked_pairs", lambda seed, name: pairs)
    monkeypatch.setattr(module, "training_pairs", lambda seed, name: [])
    monkeypatch.setattr(module, "hidden", lambda translator: {"noun all": 0.5})
    assert measure_one(0, "one song") == {
        "numbers": {"one song": pytest.approx(0.2)},
        "wrong": [("b", "对", "错"), ("c", "对", "错"), ("d", "对", "错")],
    }
    numbers = measure_one(0, SEEN)["numbers"]
    assert set(numbers) == {*SPLITS, "song", "noun all"}


def test_what_was_measured_is_kept_and_can_be_read(tmp_path, monkeypatch):
    asked = []

    def measured(seed, name):
        asked.append((seed, name))
        return {"numbers": {"one song": float(seed)}, "wrong": [["a", "b", "c"]]}

    monkeypatch.setattr(module, "measure_one", measured)
    monkeypatch.setattr(module, "asked_pairs", lambda seed, name: [HELD_OUT_PAIR, SONG])
    numbers = measure(tmp_path, 10)
    assert values(numbers, "one song", "one song") == [10, 11, 12, 13, 14]
    # A dictionary has the job right, and the song at the wrong end of the sentence.
    assert values(numbers, "one song", "dictionary") == pytest.approx([0.5] * 5)
    assert len(asked) == N_SEEDS * (len(SPLITS) + 1)
    story = json.loads((tmp_path / "story.json").read_text(encoding="utf-8"))
    assert story == {"wrong": {name: [["a", "b", "c"]] for name in (SEEN, *SPLITS)}}
    assert measure(tmp_path, 10) == numbers
    assert len(asked) == N_SEEDS * (len(SPLITS) + 1)
