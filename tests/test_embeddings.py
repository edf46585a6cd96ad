"""lmcourse.embeddings against torch, and against plain loops."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import rng
from torch.nn import functional as F

from lmcourse.embeddings import Embedding, embed_by_product, embedding_gradient

# ---------------------------------------------------------------- look-up


def looked_up(device="cpu", shape=(3, 5), vocab_size=7, d_model=2):
    table = torch.randn(vocab_size, d_model, generator=rng()).to(device).requires_grad_()
    ids = torch.randint(vocab_size, shape, generator=rng(1)).to(device)
    gradient = torch.randn(*shape, d_model, generator=rng(2)).to(device)
    return table, ids, gradient


@pytest.mark.parametrize("shape", [(), (4,), (3, 5), (2, 3, 5), (0,)])
def test_look_up_is_the_product_with_one_hot_rows_and_torchs_embedding(device, shape):
    table, ids, gradient = looked_up(device, shape)
    layer = Embedding(7, 2).to(device)
    layer.load_state_dict({"table": table})
    results = [layer(ids), embed_by_product(table, ids), F.embedding(ids, table)]
    gradients = [
        torch.autograd.grad((result * gradient).sum(), source)[0]
        for result, source in zip(results, (layer.table, table, table), strict=True)
    ]
    gradients.append(embedding_gradient(ids, gradient, 7))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0])
    for each in gradients[1:]:
        torch.testing.assert_close(each, gradients[0])


@given(st.lists(st.integers(0, 10), min_size=1, max_size=9))
def test_only_the_rows_that_were_used_have_a_gradient(ids):
    gradient = embedding_gradient(torch.tensor(ids), torch.ones(len(ids), 3), 11)
    uses = torch.tensor([ids.count(row) for row in range(11)])
    torch.testing.assert_close(gradient, uses[:, None].expand(11, 3).float())


def test_a_step_moves_the_rows_that_were_used_and_no_other():
    layer = Embedding(11, 3)
    before = layer.table.detach().clone()
    layer(torch.tensor([4, 9, 4])).sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.5).step()
    moved = (layer.table - before).detach()
    assert moved.abs().sum(1).nonzero().flatten().tolist() == [4, 9]
    torch.testing.assert_close(moved[4], torch.full((3,), -1.0))


def test_tables_and_ids_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="got vocab_size=0, d_model=3"):
        Embedding(0, 3)
    with pytest.raises(ValueError, match=r"ids must lie in 0…4, got 5"):
        Embedding(5, 3)(torch.tensor([1, 5]))
