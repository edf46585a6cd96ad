"""Optimizers: from the gradient to the step, and how long a step may be.

Chapter: book/optimization.md
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class _Optimizer:
    """What all of them share: parameters, a learning rate, and a state that can be kept."""

    _averages: tuple[str, ...] = ()  # attributes with a tensor for each parameter: the state

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float,
        weight_decay: float,
        maximize: bool = False,
    ):
        self.parameters = _checked(parameters)
        _check_not_negative(learning_rate=learning_rate, weight_decay=weight_decay)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.maximize = maximize
        # Each parameter counts its own steps, as some may be without a gradient at first.
        self._n_steps = [0] * len(self.parameters)
        for name in self._averages:
            setattr(self, f"_{name}", [torch.zeros_like(each) for each in self.parameters])

    @torch.no_grad()
    def step(self) -> None:
        """Changes every parameter that has a gradient."""
        for i, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                self._n_steps[i] += 1
                self._move(i, parameter, -parameter.grad if self.maximize else parameter.grad)

    def _move(self, i: int, parameter: Tensor, gradient: Tensor) -> None:
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forgets the gradients: the next ones are added to none."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """What the next step depends on beside parameters, gradients and options, as copies."""
        averages = {name: _copies(getattr(self, f"_{name}")) for name in self._averages}
        return {"learning_rate": self.learning_rate, "n_steps": list(self._n_steps)} | averages

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `state_dict` gave, as if it had never stopped."""
        averages = {name: getattr(self, f"_{name}") for name in self._averages}
        _check_state(state, len(self.parameters), averages)
        self.learning_rate, self._n_steps = state["learning_rate"], list(state["n_steps"])
        for name in self._averages:
            setattr(self, f"_{name}", _copies(state[name], self.parameters))


class SGD(_Optimizer):
    """parameter ← parameter − learning_rate · velocity, velocity ← momentum · velocity + gradient.

    Without momentum the velocity is the gradient.

    Args:
        weight_decay: what is added to the gradient for each unit of the parameter.
        dampening: the share of each gradient after the first that does not enter the velocity.
        nesterov: steps by gradient + momentum · velocity, as if it had looked one step ahead.
        maximize: climbs instead.

    Reference: equal to torch.optim.SGD; Sutskever et al. (2013) compare forms of momentum,
        https://proceedings.mlr.press/v28/sutskever13.html
    """

    _averages = ("velocities",)

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ):
        super().__init__(parameters, learning_rate, weight_decay, maximize)
        _check_not_negative(momentum=momentum)
        if nesterov and not (momentum > 0 and dampening == 0):
            raise ValueError(
                "nesterov must come with momentum above 0 and without dampening, "
                f"got momentum={momentum}, dampening={dampening}"
            )
        self.momentum, self.dampening, self.nesterov = momentum, dampening, nesterov

    def _move(self, i: int, parameter: Tensor, gradient: Tensor) -> None:
        gradient, velocity = gradient + self.weight_decay * parameter, self._velocities[i]
        share = 1.0 if self._n_steps[i] == 1 else 1 - self.dampening
        velocity.mul_(self.momentum).add_(gradient, alpha=share)
        if self.nesterov:
            velocity = gradient + self.momentum * velocity
        parameter.sub_(self.learning_rate * (velocity if self.momentum else gradient))


