"""lmcourse.pretrained: a model in a folder is the same model with the same tokenizer."""

import json
from dataclasses import replace

import pytest
import torch

from lmcourse.gpt import GPT, GPTConfig
from lmcourse.pretrained import from_pretrained, save_pretrained, shipped, untrained
from lmcourse.tokenizers import BPETokenizer, CharTokenizer, WordTokenizer

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
    torch.testing.assert_close(other(ids), model(ids))
    assert not other.training
    assert json.loads((tmp_path / "cat" / "config.json").read_text())["data"] == TEXT
    assert (untrained(tmp_path / "cat")[0](ids) - model(ids)).abs().max() > 1e-3


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
        ('{"tokenizer": "chars"}', "config.json, config, must hold the fields of GPTConfig, got N"),
        (
            '{"tokenizer": "bytes", "config": {}}',
            "must name a tokenizer, one of .*='bytes': another",
        ),
        (
            '{"tokenizer": "chars", "config": {"size": 3}}',
            "got size=3: another version of lmcourse",
        ),
        (
            '{"tokenizer": "chars", "config": {}}',
            "every field of GPTConfig, vocab_size is missing:",
        ),
    ):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(ValueError, match=words):
            from_pretrained(tmp_path)


def test_a_tokenizer_without_a_name_is_refused(tmp_path, unchecked):
    model, _ = model_and_tokenizer()
    with pytest.raises(ValueError, match=r"tokenizer must be one of CharTokenizer.*, got object"):
        save_pretrained(model, object(), tmp_path)
    assert list(tmp_path.iterdir()) == []


TOKENIZERS = {
    "chars": lambda: CharTokenizer.train(TEXT),
    "words": lambda: WordTokenizer.train(TEXT),
    "bpe": lambda: BPETokenizer.train(TEXT, 258),
}


@pytest.mark.parametrize("make", TOKENIZERS.values(), ids=TOKENIZERS)
def test_each_tokenizer_comes_back(make, tmp_path):
    tokenizer = make()
    config = replace(model_and_tokenizer()[0].config, vocab_size=tokenizer.vocab_size)
    save_pretrained(GPT(config), tokenizer, tmp_path)
    other = from_pretrained(tmp_path)[1]
    assert type(other) is type(tokenizer)
    assert other.tokens == tokenizer.tokens


def test_a_tokenizer_and_a_model_of_different_sizes_are_refused(tmp_path):
    model, tokenizer = model_and_tokenizer()
    longer = CharTokenizer.train(TEXT + "xyz")
    words = "as many ids as the model, got tokenizer.vocab_size=11, vocab_size=8"
    with pytest.raises(ValueError, match=words):
        save_pretrained(model, longer, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    save_pretrained(model, tokenizer, tmp_path)
    longer.save(tmp_path / "tokenizer.json")
    with pytest.raises(ValueError, match=f"tokenizer.json in .* must belong together: .*{words}"):
        from_pretrained(tmp_path)


def mixed(model):
    model.blocks.bfloat16()
    return model


@pytest.mark.parametrize("convert", [GPT.bfloat16, GPT.double, mixed])
def test_weights_come_back_in_their_types(convert, tmp_path):
    model, tokenizer = model_and_tokenizer()
    convert(model)
    save_pretrained(model, tokenizer, tmp_path)
    other, _ = from_pretrained(tmp_path)
    for (name, one), two in zip(model.named_parameters(), other.parameters(), strict=True):
        assert one.dtype == two.dtype, name
        # exact: what was written and read
        assert torch.equal(one, two)
    assert other.head.weight is other.embedding


def test_a_compiled_model_is_saved_whole(tmp_path, unchecked):
    model, tokenizer = model_and_tokenizer()
    save_pretrained(torch.compile(model, backend="eager"), tokenizer, tmp_path)
    other, _ = from_pretrained(tmp_path)
    ids = torch.tensor([tokenizer.encode("sat")])
    torch.testing.assert_close(other(ids), model.eval()(ids))


def test_the_model_of_the_book_comes_in_float32_and_others_are_named():
    model, tokenizer = shipped("shakespeare")
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert tokenizer.vocab_size == model.config.vocab_size
    assert not model.training
    with pytest.raises(ValueError, match="name must be one of shakespeare, got name='gpt-5'"):
        shipped("gpt-5")
