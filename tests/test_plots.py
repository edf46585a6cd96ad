"""lmcourse.plots: pictures that say what they show, the same on every machine and every page."""

import itertools
import re
import warnings
import xml.etree.ElementTree as ElementTree
from functools import cache

import matplotlib
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import rng

from lmcourse.attention import attention_weights, causal_mask
from lmcourse.plots import (
    COLORS,
    INK,
    ROLES,
    Picture,
    attention_arcs,
    attention_map,
    bar_plot,
    dials,
    heat_map,
    line_plot,
    word_places,
)

WORDS = ["the", "tired", "cat", "sat", "down"]


def some_weights(n_heads=None, n=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*([n_heads] if n_heads else []), n, 8, generator=generator)
    return attention_weights(x, x.roll(1, -2), causal_mask(n))


PICTURES = {
    "map": lambda: attention_map(some_weights(), WORDS, title='Who <looks> at "whom" & why'),
    "heads": lambda: attention_map(some_weights(5), WORDS),
    "big map": lambda: attention_map(some_weights(n=40), [f"word {i}" for i in range(40)]),
    "lines": lambda: line_plot([1, 2, 4], {"a": [3, 1, 2], "b": [0.1, 1, 9]}, "x", "y", log_x=True),
    "one line": lambda: line_plot(
        range(30), {"loss": torch.linspace(3, 1, 30)}, "step", "loss", log_y=True
    ),
    "bars": lambda: bar_plot(["p", "q"], {"before": [1, 2], "after": [0.5, -1]}, "points"),
    "one row": lambda: attention_map(torch.eye(12)[:1], ["a"], [f"key {i}" for i in range(12)]),
    "arcs": lambda: attention_arcs([0.1, 0.02, 0.6, 0.2, 0.08], WORDS, 4, title="Who?"),
    "dials": lambda: dials(
        {"a\nrow": {"query": [[1, 0], [0, 1]], "key": [[0, 2], [-1, 0]]}},
        ["here", "there"],
        colors={"query": "query", "key": "key"},
    ),
    "places": lambda: word_places(torch.randn(9, 2, generator=rng()), [*"abcdefghi"], ["c", "a"]),
    "heat": lambda: heat_map(torch.linspace(-1, 2, 60).view(12, 5), "number", "position"),
    "seeds": lambda: bar_plot(
        ["p"],
        {"right": [[0.2], [0.4]]},
        "share",
        percent=True,
        levels={"chance": 0.125},
        caption="Two seeds, *far* apart & < 1.",
    ),
}
each_picture = pytest.mark.parametrize("name", PICTURES)


@cache
def drawn(name):
    picture = PICTURES[name]()
    return picture, picture.svg


def luminance(color):
    """As WCAG 2 defines it: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


# ---------------------------------------------------------------- every picture


@each_picture
def test_a_picture_is_an_image_with_a_name(name):
    picture, svg = drawn(name)
    figure = ElementTree.fromstring(picture._repr_html_())
    assert (figure.tag, figure.get("class")) == ("figure", "lm-picture")
    assert ElementTree.tostring(figure[0]) == ElementTree.tostring(ElementTree.fromstring(svg))
    assert figure[0].get("role") == "img"
    assert figure[0].get("aria-label") == picture.alt
    assert len(picture.alt) > 20
    assert repr(picture) == f"Picture: {picture.alt}"


@each_picture
def test_a_picture_is_the_same_each_time_whatever_the_reader_s_own_style(name):
    picture, svg = drawn(name)
    theirs = {"text.color": "red", "axes.edgecolor": "red", "font.size": 30, "svg.hashsalt": "x"}
    with matplotlib.rc_context(theirs):
        again = PICTURES[name]()
        assert again.alt == picture.alt
        assert again.svg == svg
    assert not re.search(r"20\d\d-\d\d-\d\d", svg), "a date"


@each_picture
def test_nothing_is_drawn_in_black_or_on_white(name):
    """Text and axes take the page's colors; all else is a color that both pages can show."""
    _, svg = drawn(name)
    assert INK not in svg
    assert set(re.findall(r"#[0-9a-f]{6}", svg)) <= set(COLORS)
    assert not re.search(r"(fill|stroke): *(black|white|rgb)", svg)
    # The text of a formula stands in a group that has the color.
    words = r'<text[^>]*(?:currentColor|var\(--lm-)|<g style="fill: currentColor"[^>]*><text>'
    colored = re.findall(words, svg)
    assert len(colored) == svg.count("<text") > 0


