"""lmcourse.commands.train_gpt: the command `lmcourse train`, also when it is stopped or killed."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import lmcourse
from lmcourse.__main__ import app
from lmcourse.checkpoints import restored
from lmcourse.commands.sample_text import Request, sample
from lmcourse.commands.train_gpt import (
    MODEL,
    TRAINING,
    read_text,
    resume_training,
    start_training,
)
from lmcourse.generation import generate
from lmcourse.loop.run_folder import read_metrics
from lmcourse.optimization import cosine_schedule
from lmcourse.pretrained import from_pretrained
from lmcourse.training import TrainingConfig

TINY = ["--n-layers", "1", "--n-heads", "2", "--d-model", "8", "--context-length", "8"]
SHORT = [*TINY, "--n-steps", "12", "--n-warmup", "2", "--validate-every", "4", "--device", "cpu"]
SMALL = replace(MODEL, n_layers=1, n_heads=2, d_model=8, context_length=8)
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
    return [row._replace(seconds=0.0, predictions_per_second=None) for row in read_metrics(folder)]


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
    assert sample(out, Request("dog", n_tokens=4)).startswith("dog")
    assert len(sample(out, Request(n_tokens=4))) == 5


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
    monkeypatch.setattr(
        "lmcourse.commands.training_data.load_dataset", lambda name: {"all": [("a", 1)]}
    )
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


REFUSED = {
    "a text of three characters": (["abc"], "text must give more than context_length=8 tokens"),
    "no longer than a window": (["ab" * 4], "to learn from and 2 to hold out, got 7 and 1 of 8"),
    "an empty text": ([""], "text must have at least one character"),
    "a batch in uneven pieces": ([TEXT, "--n-accumulate", "5"], "batch_size must be a multiple"),
    "no numbers": ([TEXT, "--weight-decay", "nan"], "weight_decay must be finite, got .*=nan"),
    "infinities": ([TEXT, "--max-norm", "inf"], "max_norm must be above 0 and finite, got .*=inf"),
    "a rate below 0": ([TEXT, "--learning-rate", "-1"], "learning_rate must be above 0"),
    "dropout of all": ([TEXT, "--dropout", "nan"], "dropout must be at least 0 and below 1"),
    "no ids": ([TEXT, "--vocab-size", "0"], "vocab_size must be at least 2"),
    "no byte pairs": (
        [TEXT, "--tokenizer", "bpe", "--vocab-size", "0"],
        "vocab_size must be at least 256, .*got vocab_size=0",
    ),
    "a warm-up that was asked for": ([TEXT, "--n-warmup", "12"], "n_warmup must .*got n_warmup=12"),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=REFUSED)
def test_a_refused_start_leaves_nothing_and_the_corrected_call_works(arguments, words, tmp_path):
    path, out = tmp_path / "text.txt", tmp_path / "new" / "out"
    path.write_text(arguments[0])
    shown = invoke(path, "--out", out, *SHORT, *arguments[1:])
    assert shown.exit_code == 2, (shown.output, shown.exception)
    assert re.search(words, shown.stderr), shown.stderr
    assert shown.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["text.txt"]
    path.write_text(TEXT)
    shown = invoke(path, "--out", out, *SHORT)
    assert shown.exit_code == 0, (shown.output, shown.exception)


def test_a_start_that_fails_at_its_first_step_or_file_leaves_nothing(text, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise OSError("no room")

    for name in (
        "lmcourse.pretrained.write_file",
        "lmcourse.loop.gradient_step.Updater.accumulate_gradients",
    ):
        with monkeypatch.context() as broken:
            broken.setattr(name, fail)
            shown = invoke(text, "--out", tmp_path / "out", *SHORT)
        assert (shown.exit_code, "no room" in shown.stderr) == (1, True)
        assert os.listdir(tmp_path) == ["text.txt"]


def test_a_start_that_is_killed_between_two_files_can_be_given_again(text, tmp_path, monkeypatch):
    """The config is written last: where it is, the tokenizer is, and the training can go on."""

    class Killed(BaseException):
        pass

    def die(*arguments, **options):
        raise Killed

    for moment in ("lmcourse.pretrained.write_file", "lmcourse.commands.train_gpt.train"):
        out = tmp_path / moment
        with monkeypatch.context() as dying:
            dying.setattr(moment, die)
            with pytest.raises(Killed):
                start_training(text, out, SMALL, replace(TRAINING, n_steps=12, n_warmup=2))
        assert (out / "config.json").exists() == (moment == "lmcourse.commands.train_gpt.train")
        again = ["--resume"] if (out / "config.json").exists() else [text, *SHORT]
        assert (out / "tokenizer.json").exists()
        shown = invoke(*again, "--out", out)
        assert shown.exit_code == 0, (shown.output, shown.exception)


def test_a_short_training_has_a_short_warm_up(text, tmp_path):
    shown = invoke(text, "--out", tmp_path, *TINY, "--n-steps", "20", "--device", "cpu")
    assert shown.exit_code == 0, (shown.output, shown.exception)
    assert json.loads((tmp_path / "config.json").read_text())["training"]["n_warmup"] == 5


def test_a_byte_order_mark_is_no_character(tmp_path):
    path = tmp_path / "bom.txt"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert read_text(path) == TEXT
    assert invoke(path, "--out", tmp_path / "out", *SHORT).exit_code == 0
    assert "\ufeff" not in from_pretrained(tmp_path / "out")[1].tokens


def test_odd_files_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    for arguments, words in (
        ([tmp_path], f"got a folder: {tmp_path}"),
        ([os.devnull], f"got a device or a pipe: {os.devnull}"),
        ([tmp_path / "file", "--out", tmp_path / "file"], "folder must be a folder, got the file"),
    ):
        shown = invoke("--out", tmp_path / "out", *arguments)
        assert (shown.exit_code, shown.stderr.count("\n")) == (2, 1)
        assert words in shown.stderr


# ---------------------------------------------------------------- going on


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("trained")
    (place / "text.txt").write_text(TEXT)
    config = TrainingConfig(n_steps=12, batch_size=12, n_warmup=2, validate_every=4, seed=7)
    with contextlib.chdir(place):  # what was typed names no folder
        start_training("text.txt", "out", SMALL, config)
    return place


@pytest.fixture
def finished(trained, tmp_path):
    """A folder beside its text, with a training that is over."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path / "out"


