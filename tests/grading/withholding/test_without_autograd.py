"""Where a task wants the chain rule by hand, autograd answers under no name, and later it does."""

import threading

import pytest
import torch
from torch.autograd import forward_ad

from lmcourse.grading.testing import without_autograd


def loss(weights):
    return torch.tanh(weights).sum()


def recorded(ask):
    """What `ask` makes of a leaf, where inference mode has been left again."""

    def way(weights):
        with torch.inference_mode(False), torch.enable_grad():
            return ask(weights.clone().requires_grad_())

    return way


def backward(leaf):
    loss(leaf).backward()
    return leaf.grad


def in_a_thread(weights):
    said = []

    def work():
        try:
            said.append(recorded(backward)(weights))
        except RuntimeError as error:
            said.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(said[0], RuntimeError):
        raise said[0]
    return said[0]


def forward(weights):
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(
            torch.tanh(forward_ad.make_dual(weights.clone(), torch.ones(3)))
        ).tangent


WAYS = {
    "autograd.grad": recorded(lambda leaf: torch.autograd.grad(loss(leaf), leaf)[0]),
    "backward": recorded(backward),
    "what saves nothing": recorded(lambda leaf: torch.autograd.grad((2 * leaf).sum(), leaf)[0]),
    "a node of the graph": recorded(lambda leaf: torch.tanh(leaf).grad_fn(torch.ones(3))),
    "another thread": in_a_thread,
    "func.grad": torch.func.grad(loss),
    "func.grad_and_value": lambda weights: torch.func.grad_and_value(loss)(weights)[0],
    "func.vjp": lambda weights: torch.func.vjp(loss, weights)[1](torch.ones(())),
    "func.jvp": lambda weights: torch.func.jvp(loss, (weights,), (weights,)),
    "func.jacrev": torch.func.jacrev(loss),
    "func.jacfwd": torch.func.jacfwd(loss),
    "func.hessian": torch.func.hessian(loss),
    "forward mode": forward,
}


# PyTorch scripts its decompositions at the first forward derivative.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
@pytest.mark.parametrize("name", WAYS)
def test_no_name_of_autograd_answers(name):
    weights = torch.tensor([0.5, -1.0, 2.0])
    with (
        pytest.raises(RuntimeError, match=r"torch\.autograd is withheld.*the chain rule yourself"),
        without_autograd(),
    ):
        WAYS[name](weights)
    WAYS[name](weights)


def test_the_chain_rule_by_hand_is_as_ever():
    weights = torch.tensor([0.5, -1.0, 2.0])
    with without_autograd(), torch.no_grad():
        by_hand = 1 - torch.tanh(weights) ** 2
    torch.testing.assert_close(by_hand.clone(), torch.func.grad(loss)(weights))
