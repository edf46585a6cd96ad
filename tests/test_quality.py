"""lmcourse.quality: each rule objects to what it is for, and lets prose be."""

from dataclasses import fields

import pytest

from lmcourse.quality import GOPHER, QualityRules, measures, objections

PROSE = (
    "The old bridge was closed in March, and the people of the town had to go round by the mill. "
    "It took them an hour longer to reach the market, and many of them gave up the journey in bad "
    "weather. In June a new bridge was opened, built of the same stones but with two wider arches."
)
NAMES = ("words", "word_length", "symbols", "bullets", "ellipses", "alphabetic", "stop_words")


def test_prose_passes():
    assert objections(PROSE) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PROSE[:80], "words must be at least 50, got"),
        (PROSE + " the" * 100_000, "words must be at most 100000, got"),
        ("the of a b c d e f g h " * 10, "word length must be at least 3, got"),
        (PROSE.replace(" ", "_") + " the of" + " incomprehensibilities" * 60, "word length must"),
        (PROSE + " #tag" * 20, "symbols must be at most 0.1, got"),
        (PROSE + " well..." * 20, "symbols must be at most 0.1, got"),
        (
            "\n".join(f"- {line}" for line in PROSE.split(", ")),
            "bullets must be at most 0.9, got 1",
        ),
        ("…\n".join(PROSE.split(", ")) + "…", "ellipses must be at most 0.3, got 1"),
        (PROSE + " 1234" * 40, "alphabetic must be at least 0.8, got"),
        ("Wir gehen heute nicht in die Stadt. " * 9, "stop words must be at least 2, got 0"),
        (PROSE + "\nshare this page" * 9, "repeated lines must be at most 0.3, got"),
    ],
)
def test_each_rule_objects_to_what_it_is_for(text, words):
    assert any(found.startswith(words) for found in objections(text))


def test_a_bound_that_is_none_is_not_looked_at():
    none = QualityRules(**{field.name: None for field in fields(QualityRules)})
    assert objections("# # 1 2", none) == []
    assert len(objections("# # 1 2")) >= 4


def test_every_bound_has_its_measure():
    bare = {field.name.removeprefix("min_").removeprefix("max_") for field in fields(QualityRules)}
    assert bare == set(measures(PROSE))
    assert GOPHER.min_words == 50


def test_a_text_without_words_is_measured():
    assert measures("")["word_length"] == pytest.approx(0)
    assert any(found.startswith("words must") for found in objections(" \n "))
