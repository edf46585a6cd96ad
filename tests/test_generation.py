"""lmcourse.generation with models whose odds are known, and beside transformers' `generate`."""

import json
import math
from dataclasses import replace

import pytest
import torch
from book_pages import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import rng
from test_gpt import as_gpt2

from lmcourse.generation import (
    generate,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    sample,
)
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.metrics import LanguageModel, entropy
from lmcourse.recurrent import GRU, LSTM, RNN, RecurrentLM
from lmcourse.transformer import Transformer, TransformerConfig

FEW = settings(max_examples=8)
GPT2 = GPTConfig(vocab_size=11, context_length=13, d_model=12, n_heads=3, n_layers=2)
LLAMA = replace(GPT2, norm="rms", feed_forward="swiglu", positions="rotary", n_kv_heads=1)

seeds = st.integers(0, 2**31)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed):
    return torch.randn(shape, generator=seeded(seed))


class Successor:
    """Always says: the id that follows is one more. Notes what it was shown."""

    def __init__(self, vocab_size=7, context_length=None):
        self.vocab_size, self.shown = vocab_size, []
        if context_length is not None:
            self.context_length = context_length

    def __call__(self, ids):
        self.shown.append(ids.tolist())
        return 9.0 * torch.nn.functional.one_hot((ids + 1) % self.vocab_size, self.vocab_size)


class Fixed:
    """The same odds after every id."""

    def __init__(self, logits):
        self.logits = logits

    def __call__(self, ids):
        return self.logits.expand(*ids.shape, -1)


MAKERS = {
    "gpt2": lambda: GPT(GPT2),
    "llama": lambda: GPT(LLAMA),
    "RNN": lambda: RecurrentLM(11, RNN(8, 12, n_layers=2)),
    "LSTM": lambda: RecurrentLM(11, LSTM(8, 12, n_layers=2)),
    "GRU": lambda: RecurrentLM(11, GRU(8, 12, n_layers=2)),
}
EVERY_MODEL = pytest.mark.parametrize("kind", MAKERS)


def make(kind):
    """A model with larger weights, so that hardly ever two ids are about equally likely.

    Rounding turns a choice where the two likeliest logits differ by about 1e-6: with 40 choices in
    a test, in one run of ten thousand.
    """
    model = MAKERS[kind]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


# ---------------------------------------------------------------- the loop


@given(prompt=st.lists(st.integers(0, 6), min_size=1, max_size=5), n_tokens=st.integers(0, 9))
def test_the_prompt_stays_and_one_token_is_added_per_call(prompt, n_tokens):
    model = Successor()
    text = generate(model, torch.tensor([prompt]), n_tokens, temperature=0)
    assert text.tolist() == [prompt + [(prompt[-1] + 1 + i) % 7 for i in range(n_tokens)]]
    assert len(model.shown) == n_tokens
    assert [len(shown[0]) for shown in model.shown] == [len(prompt) + i for i in range(n_tokens)]


def test_every_model_of_the_course_is_a_language_model():
    assert isinstance(Successor(), LanguageModel)
    assert all(isinstance(make(kind), LanguageModel) for kind in MAKERS)


@EVERY_MODEL
def test_greedy_text_is_that_of_a_plain_loop(kind):
    model = make(kind)
    ids = torch.tensor([[3, 1, 4], [1, 5, 9]])
    expected = ids
    with torch.no_grad():
        for _ in range(8):
            expected = torch.cat([expected, model(expected)[:, -1:].argmax(-1)], 1)
    # exact: ids
    assert torch.equal(generate(model, ids, 8, temperature=0), expected)


@EVERY_MODEL
@pytest.mark.parametrize("temperature", [0, 1.0])
def test_the_cache_does_not_change_the_text_even_beyond_the_context(kind, temperature):
    model = make(kind)
    ids = torch.tensor([[3, 1, 4], [1, 5, 9]])
    with_cache, without = (
        generate(model, ids, 20, temperature=temperature, use_cache=use_cache, generator=rng())
        for use_cache in (True, False)
    )
    # exact: ids
    assert torch.equal(with_cache, without)
    assert with_cache.shape == (2, 23)


