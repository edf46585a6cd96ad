"""lmcourse.applications.translation: what the decoder reads and says, and a grammar learned."""

import json

import pytest
import torch

from lmcourse.applications.translation import Translator, copy_nearest
from lmcourse.corpora import HELD_OUT_PAIR, generate_corpus
from lmcourse.loop.gradient_step import IGNORE_INDEX
from lmcourse.seq2seq import Seq2Seq, Seq2SeqConfig
from lmcourse.tokenizers import CharTokenizer, WordTokenizer
from lmcourse.training import TrainingConfig, train

PAIRS = [("I am happy", "我很高兴"), ("you sing", "你唱歌"), ("I sing a song", "我唱一首歌")]


def translator(pairs=PAIRS, seed=0, **options):
    torch.manual_seed(seed)
    source = WordTokenizer.train("\n".join(english for english, _ in pairs))
    target = CharTokenizer.train("".join(chinese for _, chinese in pairs))
    return Translator(source, target, **{"context_length": 9, "d_model": 16} | options)


def recurrent_translator(pairs=PAIRS, seed=0, **options):
    """The same with GRUs; the tokenizers need no seed."""
    t = translator(pairs)
    torch.manual_seed(seed)
    config = Seq2SeqConfig(
        source_vocab_size=t.source.vocab_size,
        target_vocab_size=t.target.vocab_size + 2,
        **{"context_length": 9, "d_embedding": 16, "d_hidden": 24} | options,
    )
    return Translator(
        t.source, t.target, context_length=config.context_length, model=Seq2Seq(config)
    )


EACH_KIND = pytest.mark.parametrize("kind", [translator, recurrent_translator])


def test_the_decoder_reads_the_start_and_says_the_end():
    t = translator()
    source, read, mask, said = t.collate(PAIRS)
    assert source.shape == (3, 4)
    assert mask.shape == (3, 1, 4)
    assert mask.sum((1, 2)).tolist() == [3, 2, 4]
    first = t.target.encode("我很高兴")
    assert read[0].tolist()[:5] == [t.start_id, *first]
    assert said[0].tolist()[:5] == [*first, t.end_id]
    second = t.target.encode("你唱歌")
    assert said[1].tolist() == [*second, t.end_id, IGNORE_INDEX, IGNORE_INDEX]
    # exact: ids
    assert (read[:, 0] == t.start_id).all()
    assert read.max() < t.model.config.target_vocab_size


@EACH_KIND
def test_a_sentence_is_translated_the_same_alone_and_in_a_batch(kind):
    t = kind()
    sentences = [english for english, _ in PAIRS]
    together = t.translate(sentences)
    assert together == [t.translate([sentence])[0] for sentence in sentences]
    assert together == t.translate(sentences, batch_size=2)
    assert t.translate([]) == []


def test_a_translation_ends_where_the_room_does():
    t = translator(context_length=5)
    with torch.no_grad():
        t.model.head.bias[t.end_id] = -1e9  # never the end
        t.model.head.bias[t.start_id] = 1e9  # and nothing but the start, which is no text
    assert t.translate(["I am happy"]) == [""]
    with torch.no_grad():
        t.model.head.bias[2] = 2e9
    assert t.translate(["I am happy"]) == [t.target.tokens[2] * 4]


def test_what_is_too_long_or_empty_is_named():
    t = translator(context_length=4)
    message = r"1 to context_length=4 tokens, got 5: 'I sing a song song'"
    with pytest.raises(ValueError, match=message):
        t.translate(["I am happy", "I sing a song song"])
    with pytest.raises(ValueError, match=r"got 0: ''"):
        t.translate([""])


@EACH_KIND
def test_translating_leaves_the_model_as_it_was(kind):
    t = kind(dropout=0.3)
    t.model.train()
    assert t.translate(["I am happy"]) == t.translate(["I am happy"])
    assert t.model.training


def test_where_each_head_looked_and_what_else_might_be_said():
    t = translator()
    weights, probs = t.look("you sing", "你唱歌")
    assert weights.shape == (2, 4, 4, 2), "layers, heads, three characters and the end, two words"
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 4))
    assert probs.shape == (4, t.target.vocab_size + 2)
    torch.testing.assert_close(probs.sum(-1), torch.ones(4))
    said = t.hide("you sing", "你唱歌", ())
    expected = [*t.target.encode("你唱歌"), t.end_id]
    torch.testing.assert_close(said, probs[torch.arange(4), expected])


