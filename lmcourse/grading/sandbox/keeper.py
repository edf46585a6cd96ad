"""The keeper of one submission: outside its process namespace, an eye on all inside.

Chapter: book/instructors/sandbox.md

Threat: limits of the kernel hold for one process, and a submission may have many. What counts is
its whole process namespace, through a /proc of that namespace, which holds nobody else: whatever
it does, each of its processes is there. What they hide counts as too much.

* **Memory.** Pages that several of them share count once. A shared mapping without a name counts
  in full: its pages may stay where no process shows them.
* **The processor.** Children that nobody waits for work, too. A process that waits for a processor
  is not idle: these seconds are told apart.
* **Weight.** What a submission starts weighs less than other people's first processes: with many of
  them it has no larger share of a busy machine.

The keeper kills before it tells, and it tells through a file, which cannot be full. It still holds
the submission's sockets, so whoever sees their end finds the file written.
"""

import contextlib
import ctypes
import os
import platform
import re
import select
import signal
import time

from lmcourse.grading.sandbox import budgets

_GONE = (FileNotFoundError, ProcessLookupError)
_WATCH_SECONDS = 0.05
_SURE = 3  # looks in a row: a program that is being started is for a moment seen twice
_SURE_SECONDS = 0.01
_ADDRESSES = 4  # times the memory: what may be reserved in all
_SECOND_SIGHT = 10  # looks, after which what is dear to read is read again in any case
_FOR_SURE = 2  # times the memory: so much is too much, shared or not
_NICE = 15  # 32 processes of this weigh as much as one that nobody has lowered
_OURS = "1"  # the first process: it is of the sandbox, and runs no line of a learner's
_OTHERS = 3  # who shares the fork server's pages besides: it, the keeper and the first process

_libc = ctypes.CDLL(None)
_KCMP, _MEMORY = {"x86_64": 312, "aarch64": 272}.get(platform.machine(), -1), 1

_STATUS = re.compile(rb"^(VmSize|RssAnon|RssShmem|VmSwap):\s+(\d+) kB", re.M)
_KINDS = (b"VmSize", b"RssAnon", b"RssShmem", b"VmSwap")
_PROPORTIONAL = re.compile(rb"^(Pss_Anon|Pss_Shmem|SwapPss):\s+(\d+) kB", re.M)
_NAMELESS = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) ...s ([0-9a-f]+) (\S+ \d+) .*\(deleted\)$", re.M)


def keep(first: int, account: int, watch: "Watch") -> None:
    """Look until the first process has ended; end it when the submission has too much.

    Args:
        first: its pidfd.
        account: the file in which the grader and the judge read (`budgets.Meter`).
    """
    looks, wait, exceeded = 0, _WATCH_SECONDS, False
    while not select.select([first], [], [], wait)[0]:
        looks = looks + 1 if watch.look() else 0
        wait = _SURE_SECONDS if looks else _WATCH_SECONDS
        if looks >= _SURE:
            signal.pidfd_send_signal(first, signal.SIGKILL)
            exceeded = True
        os.pwrite(account, budgets.account(watch.worked, watch.starved, exceeded), 0)


class Processes:
    """A /proc through a descriptor of it."""

    def __init__(self, folder: int):
        self._folder = folder

    def numbers(self, path: str = ".") -> list[str]:
        """The processes, or the threads of one; none, if it has just gone."""
        try:
            folder = os.open(path, os.O_RDONLY, dir_fd=self._folder)
        except _GONE:
            return []
        try:
            return [name for name in os.listdir(folder) if name.isdigit()]
        except _GONE:
            return []
        finally:
            os.close(folder)

    def read(self, path: str) -> bytes:
        """The contents of a file; empty, if its process has gone."""
        try:
            with open(os.open(path, os.O_RDONLY, dir_fd=self._folder), "rb") as file:
                return file.read()
        except _GONE:
            return b""

    def write(self, path: str, text: str) -> None:
        """Write to a file that is there; nothing happens where it is not, or not ours."""
        with contextlib.suppress(OSError):
            file = os.open(path, os.O_WRONLY, dir_fd=self._folder)
            try:
                os.write(file, text.encode())
            finally:
                os.close(file)

    def stat(self, pid: str) -> list[bytes]:
        """The fields after the name, empty if it has gone."""
        return self.read(f"{pid}/stat").rpartition(b")")[2].split()

    def of_memory(self, pid: str, name: str) -> bytes:
        """A file about the memory of a process, from a thread that still has it.

        Once the first thread of a process has ended, the files of the process are empty, while its
        other threads go on and keep the memory.
        """
        if (text := self.read(f"{pid}/{name}")) and (name != "status" or b"VmSize" in text):
            return text
        threads = (self.read(f"{pid}/task/{tid}/{name}") for tid in self.numbers(f"{pid}/task"))
        return next((text for text in threads if text and b"\nState:\tZ" not in text), b"")


