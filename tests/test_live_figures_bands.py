"""lmcourse.live_figures.bands in a real browser: each curve is that of Python."""

import re

import pytest
import torch

from lmcourse import live_figures
from lmcourse.duplicates import chance_of_candidate


def told(page):
    """The length of a signature, a similarity and its chance, as the figure says them."""
    said = page.get_by_role("status").inner_text()
    found = re.match(r"Signatures of (\d+) numbers\. .* of ([\d.]+), ([\d.]+)% are compared", said)
    return int(found[1]), float(found[2]), float(found[3]) / 100


# bands.js
@pytest.mark.parametrize(("n_bands", "n_rows"), [(1, 1), (20, 5), (40, 12), (3, 8)])
def test_the_curve_in_the_browser_is_that_of_python(live_page, n_bands, n_rows):
    page = live_page(live_figures.bands(20, 5))
    ask = """async (given) => (await import('/_static/live/bands.js')).curve(...given)"""
    found = torch.tensor(page.evaluate(ask, [n_bands, n_rows, 50]), dtype=torch.float64)
    expected = [chance_of_candidate(i / 50, n_bands, n_rows) for i in range(51)]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def check(page, n_bands, n_rows, similarity):
    """Percent are told without digits, from 10% on."""
    n_hashes, said, chance = told(page)
    assert n_hashes == n_bands * n_rows
    assert said == pytest.approx(similarity)
    assert chance == pytest.approx(chance_of_candidate(similarity, n_bands, n_rows), abs=0.0051)


def test_sliders_and_keys_tell_what_python_says(live_page):
    page = live_page(live_figures.bands(20, 5, similarity=0.6))
    check(page, 20, 5, 0.6)
    page.get_by_role("slider", name="rows in a band").press("ArrowRight")
    check(page, 20, 6, 0.6)
    page.get_by_role("slider", name="bands", exact=True).fill("7")
    page.get_by_role("slider", name="similarity").press("End")
    check(page, 7, 6, 1)
    page.get_by_role("slider", name="similarity").fill("0.35")
    check(page, 7, 6, 0.35)


def test_the_line_that_is_drawn_ends_where_python_says(live_page):
    page = live_page(live_figures.bands(4, 3))
    for rows in (3, 9):
        page.get_by_role("slider", name="rows in a band").fill(str(rows))
        points = page.locator("polyline").get_attribute("points").split()
        heights = [float(point.split(",")[1]) for point in points]
        low, high = heights[0], heights[-1]
        middle = chance_of_candidate(0.5, 4, rows)
        assert (low - heights[50]) / (low - high) == pytest.approx(middle, abs=1e-4)


def test_without_scripts_it_is_a_plot(live_page):
    figure = live_figures.bands(20, 5)
    page = live_page(figure, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == figure.picture.alt
    assert "20 bands of 5" in figure.picture.alt


def test_what_the_sliders_do_not_reach_is_refused():
    with pytest.raises(ValueError, match=r"1 to 40 and 1 to 12, got n_bands=41, n_rows=5"):
        live_figures.bands(41, 5)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_is_legible_in_both_themes_and_on_a_phone(live_page, theme, width):
    page = live_page(live_figures.bands(20, 5), theme=theme, width=width)
    page.get_by_role("slider", name="bands", exact=True).fill("40")
