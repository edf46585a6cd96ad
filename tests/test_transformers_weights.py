"""Models that transformers made at random, small and saved, are ours with the same numbers."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models_of_transformers import check_gradients, check_saved, converted, perturbed
from safetensors.torch import load_file, save_file

from lmcourse.bert import BERTConfig
from lmcourse.neurons import cross_entropy
from lmcourse.pretrained import load_transformers_weights
from lmcourse.transformers_weights import from_transformers

FLOAT64 = {"rtol": 0, "atol": 1e-10}
FEW = settings(max_examples=12)
seeds = st.integers(0, 2**31)
PADDING = {"bert": 0, "roberta": 1}
ENCODERS = pytest.mark.parametrize("kind", ["bert", "roberta"])


def their_encoder(kind, seed=0, n_heads=3, head="MaskedLM", **changes):
    import transformers

    sizes = {
        "vocab_size": 23,
        "hidden_size": 4 * n_heads,
        "num_attention_heads": n_heads,
        "num_hidden_layers": 2,
        "intermediate_size": 17,
        "max_position_embeddings": 13,
        "layer_norm_eps": 1e-3,  # large enough to be seen
        "attn_implementation": "eager",
    } | changes
    name = {"bert": "Bert", "roberta": "Roberta"}[kind]
    config = getattr(transformers, f"{name}Config")(**sizes)
    torch.manual_seed(seed)
    return perturbed(getattr(transformers, f"{name}For{head}")(config), seed)


def sentences(kind, lengths, n, seed, n_segments=2):
    """Padded ids, where they are real, and a segment for each."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(n) < torch.tensor(lengths)[:, None]
    ids = torch.randint(2, 23, mask.shape, generator=generator)
    segments = torch.randint(n_segments, mask.shape, generator=generator)
    return ids.masked_fill(~mask, PADDING[kind]), mask, segments


def logits_of(theirs, ids, mask, segments):
    return theirs(ids, attention_mask=mask.long(), token_type_ids=segments).logits


# ---------------------------------------------------------------- BERT and RoBERTa


@ENCODERS
@FEW
@given(
    n_heads=st.integers(1, 4),
    n_layers=st.integers(1, 3),
    d_ff=st.integers(1, 19),
    n_segments=st.integers(1, 3),
    lengths=st.lists(st.integers(1, 11), min_size=1, max_size=4),
    seed=seeds,
)
def test_logits_are_those_of_transformers(kind, n_heads, n_layers, d_ff, n_segments, lengths, seed):
    theirs = their_encoder(kind, seed, n_heads, num_hidden_layers=n_layers, intermediate_size=d_ff,
                           type_vocab_size=n_segments)  # fmt: skip
    given_ids = sentences(kind, lengths, max(lengths), seed, n_segments)
    mask = given_ids[1]
    for double, tolerance in ((False, {"rtol": 0, "atol": 1e-4}), (True, FLOAT64)):
        theirs = theirs.double() if double else theirs
        ours = converted(theirs)
        expected = logits_of(theirs, *given_ids)
        assert ours.embedding.dtype == expected.dtype
        torch.testing.assert_close(ours(*given_ids)[mask], expected[mask], **tolerance)


@ENCODERS
@pytest.mark.parametrize("act", ["gelu", "gelu_new", "relu"])
def test_the_activation_is_theirs_or_refused(kind, act):
    theirs = their_encoder(kind, hidden_act=act).double()
    if kind == "roberta" and act != "gelu":
        with pytest.raises(ValueError, match=f"hidden_act must be one of gelu, got .*'{act}'"):
            converted(theirs)
        return
    given_ids = sentences(kind, [7, 5], 7, seed=3)
    mask = given_ids[1]
    expected = logits_of(theirs, *given_ids)
    torch.testing.assert_close(converted(theirs)(*given_ids)[mask], expected[mask], **FLOAT64)


def test_padding_in_the_middle_or_on_the_left_moves_positions_as_in_roberta():
    theirs = their_encoder("roberta").double()
    ids = torch.tensor([[1, 1, 5, 1, 7, 9], [2, 5, 7, 9, 1, 1]])
    mask = ids != 1
    expected = theirs(ids, attention_mask=mask.long()).logits
    torch.testing.assert_close(converted(theirs)(ids, mask)[mask], expected[mask], **FLOAT64)


@ENCODERS
@FEW
@given(lengths=st.lists(st.integers(2, 9), min_size=2, max_size=3), seed=seeds)
def test_gradients_of_the_loss_are_theirs(kind, lengths, seed):
    """Of every weight, the tied one as the sum of both its uses."""
    theirs = their_encoder(kind, seed).double()
    ours = converted(theirs)
    ids, mask, segments = sentences(kind, lengths, max(lengths), seed)
    chosen = mask & (ids % 2 == 0)
    chosen[:, 0] = True
    labels = ids.masked_fill(~chosen, -100)
    options = {"attention_mask": mask.long(), "token_type_ids": segments, "labels": labels}
    expected = theirs(ids, **options).loss
    loss = cross_entropy(ours(ids, mask, segments)[chosen], ids[chosen])
    torch.testing.assert_close(loss, expected, **FLOAT64)
    expected.backward()
    loss.backward()
    check_gradients(ours, theirs, lambda gradient: 1e-9)


def test_the_judge_of_the_next_sentence_is_that_of_bert():
    theirs = their_encoder("bert", head="PreTraining").double()
    ours = converted(theirs)
    given_ids = sentences("bert", [7, 4], 7, seed=5)
    ids, mask, segments = given_ids
    output = theirs(ids, attention_mask=mask.long(), token_type_ids=segments)
    torch.testing.assert_close(
        ours.judge_next(*given_ids), output.seq_relationship_logits, **FLOAT64
    )
    torch.testing.assert_close(ours(*given_ids)[mask], output.prediction_logits[mask], **FLOAT64)
    without = converted(their_encoder("bert"))
    with pytest.raises(ValueError, match="next sentence, got next_sentence=False"):
        without.judge_next(ids)


