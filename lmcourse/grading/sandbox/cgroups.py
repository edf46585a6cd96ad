"""A control group for each submission, where the machine gives them to whoever grades.

Chapter: book/instructors/sandbox.md

Threat: what the keeper cannot see between two looks, and memory that belongs to no process (pipes,
sockets, page tables). A control group (version 2 of the kernel's interface) counts all of it, at
once, and gives each submission the same share of a busy machine, however many processes it has.

It can be had without privilege where a group has been handed over, as systemd does for `systemd-run
--user --scope -p Delegate=yes lmcourse grade …`: the group holds nobody but the grader, and the
controllers of memory and of the number of processes are there. Elsewhere there is none, and the
keeper alone counts.
"""

import contextlib
import functools
import itertools
import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_GRADER = "lmcourse-grader"
_NEEDED = ("memory", "pids")
_WANTED = ("cpu",)
_WEIGHT = 100  # the kernel's default, the same for each submission
_LEAVE_SECONDS = 5.0


class Group:
    """The group of one submission.

    Args:
        path: of its folder, which is there.
        memory: bytes that all its processes may take together.
        processes: how many there may be.
    """

    def __init__(self, path: Path, memory: int, processes: int):
        self._path = path
        self._set("memory.max", memory)
        self._set("pids.max", processes)
        for name, value in (
            ("memory.swap.max", 0),
            ("memory.oom.group", 1),  # all of a submission end, not one that happens to be large
            ("cpu.weight", _WEIGHT),
        ):
            with contextlib.suppress(OSError):  # not every kernel has each of them
                self._set(name, value)

    def add(self, pid: int) -> None:
        """Count a process, and what it starts, from now on.

        Raises:
            OSError: the kernel refuses.
        """
        self._set("cgroup.procs", pid)

    def exceeded(self) -> bool:
        """Whether the kernel has ended them for their memory."""
        with contextlib.suppress(OSError, ValueError):
            events = dict(line.split() for line in self._get("memory.events").splitlines())
            return int(events.get("oom_kill", 0)) > 0
        return False

    def close(self) -> None:
        """Remove it, once all its processes have ended; an empty group that stays does no harm."""
        end = time.monotonic() + _LEAVE_SECONDS
        while time.monotonic() < end and self._get("cgroup.procs").strip():
            time.sleep(0.01)
        with contextlib.suppress(OSError):
            self._path.rmdir()

    def _set(self, name: str, value: int) -> None:
        (self._path / name).write_text(f"{value}\n")

    def _get(self, name: str) -> str:
        try:
            return (self._path / name).read_text()
        except OSError:
            return ""


class Groups:
    """Where the groups of submissions are made.

    Args:
        path: of a group that has no process of its own and gives its controllers on.
    """

    _numbers = itertools.count()

    def __init__(self, path: Path):
        self._path = path

    def group(self, memory: int, processes: int) -> Group | None:
        """A new group; None where it cannot be had, so that the keeper counts alone."""
        path = self._path / f"submission-{os.getpid()}-{next(self._numbers)}"
        try:
            path.mkdir()
        except OSError:
            return None
        try:
            return Group(path, memory, processes)
        except OSError:
            with contextlib.suppress(OSError):
                path.rmdir()
            return None


@functools.cache
def here() -> Groups | None:
    """`groups` of this machine, looked for once in a process."""
    return groups()


def groups(root: Path = ROOT, own: Path = _OWN) -> Groups | None:
    """Where groups can be made by this process; None if its own group was not handed over to it.

    The group must hold nobody but this process and its descendants, who move down into a group of
    their own: the kernel wants a group that gives controllers on to have no processes. Nobody else
    is ever moved.
    """
    path = _of_this_process(root, own)
    if path is None or not all(os.access(p, os.W_OK) for p in (path, path / "cgroup.procs")):
        return None
    try:
        if path.name == _GRADER and _given_on(path.parent):  # an earlier grader, or a worker's
            return Groups(path.parent)
        there = set((path / "cgroup.controllers").read_text().split())
        members = {int(pid) for pid in (path / "cgroup.procs").read_text().split()}
        if not there.issuperset(_NEEDED) or not members <= _family():
            return None
        leaf = path / _GRADER
        leaf.mkdir(exist_ok=True)
        for pid in sorted(members):
            (leaf / "cgroup.procs").write_text(f"{pid}\n")
        wanted = [name for name in (*_NEEDED, *_WANTED) if name in there]
        (path / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted) + "\n")
    except (OSError, ValueError):
        return None
    return Groups(path)


def _of_this_process(root: Path, own: Path) -> Path | None:
    """The folder of the group in which this process is, in version 2 of the interface."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    names = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    # A group outside what this process can see begins with dots.
    if not names or ".." in names[0] or not (root / "cgroup.controllers").is_file():
        return None
    return root / names[0]


def _given_on(path: Path) -> bool:
    return {*_NEEDED} <= set((path / "cgroup.subtree_control").read_text().split())


def _family() -> set[int]:
    """This process and its descendants."""
    found, queue = set(), [os.getpid()]
    while queue:
        pid = queue.pop()
        found.add(pid)
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                queue += map(int, (task / "children").read_text().split())
    return found
