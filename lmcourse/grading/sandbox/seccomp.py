"""System calls that nobody's homework needs, refused by the kernel.

Chapter: book/instructors/sandbox.md

Threat: a defect of the kernel, which a program can reach only through rarely used calls: new
namespaces and mounts, tracing, keys, BPF, io_uring. Also memory that no other limit sees
(memfd, System V), kinds of sockets that a network namespace does not hold (vsock), and a process
that hides from its keeper. And ways to hold or watch the files of Python and the system, which all
submissions of an ordinary user share as their owner: who has a lease on one makes whoever opens it
wait for most of a minute.
`execve` stays, so that `!ls` and subprocesses work.

Nothing but the standard library is imported: the check of the sandbox runs this file alone.
"""

import ctypes
import errno
import platform
import struct

# Numbers on x86_64 and aarch64 (None: that machine has no such call), from the kernel's tables.
DENIED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "personality": (135, 92),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "fanotify_init": (300, 262),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "lookup_dcookie": (212, 18),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
}
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_CLONE, _SOCKET, _IOCTL, _PRCTL = (56, 220), (41, 198), (16, 29), (157, 167)
_FCNTL = (72, 25)
_CLONE3 = 435  # its flags lie in memory, where a filter cannot look; libc then takes clone
_NEW_NAMESPACES = 0x7E020000  # mount, cgroup, uts, ipc, user, pid, net
_FAMILIES = (1, 2, 10)  # unix, and the two internets, of which the sandbox has only an empty one
_TYPING = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: keystrokes for the terminal one was started from
_DUMPABLE = 4  # PR_SET_DUMPABLE: with it a process hides its memory from whoever counts it
_HOLDING = (1024, 1026)  # F_SETLEASE, F_NOTIFY
_X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def supported() -> bool:
    """Whether this machine's system call numbers are known."""
    return platform.machine() in _MACHINES


def program(machine: str) -> bytes:
    """The filter as the kernel reads it: a list of eight-byte instructions of classic BPF."""
    column, arch = _MACHINES[machine]
    code = [
        *((_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL)),
        *((_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)),
        *_refuse(_EQUAL, _CLONE3, errno.ENOSYS),
    ]
    for numbers in DENIED.values():
        if numbers[column] is not None:
            code += _refuse(_EQUAL, numbers[column], errno.EPERM)
    code += _when(_CLONE[column], 0, _refuse(_ANY_BIT, _NEW_NAMESPACES, errno.EPERM))
    typing = [line for request in _TYPING for line in _refuse(_EQUAL, request, errno.EPERM)]
    code += _when(_IOCTL[column], 1, typing)
    holding = [line for command in _HOLDING for line in _refuse(_EQUAL, command, errno.EPERM)]
    code += _when(_FCNTL[column], 1, holding)
    code += _when(_PRCTL[column], 0, _refuse(_EQUAL, _DUMPABLE, errno.EPERM))
    # A family that is on the list jumps over what is left of the list and the refusal.
    known = [(_EQUAL, len(_FAMILIES) - at, 0, kind) for at, kind in enumerate(_FAMILIES)]
    code += _when(_SOCKET[column], 0, [*known, (_RETURN, 0, 0, _ERROR | errno.EAFNOSUPPORT)])
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in code)


def _refuse(test: int, value: int, error: int) -> list[tuple[int, int, int, int]]:
    return [(test, 0, 1, value), (_RETURN, 0, 0, _ERROR | error)]


def _when(number: int, argument: int, body: list) -> list[tuple[int, int, int, int]]:
    """`body` over (the low half of) one argument of one call; the number is loaded again after."""
    load = (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)
    return [(_EQUAL, 0, len(body) + 2, number), load, *body, (_LOAD, 0, 0, _NUMBER)]


def install() -> None:
    """Filter this process and all that it starts, for ever (it must have given up new privileges).

    Raises:
        OSError: the kernel refused.
    """
    lines = program(platform.machine())
    body = ctypes.create_string_buffer(lines, len(lines))
    header = struct.pack("HP", len(lines) // 8, ctypes.addressof(body))
    holder = ctypes.create_string_buffer(header, len(header))
    libc = ctypes.CDLL(None, use_errno=True)
    place = ctypes.c_void_p(ctypes.addressof(holder))
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), place, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused the filter of system calls")