def test_a_text_that_changed_is_not_gone_on_with(finished, tmp_path):
    (tmp_path / "text.txt").write_text(TEXT + "more")
    shown = invoke("--resume", "--out", finished)
    assert shown.exit_code == 2
    assert "text must be the one that the training began with" in shown.stderr


@pytest.mark.parametrize("option", ["--n-steps=11", "--seed=0", "--tokenizer=bpe", "--d-ff=9"])
def test_a_setting_beside_resume_must_be_that_of_the_folder(option, finished):
    """Also one that is the command's default: the folder was begun with another."""
    shown = invoke("--resume", "--out", finished, option)
    name, value = option.split("=")
    assert shown.exit_code == 2
    assert "--resume must come alone or with the settings of" in shown.stderr
    assert re.search(f"got {name[2:].replace('-', '_')}='?{value}", shown.stderr)
    assert f"leave out {name}, or start in another folder" in shown.stderr


def test_the_settings_of_the_folder_may_be_given_again_and_the_sample_is_the_same(
    finished, tmp_path
):
    again = invoke("--resume", "--out", finished, "--n-steps", "12", "--seed", "7")
    assert again.exit_code == 0, (again.output, again.exception)
    text, other = tmp_path / "text.txt", tmp_path / "other"
    written = invoke(text, "--out", other, *SHORT, "--seed", "7").output
    assert again.output.splitlines()[2:] == written.splitlines()[2:]


def test_more_steps_go_on_after_the_end(finished):
    before = timeless(finished)
    more = invoke("--resume", "--out", finished, "--n-steps", "20")
    assert more.exit_code == 0, (more.output, more.exception)
    rows = timeless(finished)
    assert [row.step for row in rows] == list(range(1, 21))
    assert rows[:12] == before
    # The rate is that of a training of twenty steps, which was not at its end after twelve.
    assert rows[12].learning_rate > before[-1].learning_rate
    told = json.loads((finished / "config.json").read_text())["training"]
    whole = restored(TrainingConfig, told, "config.json")
    assert rows[-1].learning_rate == pytest.approx(
        cosine_schedule(19, 20, whole.learning_rate, whole.learning_rate / 10, whole.n_warmup)
    )
    assert whole.n_steps == 20
    assert invoke("--resume", "--out", finished).exit_code == 0
    assert timeless(finished) == rows
    fewer = invoke("--resume", "--out", finished, "--n-steps", "12")
    assert (fewer.exit_code, timeless(finished)) == (2, rows)


