"""lmcourse.byte_pairs: fast counting equals plain counting, and words are GPT-4's."""

import random
import re
from collections import Counter
from itertools import pairwise

import pytest
import rustbpe
from gpt4_words import gpt4_pattern
from hypothesis import given
from hypothesis import strategies as st

from lmcourse import byte_pairs
from lmcourse.byte_pairs import (
    WORD,
    MergeCache,
    apply_merges,
    chunks,
    count_words,
    learn_merges,
    merge_pair,
    safe_cut,
    split_special_tokens,
    split_words,
    token_bytes,
)

# Few different letters make many equal counts, overlaps and repeated merges.
words = st.dictionaries(st.binary(min_size=1).map(lambda b: bytes(x % 3 + 97 for x in b)),
                        st.integers(1, 5), max_size=8)  # fmt: skip
usual = st.text("ab 1é我😀'\n\r\t.s", max_size=60)
texts = st.text(st.characters(exclude_categories=["Cs"])) | usual
# Which new characters are letters depends on the version of Unicode, and libraries differ.
known_texts = st.text(st.characters(exclude_categories=["Cs", "Cn"])) | usual


def plain_merges(word_counts, n_merges):
    """The definition, without any cleverness: count all pairs anew before each merge."""
    ids = [(list(word), n) for word, n in word_counts.items()]
    merges = []
    for new_id in range(256, 256 + n_merges):
        counts = Counter()
        for word, n in ids:
            for pair in pairwise(word):
                counts[pair] += n
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        ids = [(plain_merge(word, best, new_id), n) for word, n in ids]
    return merges


def plain_merge(ids, pair, new_id):
    """By a regular expression over characters, which also takes matches from the left."""
    text = "".join(map(chr, ids))
    found = re.escape(chr(pair[0]) + chr(pair[1]))
    return [ord(c) for c in re.sub(found, lambda _: chr(new_id), text)]


# ---------------------------------------------------------------- words


@given(text=texts)
def test_words_side_by_side_are_the_text(text):
    assert "".join(split_words(text)) == text
    assert "" not in split_words(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the cat", ["the", " cat"]),
        ("I'll, WE'VE", ["I", "'ll", ",", " WE", "'VE"]),
        ("12345 6", ["123", "45", " ", "6"]),
        ("x = a+b;\n\n  y", ["x", " =", " a", "+b", ";\n\n", " ", " y"]),
        ("我是一个程序员。", ["我是一个程序员", "。"]),
        ("a  \n b\t", ["a", "  \n", " b", "\t"]),
        ("a  \n  ", ["a", "  \n  "]),
        ("a \n\n", ["a", " \n\n"]),
    ],
)
def test_words_are_those_of_gpt4(text, expected):
    assert split_words(text) == expected


def test_the_pattern_is_the_one_that_tiktoken_has_for_gpt4():
    assert gpt4_pattern().replace("$", r"\Z") == WORD.pattern


@given(text=texts, more=texts, n=st.integers(1, 40))
def test_a_long_text_is_cut_where_no_word_is(text, more, n):
    text = f"{text}\n{more}\na{more}!\r\nb{text}"
    parts = list(chunks(text, n))
    assert "".join(parts) == text
    assert [word for part in parts for word in split_words(part)] == split_words(text)
    assert all(len(part) >= n for part in parts[:-1])


def test_a_long_text_is_indeed_cut():
    assert list(chunks("ab\ncd\n\nef\n.", 3)) == ["ab\n", "cd\n\n", "ef\n", "."]


@given(text=texts)
def test_words_are_counted(text):
    assert count_words(text) == Counter(split_words(text))


def test_names_are_cut_out_the_longer_one_first():
    assert split_special_tokens("a<|x|>b", []) == ["a<|x|>b"]
    assert split_special_tokens("a<|x|>b<|x|><|y|>", ["<|x|>"]) == [
        "a",
        "<|x|>",
        "b",
        "<|x|>",
        "<|y|>",
    ]
    assert split_special_tokens("<s>a<s>>", ["<s>", "<s>>"]) == ["", "<s>", "a", "<s>>", ""]
    assert split_special_tokens("a.b|c", [".", "|"]) == ["a", ".", "b", "|", "c"]


