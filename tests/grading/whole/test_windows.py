"""A learner's commands on a machine that lacks what Windows lacks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

# To lmcourse alone, for Python's own modules and other packages have versions for each system.
# Reference: "Availability: Unix" in the library reference of Python.
AS_ON_WINDOWS = """
import builtins, ctypes, json, os, select, signal, socket, sys, time, types
missing = {
    "resource", "fcntl", "pwd", "grp", "termios", "pty", "tty", "posix", "syslog", "crypt", "spwd",
}
lacks = {
    ctypes: "",
    os: '''fork forkpty getuid geteuid getgid getegid setuid setgid getpgid getpgrp setpgid setsid
        getsid killpg wait wait3 wait4 waitid WIFEXITED WEXITSTATUS WIFSIGNALED WTERMSIG WNOHANG
        sysconf confstr statvfs fstatvfs uname chown lchown fchown fchmod mkfifo mknod chroot nice
        getloadavg getpriority setpriority sched_getaffinity sched_setaffinity sched_yield
        pidfd_open memfd_create eventfd pread pwrite readv writev sendfile pipe2 setns unshare
        posix_spawn getxattr setxattr O_NOFOLLOW O_NONBLOCK O_CLOEXEC O_DIRECTORY O_PATH''',
    select: "poll epoll kqueue",
    signal: '''SIGKILL SIGHUP SIGQUIT SIGALRM SIGUSR1 SIGUSR2 SIGCHLD SIGCONT SIGSTOP SIGTSTP
        SIGPIPE SIGXCPU alarm setitimer getitimer pause pthread_kill sigwait ITIMER_REAL''',
    socket: "AF_UNIX SCM_RIGHTS send_fds recv_fds",
    time: "clock_gettime clock_getcpuclockid pthread_getcpuclockid tzset",
}
def library(name):
    if name is None:
        raise TypeError("bad argument type for built-in operation")
    return ctypes.CDLL(name)
there = {}
for module, names in lacks.items():
    there[module.__name__] = types.ModuleType(module.__name__)
    own = {name: value for name, value in vars(module).items() if name not in names.split()}
    vars(there[module.__name__]).update(own)
there["os"].name = "nt"
there["ctypes"].CDLL = library
load = builtins.__import__
def as_on_windows(name, globals=None, *more, **options):
    if not (globals or {}).get("__name__", "").startswith("lmcourse"):
        return load(name, globals, *more, **options)
    top = name.partition(".")[0]
    if top in missing:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return there.get(top) or load(name, globals, *more, **options)
builtins.__import__ = as_on_windows
from lmcourse.__main__ import main
codes = []
for call in json.loads(sys.argv[1]):
    sys.argv = ["lmcourse", *call]
    try:
        main()
    except SystemExit as end:
        codes.append(end.code)
print(codes)
"""


@pytest.mark.slow
def test_check_and_doctor_use_nothing_that_windows_lacks():
    notebook = ROOT / "exercises/tokenizers/tokenizers.ipynb"
    done = subprocess.run(
        [sys.executable, "-c", AS_ON_WINDOWS, json.dumps([["doctor"], ["check", str(notebook)]])],
        env={**os.environ, "LMCOURSE_DEBUG": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    said = done.stdout.splitlines()
    assert said[-1] == "[0, 1]"
    assert "Ready." in said
    assert sum("not started" in line for line in said) == 7
    assert "Could not be checked" not in done.stdout


def test_what_windows_lacks_is_seen_to_be_lacking():
    """The machine of the test above, tried on a module that needs Linux."""
    call = AS_ON_WINDOWS.partition("from lmcourse.__main__")[0]
    done = subprocess.run(
        [sys.executable, "-c", f"{call}import lmcourse.grading.sandbox.namespaces"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.endswith("No module named 'resource'\n")
