"""In how many gradings is each wrong answer caught, where inputs are drawn anew for each?

One grading decides a learner's points: a test that waits for the special value to be drawn lets
some of the same wrong answers pass. Each draw runs the test cells of the fault's own task in a
fork of a process where the answer stands, with seeds of its own, as the grader does.
"""

import hashlib
import json
import math
import os
import random
import re
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from fault_runs import execute, first_error, forked
from task_cells import Assignment

from lmcourse.grading.sandbox.seeds import reseed

WANTED = 0.99  # of the draws must catch a fault
CONFIDENCE = 0.95
CPU_SECONDS = 30  # for one draw
FIRST = 2  # draws, by which a fault is seen to be decided without chance
BATCH = 20  # draws of a fault before the others have their turn
# What neither the seed nor a generator's state tells of.
_UNSEEN = re.compile(
    r"secrets|SystemRandom|urandom|Random\(\)|default_rng\(\)|\btime\.\w|from time|uuid"
)


@dataclass(kw_only=True)
class Draws:
    """How often one fault was caught.

    Args:
        certain: nothing was drawn before the tests failed, or nothing that the seed changes: they
            fail in each grading, and were not repeated.
        unclear: draws that ended without an answer: out of time, or a dead process. They are
            counted as caught, as a grader would.
    """

    name: str
    task: str
    origin: str = "own"
    draws: int = 0
    caught: int = 0
    unclear: int = 0
    certain: bool = False

    @property
    def rare(self) -> bool:
        """Whether it is caught in less than the wanted share of its draws."""
        return self.caught < WANTED * self.draws

    @property
    def at_least(self) -> float:
        """The share of all gradings in which it is caught, by the draws: a lower bound."""
        return 1.0 if self.certain else lower_bound(self.caught, self.draws)


def lower_bound(caught: int, draws: int, confidence: float = CONFIDENCE) -> float:
    """The smallest probability with which that many or more are caught in 1 of 20 such runs.

    All of 100 draws: 97.0 %; it takes 299 to be as sure of 99 %.

    Reference: Clopper and Pearson (1934), one-sided.
    """
    low, high = 0.0, 1.0
    for _ in range(50 if caught else 0):
        middle = (low + high) / 2
        tail = sum(
            math.comb(draws, k) * middle**k * (1 - middle) ** (draws - k)
            for k in range(caught, draws + 1)
        )
        low, high = (middle, high) if tail < 1 - confidence else (low, middle)
    return low


def measure(
    assignment: Assignment,
    wrong: Iterable,
    draws: int,
    seconds: float,
    done: Callable[[int], object] = lambda count: None,
) -> list[Draws]:
    """Draw up to `draws` times for each wrong answer, for about so many seconds in all.

    All get their first draws before any gets more, so that each has about as many when time ends.

    Args:
        done: is called with the number of draws that were done, or need not be done.
    """
    end, answers = time.monotonic() + seconds, list(wrong)
    found = [Draws(name=a.name, task=a.task, origin=a.origin) for a in answers]
    cells = [assignment.needed(a.task, a.source(assignment.solutions[a.task])) for a in answers]
    goal = min(FIRST, draws)
    while True:
        open_ = [i for i, own in enumerate(found) if not own.certain and own.draws < goal]
        calls = []
        for i in open_:
            tests = [whole for _, whole in assignment.tests_of(found[i].task).values()]
            numbers = range(found[i].draws, goal)
            # The last limit is for what does not end by itself.
            limit = max(1.0, end - time.monotonic()) + 2 * CPU_SECONDS
            calls.append((partial(_draw, cells[i], tests, numbers, end), limit))
        for call, said in forked(calls):
            own = found[open_[call]]
            before = own.draws
            _add(own, said if isinstance(said, list) else [])
            done(draws - before if own.certain else own.draws - before)
        if goal >= draws or time.monotonic() >= end:
            return found
        goal = min(goal + BATCH, draws)


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """What became of one draw; `state` is that of all generators, None if chance is not seen."""

    caught: bool
    clear: bool = True
    state: str | None = None


def _add(own: Draws, drawn: list[_Drawn]) -> None:
    first = not own.draws
    own.draws += len(drawn)
    own.caught += sum(one.caught for one in drawn)
    own.unclear += sum(not one.clear for one in drawn)
    states = {one.state for one in drawn}
    if first and len(drawn) >= FIRST and own.caught == own.draws:
        # An endless loop costs its time in each draw; those of the first say enough.
        own.certain = own.unclear == own.draws or (len(states) == 1 and None not in states)


