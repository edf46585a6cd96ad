"""lmcourse.pretrained, Tokenizer and Model: the calls of transformers, with the same traps."""

import pytest
import torch
from seeds import SEED
from test_gpt import as_gpt2

from lmcourse.gpt import GPT, GPTConfig
from lmcourse.pretrained import Model, Tokenizer, save_pretrained
from lmcourse.tokenizers import BPETokenizer, CharTokenizer

TEXT = "the cat sat on the mat\n"


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(SEED)
    tokenizer = CharTokenizer.train(TEXT)
    save_pretrained(a_gpt(tokenizer.vocab_size), tokenizer, tmp_path / "cat")
    return tmp_path / "cat"


def a_gpt(vocab_size=12):
    config = GPTConfig(
        vocab_size=vocab_size, context_length=40, d_model=8, n_heads=2, n_layers=2,
        feed_forward="gelu_tanh",
    )  # fmt: skip
    return varied(GPT(config)).eval()


def varied(model):
    """Weights that are large enough for a mask, or a draw, to show."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.4 * torch.randn_like(weight))
    return model


def both():
    """Our model behind the calls, and transformers' GPT-2 with the same weights."""
    torch.manual_seed(SEED)
    model = a_gpt()
    theirs = as_gpt2(model)
    # No id ends a text, none is padding: what is left are the defaults that everybody meets.
    for config in (theirs.generation_config, theirs.config):
        config.eos_token_id = config.bos_token_id = None
        config.pad_token_id = 11
    return Model(model), theirs


# ---------------------------------------------------------------- a program of these calls


def test_a_program_of_the_usual_calls_runs(folder):
    tokenizer = Tokenizer.from_pretrained(folder)
    model = Model.from_pretrained(folder)
    ids = tokenizer.encode("the cat", return_tensors="pt")
    output = model.generate(ids, max_length=20, num_return_sequences=1)
    text = tokenizer.decode(output[0], skip_special_tokens=True)
    assert text.startswith("the cat")
    assert len(text) == 20
    drawn = model.generate(ids, max_new_tokens=5, do_sample=True, top_k=3, num_return_sequences=3)
    assert drawn.shape == (3, len("the cat") + 5)


def test_a_name_is_a_folder_and_nothing_is_fetched():
    for kind in (Tokenizer, Model):
        with pytest.raises(FileNotFoundError, match="trained model, got folder='gpt4-large'"):
            kind.from_pretrained("gpt4-large")


def test_encode_gives_a_list_or_a_batch_of_one(folder):
    tokenizer = Tokenizer.from_pretrained(folder)
    ids = tokenizer.encode("cat")
    assert isinstance(ids, list)
    assert tokenizer.encode("cat", return_tensors="pt").tolist() == [ids]
    with pytest.raises(ValueError, match="must be \"pt\" or None, got 'tf'"):
        tokenizer.encode("cat", return_tensors="tf")


def test_decode_leaves_special_tokens_out_when_asked(unchecked):
    plain = BPETokenizer.train(TEXT, 258, special_tokens=["<end>"])
    tokenizer = Tokenizer(plain)
    ids = plain.encode("cat<end>", allowed_special="all")
    assert tokenizer.decode(ids) == "cat<end>"
    assert tokenizer.decode(torch.tensor(ids), skip_special_tokens=True) == "cat"
    with pytest.raises(ValueError, match=r"one row, got the shape \(1, 3\): output\[0\]"):
        tokenizer.decode(torch.tensor([ids]))


def test_texts_of_different_length_make_a_batch_only_when_padded(folder):
    tokenizer = Tokenizer.from_pretrained(folder)
    assert tokenizer("cat")["attention_mask"] == [[1, 1, 1]]
    batch = tokenizer(["cat", "a mat"], padding=True, return_tensors="pt")
    assert batch["attention_mask"].tolist() == [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]
    assert batch["input_ids"][0, 2:].tolist() == tokenizer.encode("cat")
    assert tokenizer(["cat", "a mat"])["input_ids"][0] == tokenizer.encode("cat")
    with pytest.raises(ValueError, match=r"got \[3, 5\]: padding=True"):
        tokenizer(["cat", "a mat"], return_tensors="pt")


