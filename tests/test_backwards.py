"""lmcourse.backwards: words and their mirror images, a model that learns, runs that are kept."""

import pytest
import torch

from lmcourse import backwards
from lmcourse.backwards import END, LENGTHS, PADDING, new_model, one_vector, spell, train, words
from lmcourse.devices import default_device


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def test_each_target_is_its_word_backwards_with_an_end_and_padding():
    source, target, lengths = words(200, dice())
    assert set(lengths.tolist()) == set(LENGTHS)
    for read, said, n in zip(source, target, lengths.tolist(), strict=True):
        assert said[:n].tolist() == read[:n].flip(0).tolist()  # exact: ids
        assert said[n] == END
        assert (read[n:] == PADDING).all()  # exact: ids
        assert (said[n + 1 :] == PADDING).all()  # exact: ids
    assert spell(torch.tensor([8, 0, 1, 9, 10])) == ">ab.-"


def test_a_batch_without_words_is_refused():
    with pytest.raises(ValueError, match="got batch_size=-1"):
        words(-1, dice())


def test_one_vector_is_the_mean_of_what_is_no_padding():
    memory = torch.randn(2, 3, 4, generator=dice())
    mask = torch.tensor([[[True, True, False]], [[True, True, True]]])
    mean, no_mask = one_vector(memory, mask)
    assert no_mask is None
    torch.testing.assert_close(mean[0, 0], memory[0, :2].mean(0))
    torch.testing.assert_close(mean[1, 0], memory[1].mean(0))


def test_a_little_training_lowers_the_loss_and_shares_are_shares():
    model = new_model(0)
    losses = train(model, 40, 0)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert all(0 <= share <= 1 for share in backwards.share_by_length(model, 0, n_words=50))
    assert all(0 <= share <= 1 for share in backwards.foreign_memories(model, 0).values())


def test_an_encoder_that_lets_nobody_look_makes_vectors_that_fit_everywhere(monkeypatch):
    model = new_model(0)
    for block in model.encoder:  # nothing is exchanged
        torch.nn.init.zeros_(block.attention.output_projection.weight)
    monkeypatch.setattr(backwards, "write", lambda model, memory: memory.sum((1, 2))[:, None])
    monkeypatch.setattr(backwards, "_right", lambda written, target: written.round(decimals=3))
    found = backwards.foreign_memories(model, 0)
    assert found["own, 4"] == pytest.approx(found["cut"], abs=1e-4)
    assert found["own, 6"] == pytest.approx(found["swapped"], abs=1e-4)


def test_what_each_head_looks_at_sums_to_one_and_spares_the_padding():
    source, target, lengths = words(20, dice())
    weights = backwards.cross_weights(new_model(0), source, target, lengths)
    assert weights.shape == (20, 4, 7, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(20, 4, 7))
    hidden = torch.arange(6) >= lengths[:, None]
    assert weights.transpose(1, 3)[hidden].abs().max() < 1e-6


def test_writing_agrees_with_the_best_token_of_one_pass():
    model = new_model(1)
    memory = torch.randn(3, 4, 32, generator=dice()).to(default_device())
    written = backwards.write(model, memory)
    given = torch.nn.functional.pad(written[:, :-1], (1, 0), value=backwards.START)
    with torch.no_grad():
        # exact: ids
        assert torch.equal(model.decode(given, memory).argmax(-1), written)


def test_runs_are_kept_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(backwards, "STUDY", {"all vectors": (None, (2,))})
    monkeypatch.setattr(backwards, "N_SEEDS", 1)
    numbers = backwards.measure(tmp_path, 0)
    found = backwards.seeds_of(numbers, "all vectors", 2, "6 letters")
    assert len(found) == 1
    monkeypatch.setattr(backwards, "train", None)  # a second time nothing is trained
    assert backwards.measure(tmp_path, 0) == numbers