@each_picture
def test_a_picture_does_not_touch_the_rest_of_the_page(name):
    _, svg = drawn(name)
    assert svg.startswith("<svg ")
    assert svg.endswith("</svg>")
    assert "<style" not in svg
    assert "http" not in svg.replace("http://www.w3.org/", "")


def test_ids_are_unique_on_a_page_and_every_reference_has_one():
    page = "".join(drawn(name)[1] for name in PICTURES)
    ids = re.findall(r' id="([^"]+)"', page)
    assert ids
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', page)) == set(ids)


@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("page", ["#ffffff", "#121212"])
def test_colors_are_legible_on_both_pages(color, page):
    assert contrast(color, page) >= 3  # WCAG 2.1, 1.4.11: graphics


def test_numbers_are_legible_on_the_strongest_cell():
    """Text of the theme, in light and dark, over 85 % of the first color on the page."""
    for page, text in (("#ffffff", "#222832"), ("#121212", "#ced6dd")):
        mixed = [
            round(0.85 * int(COLORS[0][i : i + 2], 16) + 0.15 * int(page[i : i + 2], 16))
            for i in (1, 3, 5)
        ]
        assert contrast("#" + "".join(f"{value:02x}" for value in mixed), text) >= 3


def test_text_keeps_its_numbers():
    """Only coordinates are rounded."""
    picture = bar_plot(["0.0625"], {"share": [0.0625]}, "share of 0.0625")
    texts = "".join(ElementTree.fromstring(picture.svg).itertext())
    assert texts.count("0.0625") >= 1
    assert "0.06" in texts, "a bar is labelled with two decimals"


# ---------------------------------------------------------------- attention_map


def test_a_map_tells_who_looks_at_whom():
    weights = torch.tensor([[1.0, 0, 0], [0.25, 0.75, 0], [0, 0, 0]])
    picture = attention_map(weights, ["a", "b", "c"], title="Three words")
    assert picture.alt == (
        "Three words. Attention map, 3 queries by 3 keys. “a” looks most at “a” (1.00); "
        "“b” looks most at “b” (0.75); “c” looks at nothing."
    )
    texts = list(ElementTree.fromstring(picture.svg).itertext())
    assert texts.count("0.25") == texts.count("0.75") == texts.count("1.00") == 1
    assert texts.count("0") == 6, "a weight of exactly zero is a bare 0"


def test_a_map_tells_when_all_are_equal():
    picture = attention_map(torch.full((1, 4), 0.25), ["r"], list("abcd"))
    assert "“r” looks equally at 4 keys (0.25 each)" in picture.alt


def test_a_map_has_a_part_for_each_head():
    alt = attention_map(some_weights(3), WORDS).alt
    assert alt.startswith("Attention map, 3 heads, 5 queries by 5 keys. Head 1: ")
    assert "Head 3: " in alt
    assert "Head 4: " not in alt


def test_maps_stand_under_their_names():
    picture = attention_map(some_weights(2), WORDS, names=["slope ½", "slope ¼"])
    assert "Slope ½: " in picture.alt
    assert "Slope ¼: " in picture.alt
    assert ">slope ¼<" in picture.svg
    with pytest.raises(ValueError, match="names must name each map, got 1 for 2 maps"):
        attention_map(some_weights(2), WORDS, names=["slope ½"])


def test_a_long_map_is_told_by_its_strongest_rows():
    weights = some_weights(n=40)
    alt = attention_map(weights, [f"w{i}" for i in range(40)]).alt
    assert alt.count("looks") == 12
    assert "“w0” looks most at “w0” (1.00)" in alt


def test_labels_may_be_chinese():
    svg = attention_map(torch.eye(2), ["我", "程序员"]).svg
    assert "程序员" in svg


@settings(max_examples=6)
@given(n=st.integers(1, 12), n_keys=st.integers(1, 12), seed=st.integers(0, 99))
def test_the_strongest_key_is_the_one_that_is_told(n, n_keys, seed):
    generator = torch.Generator().manual_seed(seed)
    weights = (5 * torch.randn(n, n_keys, generator=generator)).softmax(-1)
    alt = attention_map(weights, [f"q{t}" for t in range(n)], [f"k{s}" for s in range(n_keys)]).alt
    for t in range(n):
        s = int(weights[t].argmax())
        said = re.search(rf"“q{t}” looks (most at “k{s}” \({weights[t, s]:.2f}\)|equally)", alt)
        assert said


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.bool, torch.float64])
def test_weights_of_any_dtype_can_be_shown(dtype):
    weights = torch.eye(2).to(dtype).requires_grad_(dtype.is_floating_point)
    assert "“a” looks most at “a” (1.00)" in attention_map(weights, ["a", "b"]).alt


