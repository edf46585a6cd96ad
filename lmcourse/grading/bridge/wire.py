"""Values between two processes that do not trust each other: JSON and raw bytes, never pickle.

Chapter: book/instructors/sandbox.md

Threat: the other side writes whatever it likes. Reading costs bounded memory and time, builds only
plain data of the types listed here, and ends in a value or in a `WireError`. An object that is no
plain data crosses as a handle, which means something only to the side that gave it out.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from lmcourse.grading.sandbox.budgets import MIB
from lmcourse.grading.sandbox.frames import BLOCK_BYTES, WireError

DEPTH = 32  # containers within containers
VALUES = 200_000  # values in one message
KEYS = 20_000  # keys of one dict or set: colliding hashes cost their square
INTEGER_BITS = 4096
RANGE_ITEMS = 1_000_000

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
        *(torch.complex64, torch.complex128),
    )
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_ARRAYS = {np.dtype(code).str for code in "?bBhHiIqQefdFD"}


class Packer:
    """Turns values into JSON; the contents of tensors gather in `blocks`.

    Args:
        other: what to send for an object that is no data: a JSON object with keys of its own.
    """

    def __init__(self, other: Callable[[Any], dict] | None = None):
        self.blocks: list[bytes] = []
        self._other = other
        self._bytes = self._values = 0

    def pack(self, value: Any, depth: int = 0) -> Any:
        """The JSON for one value.

        Raises:
            WireError: it is too large, too deep, or no data while nothing stands for other objects.
        """
        self._values += 1
        if depth > DEPTH:
            raise WireError(f"nested more than {DEPTH} deep, or holding itself")
        if self._values > VALUES:
            raise WireError(f"more than {VALUES} values")
        if value is None or value is True or value is False or type(value) is str:
            return value
        for kinds, pack in _PACKERS:
            if isinstance(value, kinds):
                return pack(self, value, depth + 1)
        if self._other is None:
            raise WireError(f"an object of type {type(value).__name__} is no plain data")
        return self._other(value)

    def _block(self, contents: bytes) -> list[int]:
        place = [self._bytes, len(contents)]
        self._reserve(len(contents))
        self._bytes += len(contents)
        self.blocks.append(contents)
        return place

    def _reserve(self, size: int) -> None:
        if self._bytes + size > BLOCK_BYTES:
            raise WireError(f"more than {BLOCK_BYTES // MIB} MiB of data")

    def _integer(self, value: int, depth: int) -> Any:
        value = int.__add__(value, 0)
        if value.bit_length() > INTEGER_BITS:
            raise WireError(f"an integer of more than {INTEGER_BITS} bits")
        return value if value.bit_length() < 64 else {"i": hex(value)}

    def _number(self, value: float, depth: int) -> Any:
        value = float.__float__(value)
        return value if math.isfinite(value) else {"f": str(value)}

    def _tensor(self, value: torch.Tensor, depth: int) -> dict:
        """Its bytes, whatever a subclass says of itself; the size is checked before any copy."""
        with torch._C.DisableTorchFunctionSubclass():
            try:
                x = torch.Tensor.detach(value).as_subclass(torch.Tensor)
                if x.layout is not torch.strided or x.dtype not in _NAMES or x.is_meta:
                    raise WireError(
                        f"a tensor of dtype {x.dtype} and layout {x.layout} cannot be sent"
                    )
                shape = list(x.shape)
                # A tensor expanded from one number has a huge shape and next to no memory.
                self._reserve(math.prod(shape) * x.element_size())
                x = x.resolve_conj().resolve_neg().cpu().contiguous()
                # One element counts as contiguous with any stride, and could not be read as bytes.
                x = x.as_strided((x.numel(),), (1,))
                contents = x.view(torch.uint8).numpy().tobytes() if x.numel() else b""
            except (RuntimeError, TypeError, NotImplementedError) as error:
                raise WireError(f"a tensor that cannot be read: {error}") from None
        return {"T": [_NAMES[x.dtype], shape, *self._block(contents)]}

    def _array(self, value: np.ndarray, depth: int) -> dict:
        value = np.ndarray.view(value, np.ndarray)
        if value.dtype.str not in _ARRAYS:
            raise WireError(f"an array of dtype {value.dtype} cannot be sent")
        self._reserve(math.prod(value.shape) * value.dtype.itemsize)
        return {"N": [value.dtype.str, list(value.shape), *self._block(value.tobytes())]}

    def _dict(self, value: dict, depth: int) -> dict:
        self._countable(value)
        return {"d": [[self.pack(k, depth), self.pack(v, depth)] for k, v in dict.items(value)]}

    def _set(self, value: set | frozenset, depth: int) -> dict:
        self._countable(value)
        tag, kind = ("s", set) if isinstance(value, set) else ("z", frozenset)
        return {tag: [self.pack(item, depth) for item in kind.__iter__(value)]}

    def _countable(self, value: dict | set | frozenset) -> None:
        if len(value) > KEYS:
            raise WireError(f"more than {KEYS} keys in one {type(value).__name__}")

    def _range(self, value: range, depth: int) -> dict:
        _check_range(value)
        return {"r": [value.start, value.stop, value.step]}


def _check_range(value: range) -> None:
    if abs(value.stop - value.start) // abs(value.step) > RANGE_ITEMS:
        raise WireError(f"a range of more than {RANGE_ITEMS} numbers")


# The order matters: a class stands before those that it derives from.
_PACKERS: list[tuple[Any, Callable[[Packer, Any, int], Any]]] = [
    (torch.Tensor, Packer._tensor),
    (list, lambda p, v, d: [p.pack(item, d) for item in list.__iter__(v)]),
    (tuple, lambda p, v, d: {"t": [p.pack(item, d) for item in tuple.__iter__(v)]}),
    (dict, Packer._dict),
    (int, Packer._integer),
    (float, Packer._number),
    (str, lambda p, v, d: str.__str__(v)),
    (complex, lambda p, v, d: {"c": [p.pack(v.real, d), p.pack(v.imag, d)]}),
    ((bytes, bytearray), lambda p, v, d: {"b": p._block(bytes(v))}),
    ((set, frozenset), Packer._set),
    (slice, lambda p, v, d: {"l": [p.pack(end, d) for end in (v.start, v.stop, v.step)]}),
    (range, Packer._range),
    (torch.dtype, lambda p, v, d: {"y": str(v).removeprefix("torch.")}),
    (type(Ellipsis), lambda p, v, d: {"e": 0}),
    (np.ndarray, Packer._array),
    (
        np.generic,
        lambda p, v, d: p.pack(v.item(), d) if not isinstance(v, np.void) else p._other(v),
    ),
]


class Unpacker:
    """Turns JSON and a block of bytes back into values; all of it is hostile until checked.

    Args:
        other: the meaning of a JSON object that stands for no data.
    """

    def __init__(self, block: bytes, other: Callable[[dict], Any] | None = None):
        self._block = block
        self._other = other
        self._values = 0

    def unpack(self, form: Any) -> Any:
        """The value of one JSON form.

        Raises:
            WireError: it is not one that `Packer` writes.
        """
        try:
            return self._value(form, 0)
        except WireError:
            raise
        except Exception as error:
            raise WireError(f"unreadable data ({type(error).__name__})") from None

    def _value(self, form: Any, depth: int) -> Any:
        self._values += 1
        if depth > DEPTH + 1 or self._values > VALUES:
            raise WireError("nested too deeply, or too many values")
        kind = type(form)
        if form is None or kind in (bool, int, float, str):
            return form
        if kind is list:
            return [self._value(item, depth + 1) for item in form]
        if kind is not dict:
            raise WireError("unreadable data")
        if len(form) == 1:
            [(tag, body)] = form.items()
            if tag in _UNPACKERS:
                return _UNPACKERS[tag](self, body, depth + 1)
        if self._other is None:
            raise WireError("an object where plain data must stand")
        return self._other(form)

    def _items(self, body: Any, depth: int, count: int | None = None) -> list:
        if type(body) is not list or (count is not None and len(body) != count):
            raise WireError("unreadable data")
        return [self._value(item, depth) for item in body]

    def _keys(self, body: Any, depth: int) -> list:
        if type(body) is not list or len(body) > KEYS:
            raise WireError("unreadable data, or too many keys")
        return self._items(body, depth)

    def _bytes(self, start: Any, size: Any) -> bytes:
        if not (type(start) is int and type(size) is int and start >= 0 and size >= 0):
            raise WireError("unreadable data")
        if start + size > len(self._block):
            raise WireError("data that did not come along")
        return self._block[start : start + size]

    def _contents(self, shape: Any, item: int, start: Any, size: Any) -> bytearray:
        if type(shape) is not list or len(shape) > 16:
            raise WireError("unreadable shape")
        if not all(type(length) is int and 0 <= length < 1 << 31 for length in shape):
            raise WireError("unreadable shape")
        # Lengths of an empty tensor count too: a test may sum over the empty one.
        if math.prod(max(1, length) for length in shape) * item > BLOCK_BYTES:
            raise WireError("a tensor that is too large")
        if math.prod(shape) * item != size:
            raise WireError("a tensor whose shape and data differ")
        return bytearray(self._bytes(start, size))

    def _tensor(self, body: list, depth: int) -> torch.Tensor:
        name, shape, start, size = body
        dtype = _DTYPES[name]
        contents = self._contents(shape, dtype.itemsize, start, size)
        if not contents:
            return torch.empty(shape, dtype=dtype)
        if dtype is torch.bool:  # a byte other than 0 and 1 in a boolean tensor is undefined
            return torch.frombuffer(contents, dtype=torch.uint8).ne(0).reshape(shape)
        return torch.frombuffer(contents, dtype=dtype).reshape(shape)

    def _array(self, body: list, depth: int) -> np.ndarray:
        code, shape, start, size = body
        if code not in _ARRAYS:
            raise WireError("an array of unknown dtype")
        dtype = np.dtype(code)
        contents = self._contents(shape, dtype.itemsize, start, size)
        if dtype == np.bool_:
            return (np.frombuffer(contents, dtype=np.uint8) != 0).reshape(shape)
        return np.frombuffer(contents, dtype=dtype).reshape(shape)

    def _dict(self, body: Any, depth: int) -> dict:
        if type(body) is not list or len(body) > KEYS:
            raise WireError("unreadable data, or too many keys")
        return {self._value(k, depth): self._value(v, depth) for k, v in body}

    def _integer(self, body: Any, depth: int) -> int:
        if type(body) is not str or len(body) > INTEGER_BITS // 4 + 3:
            raise WireError("unreadable integer")
        return int(body, 16)

    def _range(self, body: Any, depth: int) -> range:
        value = range(*self._items(body, depth, 3))
        _check_range(value)
        return value


_UNPACKERS: dict[str, Callable[[Unpacker, Any, int], Any]] = {
    "T": Unpacker._tensor,
    "N": Unpacker._array,
    "d": Unpacker._dict,
    "t": lambda u, body, depth: tuple(u._items(body, depth)),
    "s": lambda u, body, depth: set(u._keys(body, depth)),
    "z": lambda u, body, depth: frozenset(u._keys(body, depth)),
    "b": lambda u, body, depth: bytes(u._bytes(*body)),
    "i": Unpacker._integer,
    "f": lambda u, body, depth: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[body],
    "c": lambda u, body, depth: complex(*map(float, u._items(body, depth, 2))),
    "l": lambda u, body, depth: slice(*u._items(body, depth, 3)),
    "r": Unpacker._range,
    "y": lambda u, body, depth: _DTYPES[body],
    "e": lambda u, body, depth: Ellipsis,
}
