"""What a notebook says that it withholds is read, or refused with its fault."""

import pytest

from lmcourse.grading.withholding.withheld import Withheld, stated


def test_what_is_stated_is_read():
    said = {"names": ["lmcourse.attention"], "operators": ["lstm"], "say": "write it"}
    wanted = Withheld(names=("lmcourse.attention",), operators=("lstm",), say="write it")
    assert stated(said) == wanted
    assert stated({}) == Withheld()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["attention"], "withheld must hold nothing but"),
        ({"name": []}, r"withheld must hold nothing but .*got \{'name': \[\]\}"),
        ({"names": "lmcourse.attention"}, "withheld names must be a list of texts, got 'lmcourse"),
        ({"operators": [1]}, r"withheld operators must be a list of texts, got \[1\]"),
        ({"say": ["x"]}, r"withheld say must be a text, got \['x'\]"),
    ],
)
def test_what_a_notebook_states_badly_is_said(said, message):
    with pytest.raises(ValueError, match=message):
        stated(said)