def test_where_a_recurrent_translator_looked_and_that_with_one_vector_nowhere():
    t = recurrent_translator()
    weights, probs = t.look("you sing", "你唱歌")
    assert weights.shape == (1, 1, 4, 2), "one layer, one head"
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 1, 4))
    said = t.hide("you sing", "你唱歌", ())
    expected = [*t.target.encode("你唱歌"), t.end_id]
    torch.testing.assert_close(said, probs[torch.arange(4), expected])
    assert t.watch("you sing")["weights"].keys() == {"all heads", "layer 1, head 1"}
    t = recurrent_translator(attention=False)
    assert t.look("you sing", "你唱歌")[0].shape == (0, 1, 4, 2)


def test_a_model_of_other_sizes_than_the_tokenizers_is_refused():
    t = recurrent_translator()
    with pytest.raises(ValueError, match=r"model must have context_length=8, .* context_length=9"):
        Translator(t.source, t.target, context_length=8, model=t.model)
    other = CharTokenizer.train("ab")
    with pytest.raises(ValueError, match=r"have target_vocab_size=4, .* target_vocab_size=1"):
        Translator(t.source, other, context_length=9, model=t.model)


def test_a_word_that_is_hidden_cannot_be_seen():
    t = translator(n_layers=1)
    with torch.no_grad():  # an encoder that leaves words alone: nothing of one is in another
        for block in t.model.encoder:
            block.attention.output_projection.weight.zero_()
            block.attention.output_projection.bias.zero_()
    hidden = [t.hide(english, "我唱歌", (2,)) for english in ("I am happy", "I am song")]
    torch.testing.assert_close(*hidden)
    seen = [t.hide(english, "我唱歌", ()) for english in ("I am happy", "I am song")]
    assert not torch.allclose(*seen, atol=1e-6)


@EACH_KIND
def test_a_beam_of_one_is_greedy_and_texts_are_as_likely_as_the_beam_says(kind):
    t = kind(seed=3)
    greedy = t.translate(["I sing a song"])
    assert t.translate(["I sing a song"], n_beams=1) == greedy
    one = t._search("I sing a song", 1)
    assert t._read(one.texts[0]) == greedy[0]
    beams = t._search("I sing a song", 4)
    for ids, score in zip(beams.texts, beams.scores, strict=True):
        if t.end_id in ids and t.start_id not in ids:
            probs = t.hide("I sing a song", t._read(ids), ())
            assert score == pytest.approx(probs.log().mean().item(), abs=1e-3)
    assert beams.scores == sorted(beams.scores, reverse=True)
    assert t.translate(["I sing a song"], n_beams=4) == [t._read(beams.texts[0])]


def test_a_translation_can_be_watched():
    t = translator(seed=1)
    watched = t.watch("you sing", n_beams=2, n_likeliest=3)
    assert watched["source"] == ["you", "sing"]
    n_steps = len(watched["written"])
    assert watched["written"][-1] == "end"
    assert list(watched["weights"])[:2] == ["all heads", "layer 1, head 1"]
    assert len(watched["weights"]) == 1 + 2 * 4
    for table in watched["weights"].values():
        assert [len(row) for row in table] == [2] * n_steps
        assert [sum(row) for row in table] == pytest.approx([1] * n_steps, abs=1e-3)
    assert all(len(odds) == 3 for odds in watched["likeliest"])
    json.dumps(watched)
    branches = watched["branches"]
    for place, branch in enumerate(branches):
        assert branch["parent"] < place
        above = branches[branch["parent"]] if branch["parent"] >= 0 else {"log_prob": 0}
        assert branch["log_prob"] <= above["log_prob"] + 1e-3
    # The text that the beam chose is a way through the tree that was never dropped.
    place = -1
    for token in watched["beam"]:
        place = next(
            i for i, branch in enumerate(branches)
            if branch["parent"] == place and branch["token"] == token and branch["kept"]
        )  # fmt: skip


def test_a_grammar_is_learned_and_the_held_out_sentence_too():
    pairs = generate_corpus("translation", n_examples=1100)
    training, held_out = pairs[:1000], pairs[1000:]
    t = translator(training, context_length=20, d_model=64)
    config = TrainingConfig(n_steps=220, learning_rate=4e-3, n_warmup=30)
    train(t.model, training, config, collate=t.collate)
    english, chinese = zip(*held_out, strict=True)
    right = sum(map(str.__eq__, t.translate(english), chinese)) / len(chinese)
    assert right >= 0.9
    assert t.translate([HELD_OUT_PAIR[0]]) == [HELD_OUT_PAIR[1]]
    # The nearest sentence differs in a word, so its translation is never right.
    copied = sum(map(str.__eq__, copy_nearest(training, english), chinese)) / len(chinese)
    assert copied == 0


def test_the_nearest_sentence_is_that_with_most_words_in_common():
    assert copy_nearest(PAIRS, ["You sing a song", "I am I"]) == ["我唱一首歌", "我很高兴"]
    with pytest.raises(ValueError, match="pairs must be at least one"):
        copy_nearest([], ["I"])
