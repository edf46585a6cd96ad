"""lmcourse.live_figures.descent in a real browser: its steps are those of Python's optimizers."""

import re

import pytest
import torch

from lmcourse import live_figures
from lmcourse.optimization import SGD, Adam

CURVATURES, START, N_STEPS = (1.0, 100.0), (1.0, 0.4), 60
WAYS = {"SGD": (0.019, 0.0), "momentum": (0.019, 0.8), "too long": (0.021, 0.0), "Adam": 0.05}


def figure():
    return live_figures.descent(CURVATURES, START, N_STEPS, WAYS)


def path_of(rate, momentum, adam):
    """Python's way, by the optimizers of the chapter."""
    at = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = Adam([at], rate) if adam else SGD([at], rate, momentum=momentum)
    places = [at.tolist()]
    for _ in range(N_STEPS):
        optimizer.zero_grad()
        (at[0] ** 2 / 2 + 50 * at[1] ** 2).backward()
        optimizer.step()
        places.append(at.tolist())
    return places


def loss_of(place):
    return place[0] ** 2 / 2 + 50 * place[1] ** 2


def told(page):
    """The loss at the end, as the figure says it."""
    found = re.search(r"the loss is ([^;]*);", page.get_by_role("status").inner_text())[1]
    return float(found.replace("−", "-"))


# descent.js
@pytest.mark.parametrize(
    "way", [(0.019, 0.0, False), (0.013, 0.9, False), (0.05, 0.0, True), (0.12, 0.7, True)]
)
def test_each_step_in_the_browser_is_the_step_of_the_optimizer(live_page, way):
    page = live_page(figure())
    ask = """async ([data, rules]) =>
        (await import('/_static/live/descent.js')).descend(data, rules)"""
    data = {"curvatures": CURVATURES, "start": START, "n_steps": N_STEPS}
    rules = dict(zip(("rate", "momentum", "adam"), way, strict=True))
    found = torch.tensor(page.evaluate(ask, [data, rules]), dtype=torch.float64)
    expected = torch.tensor(path_of(*way), dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_each_way_that_python_went_is_told_as_it_ended(live_page):
    page = live_page(figure())
    for name, way in WAYS.items():
        page.get_by_role("button", name=name).click()
        rate, momentum, adam = (*way, False) if isinstance(way, tuple) else (way, 0.0, True)
        expected = loss_of(path_of(rate, momentum, adam)[-1])
        assert told(page) == pytest.approx(expected, rel=0.06, abs=0.006)
        flies = "flies off" in page.get_by_role("status").inner_text()
        assert flies == (name == "too long")


def test_the_reader_sets_the_rate_by_keys_and_sees_where_it_flies_off(live_page):
    page = live_page(figure())
    rate = page.get_by_role("slider", name="learning rate")
    for expected in (0.020, 0.021):
        rate.press("ArrowRight")
        assert rate.input_value() == f"{expected:.3f}".rstrip("0")
        end = loss_of(path_of(expected, 0.0, False)[-1])
        assert told(page) == pytest.approx(end, rel=0.06, abs=0.006)
    assert "flies off" in page.get_by_role("status").inner_text()
    page.get_by_role("checkbox", name="Adam").check()
    assert told(page) == pytest.approx(loss_of(path_of(0.021, 0.0, True)[-1]), rel=0.06, abs=0.006)


def test_without_scripts_it_is_a_plot_of_each_way(live_page):
    made = figure()
    page = live_page(made, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == made.picture.alt
    assert all(name in made.picture.alt for name in WAYS)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_is_legible_in_both_themes_and_on_a_phone(live_page, theme, width):
    page = live_page(figure(), theme=theme, width=width)
    page.get_by_role("button", name="too long").click()
