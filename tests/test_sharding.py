"""lmcourse.loop.sharding: what can be seen alone; test_distributed trains with two processes."""

import pytest
import torch
from torch import nn

from lmcourse.gpt import GPT, GPTConfig
from lmcourse.loop import distributed, sharding
from lmcourse.optimization import clip_gradients
from lmcourse.training import TrainingConfig, train

CONFIG = GPTConfig(vocab_size=7, context_length=8, d_model=12, n_heads=2, n_layers=2)


def test_alone_nothing_is_taken_apart():
    model = GPT(CONFIG)
    sharding.shard(model, torch.device("cpu"))
    assert type(model) is GPT
    assert not sharding.is_sharded(model)
    rows, start, shape = sharding.part(model.embedding)
    assert (start, shape) == (0, (7, 12))
    assert rows.data_ptr() == model.embedding.data_ptr()
    assert sharding.weights(model).keys() == sharding.whole_weights(model).keys()


def test_the_length_of_a_gradient_is_that_of_all_its_parts():
    torch.manual_seed(0)
    both = [[nn.Parameter(torch.zeros(3, 4)), nn.Parameter(torch.zeros(5))] for _ in range(2)]
    for one, two in zip(*both, strict=True):
        one.grad = torch.randn_like(one)
        two.grad = one.grad.clone()
    norms = clip_gradients(both[0], 0.5), sharding.clip_shards(both[1], 0.5)
    assert norms[1] == pytest.approx(norms[0].item())
    for one, two in zip(*both, strict=True):
        torch.testing.assert_close(one.grad, two.grad)


def test_blocks_are_the_members_of_the_outermost_lists():
    """Experts stand in a list of a block, and a process calls those alone that its words need."""
    model = nn.Module()
    model.blocks = nn.ModuleList(nn.Module() for _ in range(3))
    for block in model.blocks:
        block.experts = nn.ModuleList(nn.Linear(2, 2) for _ in range(4))
    model.heads = nn.ModuleList([nn.Linear(2, 2)])
    assert sharding._blocks(model) == [*model.blocks, *model.heads]


def test_a_parameter_that_had_no_gradient_was_not_used():
    class Unit(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.other = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.used(x)

    unit = Unit()
    usage = sharding.Usage(unit)
    unit.register_forward_pre_hook(usage._watch(""))
    for _ in range(2):
        usage.forget()
        assert not any(usage.flags())
        unit(torch.ones(1, 2)).sum().backward()
        assert usage.names == ["used.weight", "used.bias", "other.weight", "other.bias"]
        assert [bool(flag) for flag in usage.flags()] == [True, True, False, False]


def test_what_would_come_apart_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "n_processes", lambda: 2)
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight.data = model[0].weight.data
    with pytest.raises(
        ValueError, match=r"must be one parameter to train in shards, got 1\.weight"
    ):
        sharding.shard(model, torch.device("cpu"))


def test_a_model_in_shards_is_not_compiled():
    config = TrainingConfig(n_steps=1, batch_size=2, compile=True)
    with pytest.raises(ValueError, match="compile must be False for a model in shards"):
        train(GPT(CONFIG), list(range(7)) * 9, config, sharded=True)
