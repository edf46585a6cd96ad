"""lmcourse.live_figures.threshold in a real browser: each threshold shows the counts of Python."""

import pytest
import torch

from lmcourse import live_figures
from lmcourse.metrics import accuracy, confusion_matrix, precision_recall_f1

NAMES = ("praises", "pans")


def scored(seed=0, n=60):
    dice = torch.Generator().manual_seed(seed)
    targets = (torch.rand(n, generator=dice) < 0.2).long()
    scores = (0.25 * targets + 0.75 * torch.rand(n, generator=dice)).double()
    return (scores * 1000).round() / 1000, targets  # on the page, numbers have five digits


def set_to(page, value):
    page.get_by_role("slider", name="threshold").fill(str(value))


def matrix(page):
    cells = page.locator(".lm-matrix td").all_inner_texts()
    return torch.tensor([int(cell) for cell in cells]).view(2, 2)


def shares(page):
    texts = page.locator(".lm-bar-share").all_inner_texts()
    return [float(text.rstrip("%")) for text in texts]


# threshold.js
@pytest.mark.parametrize("limit", [0.01, 0.25, 0.5, 0.62, 0.99])
def test_each_threshold_shows_the_counts_and_measures_of_python(live_page, limit):
    scores, targets = scored()
    page = live_page(live_figures.threshold(scores, targets, NAMES))
    set_to(page, limit)
    said = (scores >= limit).long()
    # exact: counts
    assert torch.equal(matrix(page), confusion_matrix(said, targets))
    expected = [accuracy(said, targets), *precision_recall_f1(said, targets)]
    assert shares(page) == pytest.approx([100 * each for each in expected], abs=0.51)


def test_at_first_it_shows_what_python_computed_and_a_key_moves_it(live_page):
    scores, targets = scored(1)
    page = live_page(live_figures.threshold(scores, targets, NAMES, start=0.4))
    # exact: counts
    assert torch.equal(matrix(page), confusion_matrix((scores >= 0.4).long(), targets))
    slider = page.get_by_role("slider", name="threshold")
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "0.41"
    # exact: counts
    assert torch.equal(matrix(page), confusion_matrix((scores >= 0.41).long(), targets))
    slider.press("Home")
    assert page.get_by_role("status").inner_text().startswith("At 0.01: ")
    hits = int((targets == 1).sum())
    assert f"{hits} found" in page.get_by_role("status").inner_text()


def test_a_dot_is_full_from_the_threshold_on(live_page):
    scores, targets = torch.tensor([0.2, 0.5, 0.7]).double(), torch.tensor([0, 1, 1])
    page = live_page(live_figures.threshold(scores, targets, NAMES))
    assert page.locator("circle").count() == 3
    assert page.locator("circle.lm-dot-open").count() == 1
    set_to(page, 0.51)
    assert page.locator("circle.lm-dot-open").count() == 2


def test_without_scripts_the_threshold_is_a_plot(live_page):
    figure = live_figures.threshold(*scored(), NAMES)
    page = live_page(figure, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == figure.picture.alt
    assert "recall" in figure.picture.alt


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_threshold_fits_and_is_legible_in_both_themes_and_on_a_phone(live_page, theme, width):
    page = live_page(live_figures.threshold(*scored(), NAMES), theme=theme, width=width)
    set_to(page, 0.3)
