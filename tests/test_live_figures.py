"""lmcourse.live_figures and book/_static/live: what the reader touches shows Python's numbers."""

import inspect
import json
import re
from pathlib import Path

import pytest
import torch
from book_pages import chapters, read_page, read_table

from lmcourse import live_figures, quiz
from lmcourse.attention import attention, causal_mask
from lmcourse.generation import keep_top_k, keep_top_p
from lmcourse.live_figures import descents, mechanisms, models
from lmcourse.plots import LivePicture, bar_plot, live

ROOT = Path(__file__).resolve().parent.parent
LIVE = ROOT / "book/_static/live"

WORDS = ["mat", "sofa", "moon", "tax"]
LOGITS = [2.0, 1.5, 0.0, -1.0]
TOKENS = ["the", "tired", "cat", "sat"]


def row_figure(seed=0):
    dice = torch.Generator().manual_seed(seed)
    query, key, value = (torch.randn(4, d, generator=dice) for d in (6, 6, 2))
    return live_figures.attention_row(query, key, value, TOKENS, mask=causal_mask(4))


def data_of(figure):
    return json.loads(re.search(r'application/json">(.*?)</script>', figure._repr_html_())[1])


# ---------------------------------------------------------------- the contract


def test_each_chapter_has_a_figure_to_touch_or_its_row_says_why_none_would_help():
    reasons = {row["page"]: row for row in read_table("experiments.csv")
               if row["claim"] == "No figure to touch would help here"}  # fmt: skip
    for slug in chapters():
        has_one = "live_figures" in read_page(slug).text
        assert has_one or slug in reasons, f"{slug} must have a live figure or say why none helps"
        assert not (has_one and slug in reasons), (
            f"{slug} has a live figure: its row is out of date"
        )


def test_each_kind_has_its_module_and_its_function_and_each_file_a_test():
    modules = {path.stem: path.read_text("utf-8") for path in LIVE.glob("*.js")}
    kinds = {name for name, text in modules.items() if "\nexport function mount(" in text}
    functions = {
        name
        for module in (descents, mechanisms, models, quiz)
        for name, each in inspect.getmembers(module, inspect.isfunction)
        if each.__module__ == module.__name__ and not name.startswith("_")
    }
    assert kinds == functions
    assert functions == {*live_figures.__all__, "quiz"}, "a page imports it from live_figures"
    tests = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    for path in LIVE.glob("*.*"):
        assert any(f"# {path.name}\n" in text for text in tests), f"no test names {path.name}"


def test_live_modules_can_be_read_in_one_sitting_and_load_only_each_other():
    for path in LIVE.glob("*.js"):
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 250, path.name
        assert text.startswith("// "), f"{path.name} must begin with what it does"
        code = re.sub(r"^\s*//.*", "", text, flags=re.MULTILINE)
        assert "http" not in code, f"{path.name} must load nothing from another host"
        for name in re.findall(r'from "([^"]+)"', text):
            assert (LIVE / name).is_file(), f"{path.name} imports {name}"
        # Nothing moves by itself, and what Python wrote is never read as HTML.
        assert not re.search(r"setInterval|innerHTML|insertAdjacentHTML|\beval\b", text), path.name


# live.js
def test_without_scripts_a_figure_is_its_picture(live_page):
    figure = live_figures.softmax(WORDS, LOGITS)
    page = live_page(figure, script=False)
    assert page.get_by_role("img").get_attribute("aria-label") == figure.picture.alt
    assert page.get_by_role("img").is_visible()
    assert page.get_by_role("slider").count() == 0


def test_a_mounted_figure_takes_the_place_of_its_picture(live_page):
    page = live_page(live_figures.softmax(WORDS, LOGITS), row_figure())
    assert page.locator("figure svg").count() == 2
    assert page.get_by_role("img").count() == 0, "hidden from everybody"
    assert page.get_by_role("slider").count() == 3