class Adam(_Optimizer):
    """parameter ← parameter − learning_rate · m̂ / (√v̂ + ε), m̂ and v̂ the moments of the gradient.

    Args:
        betas: how much of the old averages of g and g² is kept at each step.
        weight_decay: what is added to the gradient for each unit of the parameter.
        amsgrad: divides by the largest average of g² so far, which never falls.
        maximize: climbs instead.

    Reference: Kingma and Ba (2015), algorithm 1, https://arxiv.org/abs/1412.6980; torch.optim.Adam.
        AMSGrad: Reddi et al. (2018), https://arxiv.org/abs/1904.09237
    """

    decoupled = False

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        maximize: bool = False,
    ):
        self._averages = ("means", "squares", "largest") if amsgrad else ("means", "squares")
        super().__init__(parameters, learning_rate, weight_decay, maximize)
        _check_not_negative(eps=eps)
        for beta in betas:
            if not 0 <= beta < 1:
                raise ValueError(f"betas must be at least 0 and below 1, got betas={betas}")
        self.betas, self.eps, self.amsgrad = betas, eps, amsgrad

    def _move(self, i: int, parameter: Tensor, gradient: Tensor) -> None:
        if self.decoupled:
            parameter.mul_(1 - self.learning_rate * self.weight_decay)
        else:
            gradient = gradient + self.weight_decay * parameter
        parameter.sub_(self.learning_rate * self._direction(i, gradient))

    def _direction(self, i: int, gradient: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        beta_mean, beta_square = self.betas
        mean, square = self._means[i], self._squares[i]
        mean.mul_(beta_mean).add_(gradient, alpha=1 - beta_mean)
        square.mul_(beta_square).addcmul_(gradient, gradient, value=1 - beta_square)
        if self.amsgrad:
            square = torch.maximum(self._largest[i], square, out=self._largest[i])
        # Averages that began at zero are too small at first: by 1 − βⁿ after n steps.
        mean = mean / (1 - beta_mean ** self._n_steps[i])
        square = square / (1 - beta_square ** self._n_steps[i])
        return mean / (square.sqrt() + self.eps)


class AdamW(Adam):
    """`Adam`, whose weight decay shrinks the parameter itself and does not enter the averages.

    Reference: Loshchilov and Hutter (2019), algorithm 2, https://arxiv.org/abs/1711.05101;
        torch.optim.AdamW, whose weight_decay is 0.01 where none is given.
    """

    decoupled = True


# The polynomial that pulls singular values toward 1, by its three coefficients, and how often.
QUINTIC, N_ITERATIONS = (3.4445, -4.7750, 2.0315), 5


def orthogonalize(
    matrix: Float[Tensor, "rows columns"],
    n_iterations: int = N_ITERATIONS,
    coefficients: tuple[float, float, float] = QUINTIC,
    eps: float = 1e-7,
    dtype: torch.dtype = torch.bfloat16,
) -> Float[Tensor, "rows columns"]:
    """A matrix with the directions of this one and all singular values near 1, in `dtype`.

    X ← a X + (b A + c A²) X with A = X Xᵀ takes each singular value s to a s + b s³ + c s⁵.
    With the usual coefficients five rounds leave them between about 0.7 and 1.2, and near zero what
    was less than about a thousandth of all.

    Args:
        eps: the least length to divide by; a matrix of zeros stays one.

    Reference: Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/
    """
    if not 1 <= n_iterations < 100:
        raise ValueError(f"n_iterations must be 1 to 99, got n_iterations={n_iterations}")
    a, b, c = coefficients
    x = matrix.to(dtype)
    is_tall = x.shape[0] > x.shape[1]
    x = x.mT if is_tall else x  # so that A is the smaller of the two products
    x = x / x.norm().clamp(min=eps)  # no singular value is above the root of their squares' sum
    for _ in range(n_iterations):
        gram = x @ x.mT
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x


class Muon(_Optimizer):
    """matrix ← (1 − learning_rate · weight_decay) · matrix − learning_rate · scale · O.

    O is the momentum of the gradient, with all its singular values near 1 (`orthogonalize`). For
    the matrices inside of a network; vectors, tables of embeddings and the head are left to AdamW.

    Args:
        momentum: how much of the old average of gradients is kept at each step.
        nesterov: orthogonalizes a mean of gradient and average instead of the average.
        scale: "original" is √(rows / columns), at least 1; "match_rms_adamw" is
            0.2 · √(the longer side), which makes steps about as large as those of AdamW.
        dtype: in what is multiplied; torch takes bfloat16.

    Reference: Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/; Liu et al. (2025),
        section 2.2, https://arxiv.org/abs/2502.16982; torch.optim.Muon.
    """

    _averages = ("velocities",)

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.1,
        nesterov: bool = True,
        n_iterations: int = N_ITERATIONS,
        coefficients: tuple[float, float, float] = QUINTIC,
        eps: float = 1e-7,
        scale: str = "original",
        dtype: torch.dtype = torch.bfloat16,
    ):
        super().__init__(parameters, learning_rate, weight_decay)
        _check_not_negative(eps=eps)
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, got momentum={momentum}")
        if scale not in ("original", "match_rms_adamw"):
            raise ValueError(f'scale must be "original" or "match_rms_adamw", got scale={scale!r}')
        for each in self.parameters:
            if each.dim() != 2:
                raise ValueError(
                    f"parameters must be matrices, got the shape {tuple(each.shape)}: "
                    "leave the others to AdamW"
                )
        self.momentum, self.nesterov, self.scale = momentum, nesterov, scale
        self._options = n_iterations, coefficients, eps, dtype
        orthogonalize(torch.zeros(1, 1), *self._options)  # refuses its options at once

    def _move(self, i: int, parameter: Tensor, gradient: Tensor) -> None:
        velocity = self._velocities[i].lerp_(gradient, 1 - self.momentum)
        update = gradient.lerp(velocity, self.momentum) if self.nesterov else velocity
        update = orthogonalize(update, *self._options)
        rows, columns = parameter.shape
        ratio = max(1.0, rows / columns) if self.scale == "original" else 0.04 * max(rows, columns)
        parameter.mul_(1 - self.learning_rate * self.weight_decay)
        parameter.add_(update, alpha=-self.learning_rate * math.sqrt(ratio))