@ENCODERS
def test_vectors_are_their_last_hidden_states(kind):
    theirs = their_encoder(kind).double()
    ids, mask, segments = sentences(kind, [9, 2], 9, seed=7)
    base = getattr(theirs, kind)
    expected = base(ids, attention_mask=mask.long(), token_type_ids=segments).last_hidden_state
    found = converted(theirs).encode(ids, mask, segments)
    torch.testing.assert_close(found[mask], expected[mask], **FLOAT64)


def test_what_the_settings_say_is_in_the_config():
    theirs = their_encoder("roberta", type_vocab_size=1, max_position_embeddings=19)
    assert converted(theirs).config == BERTConfig(
        vocab_size=23, context_length=17, d_model=12, n_heads=3, n_layers=2, d_ff=17,
        n_segments=1, padding_id=1, norm_eps=1e-3,
    )  # fmt: skip
    model = from_transformers(theirs.config.to_dict(), theirs.state_dict(), dropout=0.25)
    assert model.config.dropout == pytest.approx(0.25)
    assert not model.training


# ---------------------------------------------------------------- folders


@ENCODERS
def test_a_folder_is_read_as_transformers_wrote_it(kind, tmp_path):
    theirs = their_encoder(kind)
    theirs.save_pretrained(tmp_path)
    given_ids = sentences(kind, [7, 4], 7, seed=5)
    mask = given_ids[1]
    found = load_transformers_weights(tmp_path)(*given_ids)
    torch.testing.assert_close(found[mask], logits_of(theirs, *given_ids)[mask], rtol=0, atol=1e-4)


def test_weights_in_several_files_are_read_by_their_index(tmp_path):
    theirs = their_encoder("bert")
    theirs.save_pretrained(tmp_path, max_shard_size="4KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    model = load_transformers_weights(tmp_path)
    ids = sentences("bert", [7], 7, seed=5)[0]
    torch.testing.assert_close(model(ids), theirs(ids).logits, rtol=0, atol=1e-4)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "../model.safetensors"}}))
    with pytest.raises(ValueError, match=r"must name files beside it, got '../model.safetensors'"):
        load_transformers_weights(tmp_path)


def test_files_with_the_names_of_old_are_read(tmp_path):
    """As BERT's own on the web: gamma and beta, and a pooler beside the heads."""
    theirs = their_encoder("bert", head="PreTraining")
    theirs.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    for new, old in (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")):
        weights = {name.replace(new, old): each for name, each in weights.items()}
    weights["bert.embeddings.position_ids"] = torch.arange(13)[None]
    save_file(weights, tmp_path / "model.safetensors")
    ids = sentences("bert", [7], 7, seed=5)[0]
    model = load_transformers_weights(tmp_path)
    torch.testing.assert_close(model(ids), theirs(ids).prediction_logits, rtol=0, atol=1e-4)


def test_a_pickle_is_refused(tmp_path):
    theirs = their_encoder("bert")
    theirs.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"must hold model.safetensors or .*, got neither$"):
        load_transformers_weights(tmp_path)
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match=r"got neither: pytorch_model.bin is a pickle"):
        load_transformers_weights(tmp_path)
    (tmp_path / "pytorch_model.bin").rename(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="must be a safetensors file"):
        load_transformers_weights(tmp_path)


@ENCODERS
def test_what_was_loaded_can_be_saved_and_loaded_as_ours(kind, tmp_path):
    check_saved(converted(their_encoder(kind)), tmp_path / "model.safetensors")


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model_type": "t5"}, "model_type must be one of bert, roberta.*, got 't5'"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings must be True .*, got .*=False"),
        ({"is_decoder": True}, "is_decoder must be False"),
        ({"position_embedding_type": "relative_key"}, "must be absolute .*'relative_key'"),
        ({"hidden_act": "tanh"}, "hidden_act must be one of gelu, gelu_new.*, got .*'tanh'"),
        ({"vocab_size": 29}, r"embedding must have the shape \(29, 12\) .*got \(23, 12\)"),
        ({"num_hidden_layers": 3}, r"must hold bert.encoder.layer.2.*, which is missing: for our"),
        ({"num_hidden_layers": 1}, r"nothing that our model lacks, got bert.encoder.layer.1"),
    ],
)
def test_settings_that_ours_cannot_have_are_refused(changes, expected):
    theirs = their_encoder("bert")
    with pytest.raises(ValueError, match=expected):
        from_transformers(theirs.config.to_dict() | changes, theirs.state_dict())


def test_settings_and_weights_that_are_not_whole_are_refused(tmp_path):
    theirs = their_encoder("bert")
    told, weights = theirs.config.to_dict(), theirs.state_dict()
    with pytest.raises(ValueError, match="settings must say hidden_size, got none"):
        from_transformers({k: v for k, v in told.items() if k != "hidden_size"}, weights)
    no_head = {name: each for name, each in weights.items() if not name.startswith("cls.")}
    with pytest.raises(ValueError, match=r"must hold cls.predictions.* is missing: for our"):
        from_transformers(told, no_head)
    untied = weights | {"cls.predictions.decoder.weight": torch.zeros(23, 12)}
    with pytest.raises(ValueError, match=r"decoder.weight must be the same as bert.embeddings"):
        from_transformers(told, untied)
    theirs.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}')
    with pytest.raises(ValueError, match="must hold a model that ours can be: model_type must be"):
        load_transformers_weights(tmp_path)
