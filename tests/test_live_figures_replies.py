"""lmcourse.live_figures.replies in a real browser: replies, rewards and advantages as in Python."""

import json
import re

import pytest
import torch

from lmcourse import live_figures
from lmcourse.alignment import group_advantages
from lmcourse.carried_sums import is_right, mentions

FOUND = {
    "answers": {
        "37 + 45": {"7 2": 0.5, "8 2": 0.25, "8 2 or 7 2": 0.125},
        "26 + 47": {"6 3": 0.75, "": 0.125},
    },
    "GRPO": {"37 + 45": {"8 2": 0.875, "7 2": 0.0625}, "26 + 47": {"7 3": 1.0}},
}
CHECKS = {
    "right": lambda text, sum_: is_right(text.split(), tuple(map(int, sum_.split(" + ")))),
    "mentioned": lambda text, sum_: mentions(text.split(), tuple(map(int, sum_.split(" + ")))),
}


@pytest.fixture
def figure():
    return live_figures.replies(FOUND, CHECKS)


def shown(page):
    names = page.locator(".lm-bar-name").all_inner_texts()
    shares = page.locator(".lm-bar-share").all_inner_texts()
    notes = page.locator(".lm-bar-note").all_inner_texts()
    return list(zip(names, shares, notes, strict=True))


def choose(page, what, index):
    page.get_by_role("toolbar", name=what).get_by_role("button").nth(index).click()


def test_the_numbers_are_those_of_the_models_and_checks(figure):
    data = json.loads(re.search(r'application/json">(.*?)</script>', figure._repr_html_())[1])
    assert data["problems"] == ["37 + 45", "26 + 47"]
    # exact: text and numbers as they were given
    assert data["replies"][0][0][2] == {"text": "8 2 or 7 2", "prob": 0.125, "rewards": [0, 1]}
    # exact: as it was given
    assert (data["size"], data["eps"]) == (8, 1e-4)


# replies.js
def test_at_first_it_shows_the_first_model_and_sum(live_page, figure):
    page = live_page(figure)
    assert shown(page) == [
        ("7␣2", "50%", "reward 0"), ("8␣2", "25%", "reward 1"), ("8␣2␣or␣7␣2", "13%", "reward 0")
    ]  # fmt: skip
    said = page.get_by_role("status").inner_text()
    assert said == "These replies bring answers at least 25% of the reward “right”."


def test_sum_model_and_check_are_chosen_by_mouse_and_keys(live_page, figure):
    page = live_page(figure)
    choose(page, "check", 1)
    assert [note for *_, note in shown(page)] == ["reward 0", "reward 1", "reward 1"]
    assert "38% of the reward “mentioned”" in page.get_by_role("status").inner_text()
    page.get_by_role("toolbar", name="model").get_by_role("button").first.press("End")
    assert shown(page)[0] == ("8␣2", "88%", "reward 1")
    choose(page, "sum", 1)
    assert shown(page) == [("7␣3", "100%", "reward 1")]
    choose(page, "model", 0)
    assert shown(page)[1] == ("(nothing)", "13%", "reward 0")


def test_the_advantages_of_a_group_are_those_of_python(live_page, figure):
    page = live_page(figure)
    choose(page, "check", 1)
    for _ in range(6):
        page.get_by_role("button", name="Draw 8 replies").click()
        rows = page.get_by_role("list", name="a group of replies").get_by_role("listitem")
        found = [re.fullmatch(r"(.*): reward (\d), advantage (.*)", text).groups()
                 for text in rows.all_inner_texts()]  # fmt: skip
        assert len(found) == 8
        rewards = torch.tensor([float(reward) for _, reward, _ in found])
        # exact: 0 or 1
        assert rewards.tolist() == [CHECKS["mentioned"](text, "37 + 45") for text, *_ in found]
        expected = group_advantages(rewards[None])[0]
        said = torch.tensor([float(text.replace("−", "-")) for *_, text in found])
        torch.testing.assert_close(said, expected, atol=0.0051, rtol=0)


def test_a_group_without_a_difference_teaches_nothing(live_page, figure):
    page = live_page(figure)
    choose(page, "model", 1)
    choose(page, "sum", 1)
    page.get_by_role("button", name="Draw 8 replies").press("Enter")
    assert "nothing can be learned" in page.get_by_role("status").inner_text()
    assert "advantage 0.00" in page.get_by_role("list", name="a group of replies").inner_text()


def test_without_scripts_the_replies_are_a_plot(live_page, figure):
    page = live_page(figure, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == figure.picture.alt


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_replies_fit_and_are_legible(live_page, figure, theme, width):
    page = live_page(figure, theme=theme, width=width)
    page.get_by_role("button", name="Draw 8 replies").click()
