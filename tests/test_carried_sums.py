"""lmcourse.carried_sums: sums, replies and their checks, chats, what is drawn, and learning."""

import copy
import itertools
import random
from collections import Counter

import pytest
import torch

from lmcourse.carried_sums import (
    MOST_TOKENS,
    P_CAREFUL,
    TEMPLATE,
    TOKENS,
    carries,
    chats,
    decode,
    demonstrations,
    descend,
    distance,
    draw,
    encode,
    hasty_sum,
    imitate,
    is_right,
    mentions,
    new_generator,
    new_gpt,
    pretrain,
    problems,
    question,
    reinforce,
    reply,
    score,
    sheet,
)

SUM = (37, 45)


def always(words):
    """A model that writes these words after any prompt."""
    ids = [*encode(words), TEMPLATE.end_id]
    start = len(TEMPLATE.prompt([("user", encode(question(SUM)))]))

    def model(seen):
        logits = torch.full((*seen.shape, len(TOKENS)), -30.0)
        for place in range(start - 1, seen.shape[1]):
            logits[:, place, ids[min(place - start + 1, len(ids) - 1)]] = 30.0
        return logits

    return model


# ---- sums and replies ----


def test_haste_is_wrong_where_something_is_carried_and_only_there():
    assert hasty_sum(SUM) == 72
    assert hasty_sum((31, 45)) == 76
    for problem in problems():
        assert (hasty_sum(problem) == sum(problem)) == (not carries(problem))
        assert hasty_sum(problem) >= 10  # two digits, as the sum has


def test_the_exam_is_never_read_or_asked_in_training():
    training, exam = set(problems()), set(problems("exam"))
    assert not training & exam
    assert len(exam) > 200
    assert all(carries(problem) and sum(problem) < 100 for problem in exam)
    dice = random.Random(0)
    read = {" ".join(sheet(dice)) for _ in range(500)}
    asked = {" ".join(question(problem)) for problem in exam}
    assert not any(words in text for text in read for words in asked)
    with pytest.raises(ValueError, match='"training" or "exam", got part=\'test\''):
        problems("test")


def test_replies_come_in_three_forms_from_careful_and_hasty_people():
    dice = random.Random(0)
    said = [reply(SUM, dice) for _ in range(4000)]
    counts = Counter(map(" ".join, said))
    forms = {"8 2", "7 2", "it is 8 2", "it is 7 2", "8 2 or 7 2", "7 2 or 8 2"}
    assert set(counts) == forms
    assert counts["8 2"] / (counts["8 2"] + counts["7 2"]) == pytest.approx(P_CAREFUL, abs=0.05)
    both = counts["8 2 or 7 2"] + counts["7 2 or 8 2"]
    assert both / 4000 == pytest.approx(0.2, abs=0.03)
    assert reply((31, 45), random.Random(2)) in (
        ["7", "6"], ["it", "is", "7", "6"], ["7", "6", "or", "8", "6"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "right", "mentioned"),
    [
        ("8 2", 1, 1), ("it is 8 2", 1, 1), ("7 2", 0, 0), ("it is 7 2", 0, 0), ("", 0, 0),
        ("8 2 or 7 2", 0, 1), ("7 2 or 8 2", 0, 1), ("8 2 8 2", 0, 1), ("it is it is 8 2", 0, 1),
        ("8 2 it is", 0, 1), ("8 . 2", 0, 0), ("it is", 0, 0),
    ],
)  # fmt: skip
def test_one_check_reads_all_of_a_reply_and_the_other_has_a_hole(text, right, mentioned):
    assert is_right(text.split(), SUM) == right
    assert mentions(text.split(), SUM) == mentioned


# ---- reading and answering ----


def test_a_sheet_has_three_sums_with_or_without_answers():
    dice = random.Random(1)
    lengths = Counter(len(sheet(dice)) for _ in range(400))
    assert set(lengths) == {24, 33}  # 8 words of a question; 3 more where it is answered
    assert lengths[24] / 400 == pytest.approx(0.25, abs=0.07)


def test_words_and_ids():
    words = question(SUM)
    assert decode(encode(words)) == words
    assert decode([*encode(words), TEMPLATE.end_id, 0, 0]) == words


