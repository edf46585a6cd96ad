"""Optimizers: from the gradient to the step, and how long a step may be.

Chapter: book/optimization.md
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class SGD:
    """parameter ← parameter − learning_rate · velocity, velocity ← momentum · velocity + gradient.

    Without momentum the velocity is the gradient.

    Reference: equal to torch.optim.SGD; Sutskever et al. (2013) compare forms of momentum,
        https://proceedings.mlr.press/v28/sutskever13.html
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ):
        self.parameters = _checked(parameters)
        _check_not_negative(
            learning_rate=learning_rate, momentum=momentum, weight_decay=weight_decay
        )
        self.learning_rate, self.momentum = learning_rate, momentum
        self.weight_decay = weight_decay
        self._velocities = [torch.zeros_like(parameter) for parameter in self.parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Changes every parameter that has a gradient."""
        for parameter, velocity in zip(self.parameters, self._velocities, strict=True):
            if parameter.grad is not None:
                gradient = parameter.grad + self.weight_decay * parameter
                velocity.mul_(self.momentum).add_(gradient)
                parameter.sub_(self.learning_rate * velocity)

    def zero_grad(self) -> None:
        """Forgets the gradients: the next ones are added to none."""
        _forget_gradients(self.parameters)

    def state_dict(self) -> dict[str, Any]:
        """What the next step depends on beside parameters and gradients, as copies."""
        return {"learning_rate": self.learning_rate, "velocities": _copies(self._velocities)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `state_dict` gave, as if it had never stopped."""
        _check_state(state, learning_rate=None, velocities=self._velocities)
        self.learning_rate = state["learning_rate"]
        self._velocities = _copies(state["velocities"], self.parameters)


class Adam:
    """parameter ← parameter − learning_rate · m̂ / (√v̂ + ε), m̂ and v̂ the moments of the gradient.

    Args:
        betas: how much of the old averages of g and g² is kept at each step.
        weight_decay: what is added to the gradient for each unit of the parameter.

    Reference: Kingma and Ba (2015), algorithm 1, https://arxiv.org/abs/1412.6980; torch.optim.Adam.
    """

    decoupled = False

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        self.parameters = _checked(parameters)
        _check_not_negative(learning_rate=learning_rate, eps=eps, weight_decay=weight_decay)
        for beta in betas:
            if not 0 <= beta < 1:
                raise ValueError(f"betas must be at least 0 and below 1, got betas={betas}")
        self.learning_rate, self.betas = learning_rate, betas
        self.eps, self.weight_decay = eps, weight_decay
        # Each parameter counts its own steps, as some may be without a gradient at first.
        self._n_steps = [0] * len(self.parameters)
        self._means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self.parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Changes every parameter that has a gradient."""
        for i, parameter in enumerate(self.parameters):
            if parameter.grad is None:
                continue
            gradient = parameter.grad
            if self.decoupled:
                parameter.mul_(1 - self.learning_rate * self.weight_decay)
            else:
                gradient = gradient + self.weight_decay * parameter
            self._n_steps[i] += 1
            parameter.sub_(self.learning_rate * self._direction(i, gradient))

    def _direction(self, i: int, gradient: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        beta_mean, beta_square = self.betas
        mean, square = self._means[i], self._squares[i]
        mean.mul_(beta_mean).add_(gradient, alpha=1 - beta_mean)
        square.mul_(beta_square).addcmul_(gradient, gradient, value=1 - beta_square)
        # Averages that began at zero are too small at first: by 1 − βⁿ after n steps.
        mean = mean / (1 - beta_mean ** self._n_steps[i])
        square = square / (1 - beta_square ** self._n_steps[i])
        return mean / (square.sqrt() + self.eps)

    def zero_grad(self) -> None:
        """Forgets the gradients: the next ones are added to none."""
        _forget_gradients(self.parameters)

    def state_dict(self) -> dict[str, Any]:
        """What the next step depends on beside parameters and gradients, as copies."""
        return {
            "learning_rate": self.learning_rate,
            "n_steps": list(self._n_steps),
            "means": _copies(self._means),
            "squares": _copies(self._squares),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `state_dict` gave, as if it had never stopped."""
        averages = {"means": self._means, "squares": self._squares}
        _check_state(state, learning_rate=None, n_steps=None, **averages)
        self.learning_rate, self._n_steps = state["learning_rate"], list(state["n_steps"])
        self._means = _copies(state["means"], self.parameters)
        self._squares = _copies(state["squares"], self.parameters)


class AdamW(Adam):
    """`Adam`, whose weight decay shrinks the parameter itself and does not enter the averages.

    Reference: Loshchilov and Hutter (2019), algorithm 2, https://arxiv.org/abs/1711.05101;
        torch.optim.AdamW.
    """

    decoupled = True


def _checked(parameters: Iterable[Tensor]) -> list[Tensor]:
    found = list(parameters)
    if not found:
        raise ValueError(
            "parameters must not be empty, got none: model.parameters() can be read once"
        )
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


def _check_state(state: Mapping[str, Any], **own: list[Tensor] | None) -> None:
    """Refuses a state of another optimizer, or of other parameters."""
    if state.keys() != own.keys():
        raise ValueError(f"state must hold {', '.join(own)}, got {', '.join(map(str, state))}")
    for name, tensors in own.items():
        if tensors is not None:
            shapes, found = ([tuple(x.shape) for x in part] for part in (tensors, state[name]))
            if shapes != found:
                raise ValueError(f"{name} must have the shapes {shapes}, got {found}")


def _forget_gradients(parameters: list[Tensor]) -> None:
    for parameter in parameters:
        parameter.grad = None


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
    if not 0 <= n_warmup < n_steps:
        raise ValueError(
            "n_warmup must be at least 0 and below n_steps, "
            f"got n_warmup={n_warmup}, n_steps={n_steps}"
        )
    if step < n_warmup:
        return highest * (step + 1) / n_warmup
    # The top is reached at the last step of the line; without a line, at the first step.
    start = max(n_warmup - 1, 0)
    share = min((step - start) / max(n_steps - 1 - start, 1), 1.0)
    return lowest + (highest - lowest) * (1 + math.cos(math.pi * share)) / 2


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
