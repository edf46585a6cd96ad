"""lmcourse.commands.prepare_data: the command `lmcourse data prepare`."""

import json

import pytest
from typer.testing import CliRunner

from lmcourse.__main__ import app
from lmcourse.corpora import zipf_words
from lmcourse.files import write_file


def invoke(*arguments):
    return CliRunner().invoke(app, [str(x) for x in arguments])


@pytest.fixture
def text(tmp_path):
    write_file(tmp_path / "text.txt", " ".join(zipf_words(700, seed=3)))
    return tmp_path / "text.txt"


def test_it_leaves_ids_that_train_reads(text, tmp_path, monkeypatch):
    monkeypatch.setenv("LMCOURSE_DEVICE", "cpu")
    done = invoke("data", "prepare", text, "-o", tmp_path / "ids", "--license", "CC0")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "validation: " in said
    assert "license: CC0 100%" in said
    tiny = ["--n-layers", "1", "--n-heads", "1", "--d-model", "4", "--context-length", "4"]
    call = ["train", tmp_path / "ids", "-o", tmp_path / "model", *tiny, "--n-steps", "2"]
    trained = invoke(*call)
    assert trained.exit_code == 0, trained.output
    again = invoke(
        *("data", "prepare", text, "-o", tmp_path / "more", "--license", "CC0"),
        *("--tokenizer", tmp_path / "ids"),
    )
    assert again.exit_code == 0, again.output
    names = ("ids", "more")
    ids, more = (json.loads((tmp_path / x / "data.json").read_text("utf-8")) for x in names)
    assert ids["parts"] == more["parts"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tokenizer", "words"], "tokenizer must be 'bpe', to learn up to 4,096 byte pairs"),
        (["--held-out", "2"], "held_out must lie in 0…1, below 1, got held_out=2.0"),
        (["--workers", "0"], "n_workers must be at least 1, got n_workers=0"),
    ],
)
def test_what_is_refused_is_one_line_and_leaves_nothing(text, tmp_path, options, words):
    done = invoke("data", "prepare", text, "-o", tmp_path / "ids", *options)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())
    assert not (tmp_path / "ids").exists()


def test_a_known_tokenizer_learns_nothing(text, tmp_path):
    invoke("data", "prepare", text, "-o", tmp_path / "ids", "--vocab-size", "300")
    known = ["--tokenizer", tmp_path / "ids", "--vocab-size", "400"]
    done = invoke("data", "prepare", text, "-o", tmp_path / "more", *known)
    assert done.exit_code == 2
    assert "vocab_size must be left out with a tokenizer that is known" in done.output.replace(
        "\n", " "
    )