def _checked(parameters: Iterable[Tensor]) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        raise ValueError("parameters must be a list of tensors, got one tensor: put it in brackets")
    found = list(parameters)
    if not found:
        raise ValueError(
            "parameters must not be empty, got none: model.parameters() can be read once"
        )
    for each in found:
        if not isinstance(each, Tensor):
            raise ValueError(
                f"parameters must be tensors, got a {type(each).__name__}: "
                "give model.parameters(), not model.named_parameters()"
            )
    if len({id(each) for each in found}) < len(found):
        raise ValueError("parameters must be different tensors, got one of them twice")
    return found


def _check_not_negative(**options: float) -> None:
    for name, value in options.items():
        if not value >= 0:  # NaN is not, either
            raise ValueError(f"{name} must be at least 0, got {name}={value}")


def _copies(tensors: Iterable[Tensor], like: list[Tensor] | None = None) -> list[Tensor]:
    """Copies of the tensors, in the types and on the devices of others if these are given."""
    copies = [tensor.detach().clone() for tensor in tensors]
    if like is None:
        return copies
    return [copy.to(other) for copy, other in zip(copies, like, strict=True)]


def _check_state(
    state: Mapping[str, Any], n_parameters: int, averages: Mapping[str, list[Tensor]]
) -> None:
    """Refuses a state of another optimizer, or of other parameters."""
    names = ["learning_rate", "n_steps", *averages]
    if state.keys() != set(names):
        raise ValueError(f"state must hold {', '.join(names)}, got {', '.join(map(str, state))}")
    for name, tensors in averages.items():
        shapes, found = ([tuple(x.shape) for x in part] for part in (tensors, state[name]))
        if shapes != found:
            raise ValueError(f"{name} must have the shapes {shapes}, got {found}")
    if (n_counts := len(state["n_steps"])) != n_parameters:
        raise ValueError(f"n_steps must be {n_parameters} counts, got {n_counts}")


def constant_schedule(step: int, n_steps: int, highest: float, n_warmup: int = 0) -> float:
    """The learning rate of a step: a line up to `highest`, which then stays.

    Args:
        step: 0 for the first one.
        n_warmup: the number of steps on the line; the first of them takes highest / n_warmup.
    """
    return highest * _rise_and_share(step, n_steps, n_warmup)[0]


def linear_schedule(
    step: int, n_steps: int, highest: float, lowest: float = 0.0, n_warmup: int = 0
) -> float:
    """The learning rate of a step: a line up to `highest`, then a line down to `lowest`.

    Args: as for `cosine_schedule`.
    """
    rise, share = _rise_and_share(step, n_steps, n_warmup)
    return highest * rise if rise < 1 else highest + (lowest - highest) * share


def cosine_schedule(
    step: int, n_steps: int, highest: float, lowest: float = 0.0, n_warmup: int = 0
) -> float:
    """The learning rate of a step: a line up to `highest`, then half a cosine down to `lowest`.

    Args:
        step: 0 for the first one; from n_steps − 1 on the rate stays at `lowest`.
        n_warmup: the number of steps on the line; the first of them takes highest / n_warmup.

    Reference: Loshchilov and Hutter (2017), section 3, https://arxiv.org/abs/1608.03983

    Example:
        >>> [round(cosine_schedule(step, 6, 1.0, n_warmup=2), 2) for step in range(6)]
        [0.5, 1.0, 0.85, 0.5, 0.15, 0.0]
    """
    rise, share = _rise_and_share(step, n_steps, n_warmup)
    if rise < 1:
        return highest * rise
    return lowest + (highest - lowest) * (1 + math.cos(math.pi * share)) / 2


def _rise_and_share(step: int, n_steps: int, n_warmup: int) -> tuple[float, float]:
    """How far up the line of the warm-up a step is, 1 at its top; and how far down the rest."""
    if not 0 <= n_warmup < n_steps:
        raise ValueError(
            "n_warmup must be at least 0 and below n_steps, "
            f"got n_warmup={n_warmup}, n_steps={n_steps}"
        )
    # The top is reached at the last step of the line; without a line, at the first step.
    top = max(n_warmup - 1, 0)
    return min((step + 1) / max(n_warmup, 1), 1.0), min(
        max(step - top, 0) / max(n_steps - 1 - top, 1), 1.0
    )


@torch.no_grad()
def clip_gradients(parameters: Iterable[Tensor], max_norm: float) -> Float[Tensor, ""]:
    """Shortens all gradients together to the length `max_norm`, and gives the length they had.

    Their direction stays; gradients that are short enough stay as they are.

    Reference: Pascanu, Mikolov and Bengio (2013), algorithm 1,
        https://proceedings.mlr.press/v28/pascanu13.html
    """
    if max_norm <= 0:
        raise ValueError(f"max_norm must be above 0, got max_norm={max_norm}")
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return torch.zeros(())
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    scale = (max_norm / norm).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale)
    return norm
