"""lmcourse.few_labels: a language of known moods, texts without order, and what is trained."""

import random
from collections import Counter
from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmcourse import few_labels
from lmcourse.few_labels import (
    ASPECTS,
    TOKENS,
    WAYS,
    WORDS,
    Language,
    ask,
    asked,
    batch_of,
    classifier_on,
    counted,
    fit,
    labeled,
    new_gpt,
    old_loss,
    pretrain,
    share_right,
)
from lmcourse.finetuning import LoRALinear, n_trained

seeds = st.integers(0, 2**31)


def mood_by_rule(language, words):
    """What each clause says, by the lists of the language: 1 for praise."""
    found = []
    for place, word in enumerate(words):
        if word in WORDS:
            praises = word in language.camps[1]
            found.append(int(praises != (words[place - 1] == "not")))
    return found


# ---------------------------------------------------------------- the language


@given(seed=seeds, dice=seeds, n=st.integers(1, 10))
def test_every_clause_of_a_review_has_its_mood(seed, dice, n):
    language = Language(seed)
    words, praises = language.review(random.Random(dice), n)
    assert mood_by_rule(language, words) == [praises] * n
    assert words[-1] == "all"
    aspects = [word for word in words if word in ASPECTS]
    assert len(aspects) == len(set(aspects)) == n
    text = language.text(random.Random(dice), n)
    assert text[: len(words)] == words
    assert mood_by_rule(language, text) == [praises] * (n + 1)


@given(seed=seeds)
def test_words_are_dealt_out_by_the_seed(seed):
    language = Language(seed)
    pans, praises = map(set, language.camps)
    assert len(pans) == len(praises) == len(WORDS) / 2
    assert pans | praises == set(WORDS)
    assert language == Language(seed)
    assert language.camps != Language(seed + 1).camps


def test_no_made_up_word_is_another_token():
    assert len(set(TOKENS)) == len(TOKENS)


def test_shares_of_not_and_very_are_those_that_are_stated():
    dice = random.Random(0)
    counts = Counter(word for _ in range(4000) for word in Language(0).review(dice, 3)[0])
    n = 12_000
    assert counts["not"] / n == pytest.approx(0.1, abs=0.01)  # 3.6 standard errors
    assert counts["very"] / n == pytest.approx(0.9 * 0.2, abs=0.013)


@pytest.mark.parametrize("question", ["mood", "denied"])
def test_half_of_the_labels_say_yes_and_all_are_right(question):
    language = Language(3)
    found = labeled(language, 40, seed=5, question=question)
    assert sum(label for _, label in found) == 20
    for words, label in found:
        praises = mood_by_rule(language, words)[0]
        assert ask(question, (words, praises)) == label
    assert found == labeled(language, 40, seed=5, question=question)
    exam = labeled(language, 40, seed=5, question=question, part="exam")
    assert {tuple(words) for words, _ in exam} != {tuple(words) for words, _ in found}


def test_an_odd_number_of_labels_is_refused():
    for n in (0, 7):
        with pytest.raises(ValueError, match=f"n must be even and at least 2, .* got n={n}"):
            labeled(Language(0), n, 0)


@pytest.mark.parametrize("how", ["words shuffled", "all shuffled"])
def test_shuffled_texts_keep_their_words_or_those_of_the_batch(how):
    dice = random.Random(0)
    texts = [Language(0).text(dice) for _ in range(20)]
    found = few_labels._shuffled(texts, how, dice)
    assert list(map(len, found)) == list(map(len, texts))
    assert sum(a == b for a, b in zip(found, texts, strict=True)) < 3
    same = [Counter(a) == Counter(b) for a, b in zip(found, texts, strict=True)]
    assert all(same) if how == "words shuffled" else sum(same) < 3
    assert Counter(chain(*found)) == Counter(chain(*texts))
    assert few_labels._shuffled(texts, "as written", dice) is texts


def test_padding_stands_on_the_right():
    ids, mask = batch_of([["plot", "all"], ["film", WORDS[0], "all"]])
    assert ids[0, 2] == 0
    assert mask.tolist() == [[True, True, False], [True, True, True]]
    assert TOKENS[ids[1, 1]] == WORDS[0]


# ---------------------------------------------------------------- reading and labels


def test_reading_lowers_the_loss_below_that_of_a_uniform_guess():
    language, body, steps = Language(0), new_gpt(0), []
    before = old_loss(body, language)
    pretrain(body, language, 12, seed=0, watch=lambda step, model: steps.append(step))
    assert steps == list(range(1, 13))
    assert old_loss(body, language) < before - 0.5


@pytest.mark.parametrize("way", WAYS)
def test_a_way_says_what_is_trained_and_a_copy_of_the_body_is(way):
    body = new_gpt(0)
    weights = {name: each.clone() for name, each in body.named_parameters()}
    model = classifier_on(body, way, seed=1)
    head = 2 * 64 + 2
    whole = sum(each.numel() for each in body.parameters())
    expected = {"full": head + whole, "head": head}
    if way.startswith("LoRA"):  # of the block: queries to values, their output, up, down
        sides = 64 + 192 + 64 + 64 + 64 + 256 + 256 + 64
        expected[way] = head + sides * int(way.split()[1])
    assert n_trained(model) == expected[way]
    fit(model, labeled(Language(0), 4, 0), 1e-2, seed=0, n_steps=2)
    for name, weight in body.named_parameters():
        assert torch.equal(weight, weights[name])  # exact: the body itself is not touched
    assert not any(isinstance(each, LoRALinear) for each in body.modules())


def test_few_labels_are_learned_by_heart_and_old_texts_keep_their_loss_low():
    language, body = Language(0), new_gpt(0)
    pretrain(body, language, 30, seed=0)
    before, after = old_loss(body, language), {}
    examples = labeled(language, 8, 0)
    for old_texts in (None, language):
        model = classifier_on(body, "full", 0)
        fit(model, examples, 3e-3, seed=0, n_steps=40, old_texts=old_texts)
        ids, mask = batch_of([words for words, _ in examples])
        said = model(ids, mask).argmax(1).tolist()
        after[old_texts] = old_loss(model.body, language)
        assert said == [label for _, label in examples]
    assert after[None] > before + 0.2
    assert after[language] < before + 0.05


def test_a_coin_is_right_half_of_the_time():
    """An untrained classifier: within 4 standard errors of 600 coins."""
    model = classifier_on(new_gpt(0), "full", 0)
    assert share_right(model, Language(0)) == pytest.approx(0.5, abs=0.09)


class Knows(torch.nn.Module):
    """Writes after a review one of the words that the review has, whatever stands before it."""

    def forward(self, ids):
        counts = torch.nn.functional.one_hot(ids, len(TOKENS)).cumsum(1).float()
        return 5 * counts


def test_who_goes_on_with_the_mood_can_be_asked_without_training():
    """Words that a review has are of its mood unless denied: right more often than not."""
    language = Language(1)
    found = asked(Knows(), language, n_known=20)
    exam = labeled(language, 600, 0, part="exam")
    votes = [
        (sum(w in language.camps[1] for w in words) > 1.5) == bool(label) for words, label in exam
    ]
    assert found == pytest.approx(sum(votes) / 600, abs=1e-9)
    assert 0.9 < found < 1


def test_counting_knows_words_that_it_has_seen():
    language = Language(2)
    assert counted(labeled(language, 2000, 0), language) > 0.9
    assert counted(labeled(language, 4, 0), language) < 0.75
