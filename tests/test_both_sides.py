"""lmcourse.both_sides: entropies by another way, who writes what, and a small run of the whole."""

import math

import pytest
import torch
from torch.nn import functional as F

from lmcourse import both_sides
from lmcourse.bert import BERT
from lmcourse.both_sides import (
    NAMES,
    RATES,
    entropies,
    measure,
    of_seeds,
    readable,
    share_of_sentences,
    surprise,
    trained,
    words_in_a_sentence,
    write,
)
from lmcourse.gpt import GPT
from lmcourse.missing_verb import (
    END,
    MASK,
    OBJECTS,
    PADDING,
    START,
    TOKENS,
    draw,
    encode,
    new_bert,
    new_gpt,
    sentences,
)

N_IDS = len(TOKENS)
TEXT = "the cook reads the book . old old"


def test_the_entropy_is_that_of_the_choices():
    """Subject, number, age, time, size and thing are alike; the verb is 3 to 1. All can be read."""
    verb = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    choices = math.log(4 * 2 * 3 * 3 * 2 * len(OBJECTS))
    entropy, guesses = entropies()
    assert entropy == pytest.approx(choices + verb)
    assert 0 < guesses < entropy


def test_a_word_given_all_others_is_counted_by_hand():
    """In draws, each word's share among sentences that differ in it alone, a tenth of a nat off."""
    known = {tuple(str(each).split()): float(p) for each, p in sentences().items()}
    total = 0.0
    drawn = [tuple(str(each).split()) for each in draw(4000, seed=3)]
    words = set(TOKENS)
    for text in set(drawn):
        times = drawn.count(text)
        for place in range(len(text)):
            others = [(*text[:place], word, *text[place + 1 :]) for word in words]
            total -= times * math.log(known[text] / sum(known.get(each, 0) for each in others))
    assert total / len(drawn) == pytest.approx(entropies()[1], abs=0.1)


def test_the_number_of_words_is_that_of_sentences_that_are_drawn(seed):
    lengths = torch.tensor([len(str(each).split()) for each in draw(20_000, seed)]).float()
    assert words_in_a_sentence() == pytest.approx(lengths.mean().item(), abs=5 * 1.0 / 141)


class Knows(GPT):
    """The true probabilities of what comes next, from all sentences."""

    def forward(self, ids, cache=None, mask=None):
        known = {tuple(str(each).split()): float(p) for each, p in sentences().items()}
        logits = torch.full((*ids.shape, N_IDS), -50.0)
        for row, line in enumerate(ids.tolist()):
            words = tuple(TOKENS[i] for i in line[1:])
            odds = torch.zeros(N_IDS)
            for text, p in known.items():
                if text[: len(words)] == words:
                    following = text[len(words)] if len(text) > len(words) else "[SEP]"
                    odds[TOKENS.index(following)] += p
            logits[row, -1] = (odds / odds.sum().clamp(min=1e-9)).log().clamp(min=-50)
        return logits


def test_who_knows_the_grammar_writes_it():
    texts = write(Knows(new_gpt(0).config), 20, seed=1)
    assert share_of_sentences(texts) == 1
    assert len(set(texts)) > 15
    assert share_of_sentences([*texts, "the cook the cook ."]) == pytest.approx(20 / 21)


class Uniform:
    """All ids alike, whatever is read."""

    def forward(self, ids, *_args, **_more):
        return torch.zeros(*ids.shape, N_IDS)


class UniformBERT(Uniform, BERT):
    pass


class UniformGPT(Uniform, GPT):
    pass


def test_the_surprise_of_who_knows_nothing_is_that_of_every_word():
    expected = words_in_a_sentence() * math.log(N_IDS)
    assert surprise(UniformBERT(new_bert(0).config)) == pytest.approx(expected, rel=1e-4)
    assert surprise(UniformGPT(new_gpt(0).config)) == pytest.approx(expected, rel=1e-4)


class Watched(BERT):
    """Remembers what it was given to read, and says what it was told to say at masks."""

    def forward(self, ids, mask=None, segments=None):
        self.read.append(ids.clone())
        return F.one_hot(self.truth[:, : ids.shape[1]], N_IDS).float() * 100


def test_bert_fills_one_after_the_other_or_all_at_once():
    ids, mask, _ = encode(draw(5, seed=2))
    for way, n_readings in (("in turn", ids.shape[1] - 1), ("at once", 1)):
        model = Watched(new_bert(0).config)
        model.read, model.truth = [], ids
        texts = write(model, 5, 2, way)
        assert texts == [str(each) for each in draw(5, seed=2)]
        assert len(model.read) == n_readings
        is_word = mask & (ids != START) & (ids != END)
        assert (model.read[0][is_word] == MASK).all()  # exact: ids
        assert (model.read[0][~is_word] == ids[~is_word]).all()  # exact: ids
    assert (ids == PADDING).any()


def test_a_text_ends_with_its_period():
    model = Watched(new_bert(0).config)
    model.read = []
    ids = [START, *(TOKENS.index(word) for word in TEXT.split())]
    model.truth = torch.tensor([[*ids, *[TOKENS.index("old")] * 9]])
    assert write(model, 1, 0) == ["the cook reads the book ."]
    assert (model.read[3][:, -1] == MASK).all()  # exact: ids
    assert model.read[3].shape == (1, 5)


def test_a_verb_is_readable_where_the_vector_holds_it_and_not_elsewhere():
    class Holds(BERT):
        def encode(self, ids, mask=None, segments=None):
            return F.one_hot(ids, 64).float()

    class HoldsNothing(BERT):
        def encode(self, ids, mask=None, segments=None):
            return torch.ones(*ids.shape, 64)

    config = new_bert(0).config
    assert readable(Holds(config), seed=0) == 1
    assert readable(HoldsNothing(config), seed=0) < 0.2


def test_each_name_is_a_model_that_was_trained():
    for name in NAMES:
        model = trained(name, seed=0, rate=1e-3, n_steps=1)
        assert isinstance(model, GPT if name == "GPT" else BERT)
    kept = trained("none kept", seed=0, rate=1e-2, n_steps=5)
    alone = trained("all masked", seed=0, rate=1e-2, n_steps=5)
    assert (kept.embedding - alone.embedding).abs().max() > 1e-4


def test_a_comparison_is_measured_once(tmp_path, monkeypatch):
    monkeypatch.setattr(both_sides, "N_STEPS", 2)
    monkeypatch.setattr(both_sides, "N_SEEDS", 2)
    monkeypatch.setattr(both_sides, "N_TEXTS", 3)
    few = ("80/10/10", "none kept", "GPT")
    monkeypatch.setattr(both_sides, "NAMES", few)
    numbers = measure(tmp_path, 3)
    for name in few:
        assert numbers[f"{name}, rate"] in RATES
        assert all(0 <= share <= 1 for share in of_seeds(numbers, f"{name}, mask"))
    assert all(0 <= share <= 1 for share in of_seeds(numbers, "GPT, trying"))
    assert of_seeds(numbers, "80/10/10, nats")[0] > 0
    monkeypatch.setattr(both_sides, "trained", None)  # nothing is trained a second time
    assert measure(tmp_path, 3) == numbers  # exact: what was kept