# ---------------------------------------------------------------- the traps are theirs, too

PROMPT = [[3, 1, 4, 1, 5]]
LENGTHS = [
    {}, {"max_length": 9}, {"max_new_tokens": 3}, {"max_length": 30, "max_new_tokens": 3},
    {"max_new_tokens": 4, "do_sample": True, "num_return_sequences": 3},
    {"max_new_tokens": 4, "do_sample": True, "top_k": 0},
    {"max_new_tokens": 4, "do_sample": True, "top_k": 2, "num_return_sequences": 2},
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using the model-agnostic default")
@pytest.mark.parametrize("options", LENGTHS, ids=str)
def test_generate_writes_the_ids_that_transformers_writes(options):
    """The same weights, the same seed, the same ids: lengths, defaults and draws."""
    ours, theirs = both()
    ids = torch.tensor(PROMPT)
    mask = torch.ones_like(ids)
    torch.manual_seed(SEED)
    mine = ours.generate(ids, mask, **options)
    torch.manual_seed(SEED)
    other = theirs.generate(ids, attention_mask=mask, **options)
    assert mine.tolist() == other.tolist()  # exact: ids


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_length": 5}, "max_length must be more than the 5 ids of the prompt.* max_length=5"),
        ({"max_length": 3}, "got max_length=3"),
        ({"max_new_tokens": 0}, "at least 1, got max_new_tokens=0"),
        (
            {"max_new_tokens": 2, "num_return_sequences": 3},
            "must be 1 without do_sample=True, got 3",
        ),
    ],
)
def test_what_transformers_refuses_is_refused(options, words):
    ours, theirs = both()
    ids = torch.tensor(PROMPT)
    with pytest.raises(ValueError, match=words):
        ours.generate(ids, **options)
    with pytest.raises(ValueError, match=r"max_length|max_new_tokens|num_return_sequences"):
        theirs.generate(ids, attention_mask=torch.ones_like(ids), **options)


def test_without_its_mask_padding_is_read_as_text():
    ours, theirs = both()
    alone = torch.tensor([[4, 1, 5]])
    padded = torch.tensor([[0, 0, 4, 1, 5]])
    mask = torch.tensor([[0, 0, 1, 1, 1]])
    options = {"max_new_tokens": 12, "do_sample": True, "num_return_sequences": 8}

    def drawn(model, ids, mask=None):
        torch.manual_seed(SEED)
        return model.generate(ids, attention_mask=mask, **options)[:, ids.shape[1] :].tolist()

    wanted = drawn(ours, alone)
    assert drawn(ours, padded, mask) == wanted
    assert drawn(theirs, padded, mask) == wanted
    lost = drawn(ours, padded)
    assert lost != wanted
    assert drawn(theirs, padded, torch.ones_like(padded)) == lost


def test_drawing_keeps_to_fifty_ids_unless_told_otherwise():
    """A default of transformers that is easily overlooked."""
    torch.manual_seed(SEED)
    model = Model(
        GPT(GPTConfig(vocab_size=200, context_length=8, d_model=8, n_heads=2, n_layers=1))
    )
    ids = torch.zeros(4000, 1, dtype=torch.long)
    found = {}
    for name, options in (("default", {}), ("all", {"top_k": 0})):
        drawn = model.generate(ids, max_new_tokens=1, do_sample=True, **options)
        found[name] = len(drawn[:, 1].unique())
    assert found["default"] == 50
    assert found["all"] > 150


# ---------------------------------------------------------------- traps that are theirs alone


def test_transformers_has_no_model_of_that_name():
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    names = set()
    for name in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values():
        names |= {name} if isinstance(name, str) else set(name)
    assert "GPT2LMHeadModel" in names
    assert len(names) > 100
    assert [name for name in names if "gpt4" in name.lower().replace("_", "")] == []
    assert not hasattr(transformers, "GPT4LMHeadModel")
    assert not hasattr(transformers, "GPT4Tokenizer")


