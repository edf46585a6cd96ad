"""lmcourse.published_code: each planted fault fails its check, and what is repaired passes all."""

import ast
import math
import re
from itertools import pairwise

import pytest
import torch
from seeds import SEED
from torch import nn
from torch.nn import functional as F

from lmcourse.neurons import cross_entropy
from lmcourse.published_code import (
    CHAIN_TOP,
    CHECKS,
    D_MODEL,
    FAULTS,
    MAX_LENGTH,
    N_HEADS,
    PRINTED,
    VOCAB_SIZE,
    PlantedTransformer,
    attend,
    chain,
    chain_entropy,
    influence,
    learn_chain,
    loss_floor,
    unused_parameters,
    verdicts,
)


def with_faults(*faults):
    return lambda n_heads: PlantedTransformer(n_heads, faults)


def failing(*faults):
    return {name for name, words in verdicts(with_faults(*faults), SEED).items() if words}


def generator():
    return torch.Generator().manual_seed(SEED)


# ---------------------------------------------------------------- faults and checks


def test_what_is_repaired_passes_every_check():
    assert failing() == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_fails_the_check_that_is_there_for_it(fault, unchecked):
    assert FAULTS[fault].check in failing(fault)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_program_that_runs_is_not_therefore_right(fault, unchecked):
    """Three faults stop it, and one more changes the shape: the others pass both tests."""
    stops = {"keyword", "linear", "column"}
    said = failing(fault)
    assert ("runs" in said) == (fault in stops)
    assert ("shape" in said) == (fault in stops | {"no head"})


@pytest.mark.parametrize("program", PRINTED)
def test_one_repair_after_the_other_uncovers_faults_until_none_is_left(program, unchecked):
    faults = list(PRINTED[program])
    left = [failing(*faults[n:]) for n in range(len(faults) + 1)]
    assert all(left[:-1])
    assert left[-1] == set()
    assert all(later <= earlier for earlier, later in pairwise(left))


def test_the_program_of_article_b_repaired_keeps_texts_apart_and_uses_all(unchecked):
    assert {"runs", "items", "past"} <= failing(*PRINTED["B"]) | failing("batch axis")
    model = PlantedTransformer().eval()
    ids = torch.randint(VOCAB_SIZE, (4, 6), generator=generator())
    other = ids.clone()
    other[3] = (other[3] + 1) % VOCAB_SIZE
    torch.testing.assert_close(model(other)[:3], model(ids)[:3])
    assert (model(other)[3] - model(ids)[3]).abs().max() > 1e-3
    assert unused_parameters(model, ids) == []
    assert len(model.blocks) >= 2


def test_the_program_of_article_c_repaired_is_a_stack_of_pytorch():
    torch.manual_seed(SEED)
    model = PlantedTransformer().double()
    layer = nn.TransformerEncoderLayer(
        D_MODEL, N_HEADS, 4 * D_MODEL, dropout=0.0, batch_first=True, norm_first=False
    )
    theirs = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).double()
    for block, other in zip(model.blocks, theirs.layers, strict=True):
        pairs = {
            "self_attn.in_proj": block.projection,
            "self_attn.out_proj": block.output,
            "linear1": block.network.up_projection,
            "linear2": block.network.down_projection,
            "norm1": block.norms[0],
            "norm2": block.norms[1],
        }
        target = other.state_dict()
        for name, ours in pairs.items():
            sign = "_" if name.endswith("in_proj") else "."
            for part in ("weight", "bias"):
                target[f"{name}{sign}{part}"].copy_(getattr(ours, part))
    ids = torch.randint(VOCAB_SIZE, (3, 7), generator=generator())
    x = model.embedding(ids) + model.positions.weight[:7]
    mask = nn.Transformer.generate_square_subsequent_mask(7, dtype=x.dtype)
    torch.testing.assert_close(model(ids), model.head(theirs(x, mask, is_causal=True)))


def test_a_square_batch_hides_the_column_of_positions(unchecked):
    """The silent case: as many texts as words. It runs, has the right shape, and is wrong."""
    torch.manual_seed(SEED)
    model = PlantedTransformer(faults=("column",))
    with torch.no_grad():
        out = model(torch.full((5, 5), 3))
    assert out.shape == (5, 5, VOCAB_SIZE)
    torch.testing.assert_close(out, out[:, :1].expand_as(out))
    assert (out[0] - out[1]).abs().max() > 1e-3
    with pytest.raises(RuntimeError, match="size of tensor"):
        model(torch.full((2, 5), 3))


