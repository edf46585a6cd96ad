"""lmcourse.pretrained: a model in a folder is the same model with the same tokenizer."""

import json

import pytest
import torch

from lmcourse.gpt import GPT, GPTConfig
from lmcourse.pretrained import from_pretrained, save_pretrained, untrained
from lmcourse.tokenizers import CharTokenizer

TEXT = "the cat sat\n"


def model_and_tokenizer():
    tokenizer = CharTokenizer.train(TEXT)
    config = GPTConfig(
        vocab_size=tokenizer.vocab_size, context_length=8, d_model=8, n_heads=2, n_layers=1
    )
    return GPT(config), tokenizer


def test_model_and_tokenizer_come_back(tmp_path):
    model, tokenizer = model_and_tokenizer()
    save_pretrained(model, tokenizer, tmp_path / "cat", {"data": TEXT})
    other, its_tokenizer = from_pretrained(tmp_path / "cat")
    ids = torch.tensor([tokenizer.encode("sat")])
    assert its_tokenizer.encode(TEXT) == tokenizer.encode(TEXT)
    assert torch.equal(other(ids), model(ids))
    assert not other.training
    assert json.loads((tmp_path / "cat" / "config.json").read_text())["data"] == TEXT
    assert not torch.equal(untrained(tmp_path / "cat")[0](ids), model(ids))


def test_what_is_missing_or_broken_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must hold a trained model.*no config.json in it"):
        from_pretrained(tmp_path)
    save_pretrained(*model_and_tokenizer(), tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"model.safetensors.*no such file"):
        from_pretrained(tmp_path)
    for content, words in (
        ("{", "must be JSON, got"),
        ("[]", "must be a JSON object, got list"),
        ('{"tokenizer": "chars"}', "must describe a GPT and its tokenizer, got KeyError: 'config'"),
        ('{"tokenizer": "bytes", "config": {}}', "got KeyError: 'bytes'"),
        ('{"tokenizer": "chars", "config": {"size": 3}}', "got TypeError: .*size"),
    ):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(ValueError, match=words):
            from_pretrained(tmp_path)


def test_a_tokenizer_without_a_name_is_refused(tmp_path, unchecked):
    model, _ = model_and_tokenizer()
    with pytest.raises(ValueError, match=r"tokenizer must be one of CharTokenizer.*, got object"):
        save_pretrained(model, object(), tmp_path)
    assert list(tmp_path.iterdir()) == []
