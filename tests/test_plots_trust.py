"""lmcourse.plots.trust: intervals, and how sure against how right."""

import pytest

from lmcourse.plots import COLORS, interval_plot, reliability_plot

INTERVALS = {"a": (0.1, 0.2, 0.3), "b": (0.5, 0.6, 0.7)}
ROWS = {"before": [(0.6, 0.5, 10), (0.95, 0.7, 90)], "after": [(0.7, 0.7, 100)]}


def test_an_interval_that_misses_the_truth_has_another_color():
    assert COLORS[1] not in interval_plot(INTERVALS, "share").svg
    assert (
        COLORS[1] not in interval_plot({"a": (0.1, 0.2, 0.3)}, "share", levels={"truth": 0.3}).svg
    )
    assert COLORS[1] in interval_plot(INTERVALS, "share", levels={"truth": 0.25}).svg


def test_intervals_are_told():
    picture = interval_plot(INTERVALS, "share", levels={"truth": 0.25}, caption="Two.")
    assert picture.alt == (
        "2 intervals of share. a: 0.2, from 0.1 to 0.3. b: 0.6, from 0.5 to 0.7."
        " Level, truth: 0.25. 1 of them do not hold truth."
    )
    assert ">a<" in picture.svg
    assert "<figcaption>Two.</figcaption>" in picture._repr_html_()


def test_many_intervals_need_no_names():
    many = {f" {i}": (0.0, 0.5, 1.0) for i in range(40)}
    picture = interval_plot(many, "share", levels={"truth": 2.0})
    assert picture.alt == "40 intervals of share. Level, truth: 2. 40 of them do not hold truth."
    assert "> 1<" not in picture.svg


def test_an_interval_without_its_value_is_refused():
    with pytest.raises(ValueError, match=r"\(low, value, high\), got \(0.3, 0.2, 0.4\)"):
        interval_plot({"a": (0.3, 0.2, 0.4)}, "share")


def test_a_reliability_diagram_is_told_by_its_bins():
    picture = reliability_plot(ROWS)
    assert picture.alt == (
        "Reliability diagram. before: sure 0.60, right 0.50 (10 answers); sure 0.95, right 0.70"
        " (90 answers). after: sure 0.70, right 0.70 (100 answers)."
    )
    assert [
        name for name in ("calibrated", "before", "after") if f">{name}<" not in picture.svg
    ] == []
    assert ">50%<" in picture.svg.replace("</tspan>", "")
