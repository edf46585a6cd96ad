"""lmcourse.plots.arcs and heat_map: whom one word looks at, and tables of numbers in color."""

import re

import pytest
import torch

from lmcourse.plots import COLORS, attention_arcs, heat_map

WORDS = ["the", "cat", "sat", "because", "it", "was", "tired"]
WEIGHTS = [0.02, 0.55, 0.05, 0.01, 0.22, 0.05, 0.10]


def widths(svg):
    """Of the arcs, in the order of the words; a width of 1 is not written."""
    styles = re.findall(r'style="([^"]*linecap: round)"', svg)
    found = [re.search(r"stroke-width: ([\d.]+)", style) for style in styles]
    return [float(width[1]) if width else 1.0 for width in found]


def test_arcs_lead_to_what_is_looked_at_the_wider_the_more():
    found = widths(attention_arcs(WEIGHTS, WORDS, 4).svg)
    assert len(found) == 4, "not to itself, and not for a weight below 0.03"
    assert max(found) == found[0]
    assert found == pytest.approx([0.6 + 8 * x for x in (0.55, 0.05, 0.05, 0.10)], abs=0.01)


def test_arcs_are_told_by_the_strongest():
    alt = attention_arcs(torch.tensor(WEIGHTS), WORDS, 4, title="Who?").alt
    assert alt == (
        "Who?. Arcs from “it” in “the cat sat because it was tired” to the words it looks at: "
        "“cat” 0.55, “it” 0.22, “tired” 0.10, “sat” 0.05, “was” 0.05."
    )


def test_arcs_refuse_what_they_cannot_show():
    with pytest.raises(ValueError, match=r"got \(2, 2\) for 2 words: take weights\[query\]"):
        attention_arcs(torch.eye(2), ["a", "b"], 0)
    with pytest.raises(ValueError, match="query must be the place of a word, got 2 for 2 words"):
        attention_arcs([0.5, 0.5], ["a", "b"], 2)
    with pytest.raises(ValueError, match="between 0 and 1, got 0 to 2: show a softmax's output"):
        attention_arcs([2.0, 0.0], ["a", "b"], 0)
    with pytest.raises(ValueError, match="one line of a phone, got 30 words of 150 letters"):
        attention_arcs([1 / 30] * 30, ["words"] * 30, 0)


def test_a_heat_map_has_a_color_for_each_sign():
    svg = heat_map([[1.0, -2.0]], "x", "y", columns=["a", "b"], rows=["c"]).svg
    assert COLORS[0] in svg
    assert COLORS[1] in svg
    assert [x for x in "abc" if f">{x}<" not in svg] == []


def test_the_scale_of_a_heat_map_goes_below_zero_only_where_numbers_do():
    assert "−2" in heat_map([[1.0, -2.0]], "x", "y").svg
    assert "−2" not in heat_map([[1.0, 2.0]], "x", "y").svg


def test_a_heat_map_is_told_by_its_size_and_range():
    alt = heat_map(torch.tensor([[1.0, -2.0, 0.5]]), "number", "position").alt
    assert alt == "Heat map of 1 rows (position) by 3 columns (number), -2 to 1."


def test_a_heat_map_refuses_what_it_cannot_show():
    with pytest.raises(ValueError, match=r"table of finite numbers, got the shape \(3,\)"):
        heat_map([1.0, 2.0, 3.0], "x", "y")
    with pytest.raises(ValueError, match="table of finite numbers"):
        heat_map([[float("nan")]], "x", "y")
    with pytest.raises(ValueError, match="rows must name each of 1, got 2 labels"):
        heat_map([[1.0]], "x", "y", rows=["a", "b"])
