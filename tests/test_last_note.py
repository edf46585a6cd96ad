"""lmcourse.last_note: streams that are what they say, readers that differ in positions alone."""

import math

import pytest
import torch

from lmcourse import last_note
from lmcourse.last_note import (
    ENTRANTS,
    KINDS,
    LENGTHS,
    N_NOTES,
    TRAINED,
    Entrant,
    NoteReader,
    measure,
    share_right,
    shares_of,
    streams,
    train_reader,
)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("n", [1, 2, 40])
def test_the_last_and_the_first_note_are_those_of_a_plain_loop(n):
    ids, last = streams(n, 30, dice())
    again, first = streams(n, 30, dice(), "first")
    # exact: ids
    assert (again == ids).all()
    for row in range(30):
        heard = None
        for place in range(n):
            sign = ids[row, place].item()
            heard = sign if sign < N_NOTES else heard
            # exact: ids
            assert last[row, place].item() == heard
            assert first[row, place] == ids[row, 0] < N_NOTES


def test_streams_that_cannot_be_drawn_are_refused():
    with pytest.raises(ValueError, match="task must be one of last, first, got task='middle'"):
        streams(3, 1, dice(), "middle")
    with pytest.raises(ValueError, match="at least 0, got n=-1"):
        streams(-1, 1, dice())
    with pytest.raises(ValueError, match=r"kind must be one of none, .*, got kind='clock'"):
        NoteReader("clock", 16)


def new_reader(kind, seed=0):
    torch.manual_seed(seed)
    return NoteReader(kind, LENGTHS[-1], width=16, n_heads=2)


def test_readers_of_one_seed_differ_in_their_positions_alone():
    ids, _ = streams(12, 3, dice())
    states = [new_reader(kind).state_dict() for kind in KINDS]
    for state in states[1:]:
        for name, weights in state.items():
            torch.testing.assert_close(weights, states[0][name])
    logits = [new_reader(kind)(ids) for kind in KINDS]
    for index, each in enumerate(logits):
        for other in logits[:index]:
            assert not torch.allclose(each, other, atol=1e-4)
    for each in logits:  # the first place sees itself alone: nothing to weigh
        assert each.shape == (3, 12, N_NOTES)


@pytest.mark.parametrize("kind", KINDS)
def test_no_place_sees_what_comes_later(kind):
    reader = new_reader(kind)
    ids, _ = streams(9, 2, dice())
    changed = ids.clone()
    changed[:, 5] = (ids[:, 5] + 1) % 16
    moved = (reader(ids) - reader(changed)).abs().amax((0, 2))
    assert moved[:5].max() < 1e-6
    assert moved[5:].min() > 1e-6


def test_a_shift_of_all_places_moves_sinusoids_and_not_rotations():
    ids, _ = streams(9, 2, dice())
    places = torch.arange(9)
    moved = {
        kind: (new_reader(kind)(ids, places + 40) - new_reader(kind)(ids)).abs().max().item()
        for kind in ("sinusoidal", "learned", "rotary")
    }
    assert moved["rotary"] < 1e-4
    assert min(moved["sinusoidal"], moved["learned"]) > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_hides_what_is_farther_back_and_nothing_else(kind):
    reader = new_reader(kind)
    ids, _ = streams(9, 2, dice())
    changed = ids.clone()
    changed[:, 2] = (ids[:, 2] + 1) % 16
    moved = (reader(ids, window=3) - reader(changed, window=3)).abs().amax((0, 2))
    assert moved[2:5].min() > 1e-6
    assert torch.cat([moved[:2], moved[5:]]).max() < 1e-6
    torch.testing.assert_close(reader(ids, window=9), reader(ids))
    with pytest.raises(ValueError, match="at least 1, got window=0"):
        reader(ids, window=0)


def test_training_numbers_its_places_in_the_way_of_the_entrant():
    drawn = {
        way: torch.stack([Entrant("rotary", way).draw(16, dice(seed)) for seed in range(200)])
        for way in ("counted", "shuffled", "shifted", "elsewhere", "spread")
    }
    # exact: whole numbers
    assert (drawn["counted"] == torch.arange(16)).all()
    # exact: whole numbers
    assert (drawn["shuffled"].sort(-1).values == torch.arange(16)).all()
    # exact: whole numbers
    assert not (drawn["shuffled"] == torch.arange(16)).all(-1).any()
    # exact: whole numbers
    assert (drawn["shifted"].diff() == 1).all()
    # exact: whole numbers
    assert (drawn["elsewhere"] == drawn["shifted"] + LENGTHS[-1]).all()
    assert (drawn["spread"].diff() > 0).all()
    for way in ("shifted", "spread"):
        assert drawn[way].min() == 0, way
        assert drawn[way].max() == LENGTHS[-1] - 1, way
    assert drawn["spread"].diff().max() > 20


def test_a_short_training_finds_the_last_note_with_positions_and_not_without():
    shares = {
        kind: share_right(train_reader(Entrant(kind), 0, 120, learning_rate=1e-2),
                          Entrant(kind), TRAINED, 0)
        for kind in ("none", "learned")
    }  # fmt: skip
    assert shares["none"] < 0.75 < 0.9 < shares["learned"]


def test_a_comparison_is_measured_once_and_read_again(tmp_path, monkeypatch):
    calls = []

    def quick(entrant, seed, n_steps, task, rate):
        calls.append((entrant, seed, rate))
        return entrant, seed, rate

    def share(reader, entrant, n, seed, task):
        assert reader[:2] == (entrant, seed)
        return 1 - reader[2] - n / 1000 + seed / 1e6

    monkeypatch.setattr(last_note, "train_reader", quick)
    monkeypatch.setattr(last_note, "share_right", share)
    numbers = measure(tmp_path, seed=7)
    n_runs = len(calls)
    n_searched = 2 * len(KINDS) * len(last_note.RATES)
    assert n_runs == n_searched + (len(ENTRANTS) + len(KINDS)) * last_note.N_SEEDS
    assert measure(tmp_path, seed=7) == numbers
    assert len(calls) == n_runs, "each run is kept"
    assert {rate for _, seed, rate in calls if seed < 100} == {min(last_note.RATES)}
    rows = shares_of(numbers, "rotary")
    assert rows[2] == pytest.approx([0.997 - n / 1000 + 9e-6 for n in LENGTHS])
    learned = shares_of(numbers, "learned", "first")
    assert all(math.isnan(share) for row in learned for share in row[1:])
    assert all(math.isfinite(row[0]) for row in learned)
