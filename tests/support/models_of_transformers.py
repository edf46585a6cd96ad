"""What tests of weights that transformers saved share: models as after training, and copies."""

import torch

from lmcourse import checkpoints
from lmcourse.transformers_weights import from_transformers


def perturbed(model, seed):
    """Weights as after training: no norm at one, no bias at zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.3 * noise.to(parameter.dtype))
    return model.eval()


def converted(theirs):
    return from_transformers(theirs.config.to_dict(), theirs.state_dict())


def check_gradients(ours, theirs, tolerance):
    """Of every weight, by our names; a tied one as the sum of both its uses."""
    gradients = {name: p.grad for name, p in theirs.named_parameters()}
    as_ours = from_transformers(theirs.config.to_dict(), gradients)
    pairs = zip(ours.named_parameters(), as_ours.parameters(), strict=True)
    for (name, parameter), gradient in pairs:
        assert (parameter.grad - gradient).abs().max() < tolerance(gradient), name


def check_saved(model, path):
    """What is saved comes back in a model of the same kind and config."""
    checkpoints.save(model, path)
    other = type(model)(model.config)
    checkpoints.load(other, path)
    for (name, one), two in zip(model.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two), name  # exact: copies