@pytest.mark.parametrize(
    "figure",
    [
        live("no_such_kind", {}, bar_plot(["a"], {"x": [1]}, "y")),
        live("softmax", {"words": None}, bar_plot(["a"], {"x": [1]}, "y")),
    ],
)
def test_a_figure_that_fails_stays_a_picture_and_says_why(live_stage, figure):
    page = live_stage.open(figure, script=False)
    page.add_script_tag(url="_static/live/live.js", type="module")
    page.wait_for_function("1")
    page.wait_for_timeout(300)
    assert page.get_by_role("img").is_visible()
    assert page.locator("figure > *").count() == 2, "the picture and its numbers"
    said = [text for text in live_stage.heard if "stays a picture" in text]
    assert len(said) == 1
    live_stage.heard.clear()


# live.css
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_figures_fit_and_are_legible_in_both_themes_and_on_a_phone(live_page, theme, width):
    live_page(live_figures.softmax(WORDS, LOGITS), row_figure(), theme=theme, width=width)


# ---------------------------------------------------------------- the numbers that go along


def test_numbers_are_plain_and_short_and_texts_cannot_end_the_script():
    picture = bar_plot(["a"], {"x": [1]}, "y")
    numbers = {"t": torch.tensor([[1 / 3, 2.0]]), "n": None, "b": torch.tensor([True])}
    figure = live("softmax", numbers | {"text": "</script><b>„ü“"}, picture)
    # exact: five digits are what JSON holds.
    assert data_of(figure) == {
        "t": [[0.33333, 2.0]], "n": None, "b": [True], "text": "</script><b>„ü“",
    }  # fmt: skip
    assert figure._repr_html_().count("</script>") == 1
    assert isinstance(figure, LivePicture)
    assert repr(figure) == repr(picture)


def test_what_json_cannot_hold_is_refused_by_its_place():
    picture = bar_plot(["a"], {"x": [1]}, "y")
    with pytest.raises(ValueError, match=r"data\['x'\]\[1\] must be .* a finite number .* got inf"):
        live("softmax", {"x": [1.0, float("inf")]}, picture)
    with pytest.raises(ValueError, match=r"data\['x'\] must be a text, .* got <object"):
        live("softmax", {"x": object()}, picture)
    with pytest.raises(ValueError, match=r"name of a module in .*, got kind='\.\./x'"):
        live("../x", {}, picture)


# ---------------------------------------------------------------- softmax


ASK_ODDS = """async ([logits, rules]) =>
    (await import('/_static/live/odds.js')).odds(logits, rules)"""


# odds.js
def test_temperature_top_k_and_top_p_are_those_of_python(live_page):
    page = live_page()
    dice = torch.Generator().manual_seed(1)
    for n in (1, 4, 40):
        logits = 2 * torch.randn(n, generator=dice, dtype=torch.float64)
        for temperature in (0.05, 0.7, 1.0, 3.0):
            for k in (1, 3, n):
                for p in (0.1, 0.5, 0.95, 1.0):
                    rules = {"temperature": temperature, "topK": k, "topP": p}
                    ours = keep_top_p(keep_top_k(logits / temperature, k), p).softmax(-1)
                    found = torch.tensor(page.evaluate(ASK_ODDS, [logits.tolist(), rules]))
                    torch.testing.assert_close(found.double(), ours, atol=1e-6, rtol=0)


def test_at_temperature_zero_the_likeliest_is_certain(live_page):
    page = live_page()
    found = page.evaluate(ASK_ODDS, [[1.0, 3.0, 3.0], {"temperature": 0}])
    assert found == [0, 1, 0]


def test_a_draw_falls_where_the_shares_lie(live_page):
    ask = """async () => { const { draw } = await import('/_static/live/odds.js');
        return [0, 0.49, 0.5, 0.99, 1].map(point => draw([0, 0.5, 0, 0.5, 0], point)); }"""
    assert live_page().evaluate(ask) == [1, 1, 3, 3, 3]


def shares(page):
    """What the bars say, by word."""
    rows = page.get_by_role("listitem").all()
    return {
        row.locator(".lm-bar-name").inner_text(): row.locator(".lm-bar-share").inner_text()
        for row in rows
    }


