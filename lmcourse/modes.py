"""The mode of a model, with dropout or without, for a while; afterwards all is as before.

Chapter: book/training.md
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def mode(model: object, training: bool) -> Iterator[None]:
    """The model in training (with dropout) or not, each of its modules afterwards as before.

    What is no module of torch has no mode, and nothing happens.
    """
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    before = [module.training for module in modules]
    if isinstance(model, nn.Module):
        model.train(training)
    try:
        yield
    finally:
        for module, was_training in zip(modules, before, strict=True):
            module.training = was_training
