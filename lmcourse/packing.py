"""Documents of all lengths in rows of one length: cut from one long row, or whole and side by side.

Chapter: book/data.md
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

NONE = -1  # the document of a place that is padding


class Packed(NamedTuple):
    """Rows of ids, and for each place whose it is.

    Args:
        ids: the ids, `pad_id` where there are none.
        document: which document each id belongs to, −1 for padding.
        position: where in its document the id stands.
    """

    ids: Int[Tensor, "N T"]
    document: Int[Tensor, "N T"]
    position: Int[Tensor, "N T"]

    @property
    def padding(self) -> float:
        """The share of all places that hold nothing."""
        return (self.document == NONE).float().mean().item()

    def n_cut(self) -> int:
        """The documents that do not stand in one row."""
        rows_of: dict[int, set[int]] = {}
        for row, documents in enumerate(self.document.tolist()):
            for document in set(documents) - {NONE}:
                rows_of.setdefault(document, set()).add(row)
        return sum(len(rows) > 1 for rows in rows_of.values())

    def targets(self, ignore: int = -100) -> Int[Tensor, "N T"]:
        """The id that follows each, `ignore` where the next one is none or another document's."""
        following = torch.full_like(self.ids, ignore)
        same = (self.document[:, 1:] == self.document[:, :-1]) & (self.document[:, 1:] != NONE)
        following[:, :-1] = torch.where(same, self.ids[:, 1:], ignore)
        return following


def pack_across(
    documents: Sequence[Sequence[int]], length: int, end_id: int | None = None, pad_id: int = 0
) -> Packed:
    """All documents in one long row, cut every `length` ids: no place is lost, documents are cut.

    Args:
        end_id: put after each document, to say that it ends; it belongs to it.
        pad_id: fills up the last row.
    """
    _check(documents, length)
    places = [
        (index, number, position)
        for number, document in enumerate(documents)
        for position, index in enumerate(_ended(document, end_id))
    ]
    return _rows([places[i : i + length] for i in range(0, len(places), length)], length, pad_id)


def pack_whole(
    documents: Sequence[Sequence[int]], length: int, end_id: int | None = None, pad_id: int = 0
) -> Packed:
    """Each document whole in one row, several in a row where they fit; what is left is padding.

    The longest comes first, and each goes into the fullest row that has room. A document that is
    longer than a row is cut, and only its last piece shares a row.

    Reference: Ding et al. (2024), https://arxiv.org/abs/2404.10830, for packing by best fit.
    """
    _check(documents, length)
    pieces = []
    for number, document in enumerate(documents):
        ended = list(_ended(document, end_id))
        places = [(index, number, position) for position, index in enumerate(ended)]
        pieces += [places[i : i + length] for i in range(0, len(places), length)]
    rows: list[list[tuple[int, int, int]]] = []
    with_room: list[list[int]] = [[] for _ in range(length + 1)]  # rows, by their free places
    for piece in sorted(pieces, key=len, reverse=True):
        room = next((free for free in range(len(piece), length) if with_room[free]), None)
        if room is None:
            rows.append([])
            row, room = len(rows) - 1, length
        else:
            row = with_room[room].pop()
        rows[row] += piece
        with_room[room - len(piece)].append(row)
    return _rows(rows, length, pad_id)


def _ended(document: Sequence[int], end_id: int | None) -> list[int]:
    return [*document] if end_id is None else [*document, end_id]


def _check(documents: Sequence[Sequence[int]], length: int) -> None:
    if length < 1:
        raise ValueError(f"length must be at least 1, got length={length}")
    if not any(len(document) for document in documents):
        raise ValueError(f"documents must hold ids, got {len(documents)} documents without any")


def _rows(rows: list[list[tuple[int, int, int]]], length: int, pad_id: int) -> Packed:
    filled = [row + [(pad_id, NONE, 0)] * (length - len(row)) for row in rows]
    packed = torch.tensor(filled, dtype=torch.long)
    return Packed(packed[..., 0], packed[..., 1], packed[..., 2])


def same_document_mask(document: Int[Tensor, "N T"]) -> Bool[Tensor, "N 1 T T"]:
    """True where a position may look: at itself and before, in its own document.

    Padding may look at itself, so that no row of weights is empty. The axis of size 1 is for heads.

    Example:
        >>> same_document_mask(torch.tensor([[7, 7, 8]]))[0, 0].int().tolist()
        [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    """
    n = document.shape[-1]
    same = document[:, :, None] == document[:, None, :]
    real = document[:, None, :] != NONE
    causal = torch.ones(n, n, dtype=torch.bool, device=document.device).tril()
    itself = torch.eye(n, dtype=torch.bool, device=document.device)
    return ((same & real & causal) | itself)[:, None]