# ---------------------------------------------------------------- merges


@given(word_counts=words, n_merges=st.integers(0, 30))
def test_counting_what_changed_is_counting_anew(word_counts, n_merges):
    assert learn_merges(word_counts, n_merges) == plain_merges(word_counts, n_merges)


@given(word_counts=words, n_merges=st.integers(0, 30))
def test_the_order_of_the_words_does_not_matter(word_counts, n_merges):
    backwards = dict(reversed(word_counts.items()))
    assert learn_merges(backwards, n_merges) == learn_merges(word_counts, n_merges)


def test_the_worked_example_of_the_paper():
    """Sennrich, Haddow and Birch (2016), algorithm 1, but for its mark at the end of a word."""
    learned = learn_merges({b"low": 5, b"lower": 2, b"newest": 6, b"widest": 3}, 4)
    assert token_bytes(learned)[256:] == [b"es", b"est", b"lo", b"low"]


def test_the_worked_example_of_the_encyclopedia():
    """https://en.wikipedia.org/wiki/Byte-pair_encoding: aaabdaaabac becomes XdXac."""
    merges = learn_merges({b"aaabdaaabac": 1}, 3)
    assert token_bytes(merges)[256:] == [b"aa", b"ab", b"aaab"]
    ids = apply_merges(b"aaabdaaabac", {pair: 256 + i for i, pair in enumerate(merges)})
    assert ids == [258, 100, 258, 97, 99]


def test_of_equally_frequent_pairs_the_smallest_is_merged():
    assert learn_merges({b"zyab": 1}, 1) == [(97, 98)]
    assert learn_merges({b"ab": 2, b"zy": 3}, 1) == [(122, 121)]


def test_pairs_run_out():
    assert learn_merges({b"aaa": 1}, 9) == [(97, 97), (256, 97)]
    assert learn_merges({}, 9) == []


@given(text=known_texts)
def test_merges_are_those_of_rustbpe(text):
    theirs = rustbpe.Tokenizer()
    theirs.train_from_iterator(iter([text]), 300, pattern=gpt4_pattern())
    ours = learn_merges({w.encode(): n for w, n in count_words(text).items()}, 44)
    ranks = sorted(theirs.get_mergeable_ranks(), key=lambda item: item[1])
    assert [bytes(spelled) for spelled, _ in ranks] == token_bytes(ours)


@given(ids=st.lists(st.integers(1, 3)), pair=st.tuples(st.integers(1, 3), st.integers(1, 3)))
def test_a_pair_is_merged_from_the_left(ids, pair):
    before = list(ids)
    assert merge_pair(ids, pair, 9) == plain_merge(ids, pair, 9)
    assert ids == before


@given(word_counts=words, n_merges=st.integers(0, 30))
def test_a_word_is_merged_as_in_training(word_counts, n_merges):
    """All merges in the order of learning, each over the whole word: slow, and the definition."""
    merges = learn_merges(word_counts, n_merges)
    ranks = {pair: 256 + i for i, pair in enumerate(merges)}
    for word in word_counts:
        expected = list(word)
        for pair, new_id in ranks.items():
            expected = plain_merge(expected, pair, new_id)
        assert apply_merges(word, ranks) == expected


def test_what_was_learned_first_is_merged_first():
    # "abc": left to right would make ab, c; the longest token would be abc, which nothing makes.
    assert apply_merges(b"abc", {(98, 99): 256, (97, 98): 257, (257, 99): 258}) == [97, 256]


def test_words_are_remembered_and_memory_has_an_end():
    remembered = MergeCache({(97, 98): 256}, max_size=2)
    assert remembered["abab"] == [256, 256]
    assert remembered["abab"] is remembered["abab"]
    assert [remembered[word] for word in ("a", "b", "cab")] == [[97], [98], [99, 256]]
    assert len(remembered) <= 2


