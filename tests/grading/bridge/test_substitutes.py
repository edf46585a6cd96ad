"""A substitute does what the author's version does: values, gradients, state, chance."""

import copy

import pytest
import torch
from author_bridge import AuthorBridge
from torch import nn

from lmcourse.grading.bridge import substitutes
from lmcourse.grading.bridge.substitutes import SubstituteError

AUTHOR = '''
import random, torch
from torch import nn
from torch.nn import functional as F

def merge(ids, pair, new_id=9):
    return [new_id if (i, i) == pair else i for i in ids]

def both(x, *, scale):
    return {"values": x * scale, "n": [x.shape[0], None], "ids": (x > 0,)}

def fails(x):
    raise ValueError(f"d_model must be even, got {x}")

def missing(key):
    return {}[key]

def undecodable(x):
    return b"\\xff".decode("utf-8")

def halve_(x, parameter):
    with torch.no_grad():
        x.mul_(0.5)
        parameter.grad.mul_(0.5)

def noisy(x):
    random.random()
    return F.dropout(x, 0.5)

def steps(step, x, state):
    for t in range(x.shape[1]):
        state = step(x[:, t], state)
    return state

def look(model):
    return model.training

def pairs(n):
    yield from range(n)

class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.d_model = d_model
        self.up = nn.Linear(d_model, d_ff)
        self.down = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(0.5)
    def forward(self, x):
        return self.down(self.dropout(F.relu(self.up(x))))
    def width(self):
        return self.d_model + self.up.weight.sum()

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight
        self.norm = nn.BatchNorm1d(5)
    def forward(self, ids):
        return self.norm(self.head(self.embedding(ids)))

class Stack(nn.Module):
    def __init__(self, n_layers):
        super().__init__()
        self.blocks = nn.ModuleList(FeedForward(2 + n, 3) for n in range(n_layers))
        self.pair = nn.ModuleDict({"one": self.blocks[0]} if n_layers else {})
    def forward(self, xs):
        return [block.eval()(x) for block, x in zip(self.blocks, xs)]

class Vocabulary:
    """Words get ids as they come."""
    size = 3
    def __init__(self, words=()):
        self.ids = {}
        self.add(*words)
    def add(self, *words):
        for word in words:
            self.ids.setdefault(word, len(self.ids))
        return self
    def __len__(self):
        return len(self.ids)
    def __getitem__(self, word):
        return self.ids[word]
    def __iter__(self):
        yield from self.ids
    def __contains__(self, word):
        return word in self.ids
    def __add__(self, other):
        return Vocabulary([*self, *other])
    @property
    def longest(self):
        return max(self.ids, key=len)
    @staticmethod
    def cut(text):
        return text.split()
    @classmethod
    def of(cls, text):
        return cls(text.split())
    def _inner(self):
        return 1

class Words(dict):
    pass

TABLE = [1, 2]
'''


@pytest.fixture
def bridge():
    bridge = AuthorBridge(AUTHOR)
    substitutes.connect(bridge)
    yield bridge
    substitutes.connect(None)


@pytest.fixture
def local():
    scope = {"__name__": "local"}
    exec(AUTHOR, scope)
    return scope


def test_values_come_back_as_they_are(bridge):
    merge, both = bridge.names("merge", "both")
    assert merge([1, 2, 1], (1, 1)) == [9, 2, 9]
    assert merge([1], pair=(1, 1), new_id=300) == [300]
    assert merge.__name__ == "merge"
    got = both(torch.tensor([-1.0, 2.0]), scale=3)
    torch.testing.assert_close(got["values"], torch.tensor([-3.0, 6.0]))
    assert got["n"] == [2, None]
    assert got["ids"][0].tolist() == [False, True]


def test_errors_are_those_of_the_author(bridge):
    fails, missing, undecodable = bridge.names("fails", "missing", "undecodable")
    with pytest.raises(RuntimeError, match="can't decode byte 0xff"):
        undecodable(1)
    with pytest.raises(ValueError, match="d_model must be even, got 3"):
        fails(3)
    with pytest.raises(KeyError, match="'x'"):
        missing("x")
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        fails()


