"""lmcourse.generation.beam_search beside a search of all texts, greedy choice and transformers."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_generation import EVERY_MODEL, Fixed, Successor, make, normal, seeded
from test_gpt import as_gpt2

from lmcourse.generation import beam_search, generate

FEW = settings(max_examples=12)
seeds = st.integers(0, 2**31)


class Table:
    """Odds that depend on the last id alone."""

    def __init__(self, logits):
        self.logits = logits

    def __call__(self, ids):
        return self.logits[ids]


def random_table(vocab_size, seed):
    return Table(2 * normal(vocab_size, vocab_size, seed=seed))


def all_texts(table, first, n_tokens, stop_ids):
    """Each text of up to n_tokens ids with its log-probability, found by trying all."""
    log_probs = table.logits.double().log_softmax(-1)
    found = {}
    for ids in product(range(len(log_probs)), repeat=n_tokens):
        ends = [place for place, new in enumerate(ids) if new in stop_ids]
        text = ids[: ends[0] + 1] if ends else ids
        found[text] = sum(
            log_probs[a, b].item() for a, b in zip((first, *text), text, strict=False)
        )
    return found


def path(found, step, place):
    """The ids from the first step to the node at this place, along the parents."""
    ids = []
    while step >= 0:
        node = found.tree[step][place]
        ids, step, place = [node.id, *ids], step - 1, node.parent
    assert place == -1
    return ids


@FEW
@given(seed=seeds, penalty=st.sampled_from([0.0, 0.6, 1.0, 2.0]), stops=st.sets(st.integers(0, 3)))
def test_a_beam_as_wide_as_all_texts_finds_the_best_of_all(seed, penalty, stops):
    table = random_table(4, seed)
    expected = {
        text: total / len(text) ** penalty for text, total in all_texts(table, 1, 3, stops).items()
    }
    found = beam_search(
        table, torch.tensor([1]), 3, n_beams=4**3, length_penalty=penalty, stop_ids=stops
    )
    assert {tuple(text) for text in found.texts} == set(expected)
    assert found.scores == pytest.approx(sorted(expected.values(), reverse=True), abs=1e-5)
    assert expected[tuple(found.texts[0])] == pytest.approx(max(expected.values()), abs=1e-5)


@EVERY_MODEL
def test_a_beam_of_one_is_greedy(kind):
    model, ids = make(kind), torch.tensor([3, 1, 4])
    greedy = generate(model, ids[None], 20, temperature=0, stop_ids=[5])[0, 3:].tolist()
    for penalty in (0.0, 1.0):
        found = beam_search(model, ids, 20, n_beams=1, length_penalty=penalty, stop_ids=[5])
        assert found.texts == [greedy]


@FEW
@given(seed=seeds, n_beams=st.integers(1, 5), n_tokens=st.integers(1, 9))
def test_without_an_end_it_finds_what_transformers_finds(seed, n_beams, n_tokens):
    torch.manual_seed(seed)
    model, ids = make("gpt2").eval(), torch.randint(11, (3,), generator=seeded(seed))
    theirs = as_gpt2(model).generate(
        ids[None],
        attention_mask=torch.ones(1, 3, dtype=torch.long),
        max_new_tokens=n_tokens,
        num_beams=n_beams,
        num_return_sequences=n_beams,
        length_penalty=1.0,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
        return_dict_in_generate=True,
        output_scores=True,
    )
    found = beam_search(model, ids, n_tokens, n_beams=n_beams, length_penalty=1.0)
    assert found.texts == theirs.sequences[:, 3:].tolist()
    if n_beams > 1:  # a beam of 1 is greedy choice there, which has no scores of texts
        assert found.scores == pytest.approx(theirs.sequences_scores.tolist(), abs=1e-4)


def test_looking_ahead_finds_the_text_that_greedy_choice_misses():
    """p(a) = 0.6 and then a half each; p(b) = 0.4 and then b for sure."""
    odds = torch.tensor([[0.0, 0.6, 0.4], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    search = {n: beam_search(Table(odds.log()), torch.tensor([0]), 2, n_beams=n) for n in (1, 2)}
    assert search[1].texts == [[1, 1]]
    assert search[2].texts == [[2, 2], [1, 1]]
    assert [math.exp(score) for score in search[2].scores] == pytest.approx([0.4, 0.3])


def test_the_tree_holds_all_that_was_compared():
    odds = torch.tensor([[0.0, 0.6, 0.4], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    first, second = beam_search(Table(odds.log()), torch.tensor([0]), 2, n_beams=2).tree
    assert [(node.id, node.parent, node.kept) for node in first] == [(1, -1, True), (2, -1, True)]
    # 0.4 · 1, then twice 0.6 · 0.5, of which one has a place; what cannot come is not compared.
    assert [(node.id, node.parent, node.kept) for node in second] == [
        (2, 1, True), (1, 0, True), (2, 0, False)
    ]  # fmt: skip
    assert [math.exp(node.log_prob) for node in second] == pytest.approx([1, 0.5, 0.5])
    assert [math.exp(node.total) for node in second] == pytest.approx([0.4, 0.3, 0.3])


@FEW
@given(seed=seeds, n_beams=st.integers(1, 5), penalty=st.sampled_from([0.0, 1.0]))
def test_texts_are_paths_of_the_tree_and_only_what_was_kept_goes_on(seed, n_beams, penalty):
    table = random_table(6, seed)
    found = beam_search(
        table, torch.tensor([0]), 7, n_beams=n_beams, length_penalty=penalty, stop_ids=[2]
    )
    paths = {}
    for step, nodes in enumerate(found.tree):
        assert len(nodes) <= 2 * n_beams
        assert sum(node.kept for node in nodes) <= n_beams
        totals = [node.total for node in nodes]
        assert totals == sorted(totals, reverse=True)
        for place, node in enumerate(nodes):
            paths[tuple(path(found, step, place))] = node
            assert node.ended == (node.id == 2)
            assert node.score == pytest.approx(node.total / (step + 1) ** penalty)
            if step:
                parent = found.tree[step - 1][node.parent]
                assert parent.kept
                assert not parent.ended
                assert node.total == pytest.approx(parent.total + node.log_prob)
    for text, score in zip(found.texts, found.scores, strict=True):
        assert paths[tuple(text)].kept
        assert paths[tuple(text)].score == score  # exact: the same number
        assert text[-1] == 2 or len(text) == 7
    assert found.scores == sorted(found.scores, reverse=True)


def test_a_length_penalty_prefers_longer_texts():
    """To end at once has 0.4; of three ids none has so much, and some have a better mean."""
    odds = torch.tensor([[0.6, 0.0, 0.0, 0.4], [0.0, 0.4, 0.6, 0.0], [0.0, 0.0, 0.0, 1.0]])
    odds = torch.cat([odds, torch.full((1, 4), 0.25)])
    ids = torch.tensor([0])

    def best(penalty):
        return beam_search(
            Table(odds.log()), ids, 3, n_beams=9, length_penalty=penalty, stop_ids=[3]
        ).texts[0]

    assert best(0.0) == [3]
    assert len(best(2.0)) == 3


def test_what_has_ended_is_not_continued_and_the_search_ends_with_it():
    model = Successor()
    found = beam_search(model, torch.tensor([1]), 50, n_beams=1, stop_ids=[4])
    assert found.texts == [[2, 3, 4]]
    assert len(model.shown) == 3
    assert found.tree[-1][0].ended


def test_no_new_token_is_the_empty_text():
    found = beam_search(Successor(), torch.tensor([1]), 0)
    # exact: nothing was added
    assert (found.texts, found.scores, found.tree) == ([[]], [0.0], [])


def test_a_beam_is_shown_the_last_ids_that_fit():
    model = Successor(context_length=3)
    beam_search(model, torch.tensor([1, 2, 3, 4]), 4, n_beams=3)
    assert {len(row) for shown in model.shown for row in shown} == {3}
    assert [len(shown) for shown in model.shown] == [1, 3, 3, 3]


def test_a_model_in_training_is_searched_without_dropout_and_goes_on_training():
    model = make("gpt2").train()
    beam_search(model, torch.tensor([3, 1]), 2)
    assert model.training


def test_it_searches_where_the_model_is(device):
    model = make("gpt2").to(device)
    found = beam_search(model, torch.tensor([3, 1], device=device), 20, n_beams=3)
    assert [len(text) for text in found.texts] == [20] * 3


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"n_beams": 0}, "n_beams must be at least 1, got n_beams=0: 1 is greedy"),
        ({"n_tokens": -1}, "n_tokens must be at least 0, got n_tokens=-1"),
        ({"ids": torch.tensor([[1, 2]])}, r"ids must have the shape \(T,\), got \(1, 2\): beam_se"),
        ({"ids": torch.zeros(0).long()}, r"T at least 1, got \(1, 0\)"),
        ({"length_penalty": math.nan}, "length_penalty must be finite, got length_penalty=nan"),
    ],
)
def test_what_cannot_be_searched_is_refused(options, expected):
    with pytest.raises(ValueError, match=expected):
        beam_search(Successor(), **{"ids": torch.tensor([1]), "n_tokens": 3} | options)


@pytest.mark.parametrize("wrong", [[0.0, math.nan, 1.0], [-math.inf] * 3], ids=str)
def test_logits_that_are_no_odds_are_the_models_fault(wrong):
    with pytest.raises(ValueError, match="row 0: the model gives no odds"):
        beam_search(Fixed(torch.tensor(wrong)), torch.tensor([1]), 3)
