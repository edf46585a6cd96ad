"""Whose fault it is that a test ran out of time: on clocks that only the test moves."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

from lmcourse.grading.bridge import assertions
from lmcourse.grading.bridge.judge import Judge
from lmcourse.grading.bridge.proxies import Link
from lmcourse.grading.outcomes import TestOutcome
from lmcourse.grading.sandbox import frames
from lmcourse.grading.sandbox.budgets import Deadline

CALL_SECONDS, TEST_SECONDS = 2.0, 4.0


class Times:
    """Seconds so far: the clock's, and the processor's for the test and for the learner's code."""

    def __init__(self):
        self.clock = self.test = self.learner = 0.0

    def pass_by(self, clock=0.0, *, test=0.0, learner=0.0):
        """So much work is done, or nothing but waiting."""
        self.clock += clock + test + learner
        self.test += test
        self.learner += learner


class Learner(socket.socket):
    """The end of a connection at which the learner's code is played by a function.

    Args:
        play: is called with each question, while its answer is awaited, and returns the answer;
            None is no answer yet.
    """

    def __init__(self, play):
        super().__init__(socket.AF_UNIX)
        self._play, self._question, self._answer = play, {}, b""

    def settimeout(self, seconds):
        pass

    def send(self, message):
        size, _ = struct.unpack(">II", message[:8])
        self._question = json.loads(bytes(message[8 : 8 + size]))
        return len(message)

    def recv(self, size):
        if not self._answer:
            answer = self._play(self._question)
            if answer is None:
                raise TimeoutError
            text = json.dumps({"seq": self._question["seq"], **answer}).encode()
            self._answer = struct.pack(">II", len(text), 0) + text
        part, self._answer = self._answer[:size], self._answer[size:]
        return part


@pytest.fixture
def times(monkeypatch):
    times = Times()
    monkeypatch.setattr(time, "monotonic", lambda: times.clock)
    monkeypatch.setattr(time, "process_time", lambda: times.test)
    return times


@pytest.fixture
def judged(times):
    """The outcome of a test that may `ask` the learner's code and `work` itself."""
    before, learners = signal.getsignal(signal.SIGALRM), []

    def judge(source, play, **names):
        learners.append(Learner(play))
        link = Link(learners[-1], CALL_SECONDS, 10_000, lambda: times.learner)
        judge = Judge(link, ())
        judge._names |= {"ask": lambda **packed: link.ask("call", packed, h=0), **names}
        judge._names["work"] = lambda seconds: times.pass_by(test=seconds)
        return judge.test(source, TEST_SECONDS)

    yield judge
    signal.signal(signal.SIGALRM, before)
    assertions.carry_probes_with(None)  # a judge is made for a process of its own
    for learner in learners:
        learner.close()


OUT_OF_TIME = ("failed", "it ran out of time")
NOT_THEIRS = ("ungraded", "")


def ended(outcome):
    return outcome.verdict, outcome.died


@pytest.mark.parametrize("spent", [{"learner": TEST_SECONDS}, {"clock": 3 * TEST_SECONDS}])
def test_an_alarm_in_the_middle_of_a_wait_counts_that_wait(judged, times, spent):
    """An endless loop of the learner's, and one that sleeps: the alarm comes before any look."""

    def endless(question):
        times.pass_by(**spent)
        signal.raise_signal(signal.SIGALRM)

    assert ended(judged("ask()", endless)) == OUT_OF_TIME


def test_an_alarm_in_the_work_of_the_test_itself_blames_the_test(judged, times):
    def alarm():
        times.pass_by(test=TEST_SECONDS)
        signal.raise_signal(signal.SIGALRM)

    assert ended(judged("ask()\nalarm()", lambda question: {"value": 1}, alarm=alarm)) == NOT_THEIRS


def test_an_alarm_that_comes_too_early_ends_nothing(judged):
    outcome = judged("alarm()", None, alarm=lambda: signal.raise_signal(signal.SIGALRM))
    assert outcome == TestOutcome(verdict="passed", fraction=1.0)


@pytest.mark.parametrize("spent", [{"learner": CALL_SECONDS}, {"clock": 3 * CALL_SECONDS}])
def test_a_call_that_does_not_end_fails_its_test(judged, times, spent):
    assert ended(judged("ask()", lambda question: times.pass_by(**spent))) == OUT_OF_TIME