def test_gradients_go_through_a_function(bridge):
    (both,) = bridge.names("both")
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    scale = torch.tensor([3.0, 4.0], requires_grad=True)
    got = both(x * 2, scale=scale)
    assert not got["ids"][0].requires_grad
    got["values"].square().sum().backward()
    torch.testing.assert_close(x.grad, 8 * x.detach() * scale.detach() ** 2)
    torch.testing.assert_close(scale.grad, 8 * x.detach() ** 2 * scale.detach())
    with torch.no_grad():
        assert not both(x, scale=scale)["values"].requires_grad
    total = both(x, scale=2.0)["values"].sum()
    with pytest.raises(SubstituteError, match="gradients of gradients"):
        torch.autograd.grad(total, x, create_graph=True)


def test_what_is_changed_in_place_is_changed_here(bridge):
    (halve_,) = bridge.names("halve_")
    x, parameter = torch.tensor([2.0]), nn.Parameter(torch.tensor([1.0]))
    parameter.grad = torch.tensor([6.0])
    assert halve_(x, parameter) is None
    torch.testing.assert_close(x, torch.tensor([1.0]))
    torch.testing.assert_close(parameter.grad, torch.tensor([3.0]))


def test_it_draws_from_the_generator_of_this_process(bridge, local):
    (noisy,) = bridge.names("noisy")
    x = torch.ones(20)
    torch.manual_seed(3)
    want = [local["noisy"](x), torch.rand(2)]
    torch.manual_seed(3)
    got = [noisy(x), torch.rand(2)]
    torch.testing.assert_close(got, want)


def test_a_module_has_parameters_of_its_own(bridge, local):
    (substitute,) = bridge.names("FeedForward")
    torch.manual_seed(0)
    want = local["FeedForward"](3, 5).eval()
    torch.manual_seed(0)
    got = substitute(3, 5).eval()
    assert isinstance(got, nn.Module)
    shapes = {name: p.shape for name, p in want.named_parameters()}
    assert {name: p.shape for name, p in got.named_parameters()} == shapes
    torch.testing.assert_close(got.state_dict(), want.state_dict())
    assert got.d_model == 3
    x = torch.randn(2, 3, requires_grad=True)
    (got(x) ** 2).sum().backward()
    other = x.detach().clone().requires_grad_()
    (want(other) ** 2).sum().backward()
    torch.testing.assert_close(x.grad, other.grad)
    for p, q in zip(got.parameters(), want.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)
    torch.testing.assert_close(got.width(), want.width())


def test_a_module_is_one_like_any_other(bridge, local):
    (substitute,) = bridge.names("FeedForward")

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = substitute(3, 5)

        def forward(self, x):
            return x + self.inner(x)

    block, want = Block().double(), local["FeedForward"](3, 5).double()
    block.inner.load_state_dict(want.state_dict())
    copied = copy.deepcopy(block).eval()
    x = torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(copied(x), x + want.eval()(x))
    # In training a half of the numbers is dropped, drawn as in this process.
    torch.manual_seed(5)
    trained = want.train()(x)
    torch.manual_seed(5)
    torch.testing.assert_close(block.inner(x), trained)
    block.inner.up.weight.requires_grad_(False)
    block(x).sum().backward()
    assert block.inner.up.weight.grad is None
    assert block.inner.down.weight.grad is not None


def test_tied_parameters_stay_tied_and_buffers_are_written(bridge, local):
    (substitute,) = bridge.names("Tied")
    got, want = substitute(), local["Tied"]()
    assert got.head.weight is got.embedding.weight
    want.load_state_dict(got.state_dict())
    assert set(got.state_dict()) == set(want.state_dict())
    ids = torch.tensor([0, 3, 1])
    torch.testing.assert_close(got(ids), want(ids))
    torch.testing.assert_close(got.norm.running_mean, want.norm.running_mean)
    got(ids).square().sum().backward()
    want(ids).square().sum().backward()
    torch.testing.assert_close(got.head.weight.grad, want.head.weight.grad)


