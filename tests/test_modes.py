"""lmcourse.modes: whoever asks a model leaves it as it was, and asks it without dropout."""

import pytest
import torch
from torch import nn

from lmcourse.applications.classification import MeanClassifier, classify
from lmcourse.applications.translation import Translator
from lmcourse.generation import generate
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.metrics import bits_per_byte, perplexity
from lmcourse.modes import mode
from lmcourse.tokenizers import CharTokenizer
from lmcourse.training import evaluate

IDS = torch.arange(30) % 7
TOKENIZER = CharTokenizer("abcdefg")


def test_each_module_gets_its_own_mode_back():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    model[1].eval()
    before = [module.training for module in model.modules()]
    for training in (True, False):
        with mode(model, training):
            assert {module.training for module in model.modules()} == {training}
        assert [module.training for module in model.modules()] == before
    with pytest.raises(KeyError), mode(model, training=True):
        raise KeyError
    assert [module.training for module in model.modules()] == before


def test_what_is_no_module_has_no_mode():
    def model(ids):
        return ids

    with mode(model, training=False):
        assert model(3) == 3
    assert not hasattr(model, "training")


def gpt():
    return GPT(
        GPTConfig(vocab_size=7, context_length=8, d_model=8, n_heads=2, n_layers=2, dropout=0.5)
    )


def translator():
    return Translator(TOKENIZER, TOKENIZER, context_length=8, d_model=8, n_heads=2, dropout=0.5)


ASKED = {
    "generate": (gpt, lambda model: generate(model, IDS[None, :4], 9, temperature=0)),
    "perplexity": (gpt, lambda model: perplexity(model, IDS, context_length=8)),
    "bits_per_byte": (gpt, lambda model: bits_per_byte(model, TOKENIZER, "abcabcgfe", 8)),
    "evaluate": (gpt, lambda model: evaluate(model, IDS)),
    "classify": (
        lambda: MeanClassifier(7, 2, 8, dropout=0.5),
        lambda model: classify(model, TOKENIZER, ["abc", "gab"]).tolist(),
    ),
}


@pytest.mark.parametrize("root", [True, False], ids=["frozen parts", "parts in training"])
@pytest.mark.parametrize("asked", ASKED)
def test_every_part_keeps_its_mode_and_none_has_dropout(asked, root):
    """A part that was frozen under a model in training, and one in training under one that was not.

    With dropout of a half, two answers would differ but for a chance below 1e-6.
    """
    build, ask = ASKED[asked]
    model = build()
    leaves_its_parts_alone(model, lambda: ask(model), root)


@pytest.mark.parametrize("root", [True, False], ids=["frozen parts", "parts in training"])
def test_a_translator_leaves_its_model_alone(root):
    model = translator()
    leaves_its_parts_alone(model.model, lambda: model.translate(["abc", "gab"]), root)


def leaves_its_parts_alone(model, ask, root):
    model.eval()
    expected = ask()
    model.train(root)
    list(model.children())[-1].train(not root)
    dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    dropouts[0].train(not root)
    before = [module.training for module in model.modules()]
    for _ in range(2):
        if isinstance(expected, list) and isinstance(expected[0], str):
            assert ask() == expected
        else:
            torch.testing.assert_close(ask(), expected)
        assert [module.training for module in model.modules()] == before
