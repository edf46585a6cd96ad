"""The lists ask what they say they ask, and of words that the text knows."""

import re
from collections import Counter

import pytest

from lmcourse import word_lists as lists
from lmcourse.data import pydoc_text

TRIPLES = {"docs": lists.DOC_TRIPLES, "captions": lists.CAPTION_TRIPLES}
ANALOGIES = {"docs": lists.DOC_ANALOGIES, "captions": lists.CAPTION_ANALOGIES}
each_text = pytest.mark.parametrize("text", TRIPLES)


@each_text
def test_there_are_twenty_triples_of_three_words_each_asked_once(text):
    triples = TRIPLES[text]
    assert [len(set(triple)) for triple in triples] == [3] * 20
    assert len({frozenset(triple[:2]) for triple in triples}) == 20


@each_text
def test_an_analogy_is_four_words_each_asked_once(text):
    questions = ANALOGIES[text]
    assert {len(set(question)) for question in questions} == {4}
    assert len(set(questions)) == len(questions) >= 12


def test_an_association_is_between_lists_of_equal_length_that_share_no_word():
    words = [word for part in lists.CAPTION_ASSOCIATION for word in part]
    assert len(set(words)) == len(words) == 24
    assert {len(part) for part in lists.CAPTION_ASSOCIATION} == {6}


def test_every_word_occurs_at_least_five_times_in_the_documentation_of_this_python():
    counts = Counter(re.findall(r"[^\W\d]\w*", pydoc_text().lower()))
    rows = (*lists.DOC_TRIPLES, *lists.DOC_ANALOGIES)
    few = {word: counts[word] for row in rows for word in row if counts[word] < 5}
    assert few == {}
