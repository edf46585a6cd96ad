"""A hostile socket costs bounded memory and time."""

import socket
import struct
import threading
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcourse.grading.safe_text import scrub
from lmcourse.grading.sandbox import frames
from lmcourse.grading.sandbox.budgets import Budgets, Deadline
from lmcourse.grading.sandbox.frames import ClosedError, Inbox, WireError, receive, send


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_message_arrives_whole(pair):
    ours, theirs = pair
    send(theirs, {"op": "x"}, [b"ab", b"c"])
    send(theirs, {})
    assert receive(ours, Deadline(1.0)) == ({"op": "x"}, b"abc")
    assert receive(ours, Deadline(1.0)) == ({}, b"")


def read_all(sock):
    while True:
        receive(sock, Deadline(5.0))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes_end_in_a_message_or_a_refusal(noise):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(noise)
        theirs.close()
        with pytest.raises((WireError, ClosedError)):
            read_all(ours)


@pytest.mark.parametrize("lengths", [(1 << 31, 0), (2, 1 << 31), (frames.HEADER_BYTES + 1, 0)])
def test_announced_lengths_are_checked_before_memory_is_taken(pair, lengths):
    ours, theirs = pair
    theirs.sendall(struct.pack(">II", *lengths) + b"{}")
    tracemalloc.start()
    with pytest.raises(WireError, match="too large"):
        receive(ours, Deadline(1.0))
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


@pytest.mark.parametrize("text", [b"[1]", b"{", b"\xff", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_json_object_is_refused(pair, text):
    ours, theirs = pair
    theirs.sendall(struct.pack(">II", len(text), 0) + text)
    with pytest.raises(WireError):
        receive(ours, Deadline(1.0))


def test_a_byte_at_a_time_does_not_stretch_the_deadline(pair):
    ours, theirs = pair
    done = threading.Event()

    def drip():
        theirs.sendall(struct.pack(">II", 1000, 0))
        for _ in range(1000):
            if done.wait(0.02):
                return
            theirs.sendall(b" ")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        # Stretched, it would end with the whole message, which is no JSON: a WireError.
        with pytest.raises(TimeoutError):
            receive(ours, Deadline(0.2))
    finally:
        done.set()
        thread.join()


def test_what_has_come_when_the_deadline_passes_has_come(pair):
    ours, theirs = pair
    send(theirs, {"op": "x"}, [b"ab"])
    assert receive(ours, Deadline(0.0)) == ({"op": "x"}, b"ab")


def test_a_message_that_came_in_part_when_the_wait_ended_is_kept(pair):
    """Wherever it was cut: the next wait has the rest, and the message after it."""
    ours, theirs = pair
    text = b'{"op":"x"}'
    message = struct.pack(">II", len(text), 3) + text + b"abc"
    inbox = Inbox(ours)
    for cut in range(1, len(message)):
        theirs.sendall(message[:cut])
        with pytest.raises(TimeoutError):
            inbox.receive(Deadline(0.0))
        theirs.sendall(message[cut:])
        assert inbox.receive(Deadline(0.0)) == ({"op": "x"}, b"abc")


def test_a_byte_at_a_time_without_a_pause_does_not_stretch_the_deadline():
    class Drip(socket.socket):
        """There is always one more byte."""

        def settimeout(self, seconds):
            pass

        def recv(self, size):
            return b"\0" if self.left.pop() else b"\1"

    with Drip() as drip:
        drip.left = [0] * 10_000 + [0, 1, 1, 1]  # it begins with a length of 65,536
        with pytest.raises(TimeoutError):
            receive(drip, Deadline(0.0))
        assert len(drip.left) > 9_000


def test_a_side_that_does_not_read_does_not_stop_the_other(pair):
    with pytest.raises(TimeoutError):
        send(pair[0], {}, [b"x" * (8 << 20)], Deadline(0.2))


def test_a_side_that_has_gone_is_noticed(pair):
    ours, theirs = pair
    theirs.close()
    with pytest.raises(ClosedError):
        receive(ours, Deadline(1.0))
    with pytest.raises(ClosedError):
        send(ours, {}, [b"x" * (1 << 20)], Deadline(1.0))


def test_a_message_that_is_too_large_is_not_sent(pair):
    with pytest.raises(WireError, match="too large"):
        send(pair[0], {"text": "x" * (frames.HEADER_BYTES + 1)})


def test_a_deadline_within_another_never_adds_to_it():
    outer = Deadline(1.0)
    assert Deadline(5.0, within=outer).look() <= 1
    assert Deadline(0.1, within=outer).look() <= 0.1
    assert Deadline(0.0).passed


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_a_budget_must_be_positive_and_finite(value):
    with pytest.raises(ValueError, match="call_seconds must be positive and finite, got"):
        Budgets(call_seconds=value)


def test_scrubbed_text_can_be_written_and_is_short():
    assert scrub("a\ud800b").encode() == b"a\\ud800b"
    assert len(scrub("x" * 10_000, 300)) < 320
    assert scrub(5) == ""