def test_with_a_cache_each_id_is_read_once():
    model, read = GPT(GPT2), []
    model.register_forward_pre_hook(lambda module, args: read.append(args[0].shape[1]))
    generate(model, torch.tensor([[3, 1, 4]]), 9)
    assert read == [3] + [1] * 8
    read.clear()
    generate(model, torch.tensor([[3, 1, 4]]), 14)  # 13 fit
    assert read == [3] + [1] * 10 + [13] * 3
    read.clear()
    generate(model, torch.tensor([[3, 1, 4]]), 3, use_cache=False)
    assert read == [3, 4, 5]


@given(n_prompt=st.integers(1, 9), n_tokens=st.integers(1, 9), context_length=st.integers(1, 6))
def test_a_model_is_shown_the_last_ids_that_fit(n_prompt, n_tokens, context_length):
    model, prompt = Successor(context_length=context_length), torch.arange(n_prompt)[None] % 7
    text = generate(model, prompt, n_tokens)[0].tolist()
    for step, shown in enumerate(model.shown):
        assert shown == [text[: n_prompt + step][-context_length:]]


def test_text_beyond_the_context_depends_on_the_last_ids_alone():
    model = make("gpt2")
    # Many texts: an untrained model may write the same whatever it was shown of one of them.
    long = torch.randint(11, (32, 30))
    other = torch.cat([(long[:, :17] + 1) % 11, long[:, 17:]], 1)
    first, second = (generate(model, ids, 5, temperature=0) for ids in (long, other))
    # exact: ids
    assert torch.equal(first[:, 30:], second[:, 30:])


def test_an_encoder_decoder_writes_once_its_memory_is_fixed():
    sizes = {"context_length": 9, "d_model": 12, "n_heads": 3, "n_layers": 1}
    model = Transformer(TransformerConfig(source_vocab_size=5, target_vocab_size=6, **sizes))
    memory = model.encode(torch.tensor([[1, 2, 3]]))
    text = generate(lambda ids: model.decode(ids, memory), torch.tensor([[0]]), 4, temperature=0)
    # exact: ids
    assert torch.equal(text[:, 1:], model.decode(text[:, :-1], memory).argmax(-1))


# ---------------------------------------------------------------- stops, padding, state


def test_a_text_ends_with_its_stop():
    prompts = torch.tensor([[1], [3], [4]])
    text = generate(Successor(), prompts, 9, temperature=0, stop_ids=[5])
    assert text.tolist() == [[1, 2, 3, 4, 5], [3, 4, 5, 5, 5], [4, 5, 5, 5, 5]]
    never = generate(Successor(), prompts, 3, temperature=0, stop_ids=[0, 1])
    assert never.shape == (3, 4)


@EVERY_MODEL
@pytest.mark.parametrize("use_cache", [True, False])
def test_prompts_padded_on_the_left_go_on_as_they_would_alone(kind, use_cache):
    model = make(kind)
    short, long = torch.tensor([[3, 1]]), torch.tensor([[1, 5, 9, 2, 6]])
    padded = torch.tensor([[7, 7, 7, 3, 1], [1, 5, 9, 2, 6]])
    mask = torch.tensor([[False, False, False, True, True], [True] * 5])
    options = {"n_tokens": 7, "temperature": 0, "use_cache": use_cache}
    together = generate(model, padded, mask=mask, **options)
    # exact: ids
    assert torch.equal(together[:1, 3:], generate(model, short, **options))
    # exact: ids
    assert torch.equal(together[1:], generate(model, long, **options))


def test_a_model_in_training_writes_without_dropout_and_goes_on_training():
    model, ids = GPT(replace(GPT2, dropout=0.5)).train(), torch.tensor([[3, 1, 4]])
    text = generate(model, ids, 9, temperature=0)
    assert model.training
    # exact: ids
    assert torch.equal(text, generate(model.eval(), ids, 9, temperature=0))