def test_the_tokenizer_of_gpt2_cannot_pad_and_then_pads_on_the_right():
    """Ours fills up on the left, with id 0."""
    from transformers import GPT2Tokenizer

    vocabulary = {"a": 0, "b": 1, "<|endoftext|>": 2}
    theirs = GPT2Tokenizer(vocab=vocabulary, merges=[])
    with pytest.raises(ValueError, match="does not have a padding token"):
        theirs(["a", "ab"], padding=True)
    theirs.pad_token = theirs.eos_token
    assert theirs(["a", "ab"], padding=True)["attention_mask"] == [[1, 0], [1, 1]]
    left = GPT2Tokenizer(vocab=vocabulary, merges=[], padding_side="left")
    left.pad_token = left.eos_token
    ours = Tokenizer(CharTokenizer.train("ab"))
    wanted = [[0, 1], [1, 1]]
    for tokenizer in (left, ours):
        assert tokenizer(["a", "ab"], padding=True)["attention_mask"] == wanted
    with pytest.raises(ValueError, match="tf"):
        theirs(["a"], return_tensors="tf")


def test_behind_padding_on_the_right_another_text_is_written(monkeypatch):
    from transformers.generation import utils

    said = []
    monkeypatch.setattr(utils.logger, "warning", lambda words, *rest: said.append(words))
    monkeypatch.setattr(utils.logger, "warning_once", lambda words, *rest: said.append(words))
    _, theirs = both()
    right = {"input_ids": [[4, 1, 5, 11, 11]], "attention_mask": [[1, 1, 1, 0, 0]]}
    left = {"input_ids": [[11, 11, 4, 1, 5]], "attention_mask": [[0, 0, 1, 1, 1]]}
    new = []
    for batch in ({"input_ids": [[4, 1, 5]], "attention_mask": [[1, 1, 1]]}, left, right):
        # Two rows: a batch of one gets no warning.
        given = {name: torch.tensor(2 * rows) for name, rows in batch.items()}
        warned = len(said)
        torch.manual_seed(SEED)
        output = theirs.generate(**given, max_new_tokens=12, do_sample=True)
        new.append(output[:, given["input_ids"].shape[1] :].tolist())
        found = [words for words in said[warned:] if "right-padding was detected" in words]
        assert bool(found) == (batch is right)
    assert new[0] == new[1] != new[2]


def test_a_direct_call_of_theirs_does_not_count_positions_from_the_mask():
    """`generate` does, and ours does in both."""
    ours, theirs = both()
    alone = torch.tensor([[4, 1, 5]])
    padded, mask = torch.tensor([[0, 0, 4, 1, 5]]), torch.tensor([[0, 0, 1, 1, 1]])
    places = torch.tensor([[0, 0, 0, 1, 2]])
    with torch.no_grad():
        wanted = theirs(alone).logits[0, -1]
        torch.testing.assert_close(ours.model(padded, mask=mask.bool())[0, -1], wanted)
        told = theirs(padded, attention_mask=mask, position_ids=places).logits[0, -1]
        torch.testing.assert_close(told, wanted)
        direct = theirs(padded, attention_mask=mask).logits[0, -1]
    assert (direct - wanted).abs().max() > 0.01


@pytest.mark.filterwarnings("ignore:Using the model-agnostic default")
def test_a_model_of_theirs_brings_defaults_of_its_own_and_what_is_said_wins():
    _, theirs = both()
    ids = torch.tensor(PROMPT)
    given = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 6}
    greedy = theirs.generate(ids, **given).tolist()
    theirs.generation_config.do_sample = True
    theirs.generation_config.top_k = 3
    torch.manual_seed(SEED)
    drawn = [theirs.generate(ids, **given).tolist() for _ in range(20)]
    assert any(text != greedy for text in drawn)
    torch.manual_seed(SEED)
    first = {
        theirs.generate(ids, **(given | {"max_new_tokens": 1}))[0, -1].item() for _ in range(60)
    }
    assert len(first) <= 3
    theirs.generation_config.top_k = None
    assert theirs.generate(ids, do_sample=False, **given).tolist() == greedy
