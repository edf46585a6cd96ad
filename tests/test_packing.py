"""lmcourse.packing: every id once, documents whole where they can be, and masks that part them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.attention import attention
from lmcourse.packing import NONE, pack_across, pack_whole, same_document_mask

many = st.lists(st.lists(st.integers(1, 99), max_size=23), min_size=1, max_size=20)
lengths = st.integers(1, 13)


def restored(packed):
    """The documents that the rows hold."""
    found = {}
    for index, document, position in zip(*(x.flatten().tolist() for x in packed), strict=True):
        if document != NONE:
            assert (document, position) not in found
            found[document, position] = index
    return found


@given(documents=many, length=lengths, whole=st.booleans(), end=st.sampled_from([None, 100]))
def test_every_id_stands_in_the_rows_once_and_nothing_else(documents, length, whole, end):
    if not any(documents):
        return
    packed = (pack_whole if whole else pack_across)(documents, length, end, pad_id=0)
    ended = [d if end is None else [*d, end] for d in documents]
    wanted = {(n, i): index for n, d in enumerate(ended) for i, index in enumerate(d)}
    assert restored(packed) == wanted
    assert packed.ids.shape[1] == length
    # exact: ids
    assert (packed.ids[packed.document == NONE] == 0).all()


@given(documents=many, length=lengths)
def test_whole_means_whole_and_across_wastes_less_than_a_row(documents, length):
    if not any(documents):
        return
    whole, across = pack_whole(documents, length), pack_across(documents, length)
    assert whole.n_cut() == sum(len(document) > length for document in documents)
    assert (across.document == NONE).sum() < length
    assert len(whole.ids) >= len(across.ids)
    # Two rows that are both at most half full would have been one.
    filled = (whole.document != NONE).sum(1)
    assert (filled <= length // 2).sum() <= 1


def test_an_end_belongs_to_its_document_and_no_target_crosses():
    packed = pack_across([[1, 2], [3]], 6, end_id=9, pad_id=0)
    assert packed.ids.tolist() == [[1, 2, 9, 3, 9, 0]]
    assert packed.document.tolist() == [[0, 0, 0, 1, 1, NONE]]
    assert packed.position.tolist() == [[0, 1, 2, 0, 1, 0]]
    assert packed.targets().tolist() == [[2, 9, -100, 9, -100, -100]]
    assert packed.padding == pytest.approx(1 / 6)


def test_the_fullest_row_that_has_room_takes_the_next():
    packed = pack_whole([[1] * 5, [2] * 4, [3] * 2, [4] * 3], 7)
    assert packed.ids.tolist() == [[1, 1, 1, 1, 1, 3, 3], [2, 2, 2, 2, 4, 4, 4]]


def test_under_the_mask_a_document_is_read_as_if_it_stood_alone():
    torch.manual_seed(0)
    packed = pack_whole([[1, 2, 3], [4, 5], [6]], 7)
    query, key, value = torch.randn(3, 1, 1, 7, 5)
    values, weights = attention(query, key, value, same_document_mask(packed.document))
    assert torch.isfinite(values).all()
    for document in range(3):
        places = (packed.document[0] == document).nonzero()[:, 0]
        n = len(places)
        alone, _ = attention(
            *(x[:, :, places] for x in (query, key, value)), torch.ones(n, n).tril().bool()
        )
        torch.testing.assert_close(values[:, :, places], alone)
    other = packed.document[0][:, None] != packed.document[0]
    assert weights[0, 0][other].abs().max() < 1e-6


def test_nothing_to_pack_is_refused():
    with pytest.raises(ValueError, match="documents must hold ids, got 2 documents without any"):
        pack_whole([[], []], 4)
    with pytest.raises(ValueError, match="length must be at least 1, got length=0"):
        pack_across([[1]], 0)