# softmax.js
def test_the_reader_sets_the_temperature_with_the_keyboard(live_page):
    page = live_page(live_figures.softmax(WORDS, LOGITS))
    python = dict(zip(WORDS, torch.tensor(LOGITS).softmax(-1).tolist(), strict=True))
    assert shares(page) == {word: f"{100 * p:.{int(p < 0.0995)}f}%" for word, p in python.items()}
    slider = page.get_by_role("slider", name="temperature")
    for _ in range(20):
        slider.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "0.00"
    assert shares(page) == {
        "mat": "100%",
        "sofa": "left out",
        "moon": "left out",
        "tax": "left out",
    }
    assert page.get_by_role("status").inner_text() == "Only “mat” can be drawn."
    page.get_by_role("button", name="Draw a word").press("Enter")
    assert page.get_by_role("status").inner_text() == "Drawn: “mat”."


def test_top_k_and_top_p_leave_words_out(live_page):
    page = live_page(live_figures.softmax(WORDS, LOGITS))
    page.get_by_role("slider", name="top-k").press("ArrowLeft")
    assert [word for word, text in shares(page).items() if text == "left out"] == ["tax"]
    page.get_by_role("slider", name="top-p").press("Home")
    assert [word for word, text in shares(page).items() if text != "left out"] == ["mat"]


# ---------------------------------------------------------------- attention_row


def cells(page, column):
    return [
        row.locator("th, td").nth(column).inner_text() for row in page.locator("tbody tr").all()
    ]


# attention_row.js
def test_a_row_shows_scores_scale_mask_weights_and_the_mix(live_page):
    figure = row_figure()
    page = live_page(figure)
    data = data_of(figure)
    minus = str.maketrans("-", "−")
    page.get_by_role("button", name="sat").press("ArrowLeft")  # to “cat”, the third
    assert cells(page, 0) == TOKENS
    assert cells(page, 1) == [f"{x:.2f}".translate(minus) for x in data["scores"][2]]
    assert cells(page, 2) == [f"{x / 6**0.5:.2f}".translate(minus) for x in data["scores"][2]]
    assert cells(page, 3) == ["0", "0", "0", "−∞"]
    weights = data["results"]["scaled_masked"]["weights"][2]
    assert cells(page, 4) == [f"{100 * x:.{int(x < 0.0995)}f}%" for x in weights]
    mixed = ", ".join(f"{x:.2f}" for x in data["results"]["scaled_masked"]["mixed"][2])
    assert page.locator(".lm-mixed").inner_text().endswith(f"({mixed.translate(minus)})")
    best = weights.index(max(weights))
    assert (
        page.get_by_role("status").inner_text().startswith(f"“cat” looks most at “{TOKENS[best]}”")
    )


@pytest.mark.parametrize(
    ("off", "name", "columns"),
    [
        ((), "scaled_masked", 6),
        (("mask",), "scaled", 5),
        (("divide by √6",), "masked", 5),
        (("mask", "divide by √6"), "plain", 4),
    ],
)
def test_scale_and_mask_can_be_switched_off(live_page, off, name, columns):
    figure = row_figure()
    page = live_page(figure)
    for label in off:
        page.get_by_label(label).press("Space")
    page.get_by_role("button", name="sat").press("Home")
    assert page.locator("thead th").count() == columns
    weights = data_of(figure)["results"][name]["weights"][0]
    assert cells(page, columns - 2) == [f"{100 * x:.{int(x < 0.0995)}f}%" for x in weights]


def test_the_four_results_are_those_of_attention():
    dice = torch.Generator().manual_seed(3)
    query, key, value = (torch.randn(3, 4, generator=dice) for _ in range(3))
    figure = live_figures.attention_row(query, key, value, list("abc"), mask=causal_mask(3))
    results = data_of(figure)["results"]
    mixed, weights = attention(query, key, value, causal_mask(3))
    torch.testing.assert_close(
        torch.tensor(results["scaled_masked"]["weights"]), weights, atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        torch.tensor(results["scaled_masked"]["mixed"]), mixed, atol=1e-4, rtol=0
    )
    plain = (query @ key.mT).softmax(-1)
    torch.testing.assert_close(torch.tensor(results["plain"]["weights"]), plain, atol=1e-4, rtol=0)
    assert results["masked"]["weights"][0] == pytest.approx([1, 0, 0])