def test_a_training_may_begin_with_a_model_that_is_there(finished, tmp_path):
    """After a step of hardly any length the weights are still those it began with."""
    text, out = tmp_path / "text.txt", tmp_path / "next"
    still = ["--n-steps", "1", "--learning-rate", "1e-12"]
    tuned = invoke(text, "--init-from", finished, "--out", out, *still)
    assert tuned.exit_code == 0, (tuned.output, tuned.exception)
    (model, tokenizer), (first, known) = from_pretrained(out), from_pretrained(finished)
    assert (model.config, tokenizer.tokens) == (first.config, known.tokens)
    for name, weight in first.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weight, msg=name)


def test_what_began_with_a_model_begins_with_it_again_if_nothing_was_saved(finished, tmp_path):
    text, out, again = tmp_path / "text.txt", tmp_path / "next", tmp_path / "again"
    arguments = ["--init-from", finished, "--n-steps", "4", "--validate-every", "4"]
    assert invoke(text, *arguments, "--out", out).exit_code == 0
    shutil.copytree(out, again)
    for name in ("model.safetensors", "training.safetensors", "metrics.csv"):
        (again / name).unlink()
    assert invoke("--resume", "--out", again).exit_code == 0
    assert timeless(again) == timeless(out)


def test_what_does_not_go_with_a_model_that_is_there_is_refused(finished, tmp_path, unchecked):
    text, out = tmp_path / "text.txt", tmp_path / "next"
    strange, prepared = tmp_path / "strange.txt", tmp_path / "prepared"
    strange.write_text("Ж" * 300)
    (tmp_path / "lines.txt").write_text(TEXT * 20)
    settings = ["data", "prepare", tmp_path / "lines.txt", "--out", prepared, "--vocab-size", 260]
    settings += ["--held-out", "0.5"]
    assert CliRunner().invoke(app, [*map(str, settings)]).exit_code == 0
    for arguments, words in (
        ([text, "--d-model", "16"], "--init-from brings a whole model, with d_model=8, got d_mod"),
        ([text, "--tokenizer", "bpe"], "with tokenizer='chars', got tokenizer='bpe': leave out -"),
        ([text, "--block", "llama"], "leave out --block"),
        ([strange], "text must have known characters only"),
        ([prepared], "prepared data must have the tokenizer of the model to begin from"),
        ([text, "--init-from", tmp_path / "none"], "folder must hold a trained model"),
    ):
        shown = invoke("--init-from", finished, *arguments, "--out", out)
        assert (shown.exit_code, shown.stderr.count("\n")) == (2, 1), (arguments, shown.output)
        assert words in shown.stderr
        assert not out.exists()


def test_a_block_is_a_name_for_its_parts(text, tmp_path, unchecked):
    assert invoke(text, "--out", tmp_path / "out", *SHORT, "--block", "llama").exit_code == 0
    config = from_pretrained(tmp_path / "out")[0].config
    parts = (config.norm, config.feed_forward, config.positions, config.tied_head, config.d_ff)
    assert parts == ("rms", "swiglu", "rotary", False, 24)
    mixed = ["--block", "llama", "--norm", "layer", "--d-ff", "9"]
    assert invoke(text, "--out", tmp_path / "mixed", *SHORT, *mixed).exit_code == 0
    config = from_pretrained(tmp_path / "mixed")[0].config
    assert (config.norm, config.feed_forward, config.d_ff) == ("layer", "swiglu", 9)
    shown = invoke(text, "--out", tmp_path / "none", *SHORT, "--block", "bert")
    assert (shown.exit_code, "block must be gpt2 or llama" in shown.stderr) == (2, True)


