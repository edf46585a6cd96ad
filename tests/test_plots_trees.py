"""lmcourse.plots.trees: what was kept and dropped can be read from the picture and its words."""

import math

import pytest

from lmcourse.plots import search_tree, tree_layout


def branch(parent, token, prob, kept=True):
    return {"parent": parent, "token": token, "log_prob": math.log(prob), "kept": kept}


#          ┌ a ┬ c (kept, ends, 0.3)
#  start ──┤   └ d (dropped)
#          ├ b ── e (kept, ends, 0.4)
#          └ f (dropped)
TREE = [
    branch(-1, "a", 0.5),
    branch(-1, "b", 0.4),
    branch(-1, "f", 0.1, kept=False),
    branch(0, "c", 0.3),
    branch(0, "d", 0.2, kept=False),
    branch(1, "e", 0.4),
]


def test_ends_are_in_rows_of_their_own_and_others_between_those_that_follow():
    depths, rows = tree_layout(TREE)
    assert depths == [0, 0, 0, 1, 1, 1]
    assert sorted(rows[place] for place in (2, 3, 4, 5)) == [0, 1, 2, 3]
    assert rows[0] == rows[3]  # exact: as high as the only one that was kept
    assert rows[1] == rows[5]  # exact: likewise


def test_the_words_name_each_text_that_was_kept_and_the_best():
    picture = search_tree(TREE, title="Beam", caption="Two texts.")
    assert picture.alt == (
        "Beam. Search tree of 6 branches. Kept to the end: “ac” 30%, “be” 40%. Dropped on the way:"
        " 2. The best: “be”."
    )
    assert picture.caption == "Two texts."


def test_the_best_text_is_bold_and_what_was_dropped_pale():
    figure = search_tree(TREE).figure
    texts = {text.get_text(): text for text in figure.axes[0].texts}
    assert texts["e"].get_fontweight() == texts["b"].get_fontweight() == "bold"
    assert texts["c"].get_fontweight() == "normal"
    assert texts["d"].get_alpha() < texts["c"].get_alpha()
    assert {"30%", "40%"} <= set(texts)


def test_a_small_probability_keeps_a_digit():
    assert "0.03%" in search_tree([branch(-1, "a", 0.0003)]).alt


def test_branches_come_after_what_they_go_on_from():
    with pytest.raises(ValueError, match=r"got branches\[0\]\['parent'\]=1"):
        search_tree([branch(1, "a", 0.5), branch(-1, "b", 0.5)])
    with pytest.raises(ValueError, match="branches must be at least one, got none"):
        search_tree([])
