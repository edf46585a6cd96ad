"""Groups that nobody named: k-means, and how well its groups match classes that are known.

Chapter: book/neurons.md
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def k_means(
    points: Float[Tensor, "N C"], k: int, generator: torch.Generator, n_starts: int = 10
) -> Int[Tensor, "N"]:
    """The group of each point, 0 … k − 1, so that points lie close to the mean of their group.

    From each start, points join the nearest center and centers move to the mean of their points
    until nothing changes; the start with the least sum of squared distances counts.

    Args:
        generator: draws the points at which centers start; on the CPU.

    Reference: Lloyd (1982), https://doi.org/10.1109/TIT.1982.1056489, started as in Arthur and
        Vassilvitskii (2007), https://dl.acm.org/doi/10.5555/1283383.1283494
    """
    if not 1 <= k <= len(points):
        raise ValueError(
            f"k must be between 1 and the number of points, got k={k} for {len(points)} points"
        )
    if n_starts < 1:
        raise ValueError(f"n_starts must be at least 1, got n_starts={n_starts}")
    found = [_settle(points, _far_apart(points, k, generator)) for _ in range(n_starts)]
    return min(found, key=lambda groups: spread(points, groups))


def spread(points: Float[Tensor, "N C"], groups: Int[Tensor, "N"]) -> float:
    """The sum of the squared distances of all points to the mean of their group."""
    own = [points[groups == group] for group in groups.unique()]
    return sum(float((each - each.mean(0)).square().sum()) for each in own)


def purity(groups: Int[Tensor, "N"], classes: Int[Tensor, "N"]) -> float:
    """The share of points that are of the class which is most frequent in their group.

    Groups of one point each have a purity of 1: compare only equal numbers of groups.

    Example:
        >>> purity(torch.tensor([0, 0, 0, 1]), torch.tensor([5, 5, 2, 2]))
        0.75
    """
    if groups.shape != classes.shape or not len(groups):
        raise ValueError(
            "groups and classes must have one shape, and not be empty, got"
            f" {tuple(groups.shape)} and {tuple(classes.shape)}"
        )
    _, classes = classes.unique(return_inverse=True)
    own = [classes[groups == group].bincount().max() for group in groups.unique()]
    return int(sum(own)) / len(groups)


def _far_apart(
    points: Float[Tensor, "N C"], k: int, generator: torch.Generator
) -> Float[Tensor, "K C"]:
    """k of the points, each drawn with a chance that grows with its distance to those drawn."""
    chosen = [int(torch.randint(len(points), (), generator=generator))]
    for _ in range(k - 1):
        distances = torch.cdist(points, points[chosen]).amin(1).square().cpu()
        # Where all points are alike, any will do.
        odds = distances if float(distances.sum()) > 0 else torch.ones(len(points))
        chosen.append(int(torch.multinomial(odds, 1, generator=generator)))
    return points[chosen]


def _settle(points: Float[Tensor, "N C"], centers: Float[Tensor, "K C"]) -> Int[Tensor, "N"]:
    """The groups at which nothing moves any more."""
    groups = torch.cdist(points, centers).argmin(1)
    for _ in range(10 * len(points)):  # each round lowers the spread: it ends long before
        centers = torch.stack(
            [
                points[groups == group].mean(0) if (groups == group).any() else center
                for group, center in enumerate(centers)
            ]
        )
        moved = torch.cdist(points, centers).argmin(1)
        if torch.equal(moved, groups):  # exact: the numbers of groups
            break
        groups = moved
    return groups
