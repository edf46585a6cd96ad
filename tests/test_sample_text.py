"""lmcourse.commands.sample_text: the command `lmcourse sample`."""

import math
import re

import pytest
import torch
from typer.testing import CliRunner

from lmcourse.__main__ import app
from lmcourse.commands.sample_text import Request, sample, show_samples
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.pretrained import from_pretrained, save_pretrained
from lmcourse.tokenizers import BPETokenizer, CharTokenizer

CHARACTERS = CharTokenizer("\n abcdefghijklmnopqrstuvwxyz.")


@pytest.fixture(autouse=True)
def _device_stays(monkeypatch):
    monkeypatch.setenv("LMCOURSE_DEVICE", "cpu")  # put back after --device has set it


def saved(folder, tokenizer, spread=0.3):
    """A model of fresh weights, a little wider than usual, so that its odds are not all alike."""
    torch.manual_seed(0)
    size = {"context_length": 16, "d_model": 8, "n_heads": 2, "n_layers": 1}
    model = GPT(GPTConfig(vocab_size=tokenizer.vocab_size, **size))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    save_pretrained(model, tokenizer, folder)
    return folder


@pytest.fixture
def folder(tmp_path):
    return saved(tmp_path / "model", CHARACTERS)


def invoke(*arguments):
    return CliRunner().invoke(app, ["sample", *map(str, arguments)])


def test_a_folder_writes_as_asked(folder):
    base = [folder, "--prompt", "the ", "--n-tokens", "20"]
    one, again, other = (invoke(*base, "--seed", seed) for seed in (1, 1, 2))
    assert one.exit_code == 0, (one.output, one.exception)
    assert one.output == again.output != other.output
    assert one.output.startswith("the ")
    assert len(one.output) == len("the ") + 20 + 1
    greedy = [invoke(*base, "--temperature", "0", "--seed", seed).output for seed in (1, 2)]
    assert greedy[0] == greedy[1]
    assert invoke(*base, "--top-k", "1").output == greedy[0]
    assert invoke(*base, "--top-p", "1e-9").output == greedy[0]


def test_what_cannot_be_written_is_one_line_and_no_text(folder, tmp_path, unchecked):
    for arguments, words in (
        ([tmp_path], "folder must hold a trained model"),
        ([folder, "--prompt", "Ж"], "text must have known characters only, got 'Ж'"),
        ([folder, "--prompt", ""], "prompt must have at least one character"),
        ([folder, "--temperature", "-1"], "temperature must be at least 0"),
        ([folder, "--top-k", "0"], "top_k must be at least 1"),
        ([folder, "--n-tokens", "-1"], "n_tokens must be at least 0"),
        ([folder, "--n-samples", "0"], "n_samples must be at least 1, got n_samples=0"),
        ([folder, "--repetition-penalty", "0"], "repetition_penalty must be above 0"),
        ([folder, "--n-samples", "2", "--top-p", "2"], "top_p must be above 0 and at most 1"),
        ([folder, "--log-probs", "--top-p", "2"], "top_p must be above 0 and at most 1"),
        ([folder, "--device", "abacus"], "must name a device that PyTorch can reach"),
    ):
        shown = invoke(*arguments)
        assert (shown.exit_code, shown.stderr.count("\n")) == (2, 1), (arguments, shown.output)
        assert words in shown.stderr
        assert not shown.stdout


def test_samples_follow_one_another_by_their_seeds(folder):
    base = [folder, "--n-tokens", "15", "--prompt", "a"]
    three = invoke(*base, "--n-samples", "3", "--seed", "4").output
    alone = [invoke(*base, "--seed", seed).output for seed in (4, 5, 6)]
    assert three == "".join(
        f"--- seed {seed} ---\n{text}" for seed, text in zip((4, 5, 6), alone, strict=True)
    )
    assert len({*alone}) == 3


def test_each_token_is_shown_as_soon_as_it_is_there(folder, monkeypatch):
    pieces, n_then = [], []
    forward = GPT.forward

    def watched(self, *args, **more):
        n_then.append(len(pieces))
        return forward(self, *args, **more)

    monkeypatch.setattr(GPT, "forward", watched)
    request = Request("ab", n_tokens=6)
    show_samples(folder, request, pieces.append)
    assert n_then == list(range(6))
    assert pieces[0].startswith("ab")
    assert "".join(pieces) == sample(folder, request) + "\n"


def test_a_character_of_several_bytes_is_shown_whole(tmp_path, monkeypatch):
    """No piece has half a sign, except at the very end of the text."""
    folder = saved(tmp_path / "bytes", BPETokenizer([]))
    wanted = list("é雨".encode()) + list("雨".encode())[:2]

    def written(model, ids, n_tokens, *, on_token, **rules):
        for index in wanted:
            on_token(torch.tensor([index]), torch.tensor([0.0]))

    monkeypatch.setattr("lmcourse.commands.sample_text.generate", written)
    pieces = []
    show_samples(folder, Request("a"), pieces.append)
    assert pieces == ["a", "é", "雨", "\ufffd", "\n"]


def test_rows_tell_how_likely_each_token_was_to_the_model(folder):
    rules = ["--temperature", "0.5", "--top-k", "3", "--repetition-penalty", "1.3"]
    shown = invoke(folder, "--prompt", "ab", "--n-tokens", "8", "--log-probs", *rules)
    lines = shown.output.splitlines()
    assert lines[0].split() == ["log", "p", "p", "token"]
    rows = [re.fullmatch(r" *(\S+) +(\S+)%  (.+)", line).groups() for line in lines[1:-1]]
    text = "".join(eval(token) for _, _, token in rows)
    asked = Request("ab", n_tokens=8, temperature=0.5, top_k=3, repetition_penalty=1.3)
    assert "ab" + text == sample(folder, asked)
    model, tokenizer = from_pretrained(folder)
    ids = torch.tensor([tokenizer.encode("ab" + text)])
    with torch.no_grad():
        log_p = model(ids).log_softmax(-1)[0, 1:-1].gather(1, ids[0, 2:, None])[:, 0]
    expected = log_p.tolist()
    assert [float(row[0]) for row in rows] == pytest.approx(expected, abs=1e-4)
    percent = [100 * math.exp(x) for x in expected]
    assert [float(row[1]) for row in rows] == pytest.approx(percent, abs=0.06)
    assert float(lines[-1].split()[0]) == pytest.approx(sum(expected) / 8, abs=1e-4)


def test_a_penalty_keeps_a_greedy_text_from_going_round(folder):
    """Greedy text over 16 tokens that a small model reads must repeat itself in the end."""
    greedy = [folder, "--temperature", "0", "--n-tokens", "24", "--prompt", "ab"]
    plain, varied = (
        invoke(*greedy, "--repetition-penalty", penalty).output for penalty in ("1", "50")
    )
    assert len({*varied}) > len({*plain})
