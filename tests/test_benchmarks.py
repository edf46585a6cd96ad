"""benchmarks: ratios that hold on a busy machine, and goals that can be missed."""

import math
import time

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import attention, generation, recurrent, tokenizers, training, word_vectors
from benchmarks.runner import Measured, Row, compare, cpu_seconds, verdict
from lmcourse import beside_gensim


def row(ours, peer, goal=1.0):
    return Row(work="work", ours=ours, peer=peer, peer_name="peer", goal=goal)


def spin(seconds):
    def work():
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    return work


def test_half_the_time_is_twice_as_fast():
    measured = compare(row(spin(0.002), spin(0.004)), n_rounds=3, at_least=0.01)
    assert 1.7 < measured.speed < 2.3


def test_sleep_is_not_work():
    assert cpu_seconds(spin(0.001), 0.005) < 0.002
    measured = compare(row(lambda: (time.sleep(0.01), spin(0.002)()), spin(0.002)), 3, 0.005)
    assert 0.7 < measured.speed < 1.3


def test_both_are_called_in_turn():
    calls = []
    compare(
        row(lambda: (calls.append("o"), spin(0.001)()), lambda: (calls.append("p"), spin(0.001)())),
        3,
        1e-9,
    )
    assert "".join(calls) == "op" + "op" + "po" + "op"


@pytest.mark.parametrize(
    ("speed", "goal", "word"),
    [(1.0, 1.0, "met"), (0.91, 1.0, "nearly"), (0.89, 1.0, "missed"), (0.1, None, "")],
)
def test_a_goal_may_be_missed_by_a_tenth(speed, goal, word):
    measured = Measured(ours_ms=1.0, peer_ms=1.0, speed=speed)
    assert verdict(row(lambda: None, lambda: None, goal), measured) == word


def test_both_sides_of_a_row_compute_the_same():
    for one in [*attention.rows(), *recurrent.rows()]:
        assert one.ours() is None
        assert one.peer() is None
    heads = [torch.randn(2, 3, 5, 4) for _ in range(3)]
    mask = attention.causal_mask(5)
    torch.testing.assert_close(
        attention.attention(*heads, mask)[0],
        attention.F.scaled_dot_product_attention(*heads, is_causal=True),
    )


def test_tokenizers_beside_each_other_give_the_same_ids():
    *trainings, first, second = tokenizers.rows(n_characters=20_000, vocab_size=300)
    assert first.ours() == first.peer() == second.ours() == second.peer()
    ours = [row.ours() for row in trainings]
    huggingface, rust = [row.peer() for row in trainings]
    assert rust.vocab_size == huggingface.get_vocab_size() == ours[0].vocab_size == 300
    text = tokenizers.sample_text(5_000)
    assert len(text) == 5_000
    assert rust.encode(text) == ours[1].encode(text)


def test_both_training_steps_learn_the_same_batch():
    """From ln V downwards, ours in both precisions and transformers': 20 steps on one batch."""
    sizes = {"n_layers": 1, "n_heads": 2, "d_model": 16, "context_length": 8}
    ids = torch.randint(training.VOCAB_SIZE, (4, 9), generator=torch.Generator().manual_seed(0))
    sides = [training.ours(sizes, ids, "fp32"), training.ours(sizes, ids, "bf16")]
    for step in (*sides, training.theirs(sizes, ids)):
        losses = [step() for _ in range(20)]
        assert losses[0] == pytest.approx(math.log(training.VOCAB_SIZE), abs=0.1)
        assert losses[-1] < losses[0]


def test_both_sides_write_the_same_number_of_tokens_to_the_prompt():
    n_prompt = generation.N_PROMPT
    for one in generation.rows(n_new=5):
        for text in (one.ours(), one.peer()):
            assert text.shape == (1, n_prompt + 5)
            assert text[0, :n_prompt].tolist() == list(range(n_prompt))


def test_both_sides_of_word_vectors_reach_the_same_loss():
    pytest.importorskip("gensim", reason="a peer of the benchmarks, not of the course")
    text = beside_gensim.docs()
    (one,) = word_vectors.rows(text)
    mine, theirs = (
        beside_gensim.held_out_loss(work(), text, text.test) for work in (one.ours, one.peer)
    )
    assert mine == pytest.approx(theirs, abs=0.03)
    assert max(mine, theirs) < 2.6


def test_operations_grow_with_the_square_of_the_length():
    table = command.curve(attention.growth()[:3], at_least=1e-9)
    growth = list(table.columns[2].cells)
    assert growth == ["", "4.0", "4.0"]


@pytest.mark.parametrize(("speed", "code"), [(2.0, 0), (0.1, 1)])
def test_the_last_line_counts_the_goals(monkeypatch, capsys, speed, code):
    fast, slow = spin(0.001), spin(0.001 * speed)
    monkeypatch.setattr(command, "SUITES", (attention,))
    monkeypatch.setattr(attention, "rows", lambda: [row(fast, slow)])
    monkeypatch.setattr(attention, "growth", lambda: attention_growth)
    monkeypatch.setattr(training, "two_processes", lambda: (0.2, 0.1))
    attention_growth = [(1, lambda: None)]
    assert command.main(["--quick"]) == code
    shown = capsys.readouterr().out.splitlines()
    assert "one process 200 ms, two 100 ms, 2.00 times as fast" in shown[-2]
    assert shown[-1] == f"goals met: {2 - code} of 2"
