"""lmcourse.plots.dials: hands that point where they should, told as on a clock."""

import math

import pytest
import torch

from lmcourse.plots import COLORS, dials

EAST_AND_UP = torch.tensor([[1.0, 0.0], [0.0, 1.0]])


def test_hands_are_told_as_on_a_clock():
    picture = dials({"fast\nhand": {"hand": EAST_AND_UP}}, ["0", "1"], title="Two")
    assert picture.alt == (
        "Two. Dials, 1 rows by 2 columns; hands point as on a clock. "
        "fast hand, hand: 0: 3, 1: 12 o'clock."
    )


@pytest.mark.parametrize("hour", range(1, 13))
def test_every_hour_is_found(hour):
    angle = math.radians(30 * hour)
    alt = dials({"a": {"h": [[math.sin(angle), math.cos(angle)]]}}, ["now"]).alt
    assert alt.endswith(f"now: {hour} o'clock.")


def test_a_hand_with_a_role_has_its_color_and_one_alone_that_of_the_page():
    both = {"query": EAST_AND_UP, "key": -EAST_AND_UP}
    svg = dials({"a": both}, ["0", "1"], colors={"query": "query", "key": "key"}).svg
    assert COLORS[0] in svg
    assert COLORS[1] in svg
    assert [name for name in both if f"→ {name}" not in svg] == []
    alone = dials({"a": {"hand": EAST_AND_UP}}, ["0", "1"]).svg
    assert [color for color in COLORS if color in alone] == []


def test_the_longest_hand_reaches_the_rim_whatever_its_length():
    svg = [dials({"a": {"h": size * EAST_AND_UP}}, ["0", "1"]).svg for size in (1.0, 7.0)]
    assert svg[0] == svg[1]


def test_dials_refuse_what_they_cannot_show():
    with pytest.raises(ValueError, match=r"got \(2, 2\) for 3 columns: give each hand's way"):
        dials({"a": {"h": EAST_AND_UP}}, ["0", "1", "2"])
    with pytest.raises(ValueError, match="finite numbers"):
        dials({"a": {"h": EAST_AND_UP * math.nan}}, ["0", "1"])
    with pytest.raises(ValueError, match="columns must fit beside each other on a phone, got 9"):
        dials({"a": {"h": torch.ones(9, 2)}}, ["x"] * 9)
