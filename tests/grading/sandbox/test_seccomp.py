"""The filter, run on paper: what it lets through, and what it answers to the rest."""

import errno
import fcntl
import re
import struct
from pathlib import Path

import pytest

from lmcourse.grading.sandbox import seccomp

ALLOWED = 0x7FFF0000
KILLED = 0x80000000


def refused(number):
    return 0x00050000 | number


def decide(machine, number, *arguments, arch=None):
    """What the kernel would do: run the program over the record of one system call."""
    arch = arch or seccomp._MACHINES[machine][1]
    arguments = [*arguments, *[0] * (6 - len(arguments))]
    record = struct.pack("<IIQ6Q", number, arch, 0, *arguments)
    code = [*struct.iter_unpack("=HBBI", seccomp.program(machine))]
    at, held = 0, 0
    while True:
        kind, yes, no, value = code[at]
        at += 1
        if kind == 0x20:
            (held,) = struct.unpack_from("<I", record, value)
        elif kind == 0x06:
            return value
        else:
            holds = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[kind]
            at += yes if holds else no


MACHINES = [("x86_64", 0), ("aarch64", 1)]

# The kernel's own tables, as its headers give them to programs.
INCLUDE = Path("/usr/include")
HEADERS = {
    "x86_64": ("*/asm/unistd_64.h", "asm/unistd_64.h"),
    "aarch64": ("asm-generic/unistd.h", "*/asm-generic/unistd.h"),
}
# What an attacker would try first, from the same tables, where no headers are installed.
KNOWN = {
    "ptrace": (101, 117), "mount": (165, 40), "unshare": (272, 97), "setns": (308, 268),
    "bpf": (321, 280), "keyctl": (250, 219), "io_uring_setup": (425, 425), "chroot": (161, 51),
    "process_vm_readv": (310, 270), "perf_event_open": (298, 241), "init_module": (175, 105),
}  # fmt: skip


def headers(machine):
    """Name → number of all system calls, {} without the headers."""
    found = [path for pattern in HEADERS[machine] for path in INCLUDE.glob(pattern)]
    if not found:
        return {}
    lines = re.findall(r"#define __NR(3264)?_(\w+)\s+(\d+)", found[0].read_text(encoding="utf-8"))
    return {name: int(number) for _, name, number in lines}


@pytest.mark.parametrize(("machine", "column"), MACHINES)
def test_each_listed_call_is_refused(machine, column):
    for name, numbers in seccomp.DENIED.items():
        if numbers[column] is not None:
            assert decide(machine, numbers[column]) == refused(errno.EPERM), name


@pytest.mark.parametrize(("machine", "column"), MACHINES)
def test_the_numbers_are_those_of_the_kernel(machine, column):
    """Another number would refuse an innocent call and leave the dangerous one open."""
    for name, numbers in KNOWN.items():
        assert decide(machine, numbers[column]) == refused(errno.EPERM), name
    if table := headers(machine):
        looked_into = {
            "clone": seccomp._CLONE, "socket": seccomp._SOCKET, "ioctl": seccomp._IOCTL,
            "prctl": seccomp._PRCTL, "fcntl": seccomp._FCNTL,
        }  # fmt: skip
        for name, numbers in (seccomp.DENIED | looked_into).items():
            assert numbers[column] == table.get(name), name
        assert table["clone3"] == seccomp._CLONE3


@pytest.mark.parametrize(("machine", "column"), MACHINES)
def test_everyday_calls_pass(machine, column):
    for numbers in [(0, 63), (1, 64), (59, 221), (61, 260), (9, 222), (231, 94), (57, 57)]:
        assert decide(machine, numbers[column]) == ALLOWED


@pytest.mark.parametrize(("machine", "column"), MACHINES)
def test_a_process_may_be_made_but_no_namespace(machine, column):
    clone = seccomp._CLONE[column]
    thread = 0x3D0F00
    assert decide(machine, clone, 17) == decide(machine, clone, thread) == ALLOWED
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert decide(machine, clone, flag | 17) == refused(errno.EPERM)
    assert decide(machine, seccomp._CLONE3) == refused(errno.ENOSYS)


@pytest.mark.parametrize(("machine", "column"), MACHINES)
def test_only_three_families_of_sockets_exist(machine, column):
    for family in range(50):
        wanted = ALLOWED if family in (1, 2, 10) else refused(errno.EAFNOSUPPORT)
        assert decide(machine, seccomp._SOCKET[column], family, 1) == wanted


@pytest.mark.parametrize(("machine", "column"), MACHINES)
def test_nobody_types_on_the_graders_terminal(machine, column):
    ioctl = seccomp._IOCTL[column]
    assert decide(machine, ioctl, 0, 0x5412) == decide(machine, ioctl, 0, 0x541C) == refused(1)
    assert decide(machine, ioctl, 0, 0x5413) == ALLOWED


@pytest.mark.parametrize(("machine", "column"), MACHINES)
def test_no_process_hides_its_memory_from_its_keeper(machine, column):
    prctl, set_dumpable, set_name = seccomp._PRCTL[column], 4, 15
    assert decide(machine, prctl, set_dumpable, 0) == refused(errno.EPERM)
    assert decide(machine, prctl, set_name, 0) == ALLOWED


@pytest.mark.parametrize(("machine", "column"), MACHINES)
def test_nobody_holds_or_watches_files_that_all_share(machine, column):
    """A lease on a file of Python's makes whoever opens it wait: 45 seconds on most machines."""
    control = seccomp._FCNTL[column]
    for command in ("F_SETLEASE", "F_NOTIFY"):
        assert decide(machine, control, 3, getattr(fcntl, command)) == refused(errno.EPERM)
    for command in ("F_GETFL", "F_SETFD", "F_SETLK", "F_DUPFD_CLOEXEC", "F_GETLEASE"):
        assert decide(machine, control, 3, getattr(fcntl, command)) == ALLOWED


def test_the_other_ways_into_the_kernel_end_the_process():
    assert decide("x86_64", 39, arch=0x40000003) == KILLED  # 32-bit calls
    assert decide("x86_64", 0x40000000 | 39) == KILLED  # x32
    assert decide("aarch64", 39, arch=0x40000028) == KILLED


def test_only_known_machines_are_supported(monkeypatch):
    assert seccomp.supported()
    monkeypatch.setattr(seccomp.platform, "machine", lambda: "riscv64")
    assert not seccomp.supported()
