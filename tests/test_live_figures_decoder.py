"""lmcourse.live_figures.decoder in a real browser: each step shows the numbers of Python."""

import math

import pytest
import torch

from lmcourse import live_figures

SOURCE = ["she", "is", "busy"]
WRITTEN = ["她", "很", "忙", "end"]
LIKELIEST = [{"她": 0.9, "他": 0.1}, {"很": 0.6, "不": 0.3}, {"忙": 0.8, "高": 0.1}, {"end": 1.0}]


def branch(parent, token, prob, kept=True):
    return {"parent": parent, "token": token, "log_prob": math.log(prob), "kept": kept}


BRANCHES = [
    branch(-1, "她", 0.9),
    branch(-1, "他", 0.1, kept=False),
    branch(0, "很", 0.54),
    branch(0, "不", 0.27),
    branch(2, "忙", 0.43),
    branch(3, "忙", 0.25),
    branch(3, "高", 0.02, kept=False),
    branch(4, "end", 0.43),
    branch(5, "end", 0.24),
]


def watched(source=SOURCE, seed=0):
    dice = torch.Generator().manual_seed(seed)
    weights = torch.rand(2, 4, 3, generator=dice)
    weights = weights / weights.sum(-1, keepdim=True)
    maps = {"all heads": weights[0].tolist(), "layer 1, head 1": weights[1].tolist()}
    return {
        "source": source, "written": WRITTEN, "weights": maps, "likeliest": LIKELIEST,
        "branches": BRANCHES,
    }  # fmt: skip


def shown(page, name):
    """What a list of bars shows: its names, and its shares in percent."""
    rows = page.get_by_role("list", name=name).get_by_role("listitem")
    names = rows.locator(".lm-bar-name").all_inner_texts()
    shares = rows.locator(".lm-bar-share").all_inner_texts()
    return dict(zip(names, shares, strict=True))


def percents(values):
    return [pytest.approx(100 * value, abs=0.51) for value in values]


def numbers(found):
    return [float(share.rstrip("%")) for share in found.values()]


# decoder.js
def test_each_step_shows_the_weights_and_the_odds_of_python(live_page):
    sentence = watched()
    page = live_page(live_figures.decoder([sentence]))
    steps = page.get_by_role("toolbar", name="next token").get_by_role("button")
    heads = page.get_by_role("toolbar", name="head").get_by_role("button")
    for head, name in enumerate(sentence["weights"]):
        heads.nth(head).click()
        for step, token in enumerate(WRITTEN):
            steps.nth(step).click()
            looks, says = shown(page, "looks at"), shown(page, "may say")
            assert list(looks) == SOURCE
            assert numbers(looks) == percents(sentence["weights"][name][step])
            assert list(says) == list(LIKELIEST[step])
            assert numbers(says) == percents(LIKELIEST[step].values())
            assert f"Before “{token}”" in page.get_by_role("status").inner_text()


def test_the_texts_of_the_search_are_those_of_the_tree(live_page):
    page = live_page(live_figures.decoder([watched()]))
    steps = page.get_by_role("toolbar", name="next token").get_by_role("button")
    expected = [
        {"她": 0.9, "他": None},
        {"她很": 0.54, "她不": 0.27},
        {"她很忙": 0.43, "她不忙": 0.25, "她不高": None},
        {"她很忙end": 0.43, "她不忙end": 0.24},
    ]
    for step, texts in enumerate(expected):
        steps.nth(step).click()
        found = shown(page, "texts of the search")
        assert list(found) == list(texts), "the likeliest first"
        for name, prob in texts.items():
            if prob is None:
                assert found[name] == "left out"
            else:
                assert float(found[name].rstrip("%")) == pytest.approx(100 * prob, abs=0.51)
        n_drawn = sum(branch["parent"] < 0 or step > 0 for branch in BRANCHES[: [2, 4, 7, 9][step]])
        assert page.locator("svg path.lm-branch").count() == n_drawn


def test_the_arrow_keys_lead_through_the_steps_and_what_was_read_grows(live_page):
    page = live_page(live_figures.decoder([watched()]))
    page.get_by_role("button", name="她", exact=True).press("End")
    assert page.locator(".lm-guess").inner_text() == "has read: <start> 她 很 忙"
    page.get_by_role("button", name="end", exact=True).press("ArrowLeft")
    assert page.locator(".lm-guess").inner_text() == "has read: <start> 她 很"
    assert "Before “忙”" in page.get_by_role("status").inner_text()


def test_several_sentences_can_be_chosen(live_page):
    two = [watched(), watched(["he", "is", "tired"], seed=1)]
    page = live_page(live_figures.decoder(two))
    page.get_by_role("toolbar", name="sentence").get_by_role("button").nth(1).click()
    looks = shown(page, "looks at")
    assert list(looks) == ["he", "is", "tired"]
    assert numbers(looks) == percents(two[1]["weights"]["all heads"][0])


def test_without_scripts_the_first_map_is_seen(live_page):
    figure = live_figures.decoder([watched()])
    page = live_page(figure, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == figure.picture.alt


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_decoder_fits_and_is_legible_in_both_themes_and_on_a_phone(live_page, theme, width):
    sentence = ["he", "sings", "a", "song", "at", "home", "in", "the", "evening"]
    long = watched() | {"source": sentence}
    long["weights"] = {"all heads": [[1 / 9] * 9] * 4, "layer 1, head 1": [[1 / 9] * 9] * 4}
    page = live_page(live_figures.decoder([watched(), long]), theme=theme, width=width)
    page.get_by_role("toolbar", name="sentence").get_by_role("button").nth(1).click()