def test_what_was_written_may_be_trained_on():
    model, ids = GPT(GPT2), torch.tensor([[3, 1, 4]])
    text = generate(model, ids, 5)
    model(text).sum().backward()
    assert model.embedding.grad is not None
    assert ids.tolist() == [[3, 1, 4]]
    assert text.dtype == ids.dtype


def test_the_same_seed_gives_the_same_text():
    model, ids = make("gpt2"), torch.zeros(1, 1, dtype=torch.long)
    texts = [generate(model, ids, 30, generator=rng(k)) for k in (0, 0, 1)]
    # exact: ids
    assert torch.equal(texts[0], texts[1])
    # exact: ids
    assert not torch.equal(texts[0], texts[2])


def test_it_runs_where_the_model_is(device):
    model = GPT(GPT2).to(device)
    text = generate(model, torch.tensor([[3, 1]], device=device), 20, top_k=3, top_p=0.9)
    assert text.device.type == device.type


# ---------------------------------------------------------------- rules of choice


@given(k=st.integers(1, 9), seed=seeds)
def test_top_k_keeps_the_k_largest_and_their_odds(k, seed):
    logits = normal(4, 7, seed=seed).round(decimals=1)  # with ties
    kept = keep_top_k(logits, k)
    survivors = kept > -math.inf
    # exact: counts
    assert (survivors.sum(-1) == min(k, 7)).all()
    for row, mask in zip(logits, survivors, strict=True):
        assert row[mask].min() >= row[~mask].max() if mask.sum() < 7 else True
        torch.testing.assert_close(
            row[mask].softmax(-1), (row.softmax(-1) * mask)[mask] / (row.softmax(-1)[mask]).sum()
        )


@given(p=st.floats(0.01, 1.0), seed=seeds)
def test_top_p_keeps_the_fewest_likeliest_ids_that_reach_p(p, seed):
    logits = 2 * normal(4, 7, seed=seed)
    probs, kept = logits.softmax(-1), keep_top_p(logits, p) > -math.inf
    for row, mask in zip(probs, kept, strict=True):
        likeliest = row.sort(descending=True).values
        n_kept = int(mask.sum())
        # exact: copies
        assert torch.equal(row[mask].sort(descending=True).values, likeliest[:n_kept])
        assert likeliest[:n_kept].sum() >= p - 1e-6
        assert likeliest[: n_kept - 1].sum() < p + 1e-6


@given(k=st.integers(1, 7), p=st.floats(0.05, 1.0), temperature=st.floats(0.3, 3.0), seed=seeds)
def test_the_rules_are_those_of_transformers_in_their_order(k, p, temperature, seed):
    from transformers import (
        LogitsProcessorList,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    logits = normal(3, 7, seed=seed)
    rules = [TemperatureLogitsWarper(temperature), TopKLogitsWarper(k), TopPLogitsWarper(p)]
    expected = LogitsProcessorList(rules)(None, logits).softmax(-1)
    ours = keep_top_p(keep_top_k(logits / temperature, k), p).softmax(-1)
    torch.testing.assert_close(ours, expected)


def test_a_nucleus_grows_with_uncertainty():
    sure, unsure = 3 * torch.randn(1000), 0.5 * torch.randn(1000)
    n_sure, n_unsure = ((keep_top_p(x, 0.9) > -math.inf).sum() for x in (sure, unsure))
    assert n_sure < 300 < 600 < n_unsure


@pytest.mark.parametrize("seed", range(3))
def test_entropy_rises_with_temperature(seed):
    logits = 4 * normal(1000, seed=seed)
    entropies = [entropy((logits / t).softmax(-1)).item() for t in (0.25, 0.5, 1, 2, 100)]
    assert entropies == sorted(entropies)
    assert entropies[-1] == pytest.approx(math.log(1000), abs=0.01)


def drawn(logits, n=20_000, **rules):
    """The share of each id among n draws."""
    ids = sample(logits.expand(n, -1), generator=rng(), **rules)
    return ids.bincount(minlength=len(logits)) / n


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, [0.1, 0.2, 0.3, 0.4]),
        ({"temperature": 0.5}, [1 / 30, 4 / 30, 9 / 30, 16 / 30]),
        ({"top_k": 2}, [0, 0, 3 / 7, 4 / 7]),
        ({"top_k": 4}, [0.1, 0.2, 0.3, 0.4]),
        ({"top_p": 0.6}, [0, 0, 3 / 7, 4 / 7]),
        ({"top_p": 1.0}, [0.1, 0.2, 0.3, 0.4]),
        ({"top_k": 3, "top_p": 0.5}, [0, 0, 3 / 7, 4 / 7]),
        ({"top_k": 1}, [0, 0, 0, 1]),
        ({"temperature": 0}, [0, 0, 0, 1]),
        ({"temperature": 1e-30}, [0, 0, 0, 1]),
    ],
)
def test_ids_are_drawn_with_the_odds_of_the_rule(rules, expected):
    """20,000 draws: a share has a standard error of at most 0.0036, five of them are 0.018."""
    shares = drawn(torch.tensor([0.1, 0.2, 0.3, 0.4]).log(), **rules)
    expected = torch.tensor(expected, dtype=torch.float32)
    torch.testing.assert_close(shares, expected, rtol=0, atol=0.018)
    # exact: an id of odds 0 is never drawn
    assert (shares[expected == 0] == 0).all()


