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
import json
import os
import shutil
import site
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

from lmcourse.grading.safe_text import plain
from lmcourse.grading.sandbox import cgroups, namespaces, seccomp
from lmcourse.grading.sandbox.inventory import NOTHING, Inventory, Place

USERS = 256  # unprivileged users that a fork server started by root may give to submissions
_FIRST_USER = 1_593_835_520  # far from any account
_TRIAL_SECONDS = 60
_COURSE = "/opt/course"
PACKAGE = Path(__file__).resolve().parents[2]
_FROM_ETC = ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives", "/etc/fonts")
# Of a prefix (/usr, /usr/local, Python's): programs and libraries, and what they need beside them.
_PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_BESIDE = ("include", "libexec", "pyvenv.cfg")
_SHARED = (
    *("X11", "fontconfig", "fonts", "i18n", "icu", "locale", "mime", "misc", "tcltk", "terminfo"),
    "zoneinfo",
)
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "PYTHONPATH": _COURSE,
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONSAFEPATH": "1",  # what runs a learner's cells undoes it (`shell.import_own_modules`)
    # A compiler fills the disk of a submission, and takes longer than any test: without one the
    # same results come, and slower.
    "TORCH_COMPILE_DISABLE": "1",
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
    unseen: Inventory = NOTHING,
    environment: Mapping[str, str] | None = None,
) -> list[str]:
    """The command that runs `inner` in the closed room.

    Args:
        environment: variables beside those that all have.
        package: the tree that stands for `lmcourse` inside (one with answers cut out, say).
        unseen: what must not be seen, should a folder that Python needs hold it.
    """
    options = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/home"]
    options += [*_folder(namespaces.HOME), *_folder(namespaces.PROC), *_folder("/run/tmp")]
    for folder in below_tmp():  # a mount of its own, to be closed by itself, and to be moved
        options += [*_parents(folder), "--tmpfs", folder]
    options += [*_folder("/etc"), *_mounts(package, unseen)]
    options += [*_folder(_COURSE), "--ro-bind", str(package), f"{_COURSE}/lmcourse"]
    # Submissions of an ordinary user are that user: what one could write here, the next could read.
    for folder in ("/dev", "/home", *below_tmp(), "/"):
        options += ["--remount-ro", folder]
    options.append("--clearenv")
    for name, value in {**_ENVIRONMENT, **(environment or {})}.items():
        options += ["--setenv", name, value]
    alone = [] if os.geteuid() == 0 else ["--unshare-user", "--uid", "0", "--gid", "0"]
    return [*_users(), "bwrap", *alone, *_ISOLATED, *options, "--", *inner]


_ISOLATED = (
    *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--die-with-parent", "--new-session", "--hostname", "sandbox", "--cap-add", "ALL"),
)


def python_folders() -> list[str]:
    """The folders that hold this Python and its packages, outermost only.

    Of those the sandbox shows what is Python's (`shown_folders`).
    """
    found = {*_prefixes(), *_packages()}
    return sorted(p for p in found if not _below(p, [o for o in found if o != p]))


def below_tmp() -> list[str]:
    """Those of them that a fresh /tmp would hide."""
    return [folder for folder in python_folders() if folder.startswith("/tmp/")]


def shown_folders() -> dict[str, str]:
    """What the sandbox shows, folder by folder, each with the folder of the machine that it is.

    A folder that holds more than programs and libraries – /usr/src, /usr/local/share, /opt, a home,
    what stands beside `bin` and `lib` in Python's own – is not shown as a whole.
    """
    wanted = _wanted()
    links = _links(wanted)
    return {path: os.path.realpath(path) for path in wanted if path not in links}


def _wanted() -> list[str]:
    """Files and folders that are needed, as far as they are there."""
    wanted = [f"/{part}" for part in _PROGRAMS]
    for prefix in ("/usr", "/usr/local", *_prefixes()):
        wanted += [f"{prefix}/{part}" for part in (*_PROGRAMS, *_BESIDE)]
    wanted += [f"{prefix}/share/{part}" for prefix in ("/usr", *_prefixes()) for part in _SHARED]
    wanted += [*map(str, Path("/usr/local").glob("cuda*")), *_packages(), *_FROM_ETC]
    return sorted(path for path in {*wanted} if os.path.exists(path))


def _links(wanted: Iterable[str]) -> dict[str, str]:
    """Those of them that are links to others of them, and stay what they are."""
    real = [path for path in wanted if path == os.path.realpath(path)]
    links = {path: os.readlink(path) for path in wanted if os.path.islink(path)}
    return {
        path: to
        for path, to in links.items()
        if _below(os.path.normpath(os.path.join(os.path.dirname(path), to)), real)
    }


def _mounts(package: Path, unseen: Inventory) -> list[str]:
    """Folders are shown from the outermost to the innermost, so that one that is needed is there
    even if it lies in one that is not to be seen.
    """
    shown, links, options = shown_folders(), _links(_wanted()), []
    covers = unseen.covered(shown)
    own = Inventory(places=(Place(path=PACKAGE),)).covered(shown)  # installed, not in place
    for path in sorted({*shown, *covers, *own, *links}, key=lambda path: Path(path).parts):
        if path in covers:
            options += _cover(path, covers[path])
        if path in shown:
            options += [*_parents(path), "--ro-bind", shown[path], path]
        if path in links:
            options += [*_parents(path), "--symlink", links[path], path]
        if path in own:
            options += ["--ro-bind", str(package), path]
    empty = [path for path in covers if os.path.isdir(covers[path]) and path not in shown]
    return options + [part for path in empty for part in ("--remount-ro", path)]