def test_a_pause_of_the_machine_in_a_call_costs_nothing(judged, times):
    """Each answer comes only after it: the learner's process was stopped as well."""
    paused = []

    def stopped(question):
        if paused and paused[-1] == question["seq"]:
            return {"value": 1}
        paused.append(question["seq"])
        times.pass_by(clock=1000 * TEST_SECONDS)
        return None

    outcome = judged("for _ in range(10): ask()", stopped)
    assert ended(outcome) == ("passed", ""), outcome
    assert len(paused) == 10


def test_a_pause_in_a_call_does_not_make_a_test_that_sleeps_the_learners(judged, times):
    def stopped(question):
        times.pass_by(clock=1000 * TEST_SECONDS)
        return {"value": 1}

    def alarm():
        times.pass_by(clock=TEST_SECONDS)
        signal.raise_signal(signal.SIGALRM)

    outcome = judged("ask()\nwhile True: alarm()", stopped, alarm=alarm)
    assert ended(outcome) == NOT_THEIRS, outcome


def test_a_slow_test_that_now_and_then_calls_the_learner_blames_the_test(judged, times):
    """Its time is over in the middle of a call, in which no alarm has come."""

    def quick(question):
        times.pass_by(learner=0.001)
        return {"value": 1}

    assert ended(judged("while True:\n    ask()\n    work(0.5)", quick)) == NOT_THEIRS


def test_slow_calls_in_a_slow_test_fail_it(judged, times):
    def slow(question):
        times.pass_by(learner=0.1)
        return {"value": 1}

    assert ended(judged("while True:\n    ask()\n    work(0.5)", slow)) == OUT_OF_TIME


def test_waiting_for_a_processor_is_not_working(judged, times):
    """The learner's process gets no processor for a while; then the test never ends."""

    def starved(question):
        times.pass_by(clock=CALL_SECONDS - 0.1)
        return {"value": 1}

    assert ended(judged("ask()\nwhile True:\n    work(0.5)\n    ask()", starved)) == NOT_THEIRS


def test_the_work_of_a_tests_own_function_is_not_the_learners(judged, times):
    def calls_back(question):
        if "op" not in question:  # it is what the function returned
            return {"value": 1}
        return {"callback": question["f"]["callback"], "args": [], "kwargs": {"d": []}}

    def slow():
        times.pass_by(test=CALL_SECONDS + 0.1)

    outcome = judged("ask(f=slow)", calls_back, slow=slow)
    assert ended(outcome) == NOT_THEIRS, outcome


def test_the_reading_of_an_endless_answer_is_the_learners(judged, times, monkeypatch):
    """What is costly to read and cheap to send cannot pass for a slow test."""

    def costly(text, read=json.loads):
        times.pass_by(test=0.1)
        return read(text)

    def invented(question):
        times.pass_by(learner=0.001)
        return {"seq": -1}

    monkeypatch.setattr(json, "loads", costly)
    assert ended(judged("ask()", invented)) == OUT_OF_TIME


SERVE = """
import socket, sys
from lmcourse.grading.bridge.judge import serve
serve(socket.socket(fileno=int(sys.argv[1])), {})
"""


def linked(channel, number):
    """Give the judge another learner's process: a connection to it, and two files of its meter."""
    head = {"op": "link", "wanted": [], "call_seconds": 1.0, "frames": 1, "number": number}
    end, theirs = socket.socketpair()
    with end, theirs, open("/proc/self/stat") as stat, open(os.devnull) as keepers:
        frames.send(channel, head)
        files = [theirs.fileno(), stat.fileno(), keepers.fileno()]
        socket.send_fds(channel, [b"."], files)
        frames.receive(channel, Deadline(600.0))


def test_a_judge_keeps_no_file_open_of_a_learners_process_that_was_replaced():
    channel, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-c", SERVE, str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    n_open = []
    with process, channel:
        for number in range(4):
            linked(channel, number)
            n_open.append(len(os.listdir(f"/proc/{process.pid}/fd")))
    assert n_open == [n_open[0]] * 4
    assert process.returncode == 0
