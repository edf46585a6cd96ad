"""lmcourse.live_figures.clocks in a real browser: hands, turned pairs and scores are Python's."""

import pytest
import torch

from lmcourse import live_figures
from lmcourse.positions import rotary_embedding, sinusoidal_positions


def vectors(seed=0, d_head=8):
    return torch.randn(2, d_head, generator=torch.Generator().manual_seed(seed))


def figure(t=25, offset=3, seed=0):
    return live_figures.clocks(*vectors(seed), t, offset)


def score(t, s, seed=0):
    """The parts of the score of each pair, by the package's own rotation."""
    query, key = vectors(seed)
    turned = [
        rotary_embedding(vector[None], torch.tensor([place]))[0]
        for vector, place in ((query, t), (key, s))
    ]
    return torch.stack((turned[0] * turned[1]).chunk(2)).sum(0)


def said(page):
    """The two numbers of the sentence below the figure."""
    words = page.get_by_role("status").inner_text().replace("−", "-").rstrip(".")
    left, right = words.split(": rotary score ")[1].split(", product of the sinusoids ")
    return float(left), float(right)


def move(page, name, value):
    page.get_by_role("slider", name=name).fill(str(value))


# clocks.js
@pytest.mark.parametrize(("t", "offset"), [(25, 3), (125, 3), (60, -7), (40, 20), (140, 0)])
def test_hands_and_scores_are_those_of_python(live_page, t, offset):
    page = live_page(figure())
    move(page, "query at", t)
    move(page, "offset", offset)
    rotary, alike = said(page)
    table = sinusoidal_positions(t + 30, 8)
    assert rotary == pytest.approx(score(t, t - offset).sum().item(), abs=0.0051)
    assert alike == pytest.approx((table[t] @ table[t - offset]).item(), abs=0.0051)
    cells = page.locator("tbody td").all_inner_texts()
    found = torch.tensor([float(text.replace("−", "-")) for text in cells]).view(4, 3)
    hands = table[t].view(4, 2)  # sine and cosine of each
    expected = torch.cat([hands, score(t, t - offset)[:, None]], 1)
    assert (found - expected).abs().max() < 0.0051


def test_the_score_depends_on_the_signed_offset_alone_and_the_keys_move_it(live_page):
    page = live_page(figure())
    before = said(page)
    page.get_by_role("slider", name="query at").press("ArrowRight")
    assert "Query at 26, key at 23, 3 back" in page.get_by_role("status").inner_text()
    assert said(page) == pytest.approx(before, abs=0.0101)  # both are rounded
    move(page, "offset", -3)
    assert "3 ahead" in page.get_by_role("status").inner_text()
    ahead = said(page)
    assert abs(ahead[0] - before[0]) > 0.1, "rotary: the sign counts"
    assert ahead[1] == pytest.approx(before[1], abs=0.0101), "sinusoids: it does not"


def test_without_scripts_the_clocks_are_dials(live_page):
    made = figure()
    page = live_page(made, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == made.picture.alt
    assert "query 125 key 122" in made.picture.alt


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_clocks_fit_and_are_legible_in_both_themes_and_on_a_phone(live_page, theme, width):
    page = live_page(figure(), theme=theme, width=width)
    move(page, "query at", 77)


def test_places_without_a_position_are_refused():
    with pytest.raises(ValueError, match="t must lie in 20 … 40 and offset in ±20, got t=5, off"):
        figure(t=5)
    with pytest.raises(ValueError, match="got t=25, offset=21"):
        figure(offset=21)
