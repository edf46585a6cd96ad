"""lmcourse.live_figures.heads in a real browser: each head and each word shows Python's weights."""

import pytest
import torch

from lmcourse import live_figures
from lmcourse.attention import causal_mask
from lmcourse.neurons import softmax

WORDS = ["the", "tired", "cat", "sat"]


def layer(n_heads=2, seed=0):
    dice = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn(n_heads, 4, 4, generator=dice)
    return softmax(scores.masked_fill(~causal_mask(4), -1e9))


def shown(page, name):
    """The shares in the list of a head, in percent."""
    texts = page.get_by_role("list", name=name).locator(".lm-bar-share").all_inner_texts()
    return [float(text.rstrip("%")) for text in texts]


# heads.js
def test_each_head_and_each_word_shows_the_weights_of_python(live_page):
    weights = layer()
    page = live_page(live_figures.heads(weights, WORDS))
    for head in range(2):
        page.get_by_role("toolbar", name="head").get_by_role("button").nth(head).click()
        for word in range(4):
            page.get_by_role("toolbar", name="query").get_by_role("button").nth(word).click()
            found = shown(page, f"head {head + 1}")
            assert found == pytest.approx([100 * w for w in weights[head, word].tolist()], abs=0.51)


def test_the_last_word_looks_first_and_the_arrow_keys_lead_to_the_others(live_page):
    page = live_page(live_figures.heads(layer(), WORDS, ["who?", "what?"]))
    assert page.get_by_role("button", name="sat").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="sat").press("Home")
    assert page.get_by_role("status").inner_text() == "who?: “the” looks most at “the”, 100%."
    page.get_by_role("button", name="who?").press("ArrowRight")
    assert page.get_by_role("status").inner_text().startswith("what?: “the”")


def test_what_is_compared_has_its_name_and_another_word_can_look_first(live_page):
    figure = live_figures.heads(layer(), WORDS, ["this", "that"], label="program", word=1)
    page = live_page(figure)
    assert page.get_by_role("button", name="tired").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("toolbar", name="program").get_by_role("button").count() == 2
    page.get_by_role("checkbox", name="all programs together").check()
    assert "This: " in figure.picture.alt
    with pytest.raises(IndexError):
        live_figures.heads(layer(), WORDS, word=4)


def test_all_heads_can_be_seen_together(live_page):
    weights = layer(3)
    page = live_page(live_figures.heads(weights, WORDS))
    page.get_by_role("checkbox", name="all heads together").check()
    for head in range(3):
        last = weights[head, -1].tolist()
        assert shown(page, f"head {head + 1}") == pytest.approx([100 * w for w in last], abs=0.51)
    assert page.locator("svg path.lm-arc").count() <= 12


def test_without_scripts_the_heads_are_maps(live_page):
    figure = live_figures.heads(layer(), WORDS)
    page = live_page(figure, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == figure.picture.alt
    assert "2 heads" in figure.picture.alt


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_heads_fit_and_are_legible_in_both_themes_and_on_a_phone(live_page, theme, width):
    page = live_page(live_figures.heads(layer(), WORDS), theme=theme, width=width)
    page.get_by_role("checkbox", name="all heads together").check()


def test_each_head_has_its_name():
    with pytest.raises(ValueError, match="names must name each head, got 1 for 2 heads"):
        live_figures.heads(layer(), WORDS, ["who?"])
