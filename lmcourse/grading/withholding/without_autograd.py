"""For a task that wants the chain rule by hand: a block in which autograd is withheld.

Chapter: book/instructors/writing_tests.md

Threat: full points for asking autograd. Inference mode alone can be left again, and `torch.func`
passes it by.
"""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch._functorch import eager_transforms
from torch.autograd import forward_ad, graph

from lmcourse.grading.withholding.torch_functions import empty, refusal


@contextlib.contextmanager
def without_autograd() -> Iterator[None]:
    """For a probe: within it autograd records nothing and answers nobody, by whatever name.

    What both kinds of derivatives, reverse and forward, go through in the end raises, in every
    thread, and so does each operation that would be recorded.
    """
    undo: list[Callable[[], None]] = []
    say = "write the chain rule yourself"
    for function in (
        *(graph._engine_run_backward, forward_ad.enter_dual_level, forward_ad.make_dual),
        *(eager_transforms._vjp_with_argnums, eager_transforms.grad_and_value_impl),
    ):
        empty(function, "torch.autograd", say, undo)
    refuse = refusal("torch.autograd", say)
    try:
        with graph.saved_tensors_hooks(refuse, refuse), torch.inference_mode():
            yield
    finally:
        for step in undo:
            step()
