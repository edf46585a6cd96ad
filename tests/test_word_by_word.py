"""lmcourse.applications.word_by_word: a dictionary keeps the order; English below Chinese."""

import re

import pytest

from lmcourse.applications.word_by_word import DICTIONARY, gloss, word_by_word
from lmcourse.corpora import HELD_OUT_PAIR, generate_corpus


def test_the_dictionary_has_each_word_of_the_world_and_no_other():
    pairs = [*generate_corpus("translation", 0, 1270), HELD_OUT_PAIR]
    assert {word for english, _ in pairs for word in english.split()} == set(DICTIONARY)


def test_a_sentence_of_the_same_order_is_right_and_another_is_not():
    assert word_by_word(HELD_OUT_PAIR[0]) == HELD_OUT_PAIR[1]
    assert word_by_word("he is tired") == "他是累"
    assert word_by_word("he sings a song at home in the evening") == "他唱一个歌在家在晚上"


def test_a_word_that_is_not_in_the_dictionary_is_named():
    with pytest.raises(ValueError, match="words of the dictionary, got 'pilot' in 'I am a pilot'"):
        word_by_word("I am a pilot")


def test_every_sentence_of_the_world_has_an_english_gloss():
    for _, chinese in generate_corpus("translation", 0, 1270):
        assert re.fullmatch("[A-Za-z -]+", gloss(chinese)), chinese


@pytest.mark.parametrize(
    ("chinese", "english"),
    [
        ("他晚上在家唱一首歌", "he evening at home sing one measure-word song"),
        ("我的姐姐每天在公园吃一个苹果", "my sister every-day at park eat one apple"),
        ("她很忙", "she very busy"),
        ("龙很忙", "龙 very busy"),
        ("", ""),
    ],
)
def test_a_gloss_follows_the_chinese_order(chinese, english):
    assert gloss(chinese) == english
