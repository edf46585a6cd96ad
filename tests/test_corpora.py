"""lmcourse.corpora: texts that come out the same, and hold what they promise."""

import collections

import pytest
import torch

from lmcourse.corpora import (
    HELD_OUT_PAIR,
    PANS,
    PRAISE,
    generate_corpus,
    made_up_word,
    zipf_words,
)
from lmcourse.tokenizers import CharTokenizer


def test_an_unknown_name_is_answered_with_the_known_ones():
    known = "copy, recall, reviews, translation"
    with pytest.raises(ValueError, match=f"name must be one of {known}, got name='paste'"):
        generate_corpus("paste")


@pytest.mark.parametrize("name", ["recall", "copy", "reviews", "translation"])
def test_a_seed_makes_a_corpus(name):
    texts = generate_corpus(name, seed=3, n_examples=50)
    assert texts == generate_corpus(name, seed=3, n_examples=50)
    assert texts != generate_corpus(name, seed=4, n_examples=50)
    assert generate_corpus(name, seed=3, n_examples=9) == texts[:9]


@pytest.mark.parametrize("name", ["recall", "copy"])
def test_texts_are_of_one_length(name):
    assert len({len(text) for text in generate_corpus(name, n_examples=50)}) == 1


def test_recall_asks_for_a_letter_that_was_there():
    asked = collections.Counter()
    for text in generate_corpus("recall", n_examples=2000):
        keys, values = text[0:8:2], text[1:8:2]
        assert len(set(keys)) == len(set(values)) == 4
        assert values[keys.index(text[8])] == text[9]
        asked[keys.index(text[8])] += 1
    # Each place 500 times ± 19.4; five standard deviations: a chance of 2e-6.
    assert all(400 < count < 600 for count in asked.values())


def test_copy_says_it_twice():
    for text in generate_corpus("copy", n_examples=100):
        first, second = text.split("|")
        assert first == second


def test_a_corpus_becomes_a_tensor():
    texts = generate_corpus("recall", n_examples=20)
    tokenizer = CharTokenizer.train("".join(texts))
    assert torch.tensor([tokenizer.encode(text) for text in texts]).shape == (20, 10)


# ---------------------------------------------------------------- reviews


def read(sentence):
    """The verdict of a person: each clause praises unless exactly one of its words turns it."""
    verdicts = set()
    for clause in sentence.split(" and "):
        words = set(clause.split())
        assert len(words & {*PRAISE, *PANS}) == 1
        negated = bool(words & {"not", "never", "hardly"})
        verdicts.add(bool(words & set(PRAISE)) != negated)
    assert len(verdicts) == 1, "both clauses are of one opinion"
    return int(verdicts.pop())


def test_a_review_says_what_its_label_says():
    reviews = generate_corpus("reviews", n_examples=2000)
    assert all(read(sentence) == label for sentence, label in reviews)
    n_praised = sum(label for _, label in reviews)
    n_negated = sum(bool({"not", "never", "hardly"} & set(s.split())) for s, _ in reviews)
    # 1000 ± 22.4 each; five standard deviations: a chance of 1e-6.
    assert 888 < n_praised < 1112
    assert 888 < n_negated < 1112


def test_with_a_negation_the_same_words_praise_and_pan():
    """One word of praise and one of the other kind: what counts is which of them is negated."""
    kinds = collections.defaultdict(set)
    for sentence, label in generate_corpus("reviews", n_examples=2000):
        words = set(sentence.split())
        if words & {"not", "never", "hardly"}:
            assert len(words & set(PRAISE)) == len(words & set(PANS)) == 1
            kinds["negated"].add(label)
        else:
            assert bool(words & set(PRAISE)) == bool(label)
            kinds["plain"].add(label)
    assert kinds == {"negated": {0, 1}, "plain": {0, 1}}


# ---------------------------------------------------------------- translation


def test_each_pair_comes_once_and_the_held_out_one_never():
    pairs = generate_corpus("translation", n_examples=1200)
    assert len(set(pairs)) == 1200
    assert HELD_OUT_PAIR not in pairs
    english, chinese = zip(*pairs, strict=True)
    assert len(set(english)) == len(set(chinese)) == 1200, "one translation each"


def test_all_that_the_held_out_sentence_needs_is_there():
    pairs = generate_corpus("translation", n_examples=600)
    words = {word for sentence, _ in pairs for word in sentence.split()}
    characters = {character for _, sentence in pairs for character in sentence}
    assert set(HELD_OUT_PAIR[0].split()) <= words
    assert set(HELD_OUT_PAIR[1]) <= characters
    assert ("I am a teacher", "我是一个老师") in generate_corpus("translation", n_examples=1270)


def test_the_order_of_words_differs():
    pairs = dict(generate_corpus("translation", n_examples=1270))
    assert pairs["he reads a book at home in the evening"] == "他晚上在家看一本书"
    assert pairs["you do not like tea"] == "你不喜欢茶"
    assert pairs["she is not busy"] == "她不忙"


def test_a_grammar_that_has_said_all_says_so():
    with pytest.raises(ValueError, match=r"at most 1270 for translation, got n_examples=1271"):
        generate_corpus("translation", n_examples=1271)


def test_words_by_rank_are_all_different_and_grow_longer():
    words = [made_up_word(rank) for rank in range(1, 6000)]
    assert len(set(words)) == len(words)
    assert [len(word) for word in words] == sorted(len(word) for word in words)
    with pytest.raises(ValueError, match="rank must be at least 1, got rank=0"):
        made_up_word(0)


def test_frequencies_fall_by_the_power_and_new_words_never_end():
    words = list(zipf_words(60_000, seed=2))
    assert words[:50] == list(zipf_words(50, seed=2)) != list(zipf_words(50, seed=3))
    rank = {made_up_word(r): r for r in range(1, 1000)}
    for limit in (10, 100):
        share = sum(rank.get(word, 10**9) > limit for word in words) / len(words)
        # Beyond rank r lie the draws above r + 1; the share has a standard error of 0.002.
        assert share == pytest.approx((limit + 1) ** -0.3, abs=0.012)
    sizes = [len(set(words[:n])) for n in (15_000, 30_000, 60_000)]
    assert sizes[2] - sizes[1] > 0.6 * (sizes[1] - sizes[0])
    with pytest.raises(ValueError, match="exponent must be above 1, got exponent=1"):
        next(zipf_words(1, exponent=1))
