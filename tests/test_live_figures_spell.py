"""live_figures.spell and book/_static/live/spell.js: the word that completes itself."""

import json
import math
import re

import pytest

from lmcourse import live_figures

ASK = """async ([word, sureness]) =>
    (await import('/_static/live/spell.js')).complete(word, sureness)"""


def data_of(figure):
    return json.loads(re.search(r'application/json">(.*?)</script>', figure._repr_html_())[1])


def test_the_last_letter_looks_for_its_like_and_takes_what_followed():
    data = data_of(live_figures.spell("banan", 2.0))
    high, low = math.exp(2) / (3 + math.exp(2)), 1 / (3 + math.exp(2))
    assert data["weights"] == pytest.approx([low, low, high, low], rel=1e-4)
    assert data["odds"] == pytest.approx({"a": high + low, "n": 2 * low}, rel=1e-4)


@pytest.mark.parametrize("word", ["", "a", "Abra", "a b", "é?"])
def test_what_is_no_word_is_refused(word):
    with pytest.raises(ValueError, match="word must be two letters or more, from a to z, got"):
        live_figures.spell(word)


# spell.js
def test_any_word_is_completed_as_python_does(live_page):
    page = live_page()
    for word in ("abracadabr", "banan", "ab", "aaaa", "xyzzyq"):
        for sureness in (0.0, 0.5, 8.0):
            data = data_of(live_figures.spell(word, sureness))
            found = page.evaluate(ASK, [word, sureness])
            assert found["weights"] == pytest.approx(data["weights"], abs=1e-5)
            assert found["odds"] == pytest.approx(data["odds"], abs=1e-5)


def test_a_reader_types_a_word_and_lets_it_go_on_by_keyboard(live_page):
    page = live_page(live_figures.spell("abracadabr"))
    said = page.get_by_role("status")
    share = data_of(live_figures.spell("abracadabr"))["odds"]["a"]
    assert said.inner_text() == (
        f"“r” looks for another “r” and expects “a” next, {100 * share:.0f}%."
    )
    field = page.get_by_label("your word")
    field.fill("Ba-nan")
    assert page.locator(".lm-spell-letter").all_inner_texts() == list("banan")
    page.get_by_role("button", name="Add the likeliest letter").press("Enter")
    assert field.input_value() == "banana"
    slider = page.get_by_role("slider", name="how sure")
    slider.press("Home")
    weights = page.locator(".lm-spell-weight").all_inner_texts()
    assert weights == ["20%"] * 5 + ["asks"]


def test_a_letter_without_its_like_looks_everywhere_and_one_letter_is_too_few(live_page):
    page = live_page(live_figures.spell("abc"))
    said = page.get_by_role("status")
    assert said.inner_text() == "There is no other “c”: it looks everywhere alike."
    page.get_by_label("your word").fill("!")
    assert said.inner_text() == "Type two letters or more, from a to z."
    assert page.get_by_role("button").is_disabled()
    page.get_by_label("your word").fill("a" * 40)
    assert len(page.locator(".lm-spell-letter").all()) == 24
    assert page.get_by_role("button").is_disabled()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_on_a_phone(live_page, theme):
    live_page(live_figures.spell("abracadabr"), theme=theme, width=390)
