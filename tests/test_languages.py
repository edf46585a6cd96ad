"""lmcourse.languages: a naive Bayes over runs of characters, held to its formula."""

import math
from collections import Counter

import pytest

from lmcourse.languages import LanguageDetector, runs
from lmcourse.same_sentences import same_sentences


def test_sentences_that_were_left_out_are_named_and_pieces_of_them_less_surely():
    sentences = same_sentences()
    shares = {}
    for n_characters in (8, 200):
        right = total = 0
        for fold in range(4):
            train = {k: [x for i, x in enumerate(v) if i % 4 != fold] for k, v in sentences.items()}
            detector = LanguageDetector(train)
            for name, some in sentences.items():
                for sentence in some[fold::4]:
                    right += detector.detect(sentence[:n_characters]).language == name
                    total += 1
        shares[n_characters] = right / total
    assert shares[200] > 0.95
    assert 1 / 6 < shares[8] < 0.9


def test_the_chance_is_that_of_bayes_rule_counted_by_hand():
    texts = {"x": ["aab"], "y": ["abb", "c"]}
    detector = LanguageDetector(texts, n=2, smoothing=1)
    counts = {k: Counter(r for t in v for r in runs(t, 2)) for k, v in texts.items()}
    known = set(counts["x"]) | set(counts["y"])
    logs = {
        name: sum(
            math.log((each[run] + 1) / (sum(each.values()) + len(known) + 1))
            for run in runs("abz", 2)
            if run in known
        )
        for name, each in counts.items()
    }
    assert detector.log_likelihoods("abz") == pytest.approx(logs)
    odds = math.exp(logs["x"] - logs["y"])
    assert detector.chances("abz") == pytest.approx({"x": odds / (1 + odds), "y": 1 / (1 + odds)})


def test_a_text_that_no_language_has_is_left_to_chance():
    detector = LanguageDetector({"en": ["the cat sat on the mat"], "de": ["die katze saß"]})
    # The spaces around it are all that is known of it.
    assert 0.3 < detector.detect("我是一个程序员").chance < 0.7


def test_long_texts_do_not_underflow():
    detector = LanguageDetector(same_sentences())
    found = detector.detect("My grandmother bakes bread every Saturday. " * 2000)
    assert found.language == "English"
    assert found.chance == pytest.approx(1)


def test_what_cannot_be_told_apart_is_refused():
    with pytest.raises(ValueError, match=r"texts must be of at least two languages, got \['en'\]"):
        LanguageDetector({"en": ["a"]})
    with pytest.raises(ValueError, match="texts must have characters of each language, got none"):
        LanguageDetector({"en": ["a"], "de": []})
    with pytest.raises(ValueError, match="smoothing must be above 0, got smoothing=0"):
        LanguageDetector({"en": ["a"], "de": ["b"]}, smoothing=0)
    with pytest.raises(ValueError, match="n must be at least 1, got n=0"):
        runs("a", 0)
