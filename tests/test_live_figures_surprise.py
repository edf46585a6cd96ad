"""The surprise of a reader's own text: the browser computes what torch computes."""

import json
import math
import re

import pytest
import torch

from lmcourse import live_figures
from lmcourse.pretrained import shipped

pytestmark = pytest.mark.slow  # each test starts a page, and torch beside it

TEXT = "Good morrow, my lord.\nAny email from the bank?"
OTHER = "Peace, café!"


def data_of(figure):
    return json.loads(re.search(r'json">(.*?)</script>', figure._repr_html_())[1])


def weights(page):
    """How strongly each chip is colored, in percent."""
    chips = page.get_by_role("toolbar").get_by_role("button")
    styles = [chip.get_attribute("style") for chip in chips.all()]
    return [float(re.search(r"--lm-weight: ([\d.e-]+)%", style)[1]) for style in styles]


def nats_by_torch(text):
    model, tokenizer = shipped("shakespeare")
    ids = torch.tensor([tokenizer.encode("\n") + tokenizer.encode(text)])
    with torch.no_grad():
        log_probs = model(ids[:, :-1]).log_softmax(-1)
    return -log_probs.gather(-1, ids[:, 1:, None])[0, :, 0]


def expected_summary(text, nats):
    n_bytes = len(text.encode())
    bits = nats.sum().item() / math.log(2) / n_bytes
    perplexity = f"perplexity {nats.mean().exp():.1f}"
    return f"{len(nats)} tokens, {n_bytes} bytes: {perplexity}, {bits:.2f} bits per byte."


def loaded(page):
    page.get_by_role("button", name="Load the model").click()
    page.get_by_label("your text").wait_for()
    return page


# surprise.js
def test_before_the_click_the_colors_are_python_s_and_nothing_is_loaded(live_page):
    figure = live_figures.surprise(TEXT)
    page = live_page(figure)
    asked = []
    page.on("request", lambda call: asked.append(call.url))
    nats = nats_by_torch(TEXT)
    assert data_of(figure)["nats"] == pytest.approx(nats.tolist(), rel=1e-4, abs=1e-5)
    assert weights(page) == pytest.approx((45 * nats.clamp_max(8) / 8).tolist(), abs=0.01)
    assert page.get_by_text(expected_summary(TEXT, nats)).is_visible()
    assert asked == []


def test_the_browser_computes_the_same_surprise(live_page):
    """After the model is loaded the same text has the same colors, and its own numbers."""
    page = live_page(live_figures.surprise(TEXT))
    before = weights(page)
    loaded(page)
    assert weights(page) == pytest.approx(before, abs=0.01)
    page.get_by_label("your text").fill(OTHER)
    page.get_by_role("button", name="Color the text").press("Enter")
    nats = nats_by_torch(OTHER)
    assert weights(page) == pytest.approx((45 * nats.clamp_max(8) / 8).tolist(), abs=0.02)
    assert page.get_by_text(expected_summary(OTHER, nats)).is_visible()


def test_a_token_is_chosen_by_keys_and_what_was_expected_is_told(live_page):
    page = loaded(live_page(live_figures.surprise(TEXT)))
    model, tokenizer = shipped("shakespeare")
    ids = tokenizer.encode("\n") + tokenizer.encode(TEXT)
    chips = page.get_by_role("toolbar").get_by_role("button")
    chips.first.press("ArrowRight")
    with torch.no_grad():
        probs = model(torch.tensor([ids]))[0, 1].softmax(-1)
    nats = -probs[ids[2]].log().item()
    assert f"a surprise of {nats:.2f} nats" in page.get_by_role("status").inner_text()
    names = page.locator(".lm-bar-name").all_inner_texts()
    likeliest = [tokenizer.decode([index]) for index in probs.topk(5).indices.tolist()]
    assert names == [token.replace(" ", "␣").replace("\n", "⏎") for token in likeliest]


def test_a_text_longer_than_the_context_is_read_to_its_end_and_an_empty_one_is_answered(live_page):
    page = loaded(live_page(live_figures.surprise(TEXT)))
    page.get_by_label("your text").fill("all the world " * 90)
    page.get_by_role("button", name="Color the text").press("Enter")
    tokenizer = shipped("shakespeare")[1]
    assert len(weights(page)) == len(tokenizer.encode("all the world " * 90)) > 256
    page.get_by_label("your text").fill("")
    page.get_by_role("button", name="Color the text").press("Enter")
    assert page.get_by_role("status").inner_text() == "Write a word first."


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_figure_fits_a_phone_in_both_themes(live_page, theme):
    loaded(live_page(live_figures.surprise(TEXT), theme=theme, width=390))
