"""Messages on a socket: two lengths, a JSON object, a block of bytes.

Chapter: book/instructors/sandbox.md

Threat: the other side announces more than it sends, sends without end, a byte at a time, or
nothing. Lengths are checked before anything is kept, and every wait ends with the deadline. What
has come by then counts as come: it is read once more, without waiting, and what is there of a
message is kept for the next look.
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
_WAIT = 1.0  # seconds, at most, from look to look
_DRAINS = 64  # reads after the deadline, so that who sends byte by byte stretches nothing


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


class Inbox:
    """The messages that come on a socket. No part of one is lost when a wait for it ends."""

    def __init__(self, sock: socket.socket):
        self._sock, self._came = sock, bytearray()

    def receive(self, deadline: Deadline | None = None) -> tuple[dict, bytes]:
        """The next message: its JSON object, and its block. Nothing beyond it is read.

        Raises:
            WireError: it is too large, or no JSON object.
            ClosedError: the other side has gone.
            TimeoutError: the deadline passed before the whole message was there. Who asks again
                gets it, when it has come.
        """
        self._drains = _DRAINS
        self._fill(_LENGTHS.size, deadline)
        text_size, block_size = _LENGTHS.unpack_from(self._came)
        if text_size > HEADER_BYTES or block_size > BLOCK_BYTES:
            raise WireError("a message that is too large")
        end = _LENGTHS.size + text_size
        self._fill(end + block_size, deadline)
        text, block = bytes(self._came[_LENGTHS.size : end]), bytes(memoryview(self._came)[end:])
        self._came = bytearray()
        try:
            head = json.loads(text)
        except (ValueError, RecursionError):
            raise WireError("a message that cannot be read") from None
        if type(head) is not dict:
            raise WireError("a message that cannot be read")
        return head, block

    def _fill(self, size: int, deadline: Deadline | None) -> None:
        """Have so many bytes of the message."""
        # What is kept grows with what has come, never with what was announced.
        while len(self._came) < size:
            try:
                _wait_until(self._sock, deadline)
                late = False
            except TimeoutError:
                if not self._drains:
                    raise
                self._drains -= 1
                self._sock.settimeout(0.0)
                late = True
            try:
                part = self._sock.recv(min(_CHUNK, size - len(self._came)))
            except (TimeoutError, BlockingIOError):
                if late:
                    raise TimeoutError from None
                continue  # the deadline decides whether it has passed
            except OSError:
                raise ClosedError from None
            if not part:
                raise ClosedError
            self._came += part


def receive(sock: socket.socket, deadline: Deadline | None = None) -> tuple[dict, bytes]:
    """The next message on a socket on which no other wait has ended; see `Inbox.receive`."""
    return Inbox(sock).receive(deadline)


def _wait_until(sock: socket.socket, deadline: Deadline | None) -> None:
    if deadline is None:
        sock.settimeout(None)
        return
    wait = deadline.look(_WAIT)
    if wait <= 0:
        raise TimeoutError
    sock.settimeout(wait)