@pytest.mark.parametrize("width", [4, 64, 512])
def test_without_the_scale_attention_is_decided_before_it_has_learned(width):
    """Entropy of the weights: about the same at any width with the scale, falling without."""
    query, key = torch.randn(2, 200, 32, width, generator=generator())
    value = torch.eye(32).expand(200, 32, 32)  # so that what comes out are the weights
    weights = attend(query, key, value)
    bare = attend(query, key, value, None, ("no scale",))
    of = [torch.special.entr(each).sum(-1).mean().item() for each in (weights, bare)]
    assert of[0] == pytest.approx(math.log(32) - 0.45, abs=0.15)
    assert of[1] < {4: 2.6, 64: 1.0, 512: 0.5}[width]


def test_a_mask_of_zeros_and_ones_that_is_added_hides_nothing():
    value = torch.eye(4)[None]
    zero = torch.zeros(1, 4, 4)
    seen = torch.ones(4, 4).tril().bool()
    weights = attend(zero, zero, value, seen, ("added mask",))[0]
    assert weights[0, 1:].min() > 0.1
    torch.testing.assert_close(attend(zero, zero, value, seen)[0, 0], torch.eye(4)[0])


def test_a_wide_head_costs_as_much_as_the_whole_layer():
    """The sizes in print, 512 and eight heads, without building anything large."""
    with torch.device("meta"):
        counts = [
            sum(w.numel() for block in model.blocks for w in _attention(block))
            for model in (
                PlantedTransformer(8, faults, d_model=512, n_layers=1)
                for faults in ((), ("wide heads",))
            )
        ]
    assert counts == [1_050_624, 8_401_408]


def _attention(block):
    return [*block.projection.parameters(), *block.output.parameters()]


def test_unknown_faults_are_refused():
    with pytest.raises(ValueError, match=r"faults must be among .*, got 'typo'"):
        PlantedTransformer(faults=("no mask", "typo"))


def test_what_is_too_long_is_refused_in_words():
    with pytest.raises(ValueError, match=f"at most {MAX_LENGTH} positions, got 20"):
        PlantedTransformer()(torch.zeros(1, 20, dtype=torch.long))


def test_the_table_of_faults_names_checks_that_exist():
    assert {fault.check for fault in FAULTS.values()} <= set(CHECKS)
    assert {name for faults in PRINTED.values() for name in faults} <= set(FAULTS)
    assert all(re.fullmatch(r"K([1-9]|1[0-5])", fault.number) for fault in FAULTS.values())
    assert all(check.__doc__ for check in CHECKS.values())


# ---------------------------------------------------------------- checks of other people's models


def test_checks_read_models_that_are_not_ours():
    """GPT of the package passes; the check of attention asks only models that have `attend`."""
    from lmcourse.gpt import GPT, GPTConfig

    def make(n_heads):
        return GPT(
            GPTConfig(
                vocab_size=VOCAB_SIZE,
                context_length=MAX_LENGTH,
                d_model=D_MODEL,
                n_heads=n_heads,
                n_layers=2,
            )
        )

    assert {name: words for name, words in verdicts(make, SEED).items() if words} == {}


def test_a_message_without_the_limit_is_no_message():
    class Curt(PlantedTransformer):
        def forward(self, ids):
            if ids.shape[1] > self.max_length:
                raise ValueError("no")
            return super().forward(ids)

    assert verdicts(Curt)["length"] == "the message lacks the limit: no"


def test_a_missing_network_is_missed_however_many_norms_are_left(unchecked):
    """A norm bends as well: with norms alone a word halfway is no average, either."""
    for fault in ("bare", "no network"):
        assert failing(fault) == {"network"}

    class Bent(PlantedTransformer):
        def forward(self, ids):
            return super().forward(ids).tanh()

    assert verdicts(lambda n: Bent(n, ("no network",)), SEED)["network"] == ""


