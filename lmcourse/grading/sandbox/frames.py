"""Messages on a socket: two lengths, a JSON object, a block of bytes.

Chapter: book/instructors/sandbox.md

Threat: the other side announces more than it sends, sends without end, a byte at a time, or
nothing. Lengths are checked before anything is kept, and every wait ends with the deadline.
"""

import json
import socket
import struct
from collections.abc import Iterable

from lmcourse.grading.sandbox.budgets import MIB, Deadline

HEADER_BYTES = 4 * MIB  # JSON of one message
BLOCK_BYTES = 64 * MIB  # contents of its tensors, arrays and byte strings
_LENGTHS = struct.Struct(">II")
_CHUNK = 1 << 20


class ClosedError(Exception):
    """The other side has gone."""


class WireError(Exception):
    """What was to be sent is no data, is too much, or what came cannot be read."""


def send(
    sock: socket.socket, head: dict, blocks: Iterable[bytes] = (), deadline: Deadline | None = None
) -> None:
    """Send one message.

    Raises:
        WireError: it is too large.
        ClosedError: nobody is there to read it.
        TimeoutError: the deadline passed before the other side had read it.
    """
    text = json.dumps(head).encode()
    block = b"".join(blocks)
    if len(text) > HEADER_BYTES or len(block) > BLOCK_BYTES:
        raise WireError("a message that is too large")
    left = memoryview(_LENGTHS.pack(len(text), len(block)) + text + block)
    while left:
        _wait_until(sock, deadline)
        try:
            left = left[sock.send(left) :]
        except TimeoutError:
            continue  # the deadline decides whether it has passed
        except OSError:
            raise ClosedError from None


def receive(sock: socket.socket, deadline: Deadline | None = None) -> tuple[dict, bytes]:
    """The next message: its JSON object, and its block.

    Raises:
        WireError: it is too large, or no JSON object.
        ClosedError: the other side has gone.
        TimeoutError: the deadline passed before the whole message was there.
    """
    text_size, block_size = _LENGTHS.unpack(_exactly(sock, _LENGTHS.size, deadline))
    if text_size > HEADER_BYTES or block_size > BLOCK_BYTES:
        raise WireError("a message that is too large")
    text = _exactly(sock, text_size, deadline)
    block = _exactly(sock, block_size, deadline)
    try:
        head = json.loads(text)
    except (ValueError, RecursionError):
        raise WireError("a message that cannot be read") from None
    if type(head) is not dict:
        raise WireError("a message that cannot be read")
    return head, block


def _exactly(sock: socket.socket, size: int, deadline: Deadline | None) -> bytes:
    # The buffer grows with what has come, never with what was announced.
    parts = bytearray()
    while len(parts) < size:
        _wait_until(sock, deadline)
        try:
            part = sock.recv(min(_CHUNK, size - len(parts)))
        except TimeoutError:
            continue
        except OSError:
            raise ClosedError from None
        if not part:
            raise ClosedError
        parts += part
    return bytes(parts)


def _wait_until(sock: socket.socket, deadline: Deadline | None) -> None:
    if deadline is None:
        sock.settimeout(None)
        return
    next_look = deadline.next_look
    if next_look <= 0:
        raise TimeoutError
    sock.settimeout(next_look)