def test_generate_hands_its_rules_on():
    model, ids = Fixed(torch.tensor([0.1, 0.2, 0.3, 0.4]).log()), torch.zeros(50, 1).long()
    assert set(generate(model, ids, 20)[:, 1:].flatten().tolist()) == {0, 1, 2, 3}
    for rules in ({"top_k": 2}, {"top_p": 0.6}):
        assert set(generate(model, ids, 20, **rules)[:, 1:].flatten().tolist()) == {2, 3}
    cold = generate(model, ids, 20, temperature=0.01)[:, 1:]
    # exact: ids
    assert (cold == 3).all()


@FEW
@given(n_tokens=st.integers(1, 9), seed=seeds)
def test_greedy_text_is_that_of_transformers(n_tokens, seed):
    torch.manual_seed(seed)
    model, ids = make("gpt2").eval(), torch.randint(11, (2, 3), generator=seeded(seed))
    theirs = as_gpt2(model).generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=n_tokens,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    # exact: ids
    assert torch.equal(generate(model, ids, n_tokens, temperature=0), theirs)


@FEW
@given(seed=seeds, penalty=st.floats(0.2, 5.0))
def test_repetition_is_penalized_as_in_transformers(seed, penalty):
    from transformers import RepetitionPenaltyLogitsProcessor

    logits, ids = 3 * normal(2, 9, seed=seed), torch.randint(9, (2, 5), generator=seeded(seed))
    theirs = RepetitionPenaltyLogitsProcessor(penalty)(ids, logits.clone())
    torch.testing.assert_close(penalize_repetition(logits, ids, penalty), theirs)
    torch.manual_seed(seed)
    model = make("gpt2").eval()
    theirs = as_gpt2(model).generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=6,
        do_sample=False,
        repetition_penalty=penalty,
        eos_token_id=None,
        pad_token_id=0,
    )
    ours = generate(model, ids, 6, temperature=0, repetition_penalty=penalty)
    # exact: ids
    assert torch.equal(ours, theirs)


def test_padding_is_no_repetition():
    logits, ids = torch.tensor([[2.0, 2.0, -2.0]]), torch.tensor([[0, 0, 2]])
    mask = torch.tensor([[False, False, True]])
    found = penalize_repetition(logits, ids, 2.0, mask)
    torch.testing.assert_close(found, torch.tensor([[2.0, 2.0, -4.0]]))