def test_a_map_refuses_what_it_cannot_show():
    with pytest.raises(ValueError, match=r"got 3 queries and 3 keys for weights of shape \(2, 2\)"):
        attention_map(torch.eye(2), list("abc"))
    with pytest.raises(ValueError, match=r"got \(1, 2, 3, 3\): choose one item of the batch"):
        attention_map(torch.zeros(1, 2, 3, 3), list("abc"))
    with pytest.raises(ValueError, match=r"none of them 0, got \(1, 0, 0\)"):
        attention_map(torch.zeros(0, 0), [])
    for wrong, said in ((torch.eye(2) * 2, "0 to 2"), (torch.eye(2) - 0.5, "-0.5 to 0.5")):
        with pytest.raises(ValueError, match=f"weights must lie between 0 and 1, got {said}"):
            attention_map(wrong, list("ab"))
    with pytest.raises(ValueError, match="got nan to nan"):
        attention_map(torch.full((2, 2), torch.nan), list("ab"))


def test_maps_of_three_heads_stand_in_one_row():
    svg = attention_map(some_weights(3, n=12), [f"{i}" for i in range(12)]).svg
    titles = re.findall(r"translate\(([\d.]+) ([\d.]+)\)[^>]*>head \d<", svg)
    heights = {y for _, y in titles} or set(re.findall(r'y="([\d.]+)"[^>]*>head \d<', svg))
    assert len(heights) == 1


# ---------------------------------------------------------------- line_plot, bar_plot


def test_a_line_is_told_by_its_ends_and_extremes():
    lines = {"loss": [3.0, 1.0, 2.0], "flat": [0.5, 0.5, 0.5], "lost": [torch.nan] * 3}
    alt = line_plot([1, 10, 100], lines, "step", "nats", "Training", log_x=True).alt
    assert alt == (
        "Training. Line plot of nats over step, 1 to 100. loss: from 3 to 2, lowest 1 at 10. "
        "flat: from 0.5 to 0.5. lost: no values."
    )


def test_bars_are_told_by_their_values():
    alt = bar_plot(["mat", "moon"], {"probs": torch.tensor([0.7, 0.3])}, "probability").alt
    assert alt == "Bar plot of probability. probs: mat 0.7, moon 0.3."


def test_lines_differ_by_more_than_color():
    svg = line_plot([1, 2], {name: [1, 2] for name in "abcdef"}, "x", "y").svg
    assert len(set(re.findall(r"stroke-dasharray: ([^;\"]+)", svg))) >= 5


def test_each_line_has_its_name():
    svg = line_plot([1, 2], {"first": [1, 2], "second": [2, 1]}, "x", "y").svg
    assert ">first<" in svg
    assert ">second<" in svg


def test_seeds_are_dots_and_told():
    runs = [[0.2, 0.4], [0.4, 0.6], [0.3, 0.8]]
    picture = line_plot([1, 2], {"right": runs}, "x", "share", percent=True)
    assert "right: from 30% to 60%, 3 seeds end between 40% and 80%." in picture.alt
    assert picture.svg.count("<use") > line_plot([1, 2], {"right": [1, 2]}, "x", "y").svg.count(
        "<use"
    )
    bars = bar_plot(["p", "q"], {"right": runs}, "share", percent=True)
    assert "right: p 30% (3 seeds, 20% to 40%), q 60% (3 seeds, 40% to 80%)." in bars.alt
    assert ">30%<" in bars.svg


def test_floors_and_ceilings_are_drawn_and_told():
    for picture in (
        line_plot([1, 2], {"a": [1, 2]}, "x", "y", levels={"chance": 0.5, "most": 3}),
        bar_plot(["p"], {"a": [1]}, "y", levels={"chance": 0.5, "most": 3}),
    ):
        assert picture.alt.endswith("Level, chance: 0.5. Level, most: 3.")
        assert ">chance<" in picture.svg
        assert ">most<" in picture.svg


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([2.2, 25.0], ["5", "10", "20"]),
        ([2.7, 7.5], ["3", "4", "5", "6", "7"]),
        ([1, 9000], ["1", "10", "100", "1,000"]),
        ([1e-30, 1], ["10⁻³⁰", "1"]),
    ],
)
def test_log_axes_have_numbers_as_people_write_them(values, labels):
    svg = line_plot([1, 2], {"a": values}, "x", "y", log_y=True).svg
    written = re.findall(r">([^<>]+)</text>", svg)
    assert [label for label in labels if label not in written] == []
    assert not re.search(r"×|mathdefault", svg)


