"""How the loss falls with parameters and tokens: a law, its fit, and how far one may trust it.

Chapter: book/pretraining.md
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Number = float | int
Numbers = Sequence[Number] | np.ndarray

_STEP = 0.01  # between exponents that are tried
_EXPONENTS = np.arange(1, 151) * _STEP
_AT_ONCE = 32  # fits that are solved together: more would need hundreds of megabytes


@dataclass(frozen=True, kw_only=True)
class ScalingLaw:
    """L(N, D) = E + A / N^α + B / D^β: the loss of N parameters that have read D tokens.

    Args:
        e: what no size and no text brings down, the entropy of the source.
        a, alpha: what a model loses by its size.
        b, beta: what it loses by the end of its text.

    Reference: Hoffmann et al. (2022), equation 2, https://arxiv.org/abs/2203.15556
    """

    e: Number
    a: Number
    alpha: Number
    b: Number
    beta: Number

    def loss(self, n_parameters: Numbers | Number, n_tokens: Numbers | Number) -> np.ndarray:
        """L(N, D), number by number."""
        n, d = np.asarray(n_parameters, dtype=float), np.asarray(n_tokens, dtype=float)
        return np.asarray(self.e + self.a * n**-self.alpha + self.b * d**-self.beta)

    def compute_optimal(self, flops: Number) -> tuple[float, float]:
        """The parameters and tokens with the lowest loss of all whose 6 N D are so many operations.

        Along such a curve, more parameters are fewer tokens. At the lowest point what one more
        percent of parameters gains is what one percent of tokens loses: α A / N^α = β B / D^β.

        Reference: Hoffmann et al. (2022), equation 4, https://arxiv.org/abs/2203.15556

        Example:
            >>> law = ScalingLaw(e=1.0, a=100.0, alpha=0.5, b=100.0, beta=0.5)
            >>> [round(each) for each in law.compute_optimal(6e8)]
            [10000, 10000]
        """
        if not (flops > 0 and self.a > 0 and self.b > 0 and self.alpha > 0 and self.beta > 0):
            raise ValueError(
                "flops, a, alpha, b and beta must be above 0,"
                f" got flops={flops}, a={self.a}, alpha={self.alpha}, b={self.b}, beta={self.beta}"
            )
        product = flops / 6
        ratio = self.alpha * self.a / (self.beta * self.b)
        n = (ratio * product**self.beta) ** (1 / (self.alpha + self.beta))
        return n, product / n


# What was printed: section 3.3 and appendix D.3, https://arxiv.org/abs/2203.15556; and the fit to
# the points of their figure, Besiroglu et al. (2024), table 1, https://arxiv.org/abs/2404.10102
HOFFMANN = ScalingLaw(e=1.69, a=406.4, alpha=0.34, b=410.7, beta=0.28)
BESIROGLU = ScalingLaw(e=1.8172, a=482.01, alpha=0.3478, b=2085.43, beta=0.3658)


def fit_scaling_law(n_parameters: Numbers, n_tokens: Numbers, losses: Numbers) -> ScalingLaw:
    """The law with the least squared error on these runs, of all exponents in steps of 0.01.

    Given the exponents, E, A and B follow from linear least squares; so all pairs of exponents up
    to 1.5 are tried, and there is no start from which a search could go wrong.

    Args:
        n_parameters, n_tokens, losses: a number for each run.

    Raises:
        ValueError: the losses do not fall with size and text, or are too few.
    """
    return fit_scaling_laws(n_parameters, n_tokens, np.asarray(losses, dtype=float)[None])[0]


def fit_scaling_laws(
    n_parameters: Numbers, n_tokens: Numbers, losses: np.ndarray
) -> list[ScalingLaw]:
    """A law for each row of losses, (S, n_runs), of the same runs."""
    n, d = np.asarray(n_parameters, dtype=float), np.asarray(n_tokens, dtype=float)
    losses = np.asarray(losses, dtype=float)
    if not (n.ndim == 1 and n.shape == d.shape and losses.shape[1:] == n.shape):
        raise ValueError(
            "each run must have its parameters, tokens and loss,"
            f" got {n.shape}, {d.shape} and {losses.shape}"
        )
    if len(set(n)) < 3 or len(set(d)) < 3:
        raise ValueError(
            "three sizes and three lengths of text are needed at least,"
            f" got {len(set(n))} and {len(set(d))}"
        )
    if not np.isfinite(losses).all():
        raise ValueError(f"losses must be finite, got {losses[~np.isfinite(losses)][0]}")
    alphas, betas = (grid.ravel() for grid in np.meshgrid(_EXPONENTS, _EXPONENTS, indexing="ij"))
    # The smallest model and the shortest text have columns of 1, so that no column is tiny.
    columns = [
        np.ones((len(alphas), len(n))),
        (n / n.min()) ** -alphas[:, None],
        (d / d.min()) ** -betas[:, None],
    ]
    q, r = np.linalg.qr(np.stack(columns, -1))  # (G, n_runs, 3), (G, 3, 3)
    laws = []
    for some in np.split(losses, range(_AT_ONCE, len(losses), _AT_ONCE)):
        found = np.swapaxes(q, 1, 2) @ some.T  # (G, 3, S)
        errors = (some**2).sum(1) - (found**2).sum(1)
        weights = np.linalg.solve(r, found)
        errors[(weights[:, 1:] < 0).any(1)] = np.inf  # no law grows with size or text
        if np.isinf(errors).all(0).any():
            raise ValueError("losses must fall with size and with text, on the whole; these do not")
        for row, best in enumerate(errors.argmin(0)):
            e, a, b = weights[best, :, row]
            alpha, beta = alphas[best], betas[best]
            laws.append(
                ScalingLaw(
                    e=float(e),
                    a=float(a * n.min() ** alpha),
                    alpha=float(alpha),
                    b=float(b * d.min() ** beta),
                    beta=float(beta),
                )
            )
    return laws


def bootstrap(
    n_parameters: Numbers,
    n_tokens: Numbers,
    losses: np.ndarray,
    n_draws: int = 200,
    seed: int = 0,
) -> list[ScalingLaw]:
    """Laws that might as well have been found: each fitted to seeds drawn again, with replacement.

    Their spread is what the luck of the seeds does to the law. What it does not tell is whether
    the law has the right form.

    Args:
        losses: (n_seeds, n_runs); a run is drawn from its own seeds, apart from the others.
    """
    losses = np.asarray(losses, dtype=float)
    if losses.ndim != 2 or len(losses) < 2:
        raise ValueError(f"losses must have two seeds at least, got shape {losses.shape}")
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(losses), size=(n_draws, *losses.shape))
    return fit_scaling_laws(
        n_parameters, n_tokens, np.take_along_axis(losses[None], drawn, 1).mean(1)
    )


def interval(values: Sequence[Any] | np.ndarray, share: Number = 0.9) -> tuple[float, float]:
    """The ends between which this share of the values lies, with as many below as above."""
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, got share={share}")
    low, high = np.quantile(np.asarray(values, dtype=float), [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def isoflop(
    n_parameters: Numbers, n_tokens: Numbers, losses: np.ndarray, flops: Number
) -> np.ndarray:
    """The loss of each size if it reads what the budget leaves it, (n_sizes,).

    Between two lengths of text, the loss is read off a straight line in the logarithm of the
    tokens. It is NaN where the budget buys less text than the shortest, or more than the longest.

    Args:
        n_parameters: (n_sizes,), each size once.
        n_tokens: (n_lengths,), rising.
        losses: (n_sizes, n_lengths).
        flops: as 6 N D.
    """
    lengths = np.log(np.asarray(n_tokens, dtype=float))
    if not (np.diff(lengths) > 0).all():
        raise ValueError(f"n_tokens must rise, got {list(n_tokens)}")
    bought = np.log(flops / (6 * np.asarray(n_parameters, dtype=float)))
    return np.array(
        [
            np.interp(at, lengths, row, left=np.nan, right=np.nan)
            for at, row in zip(bought, np.asarray(losses, dtype=float), strict=True)
        ]
    )