def _draw(cells: list[str], tests: list[str], numbers: range, end: float) -> list[_Drawn]:
    names = {"__name__": "__main__"}
    if time.monotonic() >= end:
        return []
    if first_error(cells, names):
        return [_Drawn(caught=True, state="broken")] * len(numbers)
    unseen = any(_UNSEEN.search(text) for text in [*cells, *tests])
    found = []
    for number in numbers:
        if time.monotonic() >= end:
            break
        found.append(_one_draw(names, tests, number, unseen))
    return found


def _one_draw(names: dict, tests: list[str], number: int, unseen: bool) -> _Drawn:
    """The tests in a fork, so that no draw finds what another one left behind."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            used = resource.getrusage(resource.RUSAGE_SELF)
            limit = math.ceil(used.ru_utime + used.ru_stime) + CPU_SECONDS
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            said = json.dumps(_tested(names, tests, number, unseen))
            with os.fdopen(writer, "w") as pipe:
                pipe.write(said)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if not said:
        return _Drawn(caught=True, clear=False)
    caught, state = json.loads(said)
    return _Drawn(caught=caught, state=state)


def _tested(names: dict, tests: list[str], number: int, unseen: bool) -> tuple[bool, str | None]:
    """Whether a test failed, and the generators' state then; None if chance had a part, or may."""
    asked = []

    def seed() -> int:
        """What the judge gives a test that asks for other inputs."""
        asked.append(number)
        return torch.initial_seed()

    torch.seed = seed
    caught, before = False, []
    for place, test in enumerate(tests):
        digest = hashlib.sha256(f"{number} {place}".encode()).digest()
        reseed(int.from_bytes(digest[:8]) >> 1)
        before.append(_states())
        if execute(test, dict(names)):
            caught = True
            break
    if unseen or asked or not caught:
        return caught, None
    # Untouched, they still hold the draw's own seed.
    now = [s if s != b else "untouched" for s, b in zip(_states(), before[-1], strict=True)]
    return True, " ".join(now)


def _states() -> list[str]:
    theirs = [
        part.tobytes() if hasattr(part, "tobytes") else part for part in np.random.get_state()
    ]
    states = (torch.get_rng_state().numpy().tobytes(), random.getstate(), theirs)
    return [hashlib.sha256(repr(state).encode()).hexdigest() for state in states]


def table(slug: str, found: list[Draws]) -> list[str]:
    """The faults of an assignment that are caught too rarely, and what the draws say of all."""
    rare = [own for own in found if own.rare]
    wide = max([len(own.name) for own in rare], default=0) + 2
    tall = max([len(own.task) for own in rare], default=0) + 2
    lines = [
        f"{slug}: {own.name:{wide}}{own.task:{tall}}{own.origin:7}caught in {own.caught} of "
        f"{own.draws} draws: in at least {own.at_least:.1%}"
        for own in rare
    ]
    certain = sum(own.certain for own in found)
    unclear = sum(own.unclear > 0 for own in found)
    drawn = [own.draws for own in found if not own.certain]
    fewest, most = min(drawn, default=0), max(drawn, default=0)
    times = f"{most}" if fewest == most else f"{fewest} to {most}"
    lines.append(
        f"{slug}: {certain} of {len(found)} faults are caught without chance; {len(drawn)} were "
        f"drawn {times} times, {len(rare)} of them are caught in less than {WANTED:.0%}"
    )
    if unclear:
        lines.append(f"{slug}: {unclear} ran out of time or ended their process")
    return lines


def summary(found: list[Draws], draws: int) -> list[str]:
    """The last lines: what so many draws can say, and the count of faults left to chance."""
    short = [own for own in found if not own.certain and own.draws < draws]
    fewest = min((own.draws for own in found if not own.certain), default=draws)
    lines = [
        f"{len(short)} of {len(found)} faults have fewer than {draws} draws, for time was over "
        f"(the fewest: {fewest})"
    ] if short else []  # fmt: skip
    bound = f"{lower_bound(fewest, fewest):.1%}" if fewest else "nothing"
    lines.append(
        f"caught in all of {fewest} draws says: in at least {bound} of gradings, with "
        f"{CONFIDENCE:.0%} confidence"
    )
    rare = sum(own.rare for own in found)
    return [*lines, f"faults caught in less than {WANTED:.0%} of draws: {rare} of {len(found)}"]