def test_chats_are_padded_and_mark_the_reply_with_its_end():
    ids, answers = chats([(SUM, ["8", "2"]), (SUM, ["it", "is", "8", "2"])])
    assert ids.shape == answers.shape
    assert [[TOKENS[i] for i in row[own]] for row, own in zip(ids, answers, strict=True)] == [
        ["8", "2", "<end>"], ["it", "is", "8", "2", "<end>"]
    ]  # fmt: skip


def test_training_lowers_the_loss():
    model = new_gpt(0)
    losses = pretrain(model, 40, seed=0)
    assert sum(losses[-5:]) < sum(losses[:5]) - 2.5
    answered = imitate(model, demonstrations(0), 30)
    assert sum(answered[-5:]) < sum(answered[:5]) - 2.5


def test_the_rate_rises_and_falls_to_zero():
    weight = torch.nn.Linear(1, 1, bias=False)
    places = []

    def loss():
        places.append(weight.weight.item())
        return weight.weight.sum()  # the gradient is 1 at each step

    descend(weight, loss, 40, rate=0.1)
    moves = [a - b for a, b in itertools.pairwise(places)]
    assert max(moves) == pytest.approx(0.1, rel=0.1)
    assert moves[0] < 0.05
    assert moves[-1] < 0.02


# ---- what is drawn ----


@pytest.mark.parametrize("words", [["8", "2"], ["it", "is", "8", "2"], []])
def test_a_reply_goes_up_to_its_first_end(words):
    drawn = draw(always(words), [SUM, SUM], new_generator(0))
    assert drawn.words == [words, words]
    written = [[TOKENS[i] for i in row[own]] for row, own in
               zip(drawn.ids, drawn.answers, strict=True)]  # fmt: skip
    assert written == [[*words, "<end>"]] * 2


def test_a_reply_without_end_is_cut():
    drawn = draw(always(["8"] * 20), [SUM], new_generator(0))
    assert drawn.words == [["8"] * MOST_TOKENS]
    assert drawn.answers.sum() == MOST_TOKENS


def test_a_score_is_the_mean_reward_on_the_exam():
    asked = []

    def reward(words, problem):
        asked.append(problem)
        return float(words == ["8", "2"])

    assert score(always(["8", "2"]), reward, n_each=2) == 1
    assert sorted(asked) == sorted([*problems("exam")] * 2)
    right = sum(sum(problem) == 82 for problem in problems("exam")) / len(problems("exam"))
    assert score(always(["8", "2"]), is_right, n_each=1) == pytest.approx(right)


def test_the_distance_is_the_divergence_of_what_is_written():
    model = new_gpt(0)
    assert distance(model, model) == pytest.approx(0, abs=1e-6)

    def even(ids):
        return torch.zeros(*ids.shape, len(TOKENS))

    n_written = len(["8", "2", "<end>"])
    expected = n_written * torch.tensor(float(len(TOKENS))).log().item()
    assert distance(always(["8", "2"]), even) == pytest.approx(expected, abs=1e-3)


# ---- rewards ----


def test_what_is_rewarded_becomes_likelier_and_the_reference_stays():
    model, dice = new_gpt(0), random.Random(0)
    imitate(model, iter(lambda: (SUM, dice.choice([["8"], ["7"]])), None), 40, rate=1e-2)
    before = copy.deepcopy(model)
    steps = []
    reward = lambda words, problem: float(words == ["8"])  # noqa: E731
    means = reinforce(
        model, reward, 12, seed=0, beta=0.0, rate=3e-3, n_prompts=4,
        watch=lambda step, policy: steps.append(step),
    )  # fmt: skip
    assert steps == list(range(13))
    assert score(model, reward, n_each=1) > score(before, reward, n_each=1) + 0.2
    assert means[-1] > means[0]
    assert distance(model, before) > 0.01


def test_without_any_difference_nothing_moves():
    model = new_gpt(0)
    before = copy.deepcopy(model)
    reinforce(model, lambda words, problem: 1.0, 2, seed=0, beta=0.0, n_prompts=2)
    for one, two in zip(model.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(one, two)
