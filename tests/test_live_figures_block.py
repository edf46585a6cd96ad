"""lmcourse.live_figures.block in a real browser: each step shows the numbers of the module."""

import json
import re

import pytest
import torch

from lmcourse import live_figures
from lmcourse.attention import causal_mask
from lmcourse.transformer import EncoderBlock

WORDS = ["the", "tired", "cat"]
MINUS = str.maketrans("-", "−")


def made(seed=0):
    torch.manual_seed(seed)
    block = EncoderBlock(4, 2, d_ff=6)
    for parameter in block.parameters():  # fresh norms and biases would hide a mistake
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return block, torch.randn(3, 4)


def steps_of(figure):
    data = re.search(r'application/json">(.*?)</script>', figure._repr_html_())[1]
    return json.loads(data)["steps"]


@pytest.mark.parametrize("mask", [None, causal_mask(3)])
def test_the_steps_end_where_the_block_ends(mask):
    block, x = made()
    steps = {step["name"]: step for step in steps_of(live_figures.block(block, x, WORDS, mask))}
    with torch.no_grad():
        out, (_, weights) = (
            block(x[None], mask)[0],
            block.attention(block.attention_residual.norm(x)[None], mask=mask),
        )
    shown = torch.tensor(steps["out"]["tables"][0][1])
    torch.testing.assert_close(shown, out, atol=1e-3, rtol=1e-3)
    shown = torch.tensor([table for _, table in steps["weights"]["tables"]])
    torch.testing.assert_close(shown, weights[0], atol=1e-3, rtol=1e-3)
    for step in steps.values():
        sizes = [int(size) for size in step["shape"].split(" × ")]
        tables = torch.tensor([table for _, table in step["tables"]])
        assert list(tables.shape if len(sizes) == 3 else tables.shape[1:]) == sizes
    assert min(map(min, steps["hidden"]["tables"][0][1])) >= 0


def test_a_block_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="got norm_first=False"):
        live_figures.block(EncoderBlock(4, 2, norm_first=False), torch.randn(3, 4), WORDS)
    with pytest.raises(ValueError, match="gated=True"):
        live_figures.block(EncoderBlock(4, 2, activation="swiglu"), torch.randn(3, 4), WORDS)


def shown_rows(page):
    return [
        [cell.inner_text() for cell in row.locator("td").all()]
        for row in page.locator(".lm-numbers tbody tr").all()
    ]


def as_shown(step):
    return [
        [f"{round(number, 2) + 0.0:.2f}".translate(MINUS) for number in row]  # no “−0.00”
        for _, table in step["tables"]
        for row in table
    ]


# block.js
def test_each_step_shows_the_numbers_and_the_shape_of_python(live_page):
    block, x = made(1)
    figure = live_figures.block(block, x, WORDS, causal_mask(3))
    page = live_page(figure)
    for number, step in enumerate(steps_of(figure)):
        if number:
            page.get_by_role("button", name="next step").click()
        title = page.locator(".lm-label").inner_text()
        assert title == f"{number + 1}. {step['name']}, {step['shape']}"
        assert shown_rows(page) == as_shown(step)
        assert page.get_by_role("status").inner_text() == step["says"]
    button = page.get_by_role("button", name="next step")
    assert button.get_attribute("aria-disabled") == "true"
    button.press("Enter")  # there is none further, and the focus stays
    assert shown_rows(page) == as_shown(step)
    assert page.evaluate("document.activeElement.textContent") == "next step"


def test_the_keys_lead_through_the_block(live_page):
    block, x = made()
    figure = live_figures.block(block, x, WORDS)
    page = live_page(figure)
    steps = steps_of(figure)
    page.get_by_role("button", name="stream").press("End")
    assert shown_rows(page) == as_shown(steps[-1])
    page.get_by_role("button", name="out").press("ArrowLeft")
    assert shown_rows(page) == as_shown(steps[-2])
    page.get_by_role("button", name="back").press("Enter")
    assert shown_rows(page) == as_shown(steps[-3])


def test_without_scripts_the_stream_is_a_picture(live_page):
    block, x = made()
    figure = live_figures.block(block, x, WORDS)
    page = live_page(figure, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == figure.picture.alt


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_steps_fit_and_are_legible_in_both_themes_and_on_a_phone(live_page, theme, width):
    block, x = made()
    page = live_page(live_figures.block(block, x, WORDS), theme=theme, width=width)
    page.get_by_role("button", name="weights").click()  # two tables side by side