def test_each_pair_of_places_must_differ(unchecked):
    """Even and odd places only: the first differs from the second, and it is not enough."""

    class EvenOdd(PlantedTransformer):
        def __init__(self, n_heads=N_HEADS):
            super().__init__(n_heads, ("no mask",))  # a mask by itself would number the places
            with torch.no_grad():
                self.positions.weight[2:] = self.positions.weight[:2].repeat(MAX_LENGTH // 2 - 1, 1)

    out = EvenOdd().eval()(torch.full((1, 6), 7))[0]
    assert (out[0] - out[1]).abs().max() > 1e-2
    assert verdicts(EvenOdd, SEED)["order"] == "two places are the same to it"


def test_influence_finds_who_moves_whom():
    inputs, others = torch.zeros(2, 3), torch.ones(2, 3)
    moved = influence(lambda x: x.cumsum(1), inputs, others)
    expected = torch.zeros(2, 3, 2, 3)
    for item in range(2):
        expected[item, :, item] = torch.ones(3, 3).tril()
    torch.testing.assert_close(moved, expected)
    across = influence(lambda x: x.cumsum(0)[..., None], inputs, others)
    assert across[1, 0, 0, 0] == pytest.approx(1)
    assert across[0, 0, 1, 0] == pytest.approx(0)
    with pytest.raises(ValueError, match=r"each of 2 × 3 inputs, got the shape \(2,\)"):
        influence(lambda x: x.sum(1), inputs, others)


# ---------------------------------------------------------------- losses


@pytest.mark.parametrize("n_classes", [2, 10, 1000])
def test_probabilities_in_place_of_logits_leave_a_floor(n_classes):
    """Classes, one-hot rows and PyTorch say the same; and a perfect answer is not rewarded."""
    ids = torch.arange(4) % n_classes
    perfect = F.one_hot(ids, n_classes).float()
    twice = cross_entropy(perfect, ids)
    assert twice.item() == pytest.approx(loss_floor(n_classes), rel=1e-5)
    torch.testing.assert_close(twice, F.cross_entropy(perfect, ids))
    torch.testing.assert_close(twice, cross_entropy(perfect, perfect))
    sure = 50 * perfect
    assert cross_entropy(sure, ids).item() == pytest.approx(0, abs=1e-5)
    # From probabilities the right loss is that of their logarithms: nothing is normalized twice.
    probs = torch.randn(4, n_classes, generator=generator()).softmax(-1)
    torch.testing.assert_close(cross_entropy(probs.log(), ids), F.nll_loss(probs.log(), ids))


@pytest.mark.parametrize("n_classes", [3, 8, 200])
def test_on_a_text_with_entropy_the_floor_of_probabilities_is_higher(n_classes):
    """No answer does better than certainty about the likeliest class, and this one has the floor.

    The loss is convex in the answer, so that no answer near it does better is enough: steps towards
    each class and towards random answers.
    """
    margin = (math.e - 1) / (math.e + n_classes - 1)
    for lead in (1.1 * margin, 0.5 + margin / 2):
        truth = torch.full((n_classes,), (1 - lead) / n_classes, dtype=torch.double)
        truth[0] += lead

        def loss(answer, truth=truth):
            return answer.logsumexp(-1) - answer @ truth

        corners = torch.eye(n_classes, dtype=torch.double)
        others = torch.randn(50, n_classes, generator=generator()).double().softmax(-1)
        floor = loss_floor(n_classes, truth[0].item())
        assert loss(corners[0]).item() == pytest.approx(floor, rel=1e-9)
        for step in (1e-3, 0.1, 1.0):
            near = corners[0] + step * (torch.cat([corners[1:], others]) - corners[0])
            assert loss(near).min() > floor


@pytest.mark.parametrize("seed", range(SEED, SEED + 3))
def test_a_loss_tells_a_leak_by_being_too_low_and_a_softmax_too_many_by_being_too_high(seed):
    ends = {}
    for fault in ("", "no mask", "probabilities"):
        _, losses = learn_chain([fault] if fault else [], seed, n_steps=150)
        ends[fault] = sum(losses[-20:]) / 20
    assert chain_entropy() - 0.05 < ends[""] < chain_entropy() + 0.15
    assert ends["no mask"] < 0.6 * chain_entropy()
    assert ends["probabilities"] == pytest.approx(loss_floor(8, CHAIN_TOP), abs=0.03)


def test_the_chain_has_the_entropy_that_it_says():
    ids = chain(2000, 20, generator())
    counts = torch.zeros(8, 8).index_put_(
        (ids[:, :-1].flatten(), ids[:, 1:].flatten()), torch.tensor(1.0), accumulate=True
    )
    probs = counts / counts.sum(1, keepdim=True)
    assert torch.special.entr(probs).sum(1).mean().item() == pytest.approx(
        chain_entropy(), abs=0.03
    )


# ---------------------------------------------------------------- what reading finds


def never_called(source):
    """Functions that a program defines and does not mention again."""
    tree = ast.parse(source)
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return sorted(defined - named)


def test_a_function_that_nobody_calls_is_found_by_reading():
    """A program in print defines an attention that is called scaled, and calls another one."""
    source = "def attend(q, k): return q @ k.T\ndef layer(x): return other(x)\nlayer(1)\n"
    assert never_called(source) == ["attend"]
