"""Vectors for words: a table to look them up in, and how to train one on raw text.

Chapter: book/embeddings.md
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lmcourse.neurons import embed

# ---------------------------------------------------------------- the table


class Embedding(nn.Module):
    """A row of numbers for each id, trained like any weight: one_hot(ids) @ table, by look-up.

    Args:
        spread: the standard deviation of the numbers it starts with.

    Example:
        >>> Embedding(vocab_size=50, d_model=8)(torch.tensor([[3, 1, 4], [1, 5, 9]])).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, vocab_size: int, d_model: int, spread: float = 0.1):
        super().__init__()
        check_sizes(vocab_size, d_model)
        self.table = nn.Parameter(torch.randn(vocab_size, d_model) * spread)

    def forward(self, ids: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch C"]:
        return embed(self.table, ids)


def embed_by_product(
    table: Float[Tensor, "V C"], ids: Int[Tensor, "*batch"]
) -> Float[Tensor, "*batch C"]:
    """one_hot(ids) @ table, as written: V products for each number, all but one of them with 0.

    Example:
        >>> embed_by_product(torch.tensor([[0.0, 0.5], [1.0, 1.5]]), torch.tensor([1, 0]))
        tensor([[1.0000, 1.5000],
                [0.0000, 0.5000]])
    """
    return F.one_hot(ids.long(), len(table)).to(table.dtype) @ table


def embedding_gradient(
    ids: Int[Tensor, "*batch"], gradient: Float[Tensor, "*batch C"], vocab_size: int
) -> Float[Tensor, "V C"]:
    """one_hot(ids)ᵀ @ gradient, by adding: what each use of a row says, and 0 for all other rows.

    Args:
        gradient: how fast the loss rises with what was looked up.
    """
    rows = gradient.reshape(-1, gradient.shape[-1])
    return rows.new_zeros(vocab_size, rows.shape[1]).index_add_(0, ids.reshape(-1), rows)


def check_sizes(vocab_size: int, d_model: int) -> None:
    """Refuses a table without rows or columns."""
    if vocab_size < 1 or d_model < 1:
        raise ValueError(
            f"vocab_size and d_model must be at least 1, got vocab_size={vocab_size},"
            f" d_model={d_model}"
        )