def test_betas_change_the_steps_and_stay(text, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    assert invoke(text, "--out", out, *SHORT, "--betas", "0.5", "0.9").exit_code == 0
    assert invoke(text, "--out", other, *SHORT).exit_code == 0
    assert timeless(out)[0] == timeless(other)[0]
    assert timeless(out)[-1].loss != pytest.approx(timeless(other)[-1].loss, abs=1e-5)
    assert invoke("--resume", "--out", out, "--betas", "0.5", "0.9").exit_code == 0
    shown = invoke("--resume", "--out", out, "--betas", "0.5", "0.8")
    assert (shown.exit_code, "there it is [0.5, 0.9]" in shown.stderr) == (2, True)


@pytest.mark.parametrize("moved", ["nothing", "both", "text into folder", "text to here"])
def test_the_text_is_found_again_from_everywhere(moved, finished, tmp_path, monkeypatch):
    text, other = tmp_path / "text.txt", tmp_path / "other" / "place"
    other.mkdir(parents=True)
    if moved == "both":
        text.rename(other / "text.txt")
        finished = finished.rename(other / "out")
    elif moved == "text into folder":
        text.rename(finished / "text.txt")
    elif moved == "text to here":
        text.rename(other / "text.txt")
    monkeypatch.chdir(other if moved == "text to here" else "/")
    resume_training(finished)


def test_a_text_that_is_nowhere_can_be_given_again(finished, tmp_path):
    renamed = (tmp_path / "text.txt").rename(tmp_path / "renamed.txt")
    shown = invoke("--resume", "--out", finished)
    assert shown.exit_code == 2
    assert "text must be there to go on, got no file" in shown.stderr
    assert "lmcourse train TEXT --resume --out" in shown.stderr
    assert invoke(renamed, "--resume", "--out", finished).exit_code == 0
    renamed.write_text("another one " * 20)
    assert "another one from" in invoke(renamed, "--resume", "--out", finished).stderr


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("training", {"warmth": 3}, "no field that TrainingConfig lacks, got warmth=3: another v"),
        ("training", {"n_steps": "12"}, "n_steps must be a whole number, got n_steps='12': anoth"),
        ("training", None, "training, must hold the fields of TrainingConfig, got None: another"),
        ("config", {"n_experts": 2}, "no field that GPTConfig lacks, got n_experts=2: another ver"),
        ("tokenizer", "bytes", "must name a tokenizer, one of .*, got tokenizer='bytes': another"),
    ],
)
def test_a_folder_of_another_version_is_told_by_file_and_field(
    part, change, words, finished, unchecked
):
    path = finished / "config.json"
    content = json.loads(path.read_text())
    content[part] = content[part] | change if isinstance(change, dict) else change
    path.write_text(json.dumps(content))
    shown = invoke("--resume", "--out", finished)
    assert shown.exit_code == 2, (shown.output, shown.exception)
    assert f"{path}" in shown.stderr
    assert re.search(words, shown.stderr), shown.stderr


@pytest.mark.parametrize("damage", ["removed", "a bad line", "semicolons", "bytes"])
def test_the_table_is_a_record_and_its_loss_is_told(damage, finished):
    table = finished / "metrics.csv"
    lines = table.read_bytes().splitlines(keepends=True)
    lost = 1
    if damage == "removed":
        table.unlink()
        lost = 12
    elif damage == "a bad line":
        table.write_bytes(b"".join([*lines[:4], b"no,numbers,at,all,in,this,line\n", *lines[5:]]))
    elif damage == "bytes":
        table.write_bytes(b"".join([*lines[:4], b"\xff\x00\n", *lines[5:]]))
    else:
        table.write_bytes(b"".join(lines).replace(b",", b";"))
        lost = 12
    shown = invoke("--resume", "--out", finished)
    assert shown.exit_code == 0, (shown.output, shown.exception)
    assert f"metrics.csv has lost {lost} of 12 rows, which are missing or damaged" in shown.output
    assert len(read_metrics(finished)) == 12 - lost
    assert (finished / "metrics.damaged.csv").exists() == (damage != "removed")


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


@pytest.mark.slow
def test_what_two_processes_refuse_is_said_once(text, tmp_path):
    refused = [text, "--out", tmp_path / "out", *SHORT, "--batch-size", "3"]
    process = started(*refused, processes=2)
    _, errors = process.communicate(timeout=300)
    assert process.returncode != 0
    assert errors.count("batch_size must be a multiple of") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_processes_of_our_own_start_say_one_line_and_train_as_one(text, tmp_path):
    out = tmp_path / "out"
    process = started(text, "--out", out, *SHORT, "--processes", "2", "--batch-size", "3")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 2
    assert errors.startswith("lmcourse: batch_size must be a multiple of")
    assert errors.count("\n") == 1
    assert not out.exists()
    process = started(text, "--out", out, *SHORT, "--processes", "2")
    printed, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    assert printed.count("lowest validation loss") == 1
    alone = invoke(text, "--out", tmp_path / "alone", *SHORT)
    assert alone.exit_code == 0
    for one, two in zip(*map(read_metrics, (tmp_path / "alone", out)), strict=True):
        assert two.loss == pytest.approx(one.loss, abs=1e-5)