def test_ids_are_spelled():
    assert token_bytes([])[:2] == [b"\x00", b"\x01"]
    assert token_bytes([(97, 98), (256, 99)])[255:] == [b"\xff", b"ab", b"abc"]


@pytest.mark.parametrize("wrong", [(256, 97), (97, 300), (-1, 97)])
def test_a_merge_of_what_comes_later_is_refused(wrong):
    with pytest.raises(ValueError, match=r"merges\[0\] must join two ids from 0…255.*got merges"):
        token_bytes([wrong])


def test_a_bar_is_shown_to_those_who_wait(monkeypatch, capsys):
    monkeypatch.setattr(byte_pairs, "_BAR", {"delay": 0, "disable": False})
    learn_merges({word.encode(): n for word, n in count_words("ab ab").items()}, 1)
    shown = capsys.readouterr().err
    assert "words" in shown
    assert "merges" in shown
    assert "1/1" in shown


def test_nobody_waits_no_bar(capsys):
    learn_merges({word.encode(): n for word, n in count_words("ab ab").items()}, 1)
    assert capsys.readouterr() == ("", "")


class Counted(dict):
    """Merges that count how often they were asked for."""

    n_asked = 0

    def get(self, *arguments):
        self.n_asked += 1
        return super().get(*arguments)


@pytest.mark.parametrize("n", [1000, 10_000, 100_000])
def test_the_work_grows_as_the_word_does(n):
    """Each place is asked for once, and each of the n − 1 merges asks for two new pairs at most."""
    word = bytes(random.choices(b"ACGT", k=n))
    ranks = Counted({pair: 256 + i for i, pair in enumerate(learn_merges({word[:1000]: 1}, 200))})
    ids = apply_merges(word, ranks)
    assert len(ids) < n / 2
    assert ranks.n_asked <= 3 * n


@given(
    word=st.lists(st.integers(0, 2), max_size=30),
    merges=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=6, unique=True),
)
def test_merging_one_by_one_is_merging_everywhere_at_once(word, merges):
    """As Sennrich's loop does it: again and again the first merge of all, at every place."""
    ranks = {
        pair: 3 + i for i, pair in enumerate(merges) if max(pair) < 3 + i
    }  # of what came before
    expected = list(word)
    for pair, new_id in ranks.items():
        expected = merge_pair(expected, pair, new_id)
    assert apply_merges(word, ranks) == expected


ODD = st.text(st.sampled_from("ab我é\u0301 12Ⅷ's\n\r\t\u2028\xa0!,<-\u200d😀"), max_size=40)


@given(text=ODD, n=st.integers(1, 9))
def test_parts_have_the_words_of_the_whole(text, n):
    parts = list(chunks(text, n))
    assert "".join(parts) == text
    assert [word for part in parts for word in split_words(part)] == split_words(text)


@pytest.mark.parametrize(
    "line",
    [
        '{"id": 17, "text": "a cat"}\n',
        "1. a cat\n",
        "[12:30] <cat> hello\n",
        "a cat sat, and so on. ",
        "你好，世界。",
        "17,25\n",
        "YWJj0123ZGVm/+==\n",
    ],
)
def test_a_long_text_is_cut_whatever_its_lines_look_like(line):
    text = line * 2000
    parts = list(chunks(text, 500))
    assert max(map(len, parts)) < 600
    assert [word for part in parts for word in split_words(part)] == split_words(text)


def test_words_that_are_long_are_not_remembered():
    words = byte_pairs.MergeCache({})
    assert words["a" * 1000] == [97] * 1000
    assert len(words) == 0
    assert words["cat"] == [99, 97, 116]
    assert len(words) == 1


@given(texts, st.integers(0, 60))
def test_no_word_reaches_across_a_safe_cut(text, start):
    place = safe_cut(text, start)
    if place:
        assert start <= place < len(text)
        assert split_words(text[:place]) + split_words(text[place:]) == split_words(text)
