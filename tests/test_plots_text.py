"""lmcourse.plots.text: tokens as chips, surprise as color."""

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest
import torch

from lmcourse.plots import samples, shade, shades, surprise, tokens

NAN = float("nan")


def tree(chips):
    """The figure, as a browser would read it."""
    return ElementTree.fromstring(chips._repr_html_().replace("<wbr>", "").replace("<br>", ""))


def strength(chips, word):
    """How strongly a word is colored."""
    return float(re.search(rf"rgba\([\d, ]+, ([\d.]+)\)\"[^>]*>{word}<", chips.body)[1])


def test_chips_are_an_image_with_a_name_and_a_caption():
    chips = tokens(["pro", "gram"], caption="Two *pieces*.")
    figure = tree(chips)
    assert figure.get("class") == "lm-picture lm-text"
    assert figure[0].get("role") == "img"
    assert figure[0].get("aria-label") == chips.alt == "2 tokens: “pro”, “gram”."
    assert "".join(figure[1].itertext()) == "Two pieces."
    assert repr(chips) == f"Chips: {chips.alt}"


def test_every_piece_has_a_chip_and_neighbors_differ():
    chips = tokens(list("abcdefgh"))
    washes = re.findall(r"rgba\([^)]*\)", chips.body)
    assert len(washes) == 8
    assert all(first != second for first, second in pairwise(washes))


def test_what_cannot_be_seen_is_written():
    text = "".join(tree(tokens([" a", "\n", "\t", "", b"\xe6\x98", "是".encode()])).itertext())
    assert text == "␣a⏎⇥∅E6 98是"


def test_ids_stand_below_their_tokens():
    assert "".join(tree(tokens(["a", "b"], ids=[5, 260])).itertext()) == "a5b260"
    with pytest.raises(ValueError, match="got 1 ids for 2 pieces in 1 rows"):
        tokens(["a", "b"], ids=[5])
    with pytest.raises(ValueError, match="got 1 ids for 2 pieces in 2 rows"):
        tokens({"x": ["a"], "y": ["a"]}, ids=[5])


def test_ways_to_cut_a_text_stand_under_their_names():
    chips = tokens({"words": ["a", "b"], "one": ["ab"]})
    assert chips.alt == "words: 2 tokens: “a”, “b”. one: 1 token: “ab”."
    assert "".join(tree(chips).itertext()) == "words: 2 tokensabone: 1 tokenab"


def test_a_long_text_is_told_in_part():
    assert tokens(["x"] * 45).alt.endswith("“x” and 5 more.")


def test_text_is_no_html():
    for chips in (tokens(["<b>", "&"]), surprise(["<b>", "&"], [1, 2])):
        assert "<b>" not in chips._repr_html_()
        assert "<b>&" in "".join(tree(chips).itertext())


def test_the_color_follows_the_surprise():
    chips = surprise(["the", " cat", " sat"], torch.tensor([NAN, 1.0, 4.0]))
    assert strength(chips, "the") == 0
    assert strength(chips, " sat") == pytest.approx(4 * strength(chips, " cat"), abs=0.02)
    assert 'title="4.00 nats"' in chips.body
    assert 'title="not predicted"' in chips.body
    assert "4 nats of surprise" in chips.body, "the scale"
    assert chips.alt == (
        "Text of 3 tokens, “the cat sat”. The mean surprise is 2.50 nats; the highest: "
        "“␣cat” 1.00, “␣sat” 4.00."
    )


def test_rows_share_one_scale():
    chips = surprise(["a"], {"step 0": [4.0], "step 9": [1.0]})
    strengths = [float(x) for x in re.findall(r"rgba\([\d, ]+, ([\d.]+)\)\" title", chips.body)]
    assert strengths[0] == pytest.approx(4 * strengths[1], abs=0.02)
    assert chips.alt.startswith("step 0: the mean surprise is 4.00 nats; ")


def test_the_scale_may_be_given():
    assert strength(surprise(["a"], [1.0], most=2.0), "a") == pytest.approx(0.3)
    assert strength(surprise(["a"], [9.0], most=2.0), "a") == pytest.approx(0.6)


def test_surprise_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="nats must have a number for each piece, got 1 for 2"):
        surprise(["a", "b"], [1.0])
    with pytest.raises(ValueError, match=r"nats\['x'\] must have a number for each piece, got 1"):
        surprise(["a", "b"], {"x": [1.0]})
    with pytest.raises(ValueError, match="that is not NaN, got none"):
        surprise(["a"], [NAN])


def test_the_color_follows_any_number_and_its_sign():
    chips = shade(["a", " b", " c"], [0.5, -1.0, 0.0], "number 7 of the state")
    assert [strength(chips, x) for x in ("a", " b", " c")] == pytest.approx([0.3, 0.6, 0])
    colors = re.findall(r"background: rgba\((\d+), ", chips.body)
    assert colors[0] != colors[1]
    assert "1: number 7 of the state" in chips.body, "the scale"
    assert chips.alt == (
        "Text of 3 tokens, “a b c”, colored by number 7 of the state: "
        "“a” 0.50, “␣b” -1.00, “␣c” 0.00."
    )
    with pytest.raises(ValueError, match="a finite number for each piece, got 1 for 2"):
        shade(["a", "b"], [1.0], "x")
    with pytest.raises(ValueError, match="a finite number for each piece"):
        shade(["a"], [NAN], "x")


def test_several_texts_share_one_scale_and_keep_their_names():
    chips = shades({"1. pans": (["a", " b"], [0.5, -2.0]), "2": (["c"], [1.0])}, "weight")
    assert [strength(chips, x) for x in ("a", " b", "c")] == pytest.approx([0.15, 0.6, 0.3])
    assert ">1. pans</span>" in chips.body
    assert chips.body.count("2: weight") == 1, "the scale"
    assert chips.alt == (
        "1. pans: text of 2 tokens, “a b”, colored by weight: “a” 0.50, “␣b” -2.00."
        " 2: text of 1 tokens, “c”, colored by weight: “c” 1.00."
    )
    with pytest.raises(ValueError, match="a finite number for each piece, got 1 for 2"):
        shades({"": (["a", "b"], [1.0])}, "x")
    with pytest.raises(ValueError, match=r"texts must hold a text, got \{\}"):
        shades({}, "x")


def test_samples_are_shown_with_their_lines_and_told_without():
    chips = samples({"step 0": "ROMEO:\nxq <b>", "step 9": "Ay, my lord.\n"}, caption="It learns.")
    shown = chips._repr_html_()
    assert "ROMEO:\nxq &lt;b&gt;</div>" in shown
    assert "white-space: pre-wrap" in shown
    assert "<figcaption>It learns.</figcaption>" in shown
    assert chips.alt == "step 0: “ROMEO: xq <b>”. step 9: “Ay, my lord.”."
    with pytest.raises(ValueError, match=r"texts must hold a text, got \{\}"):
        samples({})