@EVERY_MODEL
@pytest.mark.parametrize("seed", range(2))
def test_each_step_tells_its_ids_and_how_likely_the_model_finds_them(kind, seed):
    torch.manual_seed(seed)
    model, ids = make(kind).eval(), torch.randint(11, (3, 4), generator=seeded(seed))
    told = []
    rules = {"temperature": 0.5, "top_k": 4, "repetition_penalty": 1.5}
    text = generate(model, ids, 5, **rules, on_token=lambda *step: told.append(step))
    new = torch.stack([step[0] for step in told], 1)
    # exact: ids
    assert torch.equal(new, text[:, 4:])
    with torch.no_grad():
        expected = model(text).log_softmax(-1)[:, 3:-1].gather(2, new[..., None])[..., 0]
    found = torch.stack([step[1] for step in told], 1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"temperature": -0.5}, "temperature must be at least 0 and finite, got temperature=-0.5"),
        ({"top_k": 0}, "top_k must be at least 1, got top_k=0"),
        ({"top_p": 0.0}, r"top_p must be above 0 and at most 1, got top_p=0.0"),
        ({"top_p": 1.5}, r"top_p must be above 0 and at most 1, got top_p=1.5"),
        ({"repetition_penalty": 0}, "repetition_penalty must be above 0 and finite, got repetit"),
        ({"repetition_penalty": math.nan}, "repetition_penalty must be above 0 and finite"),
        ({"n_tokens": -1}, "n_tokens must be at least 0, got n_tokens=-1"),
        ({"ids": torch.tensor([1, 2])}, r"ids must have the shape \(B, T\).*got \(2,\)"),
        ({"ids": torch.zeros(1, 0).long()}, r"T at least 1, got \(1, 0\)"),
        ({"mask": torch.tensor([[True, False]])}, "mask must be True in its last column"),
    ],
)
def test_what_cannot_be_generated_is_refused(options, expected):
    defaults = {"ids": torch.tensor([[1, 2]]), "n_tokens": 3}
    with pytest.raises(ValueError, match=expected):
        generate(Successor(), **defaults | options)


@pytest.mark.parametrize("temperature", [math.nan, math.inf, -math.inf])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature must be at least 0 and finite, got"):
        sample(torch.zeros(1, 4), temperature)


@pytest.mark.parametrize("temperature", [1e-30, 1e-45, 1e-50, 1e-300])
def test_near_zero_a_temperature_is_greedy(temperature):
    logits = torch.tensor([[1.0, 3.0, 2.0, -math.inf]]).expand(50, -1)
    assert sample(logits, temperature).tolist() == [1] * 50


@pytest.mark.parametrize("temperature", [0, 1.0])
@pytest.mark.parametrize(
    "wrong", [[0.0, math.nan, 1.0], [-math.inf] * 3, [0.0, math.inf, 1.0]], ids=str
)
def test_logits_that_are_no_odds_are_the_models_fault(wrong, temperature):
    logits = torch.tensor([[1.0, 2.0, 3.0], wrong])
    with pytest.raises(ValueError, match=r"logits must be numbers.*row 1: the model gives no odds"):
        sample(logits, temperature)
    with pytest.raises(ValueError, match="the model gives no odds"):
        generate(Fixed(torch.tensor(wrong)), torch.tensor([[1]]), 3, temperature=temperature)


def reference_top_p():
    """The function of the assignment's solution."""
    path = ROOT / "solutions" / "generation" / "generation.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (source,) = (
        "".join(cell["source"])
        for cell in cells
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "top_p"
    )
    names = {"torch": torch, "Tensor": torch.Tensor}
    exec(source, names)
    return names["keep_top_p"]


def test_with_p_of_one_every_id_stays_whatever_the_sums_say():
    """In float32 the sum down a long list reaches 1 before its end."""
    logits = 2 * torch.randn(20, 50_000)
    logits[0] = 0.0
    logits[0, 7] = 40.0  # the first has 1 in float32, the others still something
    assert (keep_top_p(logits, 1.0) > -math.inf).all()
    assert (reference_top_p()(logits.softmax(-1), 1.0) > 0).all()


def test_options_are_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        generate(Successor(), torch.tensor([[1]]), 3, 0.5)
