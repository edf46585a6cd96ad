"""lmcourse.live_figures.word_map in a real browser: the neighbors are those that Python finds."""

import json

import pytest
import torch
from seeds import rng
from torch.nn import functional as F

from lmcourse import live_figures
from lmcourse.co_occurrence import Vocabulary
from lmcourse.embeddings import analogy, nearest

N = 30
WORDS = [a + b for a in "abcdef" for b in "vwxyz"]
VOCABULARY = Vocabulary([*WORDS, "rare"], [*range(N + 1, 0, -1)])
FEW = Vocabulary(WORDS, [*range(N + 1, 1, -1)])


def true_vectors():
    return torch.randn(N + 1, 12, generator=rng()) * torch.linspace(3, 0.5, 12)


def rounded():
    """What the page is given: vectors of length 1, in steps of a two-hundredth."""
    return (200 * F.normalize(true_vectors()[:N], dim=-1)).round().double()


def figure(chosen="cx"):
    return live_figures.word_map(true_vectors(), VOCABULARY, chosen, n_words=N)


def shown(page):
    names = page.locator(".lm-bar-name").all_inner_texts()
    cosines = page.locator(".lm-bar-share").all_inner_texts()
    return names, [float(text.replace("−", "-")) for text in cosines]


def check(page, found):
    names, cosines = shown(page)
    assert names == [word for word, _ in found]
    assert cosines == pytest.approx([cosine for _, cosine in found], abs=0.0051)


# word_map.js
def test_at_first_it_shows_what_python_found_and_the_true_vectors_agree(live_page):
    page = live_page(figure())
    check(page, nearest(rounded(), FEW, "cx", n=10))
    truly = dict(nearest(true_vectors()[:N], FEW, "cx", n=N))
    names, cosines = shown(page)
    assert cosines == pytest.approx([truly[name] for name in names], abs=0.015)


@pytest.mark.parametrize("word", ["av", "fz", "bw"])
def test_a_word_that_is_typed_has_the_neighbors_that_python_finds(live_page, word):
    page = live_page(figure())
    box = page.get_by_role("combobox", name="word", exact=True)
    box.fill(f" {word.upper()} ")
    box.press("Enter")
    found = nearest(rounded(), FEW, word, n=10)
    check(page, found)
    said = page.get_by_role("status").inner_text()
    assert said.startswith(f"Nearest to {word} is {found[0][0]}, with a cosine of ")
    asked = page.locator(".lm-map-asked")
    assert asked.count() == 1
    assert page.locator(".lm-map-near").count() == 10
    assert page.locator(".lm-map-dot").count() == N - 11


def test_a_sum_of_words_is_the_analogy_of_python_with_its_own_words_or_without(live_page):
    page = live_page(figure())
    for name, word in (("word", "bv"), ("− minus", "az"), ("+ plus", "dw")):
        page.get_by_role("combobox", name=name, exact=True).fill(word)
    question = "az", "bv", "dw"
    check(page, analogy(rounded(), FEW, question, n=10))
    page.get_by_role("checkbox", name="its own words may answer").check()
    check(page, analogy(rounded(), FEW, question, n=10, leave_out=False))
    assert page.locator(".lm-label").inner_text() == "nearest to bv − az + dw, by the cosine"


def test_a_neighbor_leads_on_by_key_and_a_dot_by_the_mouse(live_page):
    page = live_page(figure())
    first = nearest(rounded(), FEW, "cx", n=1)[0][0]
    page.get_by_role("button", name=first, exact=True).press("Enter")
    check(page, nearest(rounded(), FEW, first, n=10))
    box = page.get_by_role("combobox", name="word", exact=True)
    assert box.input_value() == first
    assert box.evaluate("box => box === document.activeElement")
    # The place that Python gave to a word is where the mouse finds it.
    places = torch.tensor(json.loads(figure().data)["places"])
    index = int(places[:, 0].argmax())
    dots = page.locator(".lm-map circle").all()
    furthest = max(dots, key=lambda dot: float(dot.get_attribute("cx")))
    furthest.click(force=True)
    assert box.input_value() == WORDS[index]
    check(page, nearest(rounded(), FEW, WORDS[index], n=10))


def test_a_stranger_is_named_and_the_last_answer_stays(live_page):
    page = live_page(figure())
    before = shown(page)
    for name, word in (("word", "zibble"), ("+ plus", "rare")):
        box = page.get_by_role("combobox", name=name, exact=True)
        box.fill(word)
        box.press("Enter")
        said = page.get_by_role("status").inner_text()
        assert said == f"“{word}” is not among the 30 words of this map."
        assert shown(page) == before
        box.fill("cx" if name == "word" else "")
    box = page.get_by_role("combobox", name="word", exact=True)
    box.fill("")
    box.press("Enter")
    assert page.get_by_role("status").inner_text() == "Write a word into the first box."


def test_the_map_has_the_directions_in_which_the_words_differ_most():
    data = json.loads(figure().data)
    assert data["words"] == WORDS
    unit = F.normalize(rounded(), dim=-1)
    values = torch.linalg.eigvalsh(torch.cov(unit.T)).flip(0)
    assert data["kept"] == pytest.approx((values[:2].sum() / values.sum()).item(), rel=1e-3)
    places = torch.tensor(data["places"], dtype=torch.float64)
    spread = torch.cov(places.T)
    torch.testing.assert_close(spread.diagonal(), values[:2], rtol=1e-3, atol=1e-6)
    assert abs(spread[0, 1].item()) < 1e-5
    assert (places.gather(0, places.abs().argmax(0, keepdim=True)) > 0).all()


def test_without_scripts_it_is_a_map_with_the_first_word_and_its_nearest(live_page):
    page = live_page(figure(), script=False)
    alt = page.get_by_role("img").get_attribute("aria-label")
    assert alt.startswith("30 words as dots on a map; marked: cx, ")


def test_a_word_that_is_not_on_the_map_is_refused():
    with pytest.raises(ValueError, match="one of the 30 known ones, got word='rare'"):
        figure("rare")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_is_legible_in_both_themes_and_on_a_phone(live_page, theme, width):
    page = live_page(figure(), theme=theme, width=width)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
