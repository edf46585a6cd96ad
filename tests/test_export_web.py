"""lmcourse.commands.export_web: a model in half precision, or why a page cannot run it."""

import subprocess
import sys

import pytest
import torch

from lmcourse.commands.export_web import export_web
from lmcourse.gpt import GPT, GPT_TINY, GPTConfig
from lmcourse.pretrained import from_pretrained, read_config, save_pretrained
from lmcourse.tokenizers import BPETokenizer, WordTokenizer

TOKENIZER = BPETokenizer([])


@pytest.fixture
def trained(tmp_path):
    model = GPT(GPT_TINY).eval()
    notes = {"data": {"source": "x"}, "training": {"n_steps": 1}}
    save_pretrained(model, TOKENIZER, tmp_path / "model", notes)
    return model


def test_weights_are_rounded_once_and_the_rest_comes_along(tmp_path, trained):
    made = export_web(tmp_path / "model", tmp_path / "web")
    model, tokenizer = from_pretrained(tmp_path / "web")
    assert {weight.dtype for weight in model.parameters()} == {torch.float16}
    change = 0.0
    for weight, before in zip(model.parameters(), trained.parameters(), strict=True):
        assert torch.equal(weight, before.half())  # exact: rounding is no kernel's business
        change = max(change, (weight.float() - before).abs().max().item())
    assert made.largest_change == pytest.approx(change)
    assert 0 < made.largest_change < 1e-3
    assert made.n_bytes == sum(path.stat().st_size for path in (tmp_path / "web").iterdir())
    assert made.n_bytes < 0.6 * (tmp_path / "model/model.safetensors").stat().st_size
    assert tokenizer.vocab_size == TOKENIZER.vocab_size
    config = read_config(tmp_path / "web")
    assert config["training"] == {"n_steps": 1}
    assert config["data"] == {"source": "x"}


def test_what_a_page_cannot_run_is_refused_before_anything_is_written(tmp_path, trained):
    words = WordTokenizer.train("a b c d " * 3)
    model = GPT(GPTConfig(vocab_size=words.vocab_size, context_length=4, d_model=8,
                                   n_heads=2, n_layers=1))  # fmt: skip
    save_pretrained(model, words, tmp_path / "words")
    with pytest.raises(ValueError, match=r"must be bpe or chars .*, got tokenizer='words'"):
        export_web(tmp_path / "words", tmp_path / "web")
    with torch.no_grad():
        trained.blocks[1].attention_norm.weight[3] = 1e5
    save_pretrained(trained, TOKENIZER, tmp_path / "large")
    said = r"up to 65504, .* got 1e\+05 in blocks\.1\.attention_norm\.weight"
    with pytest.raises(ValueError, match=said):
        export_web(tmp_path / "large", tmp_path / "web")
    with torch.no_grad():
        trained.blocks[1].attention_norm.weight[3] = torch.nan
    save_pretrained(trained, TOKENIZER, tmp_path / "nan")
    with pytest.raises(ValueError, match=r"got nan in blocks\.1\.attention_norm\.weight"):
        export_web(tmp_path / "nan", tmp_path / "web")
    with pytest.raises(ValueError, match="out must be another folder than the model's"):
        export_web(tmp_path / "model", tmp_path / "web/../model")
    with pytest.raises(FileNotFoundError, match="folder must hold a trained model"):
        export_web(tmp_path / "none", tmp_path / "web")
    assert not (tmp_path / "web").exists()


def test_the_command_says_what_it_made_and_what_is_wrong(tmp_path, trained):
    command = [sys.executable, "-m", "lmcourse", "export-web"]
    done = subprocess.run([*command, tmp_path / "model"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "model-web: config.json, tokenizer.json, model.safetensors" in done.stdout
    assert "MB in half precision" in done.stdout
    from_pretrained(tmp_path / "model-web")
    done = subprocess.run([*command, tmp_path / "none"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "folder must hold a trained model" in done.stderr
