"""lmcourse.live_figures.merges in a real browser: each step of each text is Python's."""

import json
import random

import pytest

from lmcourse import live_figures
from lmcourse.byte_pairs import apply_merges, split_words
from lmcourse.plots import visible
from lmcourse.tokenizers import BPETokenizer

SAMPLE = "the cat sat on the mat; the cats sat. 我是一只猫。我是一个人。 2024 2025 \n" * 4
TOKENIZER = BPETokenizer.train(SAMPLE, 290)
TEXTS = [
    "",
    "the cat",
    "我是一只猫",
    "程序员",
    "👩‍💻 😀",
    "20242025 1234567",
    "  the   cat  \n  ",
    "a  \n \n",
    "I'll THE'RE 'ſ",
    "\ufeff\u3000é\u0301\x1c\x85",
    "<|endoftext|>",
    "half \ud83d of it",
]

STEPS = """async ([merges, texts]) => {
    const { makeTokenizer } = await import('/_static/live/tokenizer.js');
    const tokenizer = makeTokenizer('bpe', { merges, special_tokens: [] });
    return texts.map(text => tokenizer.steps(text));
}"""


def steps(text):
    """For a tokenizer with one merge, two, and so on: what changes is a step."""
    words = [list(word.encode()) for word in split_words(text)]
    found = [{"id": None, "words": words}]
    for n in range(1, len(TOKENIZER.merges) + 1):
        ranks = {pair: 256 + i for i, pair in enumerate(TOKENIZER.merges[:n])}
        after = [apply_merges(word.encode(), ranks) for word in split_words(text)]
        if after != found[-1]["words"]:
            found.append({"id": 255 + n, "words": after})
    return found


def shown(page):
    chips = page.get_by_role("list", name="tokens").locator("li > span:first-child")
    return chips.all_text_contents()


def pieces(text, n_merges=None):
    tokenizer = BPETokenizer(TOKENIZER.merges[:n_merges])
    return [visible(tokenizer.tokens[index]) for index in tokenizer.encode(text)]


# merges.js
# tokenizer.js
def test_each_step_is_a_tokenizer_with_fewer_merges(live_page):
    dice = random.Random(5)
    alphabet = [*"theca 我是一\n\t12.'", "😀", "é", "\u3000"]
    texts = TEXTS[:-1]  # Python refuses what is no text
    texts += ["".join(dice.choices(alphabet, k=dice.randint(1, 30))) for _ in range(100)]
    found = live_page().evaluate(STEPS, [TOKENIZER.merges, texts])
    for text, history in zip(texts, found, strict=True):
        assert history == steps(text), repr(text)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_text_of_the_page_has_python_s_tokens(live_page, theme):
    text = "the cats 猫程\n2026"
    figure = live_figures.merges(TOKENIZER, text)
    page = live_page(figure, theme=theme, width=390)
    data = json.loads(figure.data)
    assert shown(page) == data["tokens"]["pieces"] == pieces(text)
    numbers = page.locator(".lm-token-id").all_text_contents()
    assert list(map(int, numbers)) == data["tokens"]["ids"] == TOKENIZER.encode(text)


def test_merges_are_taken_back_and_made_again_by_the_keys(live_page):
    page = live_page(live_figures.merges(TOKENIZER, "the cat"))
    n_steps = len(steps("the cat")) - 1
    slider = page.get_by_role("slider", name="merges")
    slider.press("Home")
    assert shown(page) == [visible(each) for each in "the cat"]
    said = page.get_by_role("status")
    assert said.inner_text() == "No merge yet, only bytes. 7 tokens for 7 characters."
    button = page.get_by_role("button", name="Next merge")
    for step in range(1, n_steps + 1):
        button.press("Enter")
        made = steps("the cat")[step]["id"] - 255
        assert shown(page) == pieces("the cat", made)
        assert said.inner_text().startswith(f"Merge {made} of {len(TOKENIZER.merges)} joins “")
        assert slider.get_attribute("aria-valuetext") == f"{step} of {n_steps}"
    button.press("Enter")  # there is none left
    assert shown(page) == pieces("the cat")
    page.get_by_role("button", name="One merge back").click()
    assert len(shown(page)) > len(pieces("the cat"))


@pytest.mark.parametrize("text", TEXTS)
def test_readers_write_their_own_text(live_page, text):
    page = live_page(live_figures.merges(TOKENIZER, "the cat"))
    page.get_by_role("textbox", name="your text").evaluate(
        "(area, text) => { area.value = text; area.dispatchEvent(new Event('input')) }", text
    )
    told = text.replace("\ud83d", "\ufffd").replace("\r", "")  # so a browser reads half of a pair
    assert shown(page) == pieces(told)
    n = len(pieces(told))
    tokens = "1 token" if n == 1 else f"{n} tokens"
    assert (
        page.get_by_role("status").inner_text().endswith(f" {tokens} for {len(text)} characters.")
    )


def test_a_long_text_scrolls_by_the_keys(live_page):
    page = live_page(live_figures.merges(TOKENIZER, "qu1z. " * 46), width=390)
    row = page.get_by_role("list", name="tokens")
    assert row.evaluate("row => row.scrollHeight > row.clientHeight")
    row.press("End")
    page.wait_for_function("document.querySelector('.lm-tokens').scrollTop > 0")


def test_without_scripts_there_are_chips_with_their_ids(live_page):
    figure = live_figures.merges(TOKENIZER, "the cat")
    page = live_page(figure, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == figure.picture.alt
    assert f"{len(pieces('the cat'))} tokens" in figure.picture.alt
