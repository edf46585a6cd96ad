"""lmcourse.live_figures.two_neurons in a real browser: each weight moves what Python would say."""

import re

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from lmcourse import live_figures
from lmcourse.neurons import MLP

POINTS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
CLASSES = torch.tensor([1, 0, 0, 1])
LABELS, NAMES = ("good", "not good", "bad", "not bad"), ("pans", "praises")
BY_HAND = [1.0, 1.0, 0.0, 1.0, 1.0, -1.0, -4.0, 8.0, 2.0]


def network(numbers, bend=torch.relu):
    """Nine numbers: of each neuron two weights and a bias, then of the third."""
    made = MLP([2, 2, 1], bend)
    own = torch.tensor(numbers)
    with torch.no_grad():
        made.weights[0].copy_(own[[0, 3, 1, 4]].view(2, 2))
        made.biases[0].copy_(own[[2, 5]])
        made.weights[1].copy_(own[[6, 7]][:, None])
        made.biases[1].copy_(own[[8]])
    return made


def networks():
    return {
        "by hand": network(BY_HAND),
        "one line": network([1.0, 1.0, 0.5, 0.0, 0.0, 0.0, -2.0, 0.0, 2.0]),
        "no bend": network(BY_HAND, None),
    }


def figure():
    return live_figures.two_neurons(
        networks(), POINTS, CLASSES, LABELS, NAMES, ("“not” is said", "“bad” is said")
    )


def expected(made):
    with torch.no_grad():
        logits = made(POINTS)[:, 0]
    loss = binary_cross_entropy_with_logits(logits, CLASSES.float()).item()
    right = int(((logits > 0) == (CLASSES == 1)).sum())
    return logits.sigmoid(), right, loss


def told(page):
    """How many are right and what it costs, as the figure says it."""
    said = page.get_by_role("status").inner_text()
    found = re.match(r"(\d) of 4 right\. The loss is ([\d.]+);", said)
    return int(found[1]), float(found[2])


def shares(page):
    texts = page.locator(".lm-bar-share").all_inner_texts()
    return [float(text.rstrip("%")) / 100 for text in texts]


def check(page, made):
    probs, right, loss = expected(made)
    assert told(page) == (right, pytest.approx(loss, abs=0.006))
    assert shares(page) == pytest.approx(probs.tolist(), abs=0.0051)


# two_neurons.js
def test_each_network_is_shown_as_python_computed_it(live_page):
    page = live_page(figure())
    for name, made in networks().items():
        page.get_by_role("button", name=name).click()
        check(page, made)


@pytest.mark.parametrize("bend", [torch.relu, None], ids=["bent", "straight"])
def test_what_the_browser_computes_is_what_the_network_says_everywhere(live_page, bend):
    page = live_page(figure())
    numbers = [0.75, -1.5, 0.25, -2.0, 0.5, 1.0, 3.0, -2.5, -0.5]
    ask = """async ([network, data]) =>
        (await import('/_static/live/two_neurons.js')).judge(network, data, 24)"""
    data = {"points": POINTS.tolist(), "classes": CLASSES.tolist(), "span": [-0.5, 1.5]}
    found = page.evaluate(ask, [{"numbers": numbers, "bend": bend is not None}, data])
    middles = -0.5 + (torch.arange(24) + 0.5) / 12
    across, up = middles.expand(24, 24), middles[:, None].expand(24, 24)
    with torch.no_grad():
        grid = network(numbers, bend)(torch.stack([across, up], -1))[..., 0].sigmoid()
    torch.testing.assert_close(torch.tensor(found["grid"]), grid, rtol=1e-5, atol=1e-6)
    probs, _, loss = expected(network(numbers, bend))
    torch.testing.assert_close(torch.tensor(found["probs"]), probs, rtol=1e-5, atol=1e-6)
    assert found["loss"] == pytest.approx(loss, rel=1e-5)


def test_a_key_moves_a_weight_and_a_box_takes_the_bend_away(live_page):
    page = live_page(figure())
    slider = page.get_by_role("slider", name="neuron 2: bias")
    slider.press("ArrowRight")
    numbers = [*BY_HAND]
    numbers[5] = -0.75
    check(page, network(numbers))
    page.get_by_role("checkbox", name="with the bend").uncheck()
    check(page, network(numbers, None))
    assert told(page)[0] <= 3
    assert page.locator("line").count() == 0  # nothing is folded
    page.get_by_role("button", name="by hand").click()
    assert page.get_by_role("slider", name="neuron 2: bias").input_value() == "-1"
    assert page.locator("line").count() == 2


def test_without_scripts_it_is_a_picture_of_each_network(live_page):
    made = figure()
    page = live_page(made, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == made.picture.alt
    assert "by hand: 4 of 4 points on their side" in made.picture.alt
    assert "one line: 3 of 4" in made.picture.alt


def test_a_network_of_another_shape_is_refused():
    wrong = {"wide": MLP([2, 3, 1])}
    with pytest.raises(ValueError, match=r"networks\['wide'\] must be an MLP of widths 2, 2, 1"):
        live_figures.two_neurons(wrong, POINTS, CLASSES, LABELS, NAMES, ("x", "y"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_is_legible_in_both_themes_and_on_a_phone(live_page, theme, width):
    page = live_page(figure(), theme=theme, width=width)
    page.get_by_role("button", name="no bend").click()
