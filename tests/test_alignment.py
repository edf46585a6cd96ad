"""lmcourse.alignment: the template, losses against formulas by hand, gradients, refusals."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from lmcourse.alignment import (
    ChatTemplate,
    RewardModel,
    dpo_loss,
    group_advantages,
    grpo_loss,
    implicit_reward,
    instruction_loss,
    kl_estimate,
    packed_logits,
    preference_loss,
    sequence_log_probs,
    token_log_probs,
)
from lmcourse.data import pad_batch
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.packing import NONE, pack_whole

TEMPLATE = ChatTemplate(user_id=1, assistant_id=2, end_id=3)
CHATS = [
    [("user", [7, 8]), ("assistant", [9])],
    [("user", [5]), ("assistant", [6, 6, 4]), ("user", [8]), ("assistant", [7])],
    [("user", [10, 11, 4, 4]), ("assistant", [10, 11])],
]
some_numbers = st.lists(st.floats(-5, 5, width=32), min_size=4, max_size=4)


def make(positions="learned", seed=0):
    torch.manual_seed(seed)
    return GPT(
        GPTConfig(
            vocab_size=12, context_length=32, d_model=16, n_heads=2, n_layers=2,
            positions=positions,
        )
    )  # fmt: skip


def rows(chats=CHATS):
    encoded = [TEMPLATE.encode(chat) for chat in chats]
    ids, _ = pad_batch([ids for ids, _ in encoded])
    answers, _ = pad_batch([torch.tensor(answers) for _, answers in encoded])
    return ids, answers.bool()


# ---- the template ----


def test_a_conversation_says_who_speaks_and_what_the_assistant_has_to_write():
    ids, answers = TEMPLATE.encode(CHATS[1])
    assert ids == [1, 5, 3, 2, 6, 6, 4, 3, 1, 8, 3, 2, 7, 3]
    written = [id_ for id_, own in zip(ids, answers, strict=True) if own]
    assert written == [6, 6, 4, 3, 7, 3]
    assert TEMPLATE.prompt(CHATS[1][:1]) == ids[:4]
    assert TEMPLATE.prompt(CHATS[1][:3]) == ids[:12]


def test_an_empty_answer_is_its_end():
    assert TEMPLATE.encode([("assistant", [])]) == ([2, 3], [False, True])


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_no_writer_can_end_a_turn_and_speak_for_the_other(bad):
    with pytest.raises(ValueError, match=f"none of the template's ids, got {bad}"):
        TEMPLATE.encode([("user", [7, bad, 8])])


def test_nobody_else_speaks():
    with pytest.raises(ValueError, match="'user' or 'assistant', got 'system'"):
        TEMPLATE.encode([("system", [7])])


# ---- learning to answer ----


def test_the_loss_is_the_mean_surprise_about_the_ids_of_the_answers():
    model, (ids, answers) = make(), rows()
    log_probs = model(ids).log_softmax(-1)
    surprises = [
        -log_probs[row, place - 1, ids[row, place]] for row, place in answers.nonzero().tolist()
    ]
    expected = torch.stack(surprises).mean()
    torch.testing.assert_close(instruction_loss(model(ids), ids, answers), expected)


def test_prompts_and_padding_send_no_gradient_to_what_is_said_there():
    model, (ids, answers) = make(), rows()
    logits = model(ids).detach().requires_grad_(True)
    instruction_loss(logits, ids, answers).backward()
    asked = torch.zeros_like(answers)
    asked[:, :-1] = answers[:, 1:]  # where the next id is to be written
    # exact: where there is a gradient at all
    assert (logits.grad.abs().sum(-1) > 0).tolist() == asked.tolist()


def test_nothing_to_learn_from_is_refused():
    ids = torch.ones(1, 3, dtype=torch.long)
    answers = torch.tensor([[True, False, False]])  # the first id follows nothing
    with pytest.raises(ValueError, match="an id after the first, got none"):
        instruction_loss(torch.zeros(1, 3, 4), ids, answers)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_packed_conversations_cost_what_each_costs_alone(positions):
    model = make(positions)
    encoded = [TEMPLATE.encode(chat) for chat in CHATS]
    packed = pack_whole([ids for ids, _ in encoded], 24)
    assert len(packed.ids) < len(CHATS)  # or nothing is shared
    own = {
        (document, position): flag
        for document, (_, answers) in enumerate(encoded)
        for position, flag in enumerate(answers)
    }
    places = zip(packed.document.flatten().tolist(), packed.position.flatten().tolist(),
                 strict=True)  # fmt: skip
    answers = torch.tensor([own.get(each, False) for each in places]).view_as(packed.ids)
    assert not answers[packed.document == NONE].any()
    logits = packed_logits(model, packed)
    total = instruction_loss(logits, packed.ids, answers) * answers.sum()
    alone = [
        instruction_loss(model(torch.tensor([ids])), torch.tensor([ids]), torch.tensor([flags]))
        * sum(flags)
        for ids, flags in encoded
    ]
    torch.testing.assert_close(total, torch.stack(alone).sum())


def test_a_row_read_as_one_text_is_not_the_same():
    model = make()
    packed = pack_whole([TEMPLATE.encode(chat)[0] for chat in CHATS], 24)
    apart, together = packed_logits(model, packed), model(packed.ids)
    assert (apart - together).abs().amax() > 1e-3


def test_log_probs_are_those_of_each_id_and_of_each_answer():
    model, (ids, answers) = make(), rows()
    logits = model(ids)
    found = token_log_probs(logits, ids)
    expected = -F.cross_entropy(logits[:, :-1].mT, ids[:, 1:], reduction="none")
    torch.testing.assert_close(found, expected)
    whole = sequence_log_probs(logits, ids, answers)
    for row, (chat_ids, own) in enumerate(TEMPLATE.encode(chat) for chat in CHATS):
        places = [place for place, flag in enumerate(own) if flag]
        assert len(chat_ids) <= ids.shape[1]
        torch.testing.assert_close(whole[row], sum(found[row, place - 1] for place in places))


# ---- preferences ----


def test_a_reward_is_read_off_the_last_real_id():
    model = RewardModel(make())
    ids = torch.tensor([[4, 5, 6, 0], [7, 8, 9, 10]])
    mask = torch.tensor([[True, True, True, False], [True, True, True, True]])
    found = model(ids, mask)
    torch.testing.assert_close(found[0], model(ids[:1, :3])[0])
    torch.testing.assert_close(found[1], model(ids[1:])[0])
    assert not torch.allclose(found[0], model(ids[:1])[0])


@settings(deadline=None)
@given(chosen=some_numbers, rejected=some_numbers)
def test_the_preference_loss_is_bradley_and_terrys(chosen, rejected):
    chosen, rejected = torch.tensor(chosen), torch.tensor(rejected)
    wins = chosen.exp() / (chosen.exp() + rejected.exp())
    torch.testing.assert_close(preference_loss(chosen, rejected), -wins.log().mean())


def test_only_the_difference_counts_however_large():
    losses = [preference_loss(torch.tensor([c]), torch.tensor([r]))
              for c, r in ((1.0, 3.0), (-1.0, 1.0), (-500.0, 500.0))]  # fmt: skip
    torch.testing.assert_close(losses[0], losses[1])
    torch.testing.assert_close(losses[2], torch.tensor(1000.0))


@settings(deadline=None)
@given(a=some_numbers, b=some_numbers, c=some_numbers, d=some_numbers, beta=st.floats(0.05, 2))
def test_dpo_is_its_formula_and_so_is_its_gradient(a, b, c, d, beta):
    chosen, rejected = (torch.tensor(each, requires_grad=True) for each in (a, b))
    base_chosen, base_rejected = torch.tensor(c), torch.tensor(d)
    loss = dpo_loss(chosen, rejected, base_chosen, base_rejected, beta)
    ratios = (chosen - rejected) - (base_chosen - base_rejected)
    torch.testing.assert_close(loss, -F.logsigmoid(beta * ratios).mean())
    loss.backward()
    # Rafailov et al. (2023), section 4: the weight is σ of how wrong the implicit rewards are.
    weight = torch.sigmoid(-beta * ratios.detach())
    torch.testing.assert_close(chosen.grad, -beta * weight / 4)
    torch.testing.assert_close(rejected.grad, beta * weight / 4)


def test_dpo_starts_at_log_2_and_by_hand():
    zero = torch.zeros(1)
    torch.testing.assert_close(dpo_loss(zero, zero, zero, zero), torch.tensor(math.log(2)))
    # log p rose from −2 to −1 and fell from −1 to −3: β (1 + 2) = 0.3
    loss = dpo_loss(*(torch.tensor([each]) for each in (-1.0, -3.0, -2.0, -1.0)), beta=0.1)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-0.3)), abs=1e-6)
    reward = implicit_reward(torch.tensor([-1.0]), torch.tensor([-2.0]), 0.1)
    torch.testing.assert_close(reward, torch.tensor([0.1]))


@pytest.mark.parametrize("beta", [0, -1, math.inf, math.nan])
def test_dpo_needs_a_price(beta):
    with pytest.raises(ValueError, match="beta must be above 0 and finite"):
        implicit_reward(torch.zeros(1), torch.zeros(1), beta)


# ---- rewards that can be checked ----


def test_advantages_compare_within_a_group():
    rewards = torch.tensor([[1.0, 0, 0, 1], [3.0, 3, 3, 3], [0.0, 0, 0, 1]])
    found = group_advantages(rewards)
    torch.testing.assert_close(found.sum(1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1], torch.zeros(4))  # nothing to learn from
    torch.testing.assert_close(found[0].std(), torch.tensor(1.0), atol=1e-3, rtol=0)
    assert found[2, 3] > found[0, 3]  # what is rare counts more
    torch.testing.assert_close(group_advantages(10 * rewards), found, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(group_advantages(rewards, scale=False)[2],
                               torch.tensor([-0.25, -0.25, -0.25, 0.75]))  # fmt: skip


def test_one_answer_cannot_be_compared():
    with pytest.raises(ValueError, match=r"K at least 2 answers to compare, got \(4, 1\)"):
        group_advantages(torch.zeros(4, 1))


@settings(deadline=None)
@given(own=some_numbers, other=some_numbers)
def test_the_estimate_of_the_divergence_is_never_negative_and_its_mean_is_exact(own, other):
    own, other = (torch.tensor(each).double().log_softmax(-1) for each in (own, other))
    found = kl_estimate(own, other)
    assert (found >= 0).all()
    expected = F.kl_div(other, own, log_target=True, reduction="sum")
    torch.testing.assert_close((own.exp() * found).sum(), expected)


def by_hand(log_probs, old, advantages, answers, reference, clip, beta):
    """The mean over answers of the mean over their ids, in a loop."""
    total = 0.0
    for row in range(len(log_probs)):
        losses = []
        for place in range(log_probs.shape[1]):
            if not answers[row, place]:
                continue
            ratio = torch.exp(log_probs[row, place] - old[row, place])
            bounded = min(max(ratio, 1 - clip), 1 + clip)
            gain = min(ratio * advantages[row], bounded * advantages[row])
            strayed = torch.exp(reference[row, place] - log_probs[row, place])
            penalty = strayed - (reference[row, place] - log_probs[row, place]) - 1
            losses.append(beta * penalty - gain)
        total = total + sum(losses) / len(losses)
    return total / len(log_probs)


@pytest.mark.parametrize("seed", range(4))
def test_grpo_is_its_formula_and_so_is_its_gradient(seed):
    generator = torch.Generator().manual_seed(seed)
    found, old, reference = (
        -torch.rand(5, 6, generator=generator, dtype=torch.float64) for _ in range(3)
    )
    advantages = torch.randn(5, generator=generator, dtype=torch.float64)
    answers = torch.rand(5, 6, generator=generator) < 0.6
    answers[:, 0] = True
    found.requires_grad_(True)
    loss = grpo_loss(found, old, advantages, answers, reference, clip=0.2, beta=0.3)
    expected = by_hand(found, old, advantages, answers, reference, clip=0.2, beta=0.3)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(*(torch.autograd.grad(each, found)[0] for each in (loss, expected)))


@pytest.mark.parametrize(
    ("ratio", "advantage", "moves"),
    [(1.5, 1, False), (0.5, 1, True), (1.5, -1, True), (0.5, -1, False), (1.0, 1, True)],
)
def test_what_has_moved_far_enough_in_its_direction_moves_no_more(ratio, advantage, moves):
    found = torch.tensor([[math.log(ratio)]], requires_grad=True)
    advantages, answers = torch.tensor([float(advantage)]), torch.ones(1, 1, dtype=torch.bool)
    grpo_loss(found, torch.zeros(1, 1), advantages, answers).backward()
    assert (found.grad.abs().item() > 0) == moves


def test_at_first_it_is_the_policy_gradient():
    found = torch.tensor([[-1.0, -2.0], [-0.5, -3.0]], requires_grad=True)
    advantages, answers = torch.tensor([1.0, -2.0]), torch.tensor([[True, True], [True, False]])
    grpo_loss(found, found.detach(), advantages, answers, found.detach(), beta=0.5).backward()
    torch.testing.assert_close(found.grad, torch.tensor([[-0.25, -0.25], [1.0, 0.0]]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"clip": 0.0}, "clip must be above 0 and below 1, got clip=0.0"),
        ({"clip": 1.0}, "clip must be above 0 and below 1, got clip=1.0"),
        ({"beta": -0.1}, "beta must be at least 0 and finite, got beta=-0.1"),
        ({"beta": 0.1}, "reference must be given where there is a price, got beta=0.1"),
    ],
)
def test_grpo_refuses(options, words):
    zeros, answers = torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match=words):
        grpo_loss(zeros, zeros, torch.zeros(2), answers, **options)


def test_grpo_refuses_a_row_without_an_answer():
    zeros, answers = torch.zeros(2, 3), torch.tensor([[True] * 3, [False] * 3])
    with pytest.raises(ValueError, match="at least once in each row"):
        grpo_loss(zeros, zeros, torch.zeros(2), answers)
