"""lmcourse.ngrams against plain loops over dictionaries, and a source whose entropy is known."""

import math
from collections import Counter, defaultdict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import SEED, rng

from lmcourse.data import pydoc_text, split
from lmcourse.generation import beam_search, generate
from lmcourse.metrics import LanguageModel, bits_per_byte, entropy, perplexity
from lmcourse.ngrams import NGramModel, bag_of_words, count_grams
from lmcourse.tokenizers import CharTokenizer

SMOOTHINGS = ("kneser-ney", 1, 0.01)
each_smoothing = pytest.mark.parametrize("smoothing", SMOOTHINGS)
texts = st.lists(st.integers(0, 4), min_size=6, max_size=60)


def drawn(n, vocab_size, k=0):
    return torch.randint(vocab_size, (n,), generator=rng(k))


# ---------------------------------------------------------------- a plain loop


def by_loop(ids, n, vocab_size, context, smoothing, discount):
    """The odds after a context of at most n - 1 ids, counted again for each question."""

    def grams(length):
        return [tuple(ids[i : i + length]) for i in range(len(ids) - length + 1)]

    def count(length):
        if smoothing != "kneser-ney" or length == n:
            return Counter(grams(length))
        before = defaultdict(set)
        for gram in grams(length + 1):
            before[gram[1:]].add(gram[0])
        return Counter({gram: len(firsts) for gram, firsts in before.items()})

    def odds(context):
        counts = count(len(context) + 1)
        after = [counts[(*context, w)] for w in range(vocab_size)]
        total = sum(after)
        if smoothing != "kneser-ney":
            weight = total + smoothing * vocab_size
            return [(c + smoothing) / weight if weight else 1 / vocab_size for c in after]
        shorter = odds(context[1:]) if context else [1 / vocab_size] * vocab_size
        if not total:
            return shorter
        d = discount
        if d is None:
            once, twice = (sum(c == k for c in counts.values()) for k in (1, 2))
            d = once / (once + 2 * twice) if once and twice else 0.5
        kept = [max(c - d, 0) / total for c in after]
        return [k + (1 - sum(kept)) * p for k, p in zip(kept, shorter, strict=True)]

    return odds(tuple(context))


