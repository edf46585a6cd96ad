"""lmcourse.applications.translation: what the decoder reads and says, and a grammar learned."""

import pytest
import torch

from lmcourse.applications.translation import Translator, copy_nearest
from lmcourse.corpora import HELD_OUT_PAIR, generate_corpus
from lmcourse.loop.gradient_step import IGNORE_INDEX
from lmcourse.tokenizers import CharTokenizer, WordTokenizer
from lmcourse.training import TrainingConfig, train

PAIRS = [("I am happy", "我很高兴"), ("you sing", "你唱歌"), ("I sing a song", "我唱一首歌")]


def translator(pairs=PAIRS, **options):
    source = WordTokenizer.train("\n".join(english for english, _ in pairs))
    target = CharTokenizer.train("".join(chinese for _, chinese in pairs))
    return Translator(source, target, **{"context_length": 9, "d_model": 16} | options)


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


def test_a_sentence_is_translated_the_same_alone_and_in_a_batch():
    t = translator()
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


def test_translating_leaves_the_model_as_it_was():
    t = translator(dropout=0.3)
    t.model.train()
    assert t.translate(["I am happy"]) == t.translate(["I am happy"])
    assert t.model.training


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
