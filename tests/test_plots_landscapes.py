"""lmcourse.plots.landscape: heights as shades, paths as lines, and what is told of both."""

import pytest
import torch

from lmcourse.plots import landscape


def bowl(n=20, span=2.0):
    middles = (torch.arange(n) + 0.5) * 2 * span / n - span
    x, y = middles.expand(n, n), middles[:, None].expand(n, n)
    return (x - 1) ** 2 + 4 * (y + 0.5) ** 2


def test_it_says_where_it_is_lowest_and_where_each_path_goes():
    path = torch.tensor([[-1.5, 1.0], [0.0, 0.0], [1.0, -0.5]])
    picture = landscape(
        bowl(), [0.5, 1, 2], {"SGD": path}, ("a", "b"), span=2.0, caption="*See* it."
    )
    assert "over a and b" in picture.alt
    assert "near 0.9, -0.5" in picture.alt or "near 1.1, -0.5" in picture.alt
    assert "SGD goes from -1.5, 1.0 to 1.0, -0.5" in picture.alt
    assert "<em>See</em>" in picture._repr_html_()
    # exact: the same characters
    assert picture.svg == picture.svg


def test_higher_is_darker_and_a_path_has_its_name():
    picture = landscape(bowl(), [0.5, 1, 2], {"a way": [[0, 0], [1, 1]]}, ("a", "b"), span=2.0)
    (areas,) = picture.figure.axes[0].collections[:1]
    low, *_, high = areas.get_paths()
    assert low.contains_point((1.0, -0.5))
    assert not low.contains_point((-1.99, -1.99))
    assert high.contains_point((-1.99, -1.99)), "up to the corner"
    alphas = areas.get_facecolor()[:, 3].tolist()
    assert alphas == sorted(set(alphas))
    assert len(alphas) == 4
    assert ">a way<" in picture.svg


def test_a_fine_map_weighs_no_more_than_a_coarse_one_by_far():
    """A page holds several pictures, and 600 kB at most."""
    coarse, fine = (
        len(landscape(bowl(n), [0.5, 1, 2], {}, ("a", "b"), span=2.0).svg) for n in (10, 80)
    )
    assert fine < 4 * coarse
    assert len(landscape(bowl(), [1.0], {}, ("a", "b"), span=2.0).svg) > 0, "a single edge"


@pytest.mark.parametrize(
    ("heights", "edges", "words"),
    [
        (torch.zeros(3, 4), [1.0], r"heights must be a square, got the shape \(3, 4\)"),
        (torch.zeros(3, 3), [1.0, 1.0], r"edges must rise, got \[1.0, 1.0\]"),
        (torch.zeros(3, 3), [], r"edges must rise, got \[\]"),
    ],
)
def test_what_is_no_map_is_refused(heights, edges, words):
    with pytest.raises(ValueError, match=words):
        landscape(heights, edges, {}, ("a", "b"), span=1.0)
