"""lmcourse.live_figures.nucleus in a real browser: each rule keeps the tokens that Python keeps."""

import json
import re

import pytest
import torch

from lmcourse import live_figures, plots
from lmcourse.generation import keep_top_k, keep_top_p
from lmcourse.ngrams import NGramModel
from lmcourse.pretrained import shipped
from lmcourse.tokenizers import CharTokenizer

TEXT = "JULIET:\nO Romeo, I love thee"


@pytest.fixture(scope="module")
def figure():
    return live_figures.nucleus(TEXT)


def data_of(figure):
    return json.loads(re.search(r'application/json">(.*?)</script>', figure._repr_html_())[1])


def set_to(page, name, value):
    page.get_by_role("slider", name=name).fill(str(value))


def counts(page):
    return [int(text) for text in page.locator(".lm-chip small").all_inner_texts()]


def expected(figure, temperature, top_k, top_p):
    """The odds at each place, from the logits that are on the page."""
    logits = torch.tensor(data_of(figure)["logits"], dtype=torch.float64) / temperature
    return keep_top_p(keep_top_k(logits, top_k), top_p).softmax(-1)


def test_a_counted_table_may_read_instead(live_page):
    text = "a cat sat on a mat and a cat ate a rat"
    tokenizer = CharTokenizer.train(text)
    ids = torch.tensor(tokenizer.encode(text))
    table = NGramModel(3, tokenizer.vocab_size).fit(ids)
    shown = live_figures.nucleus("a cat", reader=(table, tokenizer))
    page = live_page(shown)
    kept = keep_top_p(table(ids[None, :5])[0], 0.9).isfinite().sum(-1)
    assert counts(page) == kept.tolist()
    set_to(page, "temperature", 2)
    probs = expected(shown, 2, tokenizer.vocab_size, 0.9)
    assert counts(page) == (probs > 0).sum(-1).tolist()


def test_the_numbers_are_those_of_the_model():
    model, tokenizer = shipped("shakespeare")
    data = data_of(live_figures.nucleus(TEXT, top_p=0.8))
    ids = tokenizer.encode(TEXT)
    assert "".join(data["tokens"]) == TEXT
    assert len(data["vocabulary"]) == model.config.vocab_size
    with torch.inference_mode():
        probs = model(torch.tensor([ids]))[0].softmax(-1)
    shown = torch.tensor(data["logits"]).softmax(-1)
    torch.testing.assert_close(shown, probs, atol=1e-4, rtol=1e-3)
    for kept, row in zip(data["kept"], probs, strict=True):
        by_size = row.sort(descending=True).values.cumsum(0)
        assert by_size[kept - 1] > 0.8 - 1e-5
        assert kept == 1 or by_size[kept - 2] < 0.8 + 1e-5


# nucleus.js
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1, 512, 0.9), (1, 512, 1), (0.5, 512, 0.95), (2, 512, 0.9), (1, 12, 1), (1.5, 40, 0.8)],
)
def test_each_rule_leaves_at_each_place_the_tokens_that_python_keeps(
    live_page, figure, temperature, top_k, top_p
):
    page = live_page(figure)
    set_to(page, "temperature", temperature)
    set_to(page, "top-k", top_k)
    set_to(page, "top-p", top_p)
    odds = expected(figure, temperature, top_k, top_p)
    assert counts(page) == (odds > 0).sum(-1).tolist()
    last = odds[-1].sort(descending=True, stable=True).values
    shares = [0.0 if text == "left out" else float(text.rstrip("%"))
              for text in page.locator(".lm-bar-share").all_inner_texts()]  # fmt: skip
    wanted = [*last[:10].tolist(), last[10:].sum().item()]
    assert shares == pytest.approx([100 * each for each in wanted], abs=0.51)


def test_at_first_it_shows_what_python_counted_and_keys_choose_the_place(live_page, figure):
    page, data = live_page(figure), data_of(figure)
    assert counts(page) == data["kept"]
    chips = page.locator(".lm-chip")
    chips.last.press("Home")
    assert chips.first.get_attribute("aria-pressed") == "true"
    assert page.get_by_role("status").inner_text().startswith(f"After “J” {data['kept'][0]} of 512")
    chips.first.press("ArrowRight")
    assert page.get_by_role("status").inner_text().startswith("After “U” 1 of 512 tokens")
    likeliest = data["vocabulary"][max(range(512), key=data["logits"][1].__getitem__)]
    assert page.locator(".lm-bar-name").first.inner_text() == plots.visible(likeliest)


def test_a_key_on_a_slider_changes_every_place_and_only_what_is_kept_is_drawn(live_page, figure):
    page = live_page(figure)
    page.get_by_role("slider", name="top-k").press("Home")
    assert counts(page) == [1] * len(data_of(figure)["tokens"])
    page.get_by_role("button", name="Draw 10 tokens").press("Enter")
    drawn = page.get_by_role("status").inner_text().partition(": ")[2].split()
    assert len(drawn) == 10
    assert set(drawn) == {page.locator(".lm-bar-name").first.inner_text()}


def test_without_scripts_the_nucleus_is_a_plot(live_page, figure):
    page = live_page(figure, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == figure.picture.alt


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_nucleus_fits_and_is_legible_in_both_themes_and_on_a_phone(
    live_page, figure, theme, width
):
    page = live_page(figure, theme=theme, width=width)
    set_to(page, "top-p", 0.5)
