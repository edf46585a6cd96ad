"""What an assignment says may not be called is what the grader withholds: each name, no other."""

import importlib
import json
import multiprocessing
import re

import pytest
import torch
from torch import nn

from lmcourse.grading.assignment.course import find_course
from lmcourse.grading.withholding import torch_functions
from lmcourse.grading.withholding.withheld import stated

COURSE = find_course()
SLUGS = COURSE.assignments()
SAID = re.compile(r"\* \*\*Your own steps\.\*\* (.*?) (?:is|are) there to compare with", re.DOTALL)
NAME = re.compile(r"`([\w.]+)`")
X, STATE = torch.ones(2, 3, 4), torch.ones(1, 2, 1)

# Operators have other names than what a learner calls: how it is called, and with what.
CALLS = {
    "F.scaled_dot_product_attention": lambda: nn.functional.scaled_dot_product_attention(X, X, X),
    "nn.TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(4, 2).eval()(X),
    "torch.softmax": lambda: torch.softmax(X, -1),
    "torch.log_softmax": lambda: torch.log_softmax(X, -1),
    "torch.logcumsumexp": lambda: torch.logcumsumexp(X, -1),
    "torch.logsumexp": lambda: torch.logsumexp(X, -1),
    "torch.lstm": lambda: torch.lstm(
        X, [STATE] * 2, [X.new_ones(4, n) for n in (4, 1)], False, 1, 0.0, False, False, True
    ),
    "torch.gru": lambda: torch.gru(
        X, STATE, [X.new_ones(3, n) for n in (4, 1)], False, 1, 0.0, False, False, True
    ),
    "torch.rnn_tanh": lambda: torch.rnn_tanh(
        X, STATE, [X.new_ones(1, n) for n in (4, 1)], False, 1, 0.0, False, False, True
    ),
    "torch.rnn_relu": lambda: torch.rnn_relu(
        X, STATE, [X.new_ones(1, n) for n in (4, 1)], False, 1, 0.0, False, False, True
    ),
    "torch.rnn_tanh_cell": lambda: torch.rnn_tanh_cell(
        X[0], X[0, :, :1], X.new_ones(1, 4), X.new_ones(1, 1)
    ),
    "torch.rnn_relu_cell": lambda: torch.rnn_relu_cell(
        X[0], X[0, :, :1], X.new_ones(1, 4), X.new_ones(1, 1)
    ),
    "torch.gru_cell": lambda: torch.gru_cell(X[0], X[0, :, :1], X.new_ones(3, 4), X.new_ones(3, 1)),
    "torch.lstm_cell": lambda: torch.lstm_cell(
        X[0], [X[0, :, :1]] * 2, X.new_ones(4, 4), X.new_ones(4, 1)
    ),
}
# Said with one phrase, not by their names.
RECURRENT = [n for n in CALLS if re.match(r"torch\.(rnn|lstm|gru)", n)]
IN_OTHER_WORDS = {"recurrent": ("their functions in `torch`", RECURRENT)}


def said(slug: str) -> str:
    cells = json.loads((COURSE.exercises / slug / f"{slug}.ipynb").read_text("utf-8"))["cells"]
    [text] = SAID.findall("".join(cells[0]["source"]))
    return text


def names_in(slug: str) -> list[str]:
    """In full; a name without a dot belongs to the module before it."""
    found, module = [], ""
    for name in NAME.findall(said(slug)):
        if name in ("torch", "lmcourse.byte_pairs"):
            module = name
        else:
            found.append(name if "." in name else f"{module}.{name}")
    return found


def withheld(slug: str) -> dict:
    notebook = json.loads(COURSE.solution(slug).read_text("utf-8"))
    return notebook["metadata"]["lmcourse"]["withheld"]


def short(name: str) -> str:
    return re.sub(r"^torch\.nn\.", "nn.", re.sub(r"^torch\.nn\.functional\.", "F.", name))


def full(name: str) -> str:
    return re.sub(r"^F\.", "torch.nn.functional.", re.sub(r"^nn\.", "torch.nn.", name))


@pytest.mark.parametrize("slug", SLUGS)
def test_what_is_withheld_is_said(slug):
    listed, kept = names_in(slug), withheld(slug)
    assert len(listed) == len(set(listed))
    of_torch = {short(name) for name in kept["attributes"]}
    by_operator = {name for name in listed if name in CALLS} - of_torch
    assert set(listed) == {*kept["names"], *of_torch, *by_operator}
    phrase, others = IN_OTHER_WORDS.get(slug, ("", []))
    assert phrase in said(slug)
    # An operator that has a public function by its name is said, too; those of a library are not.
    public = {
        key
        for key in {*dir(torch), *dir(nn.functional)}
        for pattern in kept["operators"]
        if re.fullmatch(pattern, key) and not key.startswith(("_", "mkldnn_"))
    }
    assert public <= {name.rpartition(".")[2] for name in [*listed, *others]}


def tell(slug: str, pipe) -> None:
    """In a process of its own, since nothing is given back there."""
    torch_functions.apply(stated(withheld(slug)).as_json())
    names = [n for n in names_in(slug) if not n.startswith("lmcourse.")]
    answers = {}
    for name in [*names, *IN_OTHER_WORDS.get(slug, ("", []))[1]]:
        try:
            if name in CALLS:
                CALLS[name]()
            else:
                module, _, attribute = full(name).rpartition(".")
                getattr(importlib.import_module(module), attribute)()
            answers[name] = "it ran"
        except Exception as error:
            answers[name] = str(error)
    pipe.send(answers)


@pytest.mark.parametrize("slug", SLUGS)
def test_what_is_said_of_torch_is_refused(slug):
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=tell, args=(slug, there))
    process.start()
    there.close()
    answers = here.recv()
    process.join()
    for name, answer in answers.items():
        assert answer.endswith("is withheld in this assignment: writing it is the task"), name


def test_each_call_would_run_if_it_were_not_withheld():
    for name, call in CALLS.items():
        assert call() is not None, name