def test_the_parts_of_a_module_can_be_gone_through(bridge, local):
    (substitute,) = bridge.names("Stack")
    got, want = substitute(12), local["Stack"](12)
    assert len(got.blocks) == 12
    assert [block.d_model for block in got.blocks] == list(range(2, 14))
    assert got.blocks[11].up.in_features == 13
    assert got.pair.one.up.weight is got.blocks[0].up.weight
    want.load_state_dict(got.state_dict())
    xs = [torch.randn(2 + n) for n in range(12)]
    torch.testing.assert_close(got(xs), want(xs))
    with torch.no_grad():
        got.blocks[3].down.weight.zero_()
    torch.testing.assert_close(got(xs)[3], got.blocks[3].down.bias)
    assert len(substitute(0).blocks) == 0


def test_an_object_keeps_its_state(bridge):
    (vocabulary,) = bridge.names("Vocabulary")
    one, other = vocabulary(["a", "b"]), vocabulary.of("b long")
    assert vocabulary.cut("x y") == ["x", "y"]
    assert one.add("c") is one
    assert (len(one), one["c"], "c" in one, "c" in other) == (3, 2, True, False)
    assert list(one) == ["a", "b", "c"]
    assert isinstance(other, vocabulary)
    assert (other.longest, other.ids, other.size) == ("long", {"b": 0, "long": 1}, 3)
    assert list(one + other) == ["a", "b", "c", "long"]
    other.ids = {"x": 7}
    assert (other["x"], len(other)) == (7, 1)
    with pytest.raises(KeyError, match="lost"):
        one["lost"]
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        one.nonsense  # noqa: B018


def test_gradients_go_through_a_function_that_is_passed(bridge, local):
    """Its arguments learn, and what it closes over: in each of three steps."""
    (steps,) = bridge.names("steps")
    cell = nn.Linear(4, 2).double()
    x = torch.randn(3, 3, 2, dtype=torch.float64, requires_grad=True)
    start = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)

    def step(x_t, state):
        return torch.tanh(cell(torch.cat([x_t, state], -1)))

    leaves = [x, start, *cell.parameters()]
    got = steps(step, x, start)
    want = local["steps"](step, x, start)
    torch.testing.assert_close(got, want)
    upstream = torch.randn_like(want)
    torch.testing.assert_close(
        torch.autograd.grad((got * upstream).sum(), leaves),
        torch.autograd.grad((want * upstream).sum(), leaves),
    )
    # Also where nothing but the closure learns.
    got = steps(step, x.detach(), start.detach())
    torch.testing.assert_close(
        torch.autograd.grad((got * upstream).sum(), list(cell.parameters())),
        torch.autograd.grad((local["steps"](step, x, start) * upstream).sum(), leaves)[2:],
    )


def test_what_cannot_cross_says_so(bridge):
    merge, look = bridge.names("merge", "look")
    with pytest.raises(SubstituteError, match="an object of type object is no data"):
        merge(object(), (1, 2))
    with pytest.raises(SubstituteError, match=r"uses \.training of what is passed"):
        look(lambda x: x)
    described = {one["name"]: one for one in bridge.author.allow(["pairs", "Words", "TABLE"])}
    assert described["pairs"]["why"] == "it gives its values one at a time"
    assert described["Words"]["why"] == "it is a class that derives from dict"
    assert described["TABLE"]["why"] == "it is neither a function nor a class"


def test_while_no_test_asks_it_is_the_learners_own(bridge):
    own = {"merge": lambda *args: "own", "FeedForward": lambda *args: "own too"}
    merge, feed_forward = bridge.names("merge", "FeedForward", own=own)
    (vocabulary,) = bridge.names("Vocabulary")
    made = vocabulary()
    bridge.asked = False
    assert (merge([], ()), feed_forward(1, 2)) == ("own", "own too")
    with pytest.raises(NameError, match="Vocabulary"):
        vocabulary()
    with pytest.raises(SubstituteError, match="while a test runs"):
        made.add("x")
    assert bridge.questions[-1]["op"] == "call"


def test_an_object_of_an_earlier_test_is_gone(bridge):
    (vocabulary,) = bridge.names("Vocabulary")
    old = vocabulary(["a"])
    bridge.author.open_test()
    new = vocabulary(["b", "c"])
    with pytest.raises(LookupError, match="made for another test"):
        len(old)
    assert len(new) == 2
