"""lmcourse.plots.planes: what a network says on a square, in words and in color."""

import pytest
import torch

from lmcourse.plots import planes

POINTS, CLASSES = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [1, 0, 0, 1]
LABELS = ["a", "b", "c", "d"]


def grid(rule, n=20):
    """Rows go up, columns to the right."""
    middles = -0.5 + (torch.arange(n) + 0.5) * 2 / n
    across, up = middles.expand(n, n), middles[:, None].expand(n, n)
    return rule(across, up).float() * 0.8 + 0.1


def draw(**squares):
    return planes(squares, POINTS, CLASSES, ("no", "yes"), LABELS, ("x", "y"), caption="*See* it.")


def test_it_says_how_many_points_each_square_has_on_their_side():
    picture = draw(
        whole=grid(lambda x, y: (x > 0.5) == (y > 0.5)), right=grid(lambda x, y: x > 0.5)
    )
    assert "whole: 4 of 4 points" in picture.alt
    assert "right: 2 of 4 points" in picture.alt
    assert "a yes, b no" in picture.alt
    assert "<em>See</em>" in picture._repr_html_()
    # exact: the same characters
    assert picture.svg == picture.svg


def test_up_is_up():
    squares = {"up": grid(lambda x, y: y > 0.5), "right": grid(lambda x, y: x > 0.5)}
    picture = planes(squares, POINTS, [0, 0, 1, 1], ("no", "yes"), LABELS, ("x", "y"))
    assert "up: 4 of 4" in picture.alt
    assert "right: 2 of 4" in picture.alt


def test_a_square_without_a_boundary_is_drawn_as_well():
    assert "flat: 2 of 4" in draw(flat=torch.full((8, 8), 0.2)).alt


def test_refusals():
    with pytest.raises(
        ValueError, match=r"probs\['x'\] must be a square of numbers between 0 and 1"
    ):
        draw(x=grid(lambda x, y: x > 0) * 5)
    with pytest.raises(ValueError, match=r"probs\['x'\].*got the shape \(2, 3\)"):
        draw(x=torch.full((2, 3), 0.5))
    with pytest.raises(ValueError, match=r"points, classes and labels must be as many"):
        planes({"x": grid(lambda x, y: x > 0)}, POINTS, CLASSES, ("no", "yes"), ["a"], ("x", "y"))
