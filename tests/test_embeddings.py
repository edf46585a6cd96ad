"""lmcourse.embeddings against torch, and against plain loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import rng, start
from torch.nn import functional as F

from lmcourse import embeddings
from lmcourse.co_occurrence import Vocabulary, count_neighbors
from lmcourse.embeddings import (
    Embedding,
    GloVe,
    SkipGram,
    analogy,
    analogy_accuracy,
    counted_pairs,
    embed_by_product,
    embedding_gradient,
    glove_loss,
    glove_weights,
    nearest,
    skip_gram_step,
    train_skip_gram,
    triple_accuracy,
)
from lmcourse.negative_sampling import negative_sampling_loss, noise_probs, text_blocks
from lmcourse.neurons import fit

# ---------------------------------------------------------------- look-up


def looked_up(device="cpu", shape=(3, 5), vocab_size=7, d_model=2):
    table = torch.randn(vocab_size, d_model, generator=rng()).to(device).requires_grad_()
    ids = torch.randint(vocab_size, shape, generator=rng(1)).to(device)
    gradient = torch.randn(*shape, d_model, generator=rng(2)).to(device)
    return table, ids, gradient


@pytest.mark.parametrize("shape", [(), (4,), (3, 5), (2, 3, 5), (0,)])
def test_look_up_is_the_product_with_one_hot_rows_and_torchs_embedding(device, shape):
    table, ids, gradient = looked_up(device, shape)
    layer = Embedding(7, 2).to(device)
    layer.load_state_dict({"table": table})
    results = [layer(ids), embed_by_product(table, ids), F.embedding(ids, table)]
    gradients = [
        torch.autograd.grad((result * gradient).sum(), source)[0]
        for result, source in zip(results, (layer.table, table, table), strict=True)
    ]
    gradients.append(embedding_gradient(ids, gradient, 7))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0])
    for each in gradients[1:]:
        torch.testing.assert_close(each, gradients[0])


@given(st.lists(st.integers(0, 10), min_size=1, max_size=9))
def test_only_the_rows_that_were_used_have_a_gradient(ids):
    gradient = embedding_gradient(torch.tensor(ids), torch.ones(len(ids), 3), 11)
    uses = torch.tensor([ids.count(row) for row in range(11)])
    torch.testing.assert_close(gradient, uses[:, None].expand(11, 3).float())


def test_a_step_moves_the_rows_that_were_used_and_no_other():
    layer = Embedding(11, 3)
    before = layer.table.detach().clone()
    layer(torch.tensor([4, 9, 4])).sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.5).step()
    moved = (layer.table - before).detach()
    assert moved.abs().sum(1).nonzero().flatten().tolist() == [4, 9]
    torch.testing.assert_close(moved[4], torch.full((3,), -1.0))


def test_tables_and_ids_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="got vocab_size=0, d_model=3"):
        Embedding(0, 3)
    with pytest.raises(ValueError, match=r"ids must lie in 0…4, got 5"):
        Embedding(5, 3)(torch.tensor([1, 5]))


# ---------------------------------------------------------------- trained on neighbors


def small_text(n=900):
    """Sentences of two of six words, some pairs of which are frequent, and no word meets itself."""
    drawn = torch.randint(6, (n, 3), generator=rng(3))
    drawn[:, 1] = (drawn[:, 0] + 1 + (drawn[:, 1] > 1) * (drawn[:, 2] % 4)) % 6
    drawn[:, 2] = -1  # here a sentence ends
    return drawn.flatten()


def test_skip_gram_scores_pairs_as_the_paper_does_and_learns_as_it_does(device):
    """Block by block, with shared noise, is the paper's formula summed up pair after pair."""
    model, counts = SkipGram(6, 4).to(device), torch.full((6,), 9)
    torch.nn.init.normal_(model.contexts.table)
    ids = torch.randint(6, (23,), generator=rng()).to(device)
    blocks = text_blocks(ids, counts, rng(1), 2, threshold=1, length=5, batch_size=9, n_shared=7)
    block, near = next(blocks)
    loss = negative_sampling_loss(model(block), near, n_negatives=3)
    found = torch.autograd.grad(loss, list(model.parameters()))

    words, contexts = model.words.table, model.contexts.table
    total = torch.zeros((), device=device)
    for b, t, s in near.nonzero().tolist():
        v, u = words[block.centers[b, t]], contexts[block.contexts[b, s]]
        noise = [(-(v @ contexts[n])).sigmoid().log() for n in block.negatives.tolist()]
        total = total - near[b, t, s] * ((v @ u).sigmoid().log() + 3 / 7 * sum(noise))
    expected = torch.autograd.grad(total / near.sum(), list(model.parameters()))
    assert loss.item() == pytest.approx((total / near.sum()).item(), rel=1e-5)
    for each, other in zip(found, expected, strict=True):
        torch.testing.assert_close(each, other, rtol=1e-4, atol=1e-6)