def test_bars_are_labelled_with_two_decimals_or_as_they_are():
    def labels(values, **options):
        svg = bar_plot(["p", "q"], {"a": values}, "y", **options).svg
        return re.findall(r">([^<>]+)</text>", svg)[-2:]

    assert labels([0.7054, 1]) == ["0.71", "1.00"]
    assert labels([0.0021, 0.932]) == ["0.002", "0.93"]
    assert labels([-8e-5, 0.932]) == ["≈ 0", "0.93"]
    assert labels([3, -4]) == ["3", "−4"]
    assert labels([0.123, 1], percent=True) == ["12%", "100%"]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_values_of_bars_are_not_written_over_each_other(sign):
    labels = list("pqrst")
    names = {"first": [sign] * 5, "second": [sign] * 5}
    picture = bar_plot(labels, names, "y", percent=True)
    picture.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in picture.figure.axes[0].texts]
    assert len(boxes) == 10
    assert [(a, b) for a, b in itertools.combinations(boxes, 2) if a.overlaps(b)] == []


def test_labels_of_bars_are_not_written_over_each_other():
    labels = ["words alone", "not trained", "BERT,\nmean", "trained anew"] * 2
    figure = bar_plot(labels, {"told": [1.0] * 8}, "y").figure
    figure.draw_without_rendering()
    texts = figure.axes[0].get_xticklabels()
    assert [text.get_text().strip() for text in texts] == labels
    # Every other one begins below the two lines of its neighbors.
    assert [text.get_text().startswith("\n\n") for text in texts] == [False, True] * 4
    boxes = [text.get_window_extent() for text in texts]
    for row in (boxes[::2], boxes[1::2]):
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(row))


def test_labels_of_bars_that_have_room_stand_in_one_row():
    figure = bar_plot(["words", "not trained"], {"told": [1.0, 2.0]}, "y").figure
    texts = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert texts == ["words", "not trained"]


def test_the_legend_lies_above_the_axes():
    figure = line_plot([1, 2], {"first": [1, 2], "second": [2, 1]}, "x", "y").figure
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert legend.y0 >= figure.axes[0].get_window_extent().y1


def test_a_figure_fits_a_phone():
    """At 358 px, which a phone has, text of 11.5 points is at least 10 px high."""
    for name in PICTURES:
        width = float(re.search(r'<svg[^>]* width="([\d.]+)pt"', drawn(name)[1])[1])
        assert 11.5 * min(1.333, 358 / width) >= 10, f"{name}: {width} points"


def test_a_caption_stands_in_the_figure():
    html = drawn("seeds")[0]._repr_html_()
    assert "<figcaption>Two seeds, <em>far</em> apart &amp; &lt; 1.</figcaption></figure>" in html
    assert "<figcaption" not in drawn("bars")[0]._repr_html_()


def test_a_role_has_its_color_whatever_its_place():
    svg = line_plot([1, 2], {"a": [1, 2], "k": [2, 1]}, "x", "y", colors={"a": "value"}).svg
    assert ROLES["value"] in svg
    assert COLORS[0] not in svg
    with pytest.raises(ValueError, match=r"colors\['a'\] must be a role, got 'keys'"):
        line_plot([1, 2], {"a": [1, 2]}, "x", "y", colors={"a": "keys"})


def test_plots_refuse_values_that_do_not_fit():
    with pytest.raises(ValueError, match=r"lines\['b'\] must have a value for each x, got 3 for 2"):
        line_plot([1, 2], {"a": [1, 2], "b": [1, 2, 3]}, "x", "y")
    with pytest.raises(
        ValueError, match=r"bars\['a'\] must have a value for each label, got 1 for 2"
    ):
        bar_plot(["p", "q"], {"a": [1]}, "y")


def test_a_picture_is_frozen():
    picture, _ = drawn("bars")
    assert isinstance(picture, Picture)
    with pytest.raises(AttributeError):
        picture.alt = "another"


def test_names_in_any_script_are_drawn_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = bar_plot(["歌", "首"], {"seen": [0.5, 1.0]}, "probability")
        assert "歌" in picture.svg
