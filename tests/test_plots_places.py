"""lmcourse.plots.places: dots and names that do not lie on one another."""

import pytest
import torch

from lmcourse.plots import word_places

WORDS = ["cat", "dog", "bus", "sun"]
PLACES = torch.tensor([[0.0, 0.0], [0.001, 0.001], [1.0, 1.0], [0.0, 1.0]])


def test_it_says_how_many_words_there_are_and_which_are_marked():
    assert word_places(PLACES, WORDS, ["bus", "cat"]).alt == (
        "4 words as dots on a map; marked: bus, cat."
    )
    assert word_places(PLACES, WORDS, [], title="Map").alt == "Map. 4 words as dots on a map"


def test_a_name_that_would_lie_on_another_is_left_out():
    svg = word_places(PLACES, WORDS, ["cat", "dog", "sun"]).svg
    drawing = svg[svg.index(">") :]
    assert "cat" in drawing
    assert "sun" in drawing
    assert "dog" not in drawing


def test_places_and_names_that_do_not_belong_to_the_words_are_refused():
    with pytest.raises(ValueError, match=r"two finite numbers for each word, got \(4, 2\) for 3"):
        word_places(PLACES, WORDS[:3], [])
    with pytest.raises(ValueError, match=r"got \(4, 2\) for 4 words"):
        word_places(PLACES / 0, WORDS, [])
    with pytest.raises(ValueError, match=r"shown must be among the words, got \['cow'\]"):
        word_places(PLACES, WORDS, ["cow"])