def test_before_training_every_pair_is_a_coin():
    """The contexts start at 0: ln 2 for the pair and for each of its five negatives."""
    ids = small_text(50)
    block, near = next(text_blocks(ids, torch.full((6,), 9), rng(), threshold=1))
    loss = negative_sampling_loss(SkipGram(6, 4)(block), near)
    assert loss.item() == pytest.approx(6 * math.log(2), rel=1e-5)


def test_a_step_by_hand_is_that_of_autograd_and_plain_gradient_descent(device):
    """At the rate for each pair; words that come several times add up all that they should move."""
    models = [SkipGram(6, 4).double().to(device) for _ in range(2)]
    torch.nn.init.normal_(models[0].contexts.table)
    models[1].load_state_dict(models[0].state_dict())
    ids = torch.randint(6, (40,), generator=rng()).to(device)
    blocks = text_blocks(
        ids, torch.full((6,), 9), rng(1), 3, threshold=1, length=5, batch_size=4, n_shared=7
    )
    for block, near in blocks:
        near = near.double()
        skip_gram_step(models[0], block, near, 0.05, n_negatives=3)
        optimizer = torch.optim.SGD(models[1].parameters(), lr=0.05 * near.sum().item())
        negative_sampling_loss(models[1](block), near, n_negatives=3).backward()
        optimizer.step()
        optimizer.zero_grad()
        for mine, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10)
    assert all(parameter.grad is None for parameter in models[0].parameters())


def test_trained_by_hand_it_tells_neighbors_from_noise_and_too_high_a_rate_is_said():
    ids, counts = small_text(300), torch.full((6,), 9)
    start()
    model = SkipGram(6, 8)
    block, near = next(text_blocks(ids, counts, rng(7), threshold=1))
    before = negative_sampling_loss(model(block), near).item()
    train_skip_gram(model, ids, counts, rng(), n_epochs=10, rate=0.01, threshold=1)
    after = negative_sampling_loss(model(block), near).item()
    assert after < before - 1
    with pytest.raises(FloatingPointError, match=r"at rate=50: try half of it"):
        train_skip_gram(SkipGram(6, 8), ids, counts, rng(), rate=50, threshold=1)


