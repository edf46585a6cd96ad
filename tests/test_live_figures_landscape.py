"""lmcourse.live_figures.landscape in a real browser: the ball takes the steps of Python's SGD."""

import json
import re

import pytest
import torch

from lmcourse import live_figures
from lmcourse.optimization import SGD

INPUTS, TARGETS, N_STEPS = [0.5, 1.0, 2.0], [0.8, 1.1, 1.2], 40
WAYS = {
    "good": (0.3, 0.0, (0.5, -1.0)),
    "momentum": (0.1, 0.9, (3.0, -2.0)),
    "too long": (3.0, 0.0, (0.5, 2.0)),
    "nowhere": (0.3, 0.0, (0.0, 0.0)),
}


def figure():
    return live_figures.landscape(INPUTS, TARGETS, N_STEPS, WAYS)


def loss_of(at):
    x, y = torch.tensor(INPUTS, dtype=torch.float64), torch.tensor(TARGETS, dtype=torch.float64)
    return (at[1] * torch.tanh(at[0] * x) - y).square().mean()


def path_of(rate, momentum, start):
    """Python's way, by the optimizer of the chapter."""
    at = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer, places = SGD([at], rate, momentum=momentum), [at.tolist()]
    for _ in range(N_STEPS):
        optimizer.zero_grad()
        loss_of(at).backward()
        optimizer.step()
        places.append(at.tolist())
    return places


def told(page):
    """The place of the ball, the steps and the loss, as the figure says them."""
    said = page.get_by_role("status").inner_text().replace("−", "-")
    found = re.match(r"The ball is at (\S+), (\S+) after (\d+) steps. The loss is (\S+),", said)
    return [float(number) for number in found.groups()]


def expected(path, n):
    return [*path[n], n, loss_of(torch.tensor(path[n], dtype=torch.float64)).item()]


# landscape.js
@pytest.mark.parametrize(
    "way",
    [*WAYS.values(), (0.03, 0.95, (-2.5, 3.1)), (1.0, 0.5, (-0.1, 0.1))],
    ids=lambda way: str(way[0]),
)
def test_each_step_in_the_browser_is_the_step_of_sgd(live_page, way):
    page = live_page(figure())
    ask = """async ([data, rules]) =>
        (await import('/_static/live/landscape.js')).roll(data, rules)"""
    data = {"inputs": INPUTS, "targets": TARGETS, "n_steps": N_STEPS}
    rules = dict(zip(("rate", "momentum", "start"), way, strict=True))
    found = torch.tensor(page.evaluate(ask, [data, rules]), dtype=torch.float64)
    torch.testing.assert_close(
        found, torch.tensor(path_of(*way), dtype=torch.float64), rtol=1e-6, atol=1e-8
    )


def test_each_way_that_python_went_is_told_as_it_ended(live_page):
    page = live_page(figure())
    for name, way in WAYS.items():
        page.get_by_role("button", name=name).click()
        assert told(page) == pytest.approx(expected(path_of(*way), N_STEPS), rel=0.06, abs=0.006)


def test_the_reader_sets_everything_by_keys(live_page):
    page = live_page(figure())
    page.get_by_role("slider", name="steps").press("Home")
    assert told(page) == pytest.approx(expected(path_of(*WAYS["good"]), 0), rel=0.06, abs=0.006)
    page.get_by_role("slider", name="steps").press("ArrowRight")
    assert told(page) == pytest.approx(expected(path_of(*WAYS["good"]), 1), rel=0.06, abs=0.006)
    rate = page.get_by_role("slider", name="learning rate")
    rate.press("ArrowRight")
    longer = 10 ** float(rate.input_value())
    assert longer == pytest.approx(0.3 * 10**0.05, rel=0.07)
    page.get_by_role("slider", name="momentum").press("ArrowRight")
    page.get_by_role("slider", name="start, first weight").press("ArrowLeft")
    page.get_by_role("slider", name="start, second weight").press("ArrowRight")
    page.get_by_role("slider", name="steps").press("End")
    path = path_of(longer, 0.01, (0.4, -0.9))
    assert told(page) == pytest.approx(expected(path, N_STEPS), rel=0.06, abs=0.006)
    assert page.get_by_role("button", name="good").get_attribute("aria-pressed") == "false"


def test_a_ball_that_leaves_the_map_is_said_to(live_page):
    page = live_page(figure())
    assert "left the map" not in page.get_by_role("status").inner_text()
    page.get_by_role("slider", name="learning rate").press("End")
    path = path_of(10.0, 0.0, WAYS["good"][2])
    assert max(map(abs, path[-1])) > 4
    assert "left the map" in page.get_by_role("status").inner_text()


def test_the_map_has_the_heights_of_the_loss():
    made = figure()
    data = json.loads(re.search(r'application/json">(.*?)</script>', made._repr_html_())[1])
    levels, edges, span = data["levels"], data["edges"], data["span"]
    n = len(levels)
    for up, across in ((0, 0), (n - 1, 3), (n // 2, n - 5), (3, n // 2)):
        at = [(place + 0.5) * 2 * span / n - span for place in (across, up)]
        height = loss_of(torch.tensor(at, dtype=torch.float64)).item()
        assert levels[up][across] == sum(edge <= height for edge in edges)


def test_without_scripts_it_is_a_map_with_each_way(live_page):
    made = figure()
    page = live_page(made, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == made.picture.alt
    assert all(name in made.picture.alt for name in WAYS)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_is_legible_in_both_themes_and_on_a_phone(live_page, theme, width):
    page = live_page(figure(), theme=theme, width=width)
    page.get_by_role("button", name="too long").click()
