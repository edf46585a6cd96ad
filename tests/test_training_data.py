"""lmcourse.commands.training_data: prepared ids are trained on as the same ids in memory are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lmcourse.commands.train_gpt import MODEL, TRAINING, resume_training, start_training
from lmcourse.commands.training_data import load_data
from lmcourse.corpora import zipf_words
from lmcourse.files import write_file
from lmcourse.gpt import GPT
from lmcourse.prepared.encoding import Settings
from lmcourse.prepared.id_files import open_prepared
from lmcourse.prepared.prepare import prepare
from lmcourse.training import train

SMALL = replace(MODEL, n_layers=1, n_heads=2, d_model=8, context_length=8)
SHORT = replace(TRAINING, n_steps=6, n_warmup=2, validate_every=3, batch_size=4)


def quiet(line):
    pass


@pytest.fixture
def prepared(tmp_path):
    text = tmp_path / "text.txt"
    write_file(text, " ".join(zipf_words(800, seed=4)))
    prepare([text], tmp_path / "ids", Settings(vocab_size=300, held_out=0.2), tell=quiet)
    return tmp_path / "ids"


def started(source, out, **more):
    return start_training(source, out, SMALL, SHORT, tell=quiet, **more)


def test_losses_are_those_of_the_same_ids_in_memory(prepared, tmp_path):
    found = started(prepared, tmp_path / "out")
    data = open_prepared(prepared)
    ids = [torch.tensor(x.astype(np.int64)) for x in (data.train, data.validation)]
    torch.manual_seed(SHORT.seed)
    model = GPT(replace(SMALL, vocab_size=300))
    wanted = train(model, ids[0], SHORT, validation=ids[1])
    losses = [[row.loss for row in result.history] for result in (found, wanted)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert found.best_loss == pytest.approx(wanted.best_loss, rel=1e-5)


def test_prepared_ids_are_found_again_when_both_folders_have_moved(prepared, tmp_path):
    started(prepared, tmp_path / "out")
    (tmp_path / "new").mkdir()
    for name in ("ids", "out"):
        (tmp_path / name).rename(tmp_path / "new" / name)
    assert resume_training(tmp_path / "new/out", tell=quiet).history[-1].step == 6


def test_other_ids_are_not_gone_on_with(prepared, tmp_path):
    started(prepared, tmp_path / "out")
    description = (prepared / "data.json").read_text(encoding="utf-8")
    write_file(prepared / "data.json", description + "\n")
    with pytest.raises(ValueError, match="text must be the one that the training began with"):
        resume_training(tmp_path / "out", tell=quiet)


def test_prepared_ids_have_their_tokenizer_and_must_be_enough(prepared, tmp_path):
    for asked in ({"tokenizer": "chars"}, {"vocab_size": 300}):
        name = next(iter(asked))
        with pytest.raises(ValueError, match=f"{name} must be left out with prepared data"):
            started(prepared, tmp_path / "out", **asked)
    few = tmp_path / "few.txt"
    write_file(few, "ba be")
    prepare([few], tmp_path / "few", Settings(), tell=quiet)
    with pytest.raises(ValueError, match=r"more than context_length=8 tokens .* got 3 and 0"):
        started(tmp_path / "few", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_more_is_validated_on_than_is_worth_its_time(prepared, monkeypatch):
    monkeypatch.setattr("lmcourse.commands.training_data.VALIDATION_IDS", 20)
    assert len(load_data(prepared, None, None, 8).validation) == 20