def _cover(path: str, real: str) -> list[str]:
    if os.path.isdir(real):
        return ["--tmpfs", path]
    return ["--ro-bind", "/dev/null", path] if os.path.exists(real) else []


def _prefixes() -> list[str]:
    found = {sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parents[1])}
    return sorted(found | {os.path.realpath(place) for place in found})


def _packages() -> list[str]:
    """Where Python's own modules and installed packages lie."""
    found = {place for place in site.getsitepackages() if os.path.isdir(place)}
    found |= {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    return sorted(found | {os.path.realpath(place) for place in found})


def _below(path: str | Path, roots: Iterable[str]) -> bool:
    return any(Path(path).is_relative_to(root) for root in roots)


def _folder(path: str) -> list[str]:
    """An empty folder to bind to; the parents that bubblewrap makes are closed to all but root."""
    return [*_parents(path), "--perms", "0755", "--dir", path]


def _parents(path: str) -> list[str]:
    ways = [*reversed(Path(path).parents)]
    return [part for way in ways[1:] for part in ("--perms", "0755", "--dir", str(way))]


def _users() -> list[str]:
    """What stands before bwrap: root needs a range of users; others have only themselves."""
    if os.geteuid() != 0:
        return []
    program = [sys.executable, "-I", "-S", namespaces.__file__]
    return [*program, str(_first_user()), str(USERS)]


def _first_user() -> int:
    """The first of the users, among those that this machine (or container) has at all."""
    return min(_FIRST_USER, _known_users() - USERS - 1)


def _known_users() -> int:
    rows = [map(int, line.split()) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return max(first + count for first, _, count in rows)


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
    if os.geteuid() == 0 and _first_user() < 1:
        return (
            "the sandbox needs users that nobody else has, and root has too few here"
            f" ({_known_users()}, at least {USERS + 2} are needed): run as an ordinary user, or in"
            " a container to which more users are mapped",
        )
    seen, said = _look_around(NOTHING)
    if seen is None:
        return (f"the sandbox does not work on this machine ({said}). {_advice()}",)
    return ()


def _look_around(unseen: Inventory) -> tuple[list[int] | None, str]:
    """Go once through everything that a submission's process goes through, without PyTorch.

    Returns:
        the numbers of the places that are seen there, or None if it did not come so far; and why.
    """
    script = (
        f"import sys; sys.path.insert(0, '{_COURSE}/lmcourse/grading/sandbox')\n"
        "import json, os, namespaces, seccomp\n"
        "facts = json.load(sys.stdin)\n"
        f"namespaces.mount_proc(); namespaces.separate({int(os.geteuid() == 0)})\n"
        "def seen(number, path, *own):\n"
        "    try: there = os.stat(path)\n"
        "    except OSError: return False\n"
        "    return (there.st_dev, there.st_ino) == own\n"
        "if (child := os.fork()) == 0:\n"
        f"    namespaces.enclose(1 << 20, {below_tmp()!r}); seccomp.install()\n"
        f"    for place in {python_folders()!r}: os.listdir(place)\n"
        "    start = open(namespaces.__file__).readline()[:3]\n"
        "    found = sorted({fact[0] for fact in facts if seen(*fact)})\n"
        "    print(start, os.getpid(), *found, flush=True); os._exit(0)\n"
        "os.waitpid(child, 0)\n"
    )
    try:
        done = subprocess.run(
            command([sys.executable, "-S", "-c", script], unseen=unseen),
            input=json.dumps(unseen.facts()),
            capture_output=True,
            text=True,
            timeout=_TRIAL_SECONDS,
        )
    except subprocess.TimeoutExpired:  # its own words hold the whole command
        return None, f"it did not start within {_TRIAL_SECONDS} seconds"
    except OSError as error:
        return None, str(error)
    words = done.stdout.split()
    if words[:2] == ['"""', "1"]:
        return [int(word) for word in words[2:]], ""
    return None, (done.stderr.strip().splitlines() or ["no reason was given"])[-1]


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


@functools.cache  # what it raises is not kept: a machine that stalled once may work the next time
def require() -> None:
    """Return only where strangers' code can be held.

    Raises:
        SandboxError: it cannot, with what to do about it.
    """
    if found := problems():
        raise SandboxError("; ".join(found))
    cgroups.here()  # before there are workers: the group must hold nobody whom this does not know


def require_unseen(unseen: Inventory) -> None:
    """Return only where strangers' code can be held, and sees nothing of what must stay unseen.

    It is looked for from inside, with the eyes of a submission.

    Raises:
        SandboxError: something is seen, with its path; or there is no sandbox.
    """
    require()
    seen, said = _look_around(unseen)
    if seen is None:
        hidden = sorted({*unseen.covered(shown_folders()).values()})
        why = f" while it hides {plain(', '.join(hidden))}: if Python needs it, move it elsewhere"
        raise SandboxError(f"the sandbox does not start ({plain(said)}){why if hidden else ''}")
    if seen:
        places = [place.said for number, place in enumerate(unseen) if number in seen]
        raise SandboxError(
            f"what learners hand in could read {'; '.join(places)}: it lies among the folders of"
            " Python and the system that the sandbox shows. Nothing was run. Move it elsewhere"
        )