def test_by_hand_the_rate_falls_evenly_to_nothing(monkeypatch):
    rates = []
    monkeypatch.setattr(
        embeddings, "skip_gram_step", lambda model, block, near, rate: rates.append(rate)
    )
    counts = torch.tensor([3000, 600, 60])
    ids = torch.multinomial(counts.float(), 40_000, replacement=True, generator=rng())
    train_skip_gram(SkipGram(3, 2), ids, counts, rng(1), n_epochs=3, rate=0.5, threshold=0.05)
    falls = torch.tensor(rates).diff()
    assert rates[0] == pytest.approx(0.5)
    assert rates[-1] < 0.02
    torch.testing.assert_close(falls[:-9], falls[:1].expand(len(falls) - 9), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("k", range(3))
def test_skip_gram_with_room_enough_finds_the_logarithm_of_how_much_oftener(k):
    """Levy and Goldberg (2014): at the best, log of a pair's share over noise's, minus log k."""
    ids, n_negatives = small_text(300), 2
    counts = torch.bincount(ids[ids >= 0], minlength=6)
    start(k)
    model = SkipGram(6, 6)
    for learning_rate in (0.03, 0.003):
        optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
        blocks = text_blocks(ids, counts, rng(k), 1, n_epochs=200, threshold=1, n_shared=400)
        fit(model, optimizer, blocks, lambda s, near: negative_sampling_loss(s, near, n_negatives))
    together = count_neighbors(ids, 6, window=1).to_dense()
    by_noise = n_negatives * together.sum(1, keepdim=True) * noise_probs(counts)
    seen = together > 0
    assert 0 < seen.sum() < 36

    def expected_loss(scores):
        """Of the pairs that were seen; at its best the others' score is −∞, and costs nothing."""
        each = together * F.softplus(-scores) + by_noise * F.softplus(scores)
        return (each[seen].sum() / together.sum()).item()

    best = expected_loss((together / by_noise).log())
    alike = expected_loss((together[seen].sum() / by_noise[seen].sum()).log().expand(6, 6))
    found = expected_loss(model.vectors @ model.contexts.table.detach().T)
    assert best < found < best + (alike - best) / 10


# ---------------------------------------------------------------- trained on counts


def test_glove_is_its_formula_in_a_loop(device):
    start()
    model = GloVe(7, 3).to(device)
    torch.nn.init.normal_(model.word_bias)
    torch.nn.init.normal_(model.context_bias)
    pairs = torch.randint(7, (2, 11), generator=rng()).to(device)
    counts = (torch.rand(11, generator=rng(1)) * 20 + 0.1).to(device)
    loss = glove_loss(model((pairs[0], pairs[1])), counts, x_max=8, power=0.5)
    total = 0.0
    for i, j, n in zip(*pairs.tolist(), counts.tolist(), strict=True):
        guess = (model.words.table[i] * model.contexts.table[j]).sum()
        guess = (guess + model.word_bias[i] + model.context_bias[j]).item()
        total += min(1, n / 8) ** 0.5 * (guess - math.log(n)) ** 2
    assert loss.item() == pytest.approx(total / 11, rel=1e-4)


@given(st.lists(st.floats(0, 300), min_size=2, max_size=9), st.floats(0.1, 1))
def test_the_weight_rises_to_one_and_is_none_for_what_was_never_seen(counts, power):
    weights = glove_weights(torch.tensor([0.0, *sorted(counts), 100.0, 1e6]), 100, power)
    assert weights[0] == 0
    assert (weights.diff() >= 0).all()
    assert weights[-2:].tolist() == [1, 1]


def test_a_count_of_zero_would_make_the_loss_no_number_and_is_refused():
    zero = torch.zeros(1)
    assert (glove_weights(zero) * (1 - zero.log()).square()).isnan().all()
    with pytest.raises(ValueError, match="counts must be positive, got 0"):
        glove_loss(torch.ones(2), torch.tensor([3.0, 0.0]))


def test_each_epoch_holds_every_pair_that_was_seen_once_and_no_other(device):
    counts = count_neighbors(small_text(40).to(device), 6, window=1)
    batches = list(counted_pairs(counts, rng(), batch_size=7, n_epochs=2))
    assert {len(values) for _, values in batches[:-1]} >= {7}
    found = torch.zeros(6, 6, device=device)
    for (words, contexts), values in batches:
        assert (values > 0).all()
        found.index_put_((words, contexts), values, accumulate=True)
    torch.testing.assert_close(found, 2 * counts.to_dense())


@pytest.mark.parametrize("k", range(3))
def test_glove_with_room_enough_learns_the_logarithms_of_the_counts(k):
    start(k)
    counts = count_neighbors(small_text(), 6, window=1)
    model = GloVe(6, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = fit(model, optimizer, counted_pairs(counts, rng(k), 99, n_epochs=600), glove_loss)
    assert losses[-1] < losses[0] / 1000
    words, contexts = counts.indices()
    guesses = model((words, contexts)).detach()
    torch.testing.assert_close(guesses, counts.values().log(), rtol=0, atol=0.2)


# ---------------------------------------------------------------- questions to vectors


WORDS = Vocabulary(["man", "woman", "king", "queen", "apple"], [1] * 5)
# Kings are men and more; in this table an offset says exactly so, and the apple is far away.
TABLE = torch.tensor(
    [[3.0, 0, 0, 1], [3.0, 1, 0, 0], [3.0, 0, 2, 1], [3.0, 1, 2, 0], [-3.0, 0, 0, 0.1]]
)


@given(st.integers(0, 99), st.integers(1, 12))
def test_neighbors_are_all_other_words_by_their_cosine(k, n):
    vectors = torch.randn(9, 4, generator=rng(k))
    vocabulary = Vocabulary(list("abcdefghi"), [1] * 9)
    cosines = {
        word: torch.cosine_similarity(vectors[i], vectors[2], dim=0).item()
        for i, word in enumerate(vocabulary.words)
        if word not in "ce"
    }
    found = nearest(vectors, vocabulary, "c", n, leave_out=["e", "c"])
    assert len(found) == min(n, 7)
    best = sorted(cosines.values(), reverse=True)
    assert [cosine for _, cosine in found] == pytest.approx(best[:n], abs=1e-5)
    assert all(cosines[word] == pytest.approx(cosine, abs=1e-5) for word, cosine in found)


def test_an_analogy_leaves_out_the_words_of_its_question_or_not(device):
    table, question = TABLE.to(device), ("man", "woman", "king")
    assert analogy(table, WORDS, question)[0][0] == "queen"
    everything = analogy(table, WORDS, question, n=5, leave_out=False)
    assert {word for word, _ in everything} == set(WORDS.words)
    assert {word for word, _ in analogy(table, WORDS, question, n=5)} == {"queen", "apple"}
    units = F.normalize(table, dim=-1)
    target = units[1] - units[0] + units[2]
    for word, cosine in everything:
        expected = torch.cosine_similarity(target, units[WORDS.index(word)], dim=0)
        assert cosine == pytest.approx(expected.item(), abs=1e-5)


def test_the_known_weakness_an_offset_of_noise_answers_with_a_word_of_the_question():
    """b − a is small beside c: left in, c is its own nearest; left out, c's neighbor is right."""
    vectors = torch.tensor([[1.0, 0, 0.01], [1.0, 0, -0.02], [0, 1.0, 0], [0, 1.0, 0.3]])
    vocabulary = Vocabulary(["a", "b", "c", "d"], [1] * 4)
    questions = [("a", "b", "c", "d"), ("b", "a", "c", "d")]
    assert analogy_accuracy(vectors, vocabulary, questions) == 1
    assert analogy_accuracy(vectors, vocabulary, questions, leave_out=False) == 0


def test_shares_of_questions_and_triples_are_counted(device):
    table = TABLE.to(device)
    questions = [("man", "woman", "king", "queen"), ("man", "woman", "king", "apple")]
    assert analogy_accuracy(table, WORDS, questions) == pytest.approx(0.5)
    triples = [("man", "woman", "apple"), ("king", "queen", "man"), ("man", "apple", "king")]
    assert triple_accuracy(table, WORDS, triples) == pytest.approx(2 / 3)


def test_a_table_of_another_vocabulary_is_refused():
    with pytest.raises(ValueError, match="got 4 for 5 words"):
        nearest(TABLE[:4], WORDS, "man")
    with pytest.raises(ValueError, match="got word='pear'"):
        analogy(TABLE, WORDS, ("man", "woman", "pear"))
