"""lmcourse.documents: what travels with a text, and parts that share no group."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.documents import (
    Document,
    document_of,
    read_documents,
    split_documents,
    with_license,
    write_documents,
)

FOX = Document(text="The fox ran.", source="https://example.org/fox", license="CC BY 4.0")


def test_source_and_license_stay_with_a_text_that_is_changed():
    changed = FOX.with_text("The fox", "cut").with_text("the fox", "lower case")
    assert (changed.source, changed.license) == (FOX.source, FOX.license)
    assert (changed.text, changed.history) == ("the fox", ("cut", "lower case"))
    assert FOX.history == ()


@pytest.mark.parametrize("name", ["source", "license"])
@pytest.mark.parametrize("value", ["", " "])
def test_a_document_must_say_whence_it_comes_and_what_is_allowed(name, value):
    fields = {"text": "a", "source": "here", "license": "MIT"} | {name: value}
    with pytest.raises(ValueError, match=f"{name} must be words, got {name}={value!r}"):
        Document(**fields)


def test_only_what_is_allowed_stays_and_unknown_is_not_allowed():
    unknown = Document(text="b", source="web", license="unknown")
    assert with_license([FOX, unknown], ["cc by 4.0"]) == [FOX]
    assert with_license([FOX, unknown], ["MIT"]) == []
    with pytest.raises(ValueError, match="allowed must be a list of licenses, got the text 'MIT'"):
        with_license([FOX], "MIT")


texts = st.text(st.characters(exclude_categories=["Cs"]))
words = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1)
fields = {
    "text": texts,
    "source": words,
    "license": words,
    "language": st.none() | words,
    "group": st.none() | words,
    "history": st.tuples(words, words) | st.just(()),
}


@given(st.lists(st.fixed_dictionaries(fields), max_size=5))
def test_documents_come_back_from_a_file(tmp_path_factory, some):
    some = [Document(**fields) for fields in some]
    path = tmp_path_factory.mktemp("documents") / "some.jsonl"
    write_documents(path, some)
    assert list(read_documents(path)) == some


def test_a_line_separator_inside_of_a_text_is_no_end_of_line(tmp_path):
    odd = Document(text="a\u2028b\x85c\r\nd", source="here", license="MIT")
    write_documents(tmp_path / "odd.jsonl", [odd, FOX])
    assert list(read_documents(tmp_path / "odd.jsonl")) == [odd, FOX]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2 of .*some.jsonl must be JSON, got '{"),
        ("[1]", "line 2 of .*some.jsonl must be like"),
        ('{"text": 3, "license": "MIT"}', "line 2 of .*some.jsonl must be like"),
        ('{"text": "a"}', "line 2 of .*some.jsonl must name a license, got none"),
        (
            '{"text": "a", "license": 3}',
            "line 2 of .*some.jsonl must have words for license, got 3",
        ),
        ('{"text": "", "license": "", "history": [1]}', "must have words for history, got .1,"),
        ('{"text": "a", "license": ""}', "line 2 of .*some.jsonl: license must be words"),
    ],
)
def test_a_line_that_is_no_document_is_named(tmp_path, line, words):
    path = tmp_path / "some.jsonl"
    path.write_text('{"text": "a", "license": "MIT"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        list(read_documents(path))


def test_a_line_without_source_or_license_gets_those_of_its_file():
    found = document_of('{"text": "a", "url": "?"}', "line 7 of web.jsonl", "unknown")
    assert found == Document(text="a", source="line 7 of web.jsonl", license="unknown")


groups = st.lists(st.none() | st.integers(0, 6), min_size=1, max_size=60)


@given(groups=groups, seed=st.integers(0, 99))
def test_no_group_stands_in_two_parts_and_each_document_in_one(groups, seed):
    parts = split_documents(range(len(groups)), groups, (0.7, 0.2, 0.1), seed)
    assert sorted(x for part in parts for x in part) == list(range(len(groups)))
    assert all(part == sorted(part) for part in parts)
    homes = {}
    for number, part in enumerate(parts):
        for document in part:
            if groups[document] is not None:
                homes.setdefault(groups[document], set()).add(number)
    assert all(len(home) == 1 for home in homes.values())
    largest = max(Counter(x for x in groups if x is not None).values(), default=1)
    for part, share in zip(parts, (0.7, 0.2, 0.1), strict=True):
        assert abs(len(part) - share * len(groups)) <= max(largest, 1) + 1


def test_another_seed_deals_otherwise_and_the_same_one_alike():
    deals = [split_documents(range(100), None, (0.5, 0.5), seed) for seed in (1, 1, 2)]
    assert deals[0] == deals[1] != deals[2]


def test_windows_of_one_document_would_land_in_both_parts():
    """The control: without groups, each document of ten windows is in training and in test."""
    windows = [document for document in range(20) for _ in range(10)]
    naive = split_documents(windows, None, (0.8, 0.2))
    kept = split_documents(windows, windows, (0.8, 0.2))
    # A document of ten windows misses a fifth of them with a chance of 0.1: most do not.
    assert len(set(naive[0]) & set(naive[1])) > 10
    assert set(kept[0]) & set(kept[1]) == set()


def test_impossible_splits_are_refused():
    with pytest.raises(ValueError, match=r"fractions must be positive and sum to 1, got \(0.5,\)"):
        split_documents("ab", fractions=(0.5,))
    with pytest.raises(ValueError, match="groups must be one for each document, got 1 for 2"):
        split_documents("ab", groups=[1])
