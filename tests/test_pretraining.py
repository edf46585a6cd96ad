"""lmcourse.pretraining: the command `lmcourse train`, also when it is stopped or killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import lmcourse
from lmcourse.__main__ import app
from lmcourse.generation import generate
from lmcourse.pretrained import from_pretrained
from lmcourse.pretraining import read_text, sample
from lmcourse.runs import read_metrics

TINY = ["--n-layers", "1", "--n-heads", "2", "--d-model", "8", "--context-length", "8"]
SHORT = [*TINY, "--n-steps", "12", "--n-warmup", "2", "--validate-every", "4", "--device", "cpu"]
TEXT = "the cat sat on the mat and the dog sat on the cat.\n" * 12


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(autouse=True)
def _device_stays(monkeypatch):
    monkeypatch.setenv("LMCOURSE_DEVICE", "cpu")  # put back after --device has set it


def invoke(*arguments):
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def started(*arguments, processes=1):
    """The command as a process of its own."""
    start = [sys.executable]
    if processes > 1:
        start += ["-m", "torch.distributed.run", "--standalone"]
        start += ["--nproc-per-node", str(processes)]
    return subprocess.Popen(
        [*start, "-m", "lmcourse", "train", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(lmcourse.__file__).parents[1])},
    )


def timeless(folder):
    return [row._replace(seconds=0.0) for row in read_metrics(folder)]


# ---------------------------------------------------------------- one go


def test_it_leaves_a_model_that_writes(text, tmp_path):
    out = tmp_path / "out"
    shown = invoke(text, "--out", out, *SHORT, "--prompt", "the ")
    assert shown.exit_code == 0, (shown.output, shown.exception)
    assert "551 tokens to learn from, 61 held out, 14 kinds" in shown.output
    assert "lowest validation loss" in shown.output
    assert "\nthe " in shown.output
    assert [row.step for row in read_metrics(out)] == list(range(1, 13))
    model, tokenizer = from_pretrained(out)
    ids = torch.tensor([tokenizer.encode("the cat")])
    assert generate(model, ids, 5, temperature=0.0).shape == (1, 12)
    assert sample(out, "dog", n_tokens=4).startswith("dog")
    assert len(sample(out, n_tokens=4)) == 5


def test_byte_pairs_are_learned_from_what_is_not_held_out(tmp_path):
    path, out = tmp_path / "text.txt", tmp_path / "out"
    path.write_text(TEXT + "zzzz zzzz zzzz\n" * 3)
    shown = invoke(path, "--out", out, *SHORT, "--tokenizer", "bpe", "--vocab-size", "262")
    assert shown.exit_code == 0, (shown.output, shown.exception)
    model, tokenizer = from_pretrained(out)
    assert model.config.vocab_size == tokenizer.vocab_size == 262
    assert not any(b"zz" in token for token in tokenizer.tokens)
    assert tokenizer.decode(tokenizer.encode("zz top")) == "zz top"


def test_a_text_without_a_new_line_gets_a_sample_too(tmp_path):
    path = tmp_path / "line.txt"
    path.write_text("abcab" * 40)
    shown = invoke(path, "--out", tmp_path / "out", *SHORT)
    assert shown.exit_code == 0, (shown.output, shown.exception)


def test_texts_are_files_data_sets_or_pydoc(text, tmp_path, monkeypatch):
    assert read_text(str(text)) == TEXT
    assert len(read_text("pydoc")) > 100_000
    with pytest.raises(ValueError, match="must be a file, 'pydoc' or a data set, got 'nothing'"):
        read_text("nothing")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="binary must be text in UTF-8, got"):
        read_text(str(tmp_path / "binary"))
    monkeypatch.setattr("lmcourse.pretraining.load_dataset", lambda name: {"all": [("a", 1)]})
    with pytest.raises(ValueError, match="must be a data set of running text, got 'rt-polarity'"):
        read_text("rt-polarity")


# ---------------------------------------------------------------- refusals


def test_what_is_refused_is_one_line_before_any_work(text, tmp_path, unchecked):
    full = tmp_path / "full"
    full.mkdir()
    (full / "config.json").write_text("{}")
    new = tmp_path / "new"
    cases = [
        (["nothing", "--out", new], "text must be a file, 'pydoc' or a data set"),
        ([text, "--out", full], "folder must hold no training yet"),
        ([text, "--out", new, "--tokenizer", "words"], "tokenizer must be one of chars"),
        ([text, "--out", new, "--prompt", "Ж"], "text must have known characters only, got 'Ж'"),
        ([text, "--out", new, "--prompt", ""], "prompt must have at least one character"),
        ([text, "--out", new, "--d-model", "10"], "d_model must be a multiple of n_heads"),
        ([text, "--out", new, "--precision", "fp8"], "precision must be fp32 or bf16"),
        ([text, "--out", new, "--device", "abacus"], "must name a device that PyTorch can reach"),
        (["--resume", "--out", new], "folder must hold a trained model"),
        (["--resume", "--out", full], "folder must hold what lmcourse train began"),
        (["--resume", "--out", full, "--n-steps", "9"], "--resume must come alone"),
    ]
    for arguments, words in cases:
        shown = invoke(*arguments, *([] if "--resume" in arguments else ["--n-warmup", "0"]))
        assert shown.exit_code == 2, (arguments, shown.output)
        assert words in shown.stderr, (arguments, shown.stderr)
        assert shown.stderr.count("\n") == 1
        os.environ["LMCOURSE_DEVICE"] = "cpu"
    assert not new.exists()


def test_a_text_that_changed_is_not_gone_on_with(text, tmp_path):
    assert invoke(text, "--out", tmp_path / "out", *SHORT).exit_code == 0
    text.write_text(TEXT + "more")
    shown = invoke("--resume", "--out", tmp_path / "out")
    assert shown.exit_code == 2
    assert "text must be the one that the training began with" in shown.stderr


def test_a_loss_that_is_no_number_is_exit_code_1(text, tmp_path, monkeypatch):
    def broken(self, ids):
        return (self.embedding @ self.embedding.T)[ids] * torch.nan

    monkeypatch.setattr("lmcourse.gpt.GPT.forward", broken)
    shown = invoke(text, "--out", tmp_path / "out", *SHORT)
    assert shown.exit_code == 1
    assert "must be finite, got nan and nan at step 1" in shown.stderr


# ---------------------------------------------------------------- stopped and killed

LONG = [*TINY, "--n-steps", "600", "--n-warmup", "2", "--validate-every", "25", "--dropout", "0.1"]


def wait_for_step(folder, step, process):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "metrics.csv").exists() and len(read_metrics(folder)) >= step:
            return
        time.sleep(0.02)
    raise AssertionError(process.communicate())


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_it_is_the_same_to_the_bit(text, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert invoke(text, "--out", whole, *LONG).exit_code == 0
    process = started(text, "--out", out, *LONG)
    for step in (1, 40, 210):
        wait_for_step(out, step, process)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        process = started("--resume", "--out", out)
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert timeless(out) == timeless(whole)
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert sorted(os.listdir(out)) == sorted(os.listdir(whole))
    assert "lowest validation loss" in printed


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_says_so_and_is_exit_code_130(number, text, tmp_path):
    out = tmp_path / "out"
    process = started(text, "--out", out, *LONG)
    wait_for_step(out, 30, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    done = len(read_metrics(out))
    assert f"lmcourse: stopped after step {done}: saved in {out}" in errors
    assert done >= 30
    shown = invoke("--resume", "--out", out)
    assert shown.exit_code == 0, (shown.output, shown.exception)
    assert [row.step for row in read_metrics(out)] == list(range(1, 601))


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(text, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for n, folder in enumerate(folders, 1):
        process = started(text, "--out", folder, *SHORT, processes=n)
        printed, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert printed.count("lowest validation loss") == 1
    for one, two in zip(*map(read_metrics, folders), strict=True):
        assert two.loss == pytest.approx(one.loss, abs=1e-5)
    assert json.loads((folders[1] / "config.json").read_text())["training"]["n_steps"] == 12
