"""Only data crosses, exactly, and whatever a hostile side writes ends in a value or a WireError."""

import json
import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcourse.grading.bridge import wire
from lmcourse.grading.bridge.wire import Packer, Unpacker
from lmcourse.grading.sandbox.frames import WireError


def crossed(value, other=None, back=None):
    packer = Packer(other)
    form = json.loads(json.dumps(packer.pack(value)))
    return Unpacker(b"".join(packer.blocks), back).unpack(form)


def same(a, b):
    """Equal in type and content, at every depth; nan equals itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and same_bytes(a, b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            same(x, y) for x, y in zip(a.items(), b.items(), strict=True)
        )
    return a == b


def same_bytes(a, b):
    # exact: bytes
    return (
        a.contiguous().view(-1).view(torch.uint8).tolist()
        == b.reshape(-1).view(torch.uint8).tolist()
    )


keys = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5)
atoms = (
    keys
    | st.floats()
    | st.complex_numbers(allow_nan=False)
    | st.text(st.characters(), max_size=8)
    | st.sampled_from([..., torch.float32, torch.bfloat16, torch.bool, 1 << 900, -(1 << 64)])
    | st.slices(20)
)
values = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(keys, max_size=4)
        | st.frozensets(keys, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(values)
def test_plain_data_arrives_as_it_was(value):
    assert same(crossed(value), value)


@settings(deadline=None)
@given(
    st.sampled_from([*wire._DTYPES.values()]),
    st.lists(st.integers(0, 4), max_size=4),
    st.integers(0, 1 << 32),
)
def test_tensors_arrive_bit_by_bit(dtype, shape, seed):
    size = math.prod(shape) * dtype.itemsize
    raw = bytearray(random.Random(seed).randbytes(size))
    if dtype is torch.bool:
        raw = bytearray(byte & 1 for byte in raw)
    x = (
        torch.frombuffer(raw, dtype=dtype).reshape(shape)
        if size
        else torch.empty(shape, dtype=dtype)
    )
    assert same(crossed(x), x)
    assert same(crossed(x.mT), x.mT.contiguous()) if x.ndim > 1 else True


@settings(deadline=None)
@given(
    st.sampled_from([torch.int64, torch.float32, torch.complex64, torch.bool]),
    st.integers(1, 4),
    st.integers(1, 5),
    st.slices(4),
    st.integers(-5, 4),
)
def test_a_part_of_a_tensor_arrives_whatever_its_strides(dtype, rows, columns, part, column):
    """Among them ids[:, -1] of one row: one element whose stride is not 1."""
    x = torch.arange(rows * columns).reshape(rows, columns).to(dtype)
    step = abs(part.step or 1)
    views = [
        x[part.start : part.stop : step],
        x[:, column % columns],
        x[:1, :1].expand(1, 1, 1),
        x[0, 0].expand(rows, 1),
        x.T[::step],
    ]
    for view in views:
        arrived = crossed(view)
        assert arrived.dtype == view.dtype
        # exact: copies
        assert arrived.tolist() == view.tolist()


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=np.int16).reshape(2, 3),
        np.array(2.5, dtype=np.float16),
        np.zeros((0, 3), dtype=np.complex64),
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.array([True, False]),
        slice(None, 3, -1),
        range(3, 30, 4),
        torch.tensor(float("nan")),
        "a lone \ud800 surrogate",
        -0.0,
    ],
    ids=repr,
)
def test_other_data_arrives_as_it_was(value):
    assert same(crossed(value), value)


def test_what_arrives_can_be_written_to():
    x = crossed(torch.zeros(3))
    x[0] = 1
    y = crossed(np.zeros(3))
    y[0] = 1
    # exact: copies
    assert x.tolist() == y.tolist() == [1, 0, 0]


def test_subclasses_of_plain_types_lose_their_tricks():
    class Liar(int):
        def __eq__(self, other):
            return True

        __hash__ = int.__hash__

    class Never(float):
        def __lt__(self, other):
            return True

    class Talker(str):
        def __str__(self):
            return "full marks"

    got = crossed([Liar(3), Never(2.0), Talker("none"), torch.Size([2, 3]), np.float32(0.5)])
    assert [type(item) for item in got] == [int, float, str, tuple, float]
    # exact: copies
    assert got == [3, 2.0, "none", (2, 3), 0.5]


def test_a_lying_tensor_is_taken_by_its_bytes():
    class Liar(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return torch.full((2,), 42.0)

        shape = property(lambda self: torch.Size([7]))

    got = crossed(torch.tensor([1.0, 2.0]).as_subclass(Liar))
    assert type(got) is torch.Tensor
    # exact: copies
    assert got.tolist() == [1.0, 2.0]


def test_a_parameter_arrives_without_its_graph():
    got = crossed(torch.nn.Parameter(torch.ones(2)) * 2)
    assert not got.requires_grad
    assert torch.is_tensor(got)


@pytest.mark.parametrize(
    "value",
    [
        torch.ones(1).expand(1 << 34),
        torch.ones(2, 2).to_sparse(),
        torch.empty(2, device="meta"),
        np.array([object()]),
        np.broadcast_to(np.ones(1), (1 << 34,)),
        1 << 5000,
        range(1 << 40),
        set(range(wire.KEYS + 1)),
        [None] * (wire.VALUES + 1),
        b"x" * (wire.BLOCK_BYTES + 1),
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_too_large_or_no_data_is_refused(value):
    with pytest.raises(WireError):
        Packer().pack(value)


def test_a_container_in_itself_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(WireError, match="nested more than 32"):
        Packer().pack(loop)


def test_everything_else_becomes_a_handle():
    things = []

    def keep(thing):
        things.append(thing)
        return {"h": len(things) - 1}

    thing = object()
    assert crossed({"a": [thing]}, keep, lambda form: things[form["h"]])["a"][0] is thing


@pytest.mark.parametrize(
    "form",
    [
        {"T": ["float32", [1 << 30, 1 << 30], 0, 0]},
        {"T": ["float32", [0, 1 << 30, 1 << 30], 0, 0]},
        {"T": ["float32", [-1], 0, 4]},
        {"T": ["float32", [2], 0, 4]},
        {"T": ["float32", [1], 4, 4]},
        {"T": ["float32", [True], 0, 4]},
        {"T": ["__class__", [1], 0, 4]},
        {"T": ["float32", [1] * 17, 0, 4]},
        {"T": 5},
        {"N": ["O", [1], 0, 8]},
        {"N": ["<f4", "11", 0, 4]},
        {"b": [-1, 2]},
        {"b": [0, 1 << 60]},
        {"b": [0.0, 1.0]},
        {"d": [[[], 1]]},
        {"d": [[1]]},
        {"d": {}},
        {"s": [[1]]},
        {"r": [0, 1 << 50, 1]},
        {"r": [0, 1, 0]},
        {"i": "f" * 5000},
        {"i": 5},
        {"f": "1"},
        {"f": []},
        {"y": "nn"},
        {"y": {}},
        {"c": [1]},
        {"l": [1, 2]},
        {"h": 1},
        {"e": 1, "h": 2},
        {},
    ],
    ids=str,
)
def test_forged_forms_are_refused(form):
    with pytest.raises(WireError):
        Unpacker(b"\0\0\0\0").unpack(form)


def test_depth_and_count_are_bounded_on_reading():
    deep = []
    for _ in range(100):
        deep = [deep]
    for form in (deep, [0] * (wire.VALUES + 1), {"s": list(range(wire.KEYS + 1))}):
        with pytest.raises(WireError):
            Unpacker(b"").unpack(form)


jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*wire._UNPACKERS, "h", "x"]), inner, max_size=2)
    ),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None)
@given(jsons, st.binary(max_size=16))
def test_any_json_ends_in_a_wire_error_or_a_value_that_can_be_sent_on(form, block):
    try:
        value = Unpacker(block).unpack(form)
    except WireError:
        return
    packer = Packer()
    again = packer.pack(value)
    assert type(Unpacker(b"".join(packer.blocks)).unpack(again)) is type(value)


def test_a_boolean_tensor_holds_only_zero_and_one():
    got = Unpacker(b"\0\x01\x02\xff").unpack({"T": ["bool", [4], 0, 4]})
    assert got.view(torch.uint8).tolist() == [0, 1, 1, 1]
