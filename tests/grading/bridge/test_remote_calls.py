"""Tensors under their numbers, all else as it was; gradients through a function that is passed."""

import pytest
import torch

from lmcourse.grading.bridge.remote_calls import (
    Caller,
    CannotError,
    Leaves,
    PassedFunction,
    flatten,
    gradients_of,
    named_object,
    unflatten,
)


def test_what_it_closes_over_learns_from_all_calls():
    weight = torch.tensor([2.0], requires_grad=True)
    scaled = weight * 3  # closed over, and no leaf itself
    leaves, caller = Leaves(), Caller()
    function = caller.wrap(PassedFunction(lambda x: x * scaled, leaves))
    x = torch.tensor([5.0], requires_grad=True)
    y = function(function(x))
    torch.testing.assert_close(y.detach(), torch.tensor([180.0]))
    assert [leaf is weight for leaf in leaves.tensors] == [True]
    (for_x, _) = gradients_of([y], [x, caller.anchor], [torch.ones(1)])
    torch.testing.assert_close(for_x, torch.tensor([36.0]))
    (for_weight,) = leaves.take()
    torch.testing.assert_close(for_weight, torch.tensor([180.0]))  # 2 · 9 · w · x
    assert leaves.take() == [None]


def test_a_result_that_is_itself_a_leaf():
    weight = torch.tensor([2.0], requires_grad=True)
    leaves, caller = Leaves(), Caller()
    y = caller.wrap(PassedFunction(lambda: weight, leaves))()
    gradients_of([y * 4], [caller.anchor], [torch.ones(1)])
    torch.testing.assert_close(leaves.take(), [torch.tensor([4.0])])


def test_without_gradients_it_is_a_call():
    caller = Caller()
    function = caller.wrap(PassedFunction(lambda x, k=1: (x + k, {"n": [k]}), Leaves()))
    with torch.no_grad():
        y, more = function(torch.zeros(1, requires_grad=True), k=4)
    assert (y.item(), y.requires_grad, more) == (4.0, False, {"n": [4]})  # exact: sent as it is


def test_there_is_nothing_to_it_but_the_call():
    function = Caller().wrap(PassedFunction(len, Leaves()))
    with pytest.raises(CannotError, match=r"uses \.parameters of what is passed"):
        function.parameters()
    with pytest.raises(TypeError):
        function + 1


def test_there_and_back():
    x, y = torch.ones(2), torch.zeros(3)
    thing = object()
    value = [x, (1, "a", {"k": [y, x], "none": None}), thing]
    tensors = []
    form = flatten(value, tensors, lambda thing: named_object({"object": 4}))
    assert [t is s for t, s in zip(tensors, [x, y], strict=True)] == [True, True]
    back = unflatten(form, tensors, lambda facts: facts["object"])
    assert back[0] is back[1][2]["k"][1] is x
    assert back[1][:2] == (1, "a")
    assert back[2] == 4


def test_a_pair_of_texts_is_no_tensor():
    form = flatten([("a", 0), ("", 1)], [], lambda thing: thing)
    assert unflatten(form, [], lambda facts: None) == [("a", 0), ("", 1)]