# parts.js
def test_only_the_chosen_chip_is_a_stop_of_the_tab_key(live_page):
    page = live_page(row_figure())
    stops = page.locator(".lm-chip[tabindex='0']")
    assert stops.all_inner_texts() == ["sat"]
    page.get_by_role("button", name="sat").press("ArrowRight")  # there is none further
    page.get_by_role("button", name="sat").press("ArrowLeft")
    assert stops.all_inner_texts() == ["cat"]
    assert page.evaluate("document.activeElement.textContent") == "cat"
    page.get_by_role("button", name="the").click()
    assert stops.all_inner_texts() == ["the"]
    assert page.locator(".lm-chip[aria-pressed='true']").all_inner_texts() == ["the"]


def test_numbers_have_a_true_minus_and_white_space_can_be_seen(live_page):
    ask = """async () => { const parts = await import('/_static/live/parts.js');
        return [parts.decimal(-1.234), parts.decimal(-0.001), parts.percent(0.0994),
                parts.percent(0.256), parts.visible(' a\\n')]; }"""
    assert live_page().evaluate(ask) == ["−1.23", "0.00", "9.9%", "26%", "␣a⏎"]


# ---------------------------------------------------------------- gates and state


def gates_figure(seed=0):
    dice = torch.Generator().manual_seed(seed)
    gates = torch.rand(4, 5, 3, generator=dice)
    probs = torch.randn(5, 2, generator=dice).softmax(-1)
    return live_figures.gates("BadFa", gates, probs, "BF"), gates, probs


def percent(share):
    return f"{100 * share:.{int(share < 0.0995)}f}%"


# gates.js
def test_gates_follow_the_reader_letter_by_letter(live_page):
    figure, gates, probs = gates_figure()
    page = live_page(figure)
    page.get_by_role("button", name="a").last.press("ArrowLeft")  # to “F”, the fourth
    at = gates[:, 3].double().mean(-1)
    found = shares(page)
    assert found["forget"] == percent(at[1].item())
    assert found["input"] == percent(at[0].item())
    assert found["output"] == percent(at[3].item())
    assert [found["B"], found["F"]] == [percent(p) for p in probs[3].tolist()]
    left = [gates[1, s + 1 : 4].double().prod(0).mean().item() for s in range(4)]
    marks = page.locator(".lm-mark-share").all_inner_texts()
    assert marks == [percent(share) for share in left]
    assert page.get_by_role("status").inner_text().startswith("After “F” the forget gate is ")


def state_figure():
    dice = torch.Generator().manual_seed(5)
    sentences = {
        name: (torch.randn(3, 4, generator=dice).tanh(), torch.rand(3, 2, generator=dice))
        for name in ("the dogs near", "the dog near")
    }
    return live_figures.state(sentences, 2, ["sleep", "sleeps"]), sentences


# state.js
def test_the_state_follows_the_reader_word_by_word_and_sentence_by_sentence(live_page):
    figure, sentences = state_figure()
    page = live_page(figure)
    minus = str.maketrans("-", "−")
    for name, word in (("the dogs near", 2), ("the dog near", 1)):
        page.get_by_role("button", name=name, exact=True).press("Enter")
        page.get_by_role("button", name=name.split()[word], exact=True).click()
        states, probs = sentences[name]
        assert page.locator(".lm-cell").count() == 4
        signs = page.locator(".lm-cell").evaluate_all("all => all.map(each => each.dataset.sign)")
        assert signs == ["minus" if x < 0 else "plus" for x in states[word]]
        said = page.get_by_role("status").inner_text()
        number = f"{states[word, 2]:.2f}".translate(minus)
        assert said.startswith(f"After “{name.split()[word]}” unit 3 is {number}; ")
        assert shares(page) == {
            key: percent(p)
            for key, p in zip(("sleep", "sleeps"), probs[word].tolist(), strict=True)
        }
