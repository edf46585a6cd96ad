"""lmcourse.applications.shakespeare: a small run of it, and what was stored of the large one."""

import hashlib
import itertools
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
import torch

from lmcourse.applications import shakespeare
from lmcourse.applications.shakespeare import MODEL, TRAINING, bigram_loss, story, tokenized, watch
from lmcourse.commands.reproduce import stored
from lmcourse.neurons import cross_entropy
from lmcourse.pretrained import MODELS, from_pretrained, shipped
from lmcourse.tokenizers import BPETokenizer

TEXT = "".join(f"A:\nthe {x} {y} is {z}.\n\n" for x, y, z in itertools.product(
    ("red", "old", "shy"), ("cat", "dog", "owl"), ("here", "gone", "mine")))  # fmt: skip
SMALL = replace(MODEL, vocab_size=280, context_length=16, d_model=16, n_layers=1)
STEPS = replace(TRAINING, n_steps=8, n_warmup=2, validate_every=4)


@pytest.fixture(autouse=True)
def _small_text(monkeypatch):
    monkeypatch.setattr(shakespeare, "load_dataset", lambda name: {"all": TEXT})
    monkeypatch.setattr(shakespeare, "_SMOOTH", 2)


def run(folder, **changes):
    return watch(folder, 3, SMALL, replace(STEPS, **changes), milestones=(0, 2, 8))


def test_it_writes_at_its_milestones_and_leaves_a_model(tmp_path):
    numbers = run(tmp_path / "run")
    told = story(tmp_path / "run")
    assert [row["step"] for row in told["samples"]] == [0, 2, 8]
    assert all(row["text"].startswith("ROMEO:\n") for row in told["samples"])
    assert [step for step, _, _ in told["curve"]] == [2, 4, 6, 8]
    validated = [loss for _, _, loss in told["curve"] if loss is not None]
    assert len(validated) == 2
    assert numbers["validation_loss"] == pytest.approx(min(validated), abs=1e-4)
    model, tokenizer = from_pretrained(tmp_path / "run")
    assert numbers["n_parameters"] == sum(weight.numel() for weight in model.parameters())
    held_out = TEXT[round(0.9 * len(TEXT)) :]
    ratio = numbers["nats_per_character"] / numbers["validation_loss"]
    assert ratio == pytest.approx((len(tokenizer.encode(held_out)) - 1) / len(held_out))


def test_a_run_that_was_stopped_tells_the_same_story(tmp_path, monkeypatch):
    run(tmp_path / "whole")
    keep = shakespeare._keep_sample

    def stop(folder, step, text):
        if step == 8:
            raise KeyboardInterrupt
        keep(folder, step, text)

    monkeypatch.setattr(shakespeare, "_keep_sample", stop)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped")
    assert [row["step"] for row in story(tmp_path / "stopped")["samples"]] == [0, 2]
    monkeypatch.setattr(shakespeare, "_keep_sample", keep)
    (tmp_path / "stopped/training.safetensors").unlink()  # as if it had ended before a save
    run(tmp_path / "stopped")
    assert story(tmp_path / "stopped") == story(tmp_path / "whole")


def typed(name, value):
    """An option of the command as somebody types it; None is left out."""
    option = name.replace("_", "-")
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    if isinstance(value, tuple):
        return [f"--{option}", *map(str, value)]
    return [f"--{option}={value}"]


def test_it_is_what_lmcourse_train_does_with_these_options(tmp_path):
    run(tmp_path / "watched")
    (tmp_path / "text").write_text(TEXT, "utf-8")
    settings = asdict(SMALL) | asdict(replace(STEPS, seed=3)) | {"context_length": 16}
    options = [word for name, value in settings.items() for word in typed(name, value)]
    command = [sys.executable, "-m", "lmcourse", "train", tmp_path / "text", "--tokenizer", "bpe"]
    command += [*options, "-o", tmp_path / "trained"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    watched, trained = (from_pretrained(tmp_path / name)[0] for name in ("watched", "trained"))
    assert watched.config == trained.config
    for ours, theirs in zip(watched.parameters(), trained.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_counted_pairs_are_a_baseline():
    ids = torch.tensor([0, 1, 0, 1, 0, 2])
    # After 0 came 1, 1, 2; with one more of each: 1/6, 3/6, 2/6. After 1 came 0, 0: 3/5, 1/5, 1/5.
    held_out = torch.tensor([0, 1, 0, 2])
    expected = -torch.tensor([3 / 6, 3 / 5, 2 / 6]).log().mean().item()
    assert bigram_loss(ids, held_out, 3) == pytest.approx(expected)


def test_the_tokenizer_never_sees_what_is_held_out():
    tokenizer, ids, held_out = tokenized(TEXT, 280)
    cut = round(0.9 * len(TEXT))
    assert tokenizer.merges == BPETokenizer.train(TEXT[:cut], 280).merges
    assert tokenizer.decode(ids.tolist()) == TEXT[:cut]
    assert tokenizer.decode(held_out.tolist()) == TEXT[cut:]


# ---------------------------------------------------------------- what came with the course


def test_the_model_in_the_package_is_the_one_that_was_measured():
    result = stored("shakespeare")
    weights = (MODELS / "shakespeare/model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == result["weights"]["sha256"]
    assert len(weights) == result["weights"]["n_bytes"] < 3_000_000
    model, _ = shipped("shakespeare")
    assert model.config == MODEL
    assert result["numbers"]["logit_change"] <= 0.02
    assert result["numbers"]["best_step"] in range(0, TRAINING.n_steps + 1, TRAINING.validate_every)


def test_the_story_has_the_same_prompt_at_each_milestone_beside_the_curve():
    result = stored("shakespeare")
    assert [row["step"] for row in result["samples"]] == list(shakespeare.MILESTONES)
    assert all(row["text"].startswith(shakespeare.PROMPT) for row in result["samples"])
    assert result["curve"][-1][0] == TRAINING.n_steps
    losses = [loss for _, _, loss in result["curve"] if loss is not None]
    assert result["numbers"]["validation_loss"] == pytest.approx(min(losses), abs=1e-4)


def test_the_model_in_the_package_has_learned_more_than_which_tokens_are_frequent():
    """Lines written for this test, which it has not seen, against their tokens in another order."""
    model, tokenizer = shipped("shakespeare")
    lines = "KING:\nMy lords, the night is cold, and I am come\nTo speak with you of peace.\n\n"
    ids = torch.tensor(tokenizer.encode(lines))
    dice = torch.Generator().manual_seed(0)
    mixed = torch.stack([ids[torch.randperm(len(ids), generator=dice)] for _ in range(5)])
    with torch.no_grad():
        own, *others = (
            cross_entropy(model(row[None])[0, :-1], row[1:]).item() for row in (ids, *mixed)
        )
    assert own < min(others) - 1  # nats per token