class Watch:
    """What all processes of one submission use together.

    Args:
        inside: the /proc of the submission's process namespace.
        limit: bytes of memory.
        outside: the /proc in which the keeper itself is; without it nobody's weight is lowered.
    """

    def __init__(self, inside: Processes, limit: int, outside: Processes | None = None):
        self._inside, self._outside, self._limit = inside, outside, limit
        # What the first process holds, all share with the fork server until they write to it.
        first = self._status(_OURS)
        self._before = first.get(b"RssAnon", 0) + first.get(b"VmSwap", 0)
        self._size_before = first.get(b"VmSize", 0)
        self._began, self._mine = time.monotonic(), budgets.starved_seconds()
        self._looks = 0
        self._clocks: dict[str, tuple[int, int]] = {}  # of threads: ran, waited, in nanoseconds
        self._own: dict[tuple[str, bytes], float] = {}  # of processes: their own seconds
        self._ended = 0.0
        self._known: dict[str, str] = {}  # the numbers outside of processes, by those inside
        self._mappings: dict[str, tuple[int, dict[bytes, int]]] = {}
        self._shared_less: tuple[int, int] | None = None
        self.worked = self.starved = 0.0

    def look(self) -> bool:
        """Look once; whether they have too much memory."""
        self._looks += 1
        try:
            ours = sorted((pid for pid in self._inside.numbers() if pid != _OURS), key=int)
            self._count(ours)
            if self._outside is not None:
                self._meet(ours, self._outside)
            if self._used(ours) <= self._limit:
                return False
            self._shared_less = None
            return self._used(self._separate(ours)) > self._limit
        except OSError:  # who hides has something to hide; one look alone condemns nobody
            return True

    def _count(self, pids: list[str]) -> None:
        """Add up what they have worked and waited since the last look."""
        living, longest = 0.0, 0.0
        own: dict[tuple[str, bytes], float] = {}
        clocks: dict[str, tuple[int, int]] = {}
        for pid in pids:
            if not (fields := self._inside.stat(pid)):
                continue
            ran = 0
            for tid in self._inside.numbers(f"{pid}/task"):
                clock = self._inside.read(f"{pid}/task/{tid}/schedstat").split()
                if len(clock) < 2:  # it has gone, or the kernel does not tell
                    continue
                clocks[tid] = int(clock[0]), int(clock[1])
                ran += clocks[tid][0]
                waited = clocks[tid][1] - self._clocks.get(tid, (0, 0))[1]
                longest = max(longest, waited / 1e9)
            mine, of_children = budgets.own_and_childrens_seconds(fields)
            process = pid, fields[budgets.STARTED]
            own[process] = max(mine, ran / 1e9, self._own.get(process, 0.0))
            living += mine + of_children
        # The kernel forgets the work of those whose parent does not want to know of their end.
        self._ended += sum(seconds for process, seconds in self._own.items() if process not in own)
        self._own, self._clocks = own, clocks
        self.worked = max(self.worked, living, self._ended + sum(own.values()))
        # Those who wait at the same time do not wait for longer than one of them. Where this
        # process waits it cannot see them.
        mine, self._mine = budgets.starved_seconds() - self._mine, budgets.starved_seconds()
        self.starved = min(self.starved + max(longest, mine), time.monotonic() - self._began)

    def _separate(self, pids: list[str]) -> list[str]:
        """Those with a memory of their own: a program that is being started has its parent's."""
        parents = {pid: fields[1].decode() for pid in pids if (fields := self._inside.stat(pid))}
        return [pid for pid in pids if not self._same_memory(pid, parents.get(pid, ""))]

    def _same_memory(self, pid: str, parent: str) -> bool:
        """Whether it is one memory; no, where the kernel does not tell."""
        if pid not in self._known or parent not in self._known:
            return False
        both = (int(self._known[one]) for one in (pid, parent))
        return _libc.syscall(_KCMP, *both, _MEMORY, 0, 0) == 0

    def _meet(self, pids: list[str], outside: Processes) -> None:
        """Learn the numbers of new ones outside, and give them less weight.

        Not the eldest: it is the one in which the learner's cells run.
        """
        self._known = {pid: self._known[pid] for pid in pids if pid in self._known}
        new = {*pids} - {*self._known}
        for pid in outside.numbers() if new else ():
            known = outside.read(f"{pid}/status").partition(b"\nNSpid:")[2].partition(b"\n")[0]
            inner = known.split()[-1].decode() if len(known.split()) > 1 else ""
            # The fork server may have another submission with a process of the same number.
            if inner not in new or _started(outside, pid) != _started(self._inside, inner):
                continue
            self._known[inner] = pid
            if inner == pids[0]:
                continue
            for tid in outside.numbers(f"{pid}/task"):
                with contextlib.suppress(OSError):  # it has just ended
                    os.setpriority(os.PRIO_PROCESS, int(tid), _NICE)
            # Where each session has a share of its own, niceness counts only within one.
            outside.write(f"{pid}/autogroup", str(_NICE))

    def _used(self, pids: list[str]) -> int:
        """Bytes of memory that no file on a disk stands behind."""
        every = self._looks % _SECOND_SIGHT == 0
        rows = [(pid, status) for pid in pids if (status := self._status(pid))]
        own = [row[b"RssAnon"] + row[b"VmSwap"] for _, row in rows]
        addresses = sum(max(0, row[b"VmSize"] - self._size_before) for _, row in rows)
        if addresses > _ADDRESSES * self._limit:
            return addresses
        beyond = sum(max(0, size - self._before) for size in own)
        if beyond > _FOR_SURE * self._limit:
            return beyond
        nameless = self._nameless(rows, every)
        shown = sum(row[b"RssShmem"] for _, row in rows)
        at_most = max(0, sum(own) - self._before) + max(shown, nameless)
        if len(rows) < 2 or at_most <= self._limit:
            return at_most
        return max(max(own) - self._before, self._shared_once(pids, at_most, nameless, every))

    def _shared_once(self, pids: list[str], at_most: int, nameless: int, every: bool) -> int:
        """What several processes use, with what they share counted once. It is dear to read."""
        if self._shared_less is not None and not every:
            then, used = self._shared_less
            if used + max(0, at_most - then) <= self._limit:
                return used + max(0, at_most - then)
        anonymous = shared = 0
        for pid in pids:
            sizes = _sizes(_PROPORTIONAL, self._inside.of_memory(pid, "smaps_rollup"))
            anonymous += sizes.get(b"Pss_Anon", 0) + sizes.get(b"SwapPss", 0)
            shared += sizes.get(b"Pss_Shmem", 0)
        servers = self._before * len(pids) // (len(pids) + _OTHERS)
        used = max(0, anonymous - servers) + max(shared, nameless)
        self._shared_less = at_most, used
        return used

    def _status(self, pid: str) -> dict[bytes, int]:
        """Bytes of a process by their kind; empty if it has ended."""
        sizes = _sizes(_STATUS, self._inside.of_memory(pid, "status"))
        return dict.fromkeys(_KINDS, 0) | sizes if sizes else {}

    def _nameless(self, rows: list[tuple[str, dict[bytes, int]]], every: bool) -> int:
        """Bytes of the shared mappings without a name, whoever shows them, each one once.

        A list of mappings is read again when the size of its process is another one, and now and
        then in any case.
        """
        reaches: dict[bytes, int] = {}
        mappings = {}
        for pid, status in rows:
            size, found = self._mappings.get(pid, (-1, {}))
            if size != status[b"VmSize"] or every:
                found = {}
                for line in _NAMELESS.findall(self._inside.of_memory(pid, "maps")):
                    low, high, offset = (int(number, 16) for number in line[:3])
                    found[line[3]] = max(found.get(line[3], 0), offset + high - low)
            mappings[pid] = status[b"VmSize"], found
            for name, reach in found.items():
                reaches[name] = max(reaches.get(name, 0), reach)
        self._mappings = mappings
        return sum(reaches.values())


def _started(processes: Processes, pid: str) -> bytes:
    fields = processes.stat(pid)
    return fields[budgets.STARTED] if fields else b""


def _sizes(pattern: re.Pattern[bytes], text: bytes) -> dict[bytes, int]:
    return {name: int(number) * 1024 for name, number in pattern.findall(text)}
