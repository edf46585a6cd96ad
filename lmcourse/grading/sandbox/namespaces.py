"""What a process does to itself before it runs a stranger's code.

Chapter: book/instructors/sandbox.md

Threat: code that looks for the grader's files, other processes, other submissions or the network,
wants privileges, or leaves something running. After `enclose` it is alone: an unprivileged user of
its own, in user, mount, process, network, IPC and host-name namespaces of its own, with three
small folders to write in, no capability and no way to get one.

Nothing but the standard library is imported: this file also runs by itself, as the program that
gives a fork server started by root a range of unprivileged users (`python namespaces.py`).
"""

import ctypes
import os
import resource
import sys
from collections.abc import Sequence

HOME = "/learner"
PROC = "/run/proc"  # a second /proc without anything mounted over it: the kernel asks for one
_UID = 1000

_NEW_USER, _NEW_MOUNT, _NEW_PID, _NEW_NET = 0x10000000, 0x20000, 0x20000000, 0x40000000
_NEW_IPC, _NEW_HOST, _NEW_CGROUP = 0x8000000, 0x4000000, 0x2000000
_OWN = _NEW_USER | _NEW_MOUNT | _NEW_PID | _NEW_NET | _NEW_IPC | _NEW_HOST | _NEW_CGROUP
_NOSUID, _NODEV, _NOEXEC, _BIND, _MOVE, _RECURSIVE, _PRIVATE = 2, 4, 8, 4096, 8192, 16384, 1 << 18
_DIE_WITH_PARENT, _DUMPABLE, _DROP_BOUND, _NO_NEW_PRIVILEGES, _AMBIENT = 1, 4, 24, 38, 47
_libc = ctypes.CDLL(None, use_errno=True)


def _must(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _prctl(option: int, *values: int) -> int:
    return _libc.prctl(option, *(ctypes.c_ulong(v) for v in (*values, 0, 0, 0, 0)[:4]))


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    parts = (part.encode() or None for part in (source, target, kind))
    _must(_libc.mount(*parts, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def mount_proc() -> None:
    """The fork server's: a whole /proc, out of the way, for children to derive theirs from."""
    _mount("proc", PROC, "proc", _NOSUID | _NODEV | _NOEXEC)


def separate(user: int) -> None:
    """Leave the fork server: its users, mounts, network; the next child is a first process.

    Args:
        user: an unprivileged user of the fork server's range; 0 where it has only one.
    """
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        _must(_prctl(_DUMPABLE, 1), "prctl")  # else /proc/self belongs to somebody else
    outside = os.geteuid(), os.getegid()
    _must(_libc.unshare(_OWN), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_UID} {outside[0]} 1"),
        ("gid_map", f"{_UID} {outside[1]} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def enclose(disk_bytes: int, keep: list[str], covers: Sequence[tuple[str, str]] = ()) -> None:
    """Fresh folders and /proc for the first process of new namespaces; then no privilege is left.

    Args:
        keep: folders below /tmp that hold the Python environment itself.
        covers: files to put over others, (new, old): what the fork server has read is not what
            another interpreter shall read.
    """
    _must(_prctl(_DIE_WITH_PARENT, 9), "prctl")
    os.setsid()
    _mount("", "/", "", _RECURSIVE | _PRIVATE)
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    _mount("tmpfs", PROC, "tmpfs", _NOSUID | _NODEV | _NOEXEC, "size=4k,mode=0000")
    flags, options = _NOSUID | _NODEV, f"size={disk_bytes},nr_inodes=16384,mode=0700"
    for folder in ("/dev/shm", HOME):
        _mount("tmpfs", folder, "tmpfs", flags, options)
    # The new /tmp is built beside the old one, which may hold what has to be bound into it.
    _mount("tmpfs", "/run/tmp", "tmpfs", flags, options)
    for folder in keep:
        inside = "/run/tmp" + folder.removeprefix("/tmp")
        os.makedirs(inside, exist_ok=True)
        _mount(folder, inside, "", _BIND | _RECURSIVE)
    _mount("/run/tmp", "/tmp", "", _MOVE)
    for new, old in covers:
        _mount(new, old, "", _BIND)
    os.chdir(HOME)
    _give_up_privileges()


def _give_up_privileges() -> None:
    _must(_prctl(_AMBIENT, 4), "prctl")
    for capability in range(64):
        _prctl(_DROP_BOUND, capability)  # fails for those that this kernel does not have
    version = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _must(_libc.capset(version, (ctypes.c_uint32 * 6)()), "capset")
    _must(_prctl(_NO_NEW_PRIVILEGES, 1), "prctl")


def hide() -> None:
    """Let nobody look into this process, or change its memory, who is the same user."""
    _must(_prctl(_DUMPABLE, 0), "prctl")


def bury(learner: int) -> None:
    """Be the first process of the namespace: bury orphans, and end with the learner's process.

    It runs no line of a learner's, holds no file, and cannot be killed from within. Without it the
    learner's process would inherit the orphans, which count as processes until somebody asks how
    they ended.
    """
    os.closerange(0, 1 << 16)
    while os.wait()[0] != learner:
        pass
    os._exit(0)


def limit(memory: int, disk: int, processes: int, files: int, cpu_seconds: int) -> None:
    """Limits of this process and of those that it starts, on top of what it holds already."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    taken = pages * resource.getpagesize()
    for kind, value in (
        (resource.RLIMIT_AS, taken + memory),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, disk),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 1 << 20),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 1024),
    ):
        _, most = resource.getrlimit(kind)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))


def launch(first: int, count: int, command: list[str]) -> None:
    """Run `command` where root is root of nothing else, and `count` unprivileged users exist.

    Inside, user 0 is still root to the file system but has no power over this machine; 1 to `count`
    are the users `first`, `first + 1`, … outside, for whom limits on processes count.
    """
    asked, told = os.pipe(), os.pipe()
    inner = os.getpid()
    if (helper := os.fork()) == 0:
        # With its own copy of this end it would never learn that nobody asks any more.
        os.close(asked[1])
        if not os.read(asked[0], 1):
            os._exit(1)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{inner}/{name}", "w") as file:
                file.write(f"0 0 1\n1 {first} {count}\n")
        os.write(told[1], b".")
        os._exit(0)
    _must(_libc.unshare(_NEW_USER), "unshare")
    os.write(asked[1], b".")
    os.close(told[1])
    if not os.read(told[0], 1):
        raise OSError("the users of the sandbox could not be mapped")
    os.waitpid(helper, 0)
    for end in (*asked, told[0]):
        os.close(end)
    os.execvp(command[0], command)


if __name__ == "__main__":
    launch(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
