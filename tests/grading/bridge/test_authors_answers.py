"""The judge's side of a substitute takes each question for hostile, and gives values alone."""

import numpy as np
import pytest
import torch
from author_bridge import AuthorBridge

SOURCE = '''
import random, numpy, torch
SECRET = "a mark of the author's source"
def f(x):
    """A note: SECRET."""
    y = x + 1
    return y * 2
def g(x):
    return f
def h(x):
    random.random(); numpy.random.rand(); torch.rand(1)
    return x
class Thing:
    def __init__(self): self.n = 1; self._hidden = 2; self.f = f
    def method(self): return self.n
    def _private(self): return SECRET
    def __reduce__(self): return SECRET
'''


@pytest.fixture
def bridge():
    return AuthorBridge(SOURCE)


def question(**more):
    request = {"op": "call", "form": [[], {}], "state": {}, "tensors": [], "needs": []}
    request |= {"grad": False, "gradients": {}, "random": None}
    return request | more


def test_only_names_that_were_allowed_can_be_called(bridge):
    bridge.author.allow(["f"])
    assert bridge.ask_author(question(name="f", form=[[3], {}]))["value"]["form"] == 8
    for name in ("g", "h", "SECRET", "__builtins__", "torch", "Thing"):
        answer = bridge.ask_author(question(name=name, form=[[3], {}]))
        assert answer["kind"] == "NameError", answer
    bridge.author.allow(["g"])
    assert bridge.ask_author(question(name="f", form=[[3], {}]))["kind"] == "NameError"
    assert bridge.author.called == {"f"}


def test_nothing_but_data_comes_out(bridge):
    bridge.author.allow(["g", "Thing"])
    assert (
        "gives an object of type function"
        in bridge.ask_author(question(name="g", form=[[1], {}]))["cannot"]
    )
    made = bridge.ask_author(question(name="Thing"))["value"]["form"][1]
    thing = made["object"]
    assert bridge.ask_author({"op": "get", "object": thing, "attribute": "n"})["value"]["form"] == 1
    for name in ("_hidden", "__dict__", "__class__", "_private"):
        answer = bridge.ask_author({"op": "get", "object": thing, "attribute": name})
        assert answer["kind"] == "AttributeError"
        answer = bridge.ask_author(
            {"op": "set", "object": thing, "attribute": name, "form": 1, "tensors": []}
        )
        assert answer["kind"] == "AttributeError"
    for name in ("f", "method"):
        assert "cannot" in bridge.ask_author({"op": "get", "object": thing, "attribute": name})
    for name in ("_private", "__init__", "__reduce__", "__getattribute__", "__class__", "nonsense"):
        answer = bridge.ask_author(question(object=thing, method=name))
        assert answer["kind"] == "AttributeError"
        answer = bridge.ask_author(question(name="Thing", method=name))
        assert answer["kind"] == "AttributeError"


def test_a_method_gets_no_other_self(bridge):
    """What it asks of one that is no object of its class would show how it is made."""
    bridge.author.allow(["Thing", "f"])
    for name in ("Thing", "f"):
        answer = bridge.ask_author(question(name=name, method="method", form=[[{"n": 3}], {}]))
        assert answer["kind"] == "AttributeError"
        assert "'n'" not in answer["error"]


def test_no_proxy_reaches_the_authors_code(bridge):
    """What it does with one would show, step by step, how it works."""
    seen = []

    class Spy:
        def __add__(self, other):
            seen.append(other)
            return self

        __mul__ = __radd__ = __getattr__ = __add__

    bridge.author.allow(["f"])
    answer = bridge.ask_author(question(name="f", form=[[Spy()], {}]))
    assert "error" in answer or "cannot" in answer
    assert seen == []


@pytest.mark.parametrize(
    "request_",
    [
        None,
        7,
        {},
        {"op": "exec"},
        {"op": "call"},
        {"op": "backward", "graph": 3, "gradients": []},
        {"op": "get", "object": [], "attribute": "n"},
        {"op": "get", "object": 10**30, "attribute": "n"},
        question(name=[]),
        question(name="f", needs=[5]),
        question(name="f", tensors=[torch.ones(2, dtype=torch.int64)], needs=[0]),
        question(name="f", form=[[("\0tensor", 5)], {}]),
        question(name="f", form=[[("\0object", {})], {}]),
        question(name="f", form="xy"),
        question(name="f", form=[[1], {}], random=torch.zeros(4, dtype=torch.uint8)),
        question(name="f", form=[[1], {}], random=torch.zeros(5056, dtype=torch.uint8)),
    ],
)
def test_a_question_that_makes_no_sense_is_an_error_and_no_more(bridge, request_):
    bridge.author.allow(["f"])
    answer = bridge.ask_author(request_)
    assert set(answer) <= {"error", "kind", "cannot"}
    assert "mark of the author" not in str(answer)
    assert bridge.ask_author(question(name="f", form=[[3], {}]))["value"]["form"] == 8


def test_the_tests_next_inputs_do_not_depend_on_it(bridge):
    bridge.author.allow(["h"])

    def draw(ask):
        torch.manual_seed(1)
        np.random.seed(1)
        if ask:
            state = torch.Generator().manual_seed(5).get_state()
            bridge.ask_author(question(name="h", form=[[3], {}], random=state))
        # Not Python's own: who checks types in tests draws from it.
        return [torch.rand(2).tolist(), np.random.rand()]

    assert draw(ask=True) == draw(ask=False)  # exact: the same generators in the same state


def test_what_one_test_keeps_is_bounded(bridge, monkeypatch):
    monkeypatch.setattr("lmcourse.grading.bridge.authors_answers._KEPT", 3)
    bridge.author.allow(["Thing"])
    answers = [bridge.ask_author(question(name="Thing")) for _ in range(4)]
    assert ["cannot" in answer for answer in answers] == [False, False, False, True]
    bridge.author.open_test()
    assert "value" in bridge.ask_author(question(name="Thing"))


def test_the_description_says_nothing_of_how_it_works(bridge):
    described = bridge.author.allow(["f", "Thing"])
    assert described == [
        {"name": "f", "kind": "function", "why": ""},
        {"name": "Thing", "kind": "class", "methods": ["method"], "of_class": [], "why": ""},
    ]