@pytest.mark.parametrize("discount", [None, 0.3, 1.0])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
@given(ids=texts, asked=st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_kneser_ney_is_what_a_plain_loop_over_the_formula_gives(n, discount, ids, asked):
    model = NGramModel(n, 5, discount=discount).fit(ids)
    odds = model(torch.tensor([asked]))[0].exp()
    for t in range(len(asked)):
        context = asked[max(0, t + 2 - n) : t + 1] if n > 1 else []
        expected = by_loop(ids, n, 5, context, "kneser-ney", discount)
        torch.testing.assert_close(odds[t], torch.tensor(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("k", [0, 0.5, 1])
@pytest.mark.parametrize("n", [1, 2, 4])
@given(ids=texts, asked=st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_add_k_is_what_a_plain_loop_over_the_formula_gives(n, k, ids, asked):
    odds = NGramModel(n, 5, smoothing=k).fit(ids)(torch.tensor([asked]))[0].exp()
    for t in range(len(asked)):
        context = asked[max(0, t + 2 - n) : t + 1] if n > 1 else []
        expected = by_loop(ids, n, 5, context, k, None)
        torch.testing.assert_close(odds[t], torch.tensor(expected), rtol=1e-5, atol=1e-6)


def test_abracadabra_by_hand():
    """a b, b r, r a are seen twice, a c, c a, a d and d a once: p(b | a) = 1.5/4 + 1.5/4 · 1/7."""
    ids = [ord(letter) - 97 for letter in "abracadabra"]
    names = {0: 0, 1: 1, 2: 2, 3: 3, 17: 4}
    model = NGramModel(2, 5, discount=0.5).fit([names[i] for i in ids])
    after_a = model(torch.tensor([[0]]))[0, 0].exp()
    by_hand = torch.tensor([4.5 / 28, 12 / 28, 5 / 28, 5 / 28, 1.5 / 28])
    torch.testing.assert_close(after_a, by_hand)
    counted = NGramModel(2, 5, smoothing=1).fit([names[i] for i in ids])
    after_a = counted(torch.tensor([[0]]))[0, 0].exp()
    torch.testing.assert_close(after_a, torch.tensor([1.0, 3, 2, 2, 1]) / 9)


def test_what_follows_many_different_ids_is_likelier_in_a_new_place():
    """Chen and Goodman's Francisco: frequent, but after San alone."""
    san, francisco, the, fog = range(4)
    others = list(range(4, 14))
    ids = [san, francisco] * 50 + [id_ for other in others for id_ in (other, fog)] * 2 + [the]
    after_the = NGramModel(2, 14).fit(ids)(torch.tensor([[the]]))[0, 0]
    assert ids.count(francisco) > ids.count(fog)
    assert after_the[fog] > after_the[francisco]
    counted = NGramModel(1, 14, smoothing=1).fit(ids)(torch.tensor([[the]]))[0, 0]
    assert counted[francisco] > counted[fog]


# ---------------------------------------------------------------- probabilities


@each_smoothing
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_after_every_context_the_odds_sum_to_one_and_nothing_is_impossible(n, smoothing):
    model = NGramModel(n, 11, smoothing=smoothing).fit(drawn(400, 7))  # 7 to 10 never come
    log_probs = model(drawn(300, 11, k=1).view(3, 100))
    assert log_probs.shape == (3, 100, 11)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(3, 100))
    assert log_probs.isfinite().all()


def test_a_bigram_beats_a_unigram_and_that_beats_chance_on_text_it_has_not_seen():
    paragraphs = pydoc_text().split("\n\n")
    text, new = map("\n\n".join, split(paragraphs, (0.9, 0.1), seed=SEED))
    tokenizer = CharTokenizer.train(text + new)
    ids, new_ids = (torch.tensor(tokenizer.encode(part)) for part in (text, new))
    bits = {}
    for n in (1, 2, 3, 4, 5, 6):
        model = NGramModel(n, tokenizer.vocab_size).fit(ids)
        odds = model(torch.arange(tokenizer.vocab_size)[:, None])[:, 0].exp()
        torch.testing.assert_close(odds.sum(-1), torch.ones(tokenizer.vocab_size))
        bits[n] = math.log2(perplexity(model, new_ids, context_length=1000))
    assert bits[2] < bits[1] - 0.5
    assert bits[1] < math.log2(tokenizer.vocab_size) - 0.5
    assert bits[5] < bits[4] < bits[3] < bits[2]
    assert bits[5] < 2.4


def test_with_enough_text_the_perplexity_is_that_of_the_source():
    """Two ids decide on the third: below this order a model misses them, at it little is left."""
    odds = torch.rand(5, 5, 5, generator=rng(), dtype=torch.double).pow(4)
    odds /= odds.sum(-1, keepdim=True)
    ids = [0, 0]
    draws = torch.rand(60_000, generator=rng(1), dtype=torch.double).tolist()
    ladders = odds.cumsum(-1).tolist()
    for draw in draws:
        ladder = ladders[ids[-2]][ids[-1]]
        ids.append(min(4, sum(step < draw for step in ladder)))
    text, new = torch.tensor(ids[:50_000]), torch.tensor(ids[50_000:])
    # The entropy of what came: of each pair of ids that was really there.
    nats = entropy(odds)[new[:-2], new[1:-1]].mean().item()
    assert nats < math.log(5) - 0.3
    for smoothing in ("kneser-ney", 0.1):
        found = [
            math.log(perplexity(NGramModel(n, 5, smoothing).fit(text), new, context_length=10_000))
            for n in (1, 2, 3, 4)
        ]
        assert found[1] > nats + 0.05
        # The surprise of 10,000 draws is not their entropy: about σ/√10,000, 0.01 nats.
        assert found[2] == pytest.approx(nats, abs=0.04)
        assert found[0] > found[1] > found[2]
        assert found[3] < nats + 0.06


def test_discounts_are_those_that_held_out_text_asks_for():
    """Counts of one are too high by about D: what was there once comes again less often."""
    text, new = drawn(4000, 200), drawn(4000, 200, k=1)
    model = NGramModel(2, 200).fit(text)
    assert model.discounts[1] == pytest.approx(0.9, abs=0.1)  # 40,000 pairs, one in ten seen
    losses = {
        d: math.log(perplexity(NGramModel(2, 200, discount=d).fit(text), new, 4000))
        for d in (0.2, 0.5, model.discounts[1])
    }
    assert losses[model.discounts[1]] < losses[0.5] < losses[0.2]


# ---------------------------------------------------------------- contracts


@each_smoothing
def test_no_place_sees_its_future_or_more_than_n_less_one_ids(smoothing):
    model = NGramModel(4, 9, smoothing=smoothing).fit(drawn(500, 9))
    ids = drawn(40, 9, k=1).view(2, 20)
    whole = model(ids)
    changed = ids.clone()
    changed[:, 10] = (changed[:, 10] + 1) % 9
    other = model(changed)
    same = (whole - other).abs().amax((0, 2)) < 1e-6
    assert same[:10].all()
    assert same[13:].all()
    assert not same[10]
    torch.testing.assert_close(model(ids[:, :7]), whole[:, :7])
    torch.testing.assert_close(model(ids[1:]), whole[1:])


@each_smoothing
def test_generate_and_perplexity_take_it_as_they_take_a_network(smoothing):
    """A text that repeats seven ids is learned by heart: written on, and hardly a surprise."""
    ids = torch.arange(7).repeat(60)
    model = NGramModel(3, 7, smoothing=smoothing).fit(ids)
    assert isinstance(model, LanguageModel)
    written = generate(model, torch.tensor([[5], [2]]), 9, temperature=0)
    assert written.tolist() == [[(5 + i) % 7 for i in range(10)], [(2 + i) % 7 for i in range(10)]]
    assert beam_search(model, torch.tensor([3, 4]), 4).texts[0] == [5, 6, 0, 1]
    assert 1 < perplexity(model, ids, context_length=50) < 1.2
    drawn_twice = [generate(model, ids[None, :3], 30, generator=rng()) for _ in range(2)]
    assert torch.equal(*drawn_twice)  # exact: ids


def test_bits_per_byte_take_it_with_any_tokenizer():
    tokenizer = CharTokenizer.train("abracadabra, cadabra")
    model = NGramModel(2, tokenizer.vocab_size).fit(tokenizer.encode("abracadabra, cadabra"))
    bits = bits_per_byte(model, tokenizer, "cadabra", context_length=8)
    ids = torch.tensor([tokenizer.encode("cadabra")])
    nats = -model(ids[:, :-1]).gather(-1, ids[:, 1:, None]).sum().item()
    assert bits == pytest.approx(nats / math.log(2) / 6, rel=1e-5)


def test_added_zero_makes_impossible_what_was_not_seen():
    model = NGramModel(2, 4, smoothing=0).fit([0, 1, 0, 2, 0, 1])
    assert model(torch.tensor([[0]]))[0, 0].exp().tolist() == pytest.approx([0, 2 / 3, 1 / 3, 0])
    assert perplexity(model, torch.tensor([0, 1, 1]), context_length=4) == math.inf
    unseen = model(torch.tensor([[3]]))[0, 0].exp()  # no context, no odds: all alike
    assert unseen.tolist() == pytest.approx([0.25] * 4)


def test_fit_counts_anew_and_changes_nothing_that_it_is_given():
    first, second = drawn(300, 6), drawn(300, 6, k=1)
    kept = first.clone()
    again = NGramModel(3, 6).fit(first).fit(second)
    asked = drawn(20, 6, k=2)[None]
    assert torch.equal(first, kept)  # exact: ids
    torch.testing.assert_close(again(asked), NGramModel(3, 6).fit(second)(asked))
    torch.testing.assert_close(again(asked), NGramModel(3, 6).fit(second.tolist())(asked))
    torch.testing.assert_close(again(asked), NGramModel(3, 6).fit(second.int())(asked.int()))


@pytest.mark.parametrize("smoothing", [*SMOOTHINGS, 0])
def test_one_count_serves_each_shorter_n_and_each_smoothing(smoothing):
    ids, asked = drawn(400, 5), drawn(60, 5, 1)[None]
    grams = count_grams(ids, 4, 5)
    for n in (1, 2, 4):
        alone = NGramModel(n, 5, smoothing).fit(ids)
        shared = NGramModel(n, 5, smoothing).fit_counts(grams)
        assert shared.n_grams == alone.n_grams
        assert shared.discounts == alone.discounts
        torch.testing.assert_close(shared(asked), alone(asked))


def test_counts_of_shorter_grams_or_of_other_ids_are_refused():
    grams = count_grams(drawn(50, 5), 2, 5)
    with pytest.raises(ValueError, match=r"up to n=3 ids of vocab_size=5, got up to 2 of 5"):
        NGramModel(3, 5).fit_counts(grams)
    with pytest.raises(ValueError, match=r"up to n=2 ids of vocab_size=6, got up to 2 of 5"):
        NGramModel(2, 6).fit_counts(grams)
    with pytest.raises(ValueError, match=r"got up to 0 of none: see count_grams"):
        NGramModel(1, 5).fit_counts([])


def test_the_table_holds_each_gram_once():
    ids = drawn(2000, 5)
    model = NGramModel(3, 5).fit(ids)
    rows = ids.tolist()
    grams = [len({tuple(rows[i : i + n]) for i in range(len(rows) - n + 1)}) for n in (1, 2, 3)]
    assert model.n_grams == grams


@each_smoothing
def test_the_memory_is_that_of_a_key_and_a_share_for_each_gram(smoothing):
    model = NGramModel(3, 5, smoothing=smoothing).fit(drawn(2000, 5))
    one, two, three = model.n_grams
    keys_and_shares = (8 + 4) * (one + two + three)
    contexts = (4 + 8) * (1 + one + two) + 3 * 8  # what is left, and where the children start
    assert model.n_bytes == keys_and_shares + contexts


def test_long_grams_of_a_large_vocabulary_do_not_run_out_of_bits():
    """50,257 to the fifth is more than 64 bits hold."""
    ids = drawn(3000, 50_257)
    ids[1000:1400] = ids[200:600]
    model = NGramModel(5, 50_257).fit(ids)
    asked = ids[300:310]
    likeliest = model(asked[None])[0].argmax(-1)
    assert likeliest[4:].tolist() == ids[305:311].tolist()  # exact: ids


def test_a_context_of_the_very_start_has_nothing_before_it():
    """0 1 stands at the start alone: no id was seen before it, so shorter contexts speak."""
    model = NGramModel(3, 4).fit([0, 1, 2, 3, 2, 3, 2, 2, 3])
    log_probs = model(torch.tensor([[0], [1]]))
    assert log_probs.isfinite().all()
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2, 1))


def test_no_ids_have_no_odds():
    model = NGramModel(3, 4).fit(drawn(50, 4))
    assert model(torch.zeros(2, 0, dtype=torch.long)).shape == (2, 0, 4)


# ---------------------------------------------------------------- bags of words


def test_a_bag_counts_what_is_real():
    ids = torch.tensor([[3, 0, 3, 1], [1, 1, 0, 0]])
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    assert bag_of_words(ids, 5).tolist() == [[1, 1, 0, 2, 0], [2, 2, 0, 0, 0]]
    assert bag_of_words(ids, 5, mask).tolist() == [[1, 1, 0, 2, 0], [0, 2, 0, 0, 0]]
    assert bag_of_words(ids.where(mask, -1), 5, mask)[1].tolist() == [0, 2, 0, 0, 0]


@given(st.permutations([4, 4, 1, 0, 2, 1]))
def test_a_bag_forgets_the_order(ids):
    assert bag_of_words(torch.tensor([ids]), 5).tolist() == [[1, 2, 1, 0, 2]]


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 0, "vocab_size": 5}, "n and vocab_size must be at least 1, got n=0, vocab_size=5"),
        ({"n": 2, "vocab_size": 0}, "got n=2, vocab_size=0"),
        ({"n": 2, "vocab_size": 5, "smoothing": -1}, "got smoothing=-1"),
        ({"n": 2, "vocab_size": 5, "smoothing": math.inf}, "got smoothing=inf"),
        ({"n": 2, "vocab_size": 5, "discount": 1.5}, "discount must be from 0 to 1.*discount=1.5"),
        ({"n": 2, "vocab_size": 5, "smoothing": 1, "discount": 0.5}, "discount=0.5, smoothing=1"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        NGramModel(**arguments)


def test_texts_that_cannot_be_counted_are_refused():
    model = NGramModel(3, 5)
    with pytest.raises(ValueError, match=r"at least n=3 of them, got the shape \(2,\)"):
        model.fit([1, 2])
    with pytest.raises(ValueError, match=r"got the shape \(0,\)"):
        model.fit([])
    with pytest.raises(ValueError, match=r"ids must lie in 0…4, got 5"):
        model.fit([1, 2, 5])
    with pytest.raises(ValueError, match=r"ids must lie in 0…4, got -1"):
        model.fit([1, 2, -1])
    with pytest.raises(ValueError, match=r"model must have counted a text first.*call fit\(ids\)"):
        model(torch.tensor([[1]]))
    with pytest.raises(ValueError, match=r"ids must lie in 0…4, got 7"):
        model.fit([1, 2, 3])(torch.tensor([[1, 7]]))
    with pytest.raises(ValueError, match=r"ids must lie in 0…4, got 9"):
        bag_of_words(torch.tensor([[1, 9]]), 5)
