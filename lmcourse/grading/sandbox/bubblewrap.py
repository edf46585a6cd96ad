"""The closed room that strangers' code runs in: bubblewrap, or nothing.

Chapter: book/instructors/sandbox.md

Threat: a submission reads hidden tests, solutions, the gradebook or others' work, changes files,
reaches the network, or outlives its grading. Bubblewrap gives a fork server a file system that
holds only Python, the system's programs and this package, all read-only, and no network; each
submission then gets namespaces of its own inside (`namespaces.enclose`), a filter of system calls
(`seccomp`) and limits. Where that cannot be had, `require` refuses and says what to install.

Run by root, nothing in the sandbox is root of the machine: the fork server lives in a user
namespace whose user 0 has no power outside, and each submission is a user that exists nowhere
else, so that limits on the number of processes hold.
"""

import functools
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from lmcourse.grading.sandbox import namespaces, seccomp

USERS = 256  # unprivileged users that a fork server started by root may give to submissions
_FIRST_USER = 1_593_835_520  # far from any account
_COURSE = "/opt/course"
PACKAGE = Path(__file__).resolve().parents[2]
_FROM_ETC = ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives", "/etc/fonts")
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "PYTHONPATH": _COURSE,
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONSAFEPATH": "1",
    "HOME": namespaces.HOME,
    "USER": "learner",
    "LOGNAME": "learner",
    "LANG": "C.UTF-8",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
}


class SandboxError(RuntimeError):
    """The sandbox cannot be had, or a process in it could not be started."""


def command(
    inner: Iterable[str],
    package: Path = PACKAGE,
    hidden: Iterable[Path] = (),
    environment: Mapping[str, str] | None = None,
) -> list[str]:
    """The command that runs `inner` in the closed room.

    Args:
        environment: variables beside those that all have.
        package: the tree that stands for `lmcourse` inside (one with answers cut out, say).
        hidden: files and folders that must not be seen, should Python's own folders hold them.
    """
    roots = python_folders()
    options = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/home"]
    options += [*_folder(namespaces.HOME), *_folder(namespaces.PROC), *_folder("/run/tmp")]
    options += _system() + _bound(roots)
    options += [*_folder(_COURSE), "--ro-bind", str(package), f"{_COURSE}/lmcourse"]
    if _below(PACKAGE, roots):  # installed, not in place: the installed one must not be seen
        options += ["--ro-bind", str(package), str(PACKAGE)]
    for path in map(Path, hidden):
        if _below(path.resolve(), roots) and path.exists():
            cover = ["--tmpfs"] if path.is_dir() else ["--ro-bind", "/dev/null"]
            options += [*cover, str(path.resolve())]
    options += ["--remount-ro", "/", "--clearenv"]
    for name, value in {**_ENVIRONMENT, **(environment or {})}.items():
        options += ["--setenv", name, value]
    alone = [] if os.geteuid() == 0 else ["--unshare-user", "--uid", "0", "--gid", "0"]
    return [*_users(), "bwrap", *alone, *_ISOLATED, *options, "--", *inner]


_ISOLATED = (
    *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--die-with-parent", "--new-session", "--hostname", "sandbox", "--cap-add", "ALL"),
)


def python_folders() -> list[str]:
    """The folders that hold this Python and its packages, outermost only."""
    found = {sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parents[1])}
    found |= {place for place in site.getsitepackages() if os.path.isdir(place)}
    found |= {os.path.realpath(place) for place in found}
    return sorted(p for p in found if not _below(Path(p), [o for o in found if o != p]))


def below_tmp() -> list[str]:
    """Those of them that a fresh /tmp would hide."""
    return [folder for folder in python_folders() if folder.startswith("/tmp/")]


def _below(path: Path, roots: Iterable[str]) -> bool:
    return any(path.is_relative_to(root) for root in roots)


def _system() -> list[str]:
    options = ["--ro-bind", "/usr", "/usr", *_folder("/etc")]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        top = Path("/") / name
        if top.is_symlink():
            options += ["--symlink", os.readlink(top), str(top)]
        elif top.is_dir():
            options += ["--ro-bind", str(top), str(top)]
    for path in _FROM_ETC:
        options += ["--ro-bind-try", path, path]
    return options


def _bound(roots: Iterable[str]) -> list[str]:
    outside = [root for root in roots if not _below(Path(root), ["/usr"])]
    return [part for root in outside for part in (*_folder(root), "--ro-bind", root, root)]


def _folder(path: str) -> list[str]:
    """An empty folder to bind to; the parents that bubblewrap makes are closed to all but root."""
    ways = [*reversed(Path(path).parents), Path(path)]
    return [part for way in ways[1:] for part in ("--perms", "0755", "--dir", str(way))]


def _users() -> list[str]:
    """What stands before bwrap: root needs a range of users; others have only themselves."""
    if os.geteuid() != 0:
        return []
    program = [sys.executable, "-I", "-S", namespaces.__file__]
    return [*program, str(_first_user()), str(USERS)]


def _first_user() -> int:
    """The first of the users, among those that this machine (or container) has at all."""
    rows = [map(int, line.split()) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    end = max(first + count for first, _, count in rows)
    return min(_FIRST_USER, end - USERS - 1)


@functools.cache
def problems() -> tuple[str, ...]:
    """What keeps the sandbox from working here, each with what to do; empty if it works."""
    if sys.platform != "linux":
        return ("the sandbox needs Linux: use the container of this project, or a Linux machine",)
    if not seccomp.supported():
        return ("the sandbox knows the system calls of x86_64 and aarch64 only",)
    if shutil.which("bwrap") is None:
        return ("bubblewrap is missing: install the package bubblewrap (apt, dnf, pacman)",)
    return _rehearse()


def _rehearse() -> tuple[str, ...]:
    """Go once through everything that a submission's process goes through, without PyTorch."""
    script = (
        f"import sys; sys.path.insert(0, '{_COURSE}/lmcourse/grading/sandbox')\n"
        "import os, namespaces, seccomp\n"
        f"namespaces.mount_proc(); namespaces.separate({int(os.geteuid() == 0)})\n"
        "if (child := os.fork()) == 0:\n"
        f"    namespaces.enclose(1 << 20, {below_tmp()!r}); seccomp.install()\n"
        f"    for place in {python_folders()!r}: os.listdir(place)\n"
        "    start = open(namespaces.__file__).readline()[:3]\n"
        "    print(start, os.getpid(), flush=True); os._exit(0)\n"
        "os.waitpid(child, 0)\n"
    )
    line = command([sys.executable, "-S", "-c", script])
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return (f"the sandbox could not be tried: {error}",)
    if done.stdout.split() == ['"""', "1"]:
        return ()
    said = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
    return (f"the sandbox does not work on this machine ({said}). {_advice()}",)


def _advice() -> str:
    settings = {
        "/proc/sys/kernel/unprivileged_userns_clone": ("0", "1"),
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": ("1", "0"),
        "/proc/sys/user/max_user_namespaces": ("0", "10000"),
    }
    for path, (bad, good) in settings.items():
        if Path(path).exists() and Path(path).read_text().strip() == bad:
            name = path.removeprefix("/proc/sys/").replace("/", ".")
            return f"User namespaces are switched off: run `sysctl -w {name}={good}` as root"
    return (
        "User namespaces must be allowed; in a container, start it with "
        "`--security-opt seccomp=unconfined --security-opt systempaths=unconfined`"
    )


def require() -> None:
    """Return only where strangers' code can be held.

    Raises:
        SandboxError: it cannot, with what to do about it.
    """
    if found := problems():
        raise SandboxError("; ".join(found))
