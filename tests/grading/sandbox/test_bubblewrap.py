"""Each way out is tried for real; it fails, in bounded time, and leaves nothing behind."""

import os
import platform
import select
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sandbox_processes import SETUP, SMALL, descendants, shown
from waiting import wait_until

from lmcourse.grading.sandbox import bubblewrap, namespaces
from lmcourse.grading.sandbox.bubblewrap import SandboxError

REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_cell_runs_as_in_a_notebook(submission_run):
    ran = submission_run.run_cell("x = 3\nprint('hello')\n!echo from a shell\nx + 1")
    assert ran.status == "ok"
    assert shown(ran) == "hello\nfrom a shell\n"
    assert ran.outputs[-1]["data"]["text/plain"] == "4"
    assert submission_run.run_cell("import asyncio\nawait asyncio.sleep(0)\nx").status == "ok"


@pytest.mark.parametrize(
    "path",
    [
        str(Path.home() / ".bashrc"),
        "/etc/passwd",
        "/etc/shadow",
        "/sys",
        "/boot",
        "/var",
        "/mnt",
        str(REPOSITORY / "lmcourse"),
        str(REPOSITORY / "tests"),
        str(REPOSITORY / "solutions"),
        str(Path.home() / ".ssh"),
        "/proc/1/root/etc/passwd",
        "/run/proc/1",
        "/proc/kcore",
    ],
)
def test_what_is_not_the_learners_cannot_be_read(submission_run, path):
    ran = submission_run.run_cell(
        f"import os\npath = {path!r}\n"
        "try:\n    print(os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(50))\n"
        "except OSError as error:\n    print('refused', type(error).__name__)"
    )
    assert shown(ran).startswith("refused"), shown(ran)


def test_the_file_system_holds_no_name_of_the_course(submission_run):
    ran = submission_run.run_cell(
        "import os\nfound = []\n"
        "for top, folders, files in os.walk('/'):\n"
        f"    known = ('/proc', '/usr', '/dev', {sys.prefix!r}, {sys.base_prefix!r})\n"
        "    if top.startswith(known): folders.clear()\n"
        "    found += [n for n in files if n.endswith(('.ipynb', '.db', 'nbgrader_config.py'))]\n"
        "print(found, os.environ.get('LMCOURSE_DATA'), sorted(os.listdir('/')))"
    )
    assert shown(ran).startswith("[] None ["), shown(ran)


@pytest.mark.parametrize(
    "path",
    [
        "/x",
        "/usr/x",
        "/home/x",
        f"{bubblewrap._COURSE}/lmcourse/x.py",
        "/dev/x",
        "/run/x",
        "/run/proc/x",
        "/proc/sys/kernel/hostname",
        f"{sys.prefix}/x",
        "/dev/sda",
    ],
)
def test_nothing_outside_its_own_folders_can_be_written(submission_run, path):
    ran = submission_run.run_cell(
        f"try:\n    open({path!r}, 'w').write('x')\n    print('written')\n"
        "except OSError as error:\n    print('refused')"
    )
    assert shown(ran) == "refused\n"
    assert not os.path.exists("/x")


def test_its_own_folders_are_fresh_each_time(make_run):
    write = (
        "import os\nfor d in ('/tmp', '/learner', '/dev/shm'): open(d + '/mine', 'w').write('x')"
    )
    # The Python environment may lie below /tmp, so its first folder is there as well.
    look = "print([os.path.exists(d + '/mine') for d in ('/tmp', '/learner', '/dev/shm')])\n"
    look += "print(os.listdir('/learner'), os.listdir('/dev/shm'), os.getcwd())"
    first, second = make_run(), make_run(files={"data/a.txt": b"given"})
    assert first.run_cell(write).status == "ok"
    ran = second.run_cell("import os\nprint(open('data/a.txt').read())\n" + look)
    assert shown(ran) == "given\n[False, False, False]\n['data'] [] /learner\n"


def test_no_startup_file_reaches_the_next_submission(make_run):
    plant = (
        "import os, pathlib\n"
        "for home in ('/learner', os.path.expanduser('~')):\n"
        "    p = pathlib.Path(home, '.ipython/profile_default/startup')\n"
        "    p.mkdir(parents=True, exist_ok=True)\n"
        "    (p / '00.py').write_text('planted = True')\n"
        "import torch; torch.planted = True"
    )
    assert make_run().run_cell(plant).status == "ok"
    ran = make_run().run_cell(
        "import torch\nprint('planted' in globals(), hasattr(torch, 'planted'))"
    )
    assert shown(ran) == "False False\n"


def test_there_is_no_network(submission_run):
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    ran = submission_run.run_cell(
        f"import socket\nhere, there = ('127.0.0.1', {port}), ('1.1.1.1', 53)\n"
        f"for family, address in [(2, here), (2, there), (10, ('::1', {port}))]:\n"
        "    try:\n        with socket.socket(family) as s: s.settimeout(1); s.connect(address)\n"
        "        print('connected')\n    except OSError: print('refused')\n"
        "try: print(socket.getaddrinfo('example.org', 80))\nexcept OSError: print('refused')\n"
        "try: socket.socket(40, 1)\nexcept OSError: print('no vsock')\n"
        "try: socket.socket(16, 3)\nexcept OSError: print('no netlink')"
    )
    assert shown(ran) == "refused\n" * 4 + "no vsock\nno netlink\n"
    server.setblocking(False)
    with pytest.raises(BlockingIOError):  # nobody has come
        server.accept()
    server.close()


def test_an_abstract_socket_outside_is_not_there(submission_run):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0lmcourse-test")
        server.listen()
        ran = submission_run.run_cell(
            "import socket\ntry: socket.socket(1).connect('\\0lmcourse-test'); print('connected')\n"
            "except OSError: print('refused')"
        )
    assert shown(ran) == "refused\n"


def test_only_its_own_processes_are_seen(submission_run):
    ran = submission_run.run_cell(
        "import os\nprint(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()), os.getpid())"
    )
    assert shown(ran) == "[1] 1\n"


def test_it_cannot_signal_anybody_else(submission_run):
    ran = submission_run.run_cell(
        "import os\n"
        f"for pid in ({os.getpid()}, {os.getppid()}, 2, -1, os.getppid()):\n"
        "    try: os.kill(pid, 9); print('sent', pid)\n"
        "    except OSError: print('refused')"
    )
    # To its own parent's number, 0, a signal goes to its own group: itself, the first process.
    assert shown(ran).count("refused") >= 4 or ran.status == "died"


TRIES = """
import ctypes, os
lines = [line.split() for line in open('/proc/self/status')]
print([line[1] for line in lines if line[0].startswith(('Cap', 'NoNew', 'Seccomp:'))], os.getuid())
libc = ctypes.CDLL(None, use_errno=True)
tries = {
    'mount': lambda: libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None),
    'umount': lambda: libc.umount2(b'/run/proc', 2),
    'unshare': lambda: libc.unshare(0x10000000),
    'ptrace': lambda: libc.ptrace(0, 0, 0, 0),
    'setuid': lambda: libc.setuid(0),
    'chroot': lambda: libc.chroot(b'/tmp'),
    'memfd': lambda: libc.memfd_create(b'x', 0),
    'shmget': lambda: libc.shmget(0, 4096, 0o1600),
}
if os.uname().machine == 'x86_64':
    tries |= {
        'keyctl': lambda: libc.syscall(250, 0, 0, 0, 0),
        'bpf': lambda: libc.syscall(321, 0, 0, 0),
        'io_uring': lambda: libc.syscall(425, 1, 0),
        'userfaultfd': lambda: libc.syscall(323, 0),
        'perf': lambda: libc.syscall(298, 0, 0, -1, -1, 0),
        'clone': lambda: libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0),
    }
print([name for name, attempt in tries.items() if attempt() >= 0])
"""


def test_it_has_no_privilege_and_gets_none(submission_run):
    ran = submission_run.run_cell(TRIES)
    zeros = "0" * 16
    assert f"{[zeros] * 5 + ['1', '2']} 1000\n[]\n" == shown(ran)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86_64")
def test_the_old_half_of_the_system_calls_is_closed(submission_run):
    ran = submission_run.run_cell("import ctypes\nctypes.CDLL(None).syscall(0x40000000 + 39)")
    assert ran.status == "died"


def test_a_fork_bomb_stays_small_and_ends(submission_run, learners):
    before, bomb = {*descendants(learners)}, submission_run._learner
    ran = submission_run.run_cell(
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    )
    assert ran.status in ("timeout", "died")
    # What it forks is counted as its own work. Between two looks all cores may work for it.
    cores = len(os.sched_getaffinity(0))
    assert SMALL.cell_seconds <= bomb.worked() < 3 * SMALL.cell_seconds * cores
    assert len({*descendants(learners)} - before) <= SMALL.processes + 1  # and the keeper
    assert submission_run.run_cell("1").status == "ok"


def test_the_work_of_living_children_is_counted(submission_run):
    """The first process waits, and has not waited for them: they work, and go on living."""
    learner = submission_run._learner
    before = learner.worked()
    ran = submission_run.run_cell(
        "import os, time\nread, write = os.pipe()\n"
        "for _ in range(2):\n"
        "    if os.fork() == 0:\n"
        "        while time.process_time() < 0.5: pass\n"
        "        os.write(write, b'.'); time.sleep(10**6)\n"
        "seen = os.read(read, 1) + os.read(read, 1)"
    )
    assert ran.status == "ok"
    wait_until(lambda: learner.worked() - before >= 0.9, 60.0)


@pytest.mark.parametrize(
    "bomb",
    [
        "x = bytearray(1 << 40)",
        "x = []\nwhile True: x.append(bytearray(1 << 22))",
        "import torch\nx = [torch.ones(1 << 22) for _ in range(10_000)]",
        "import mmap\nm = mmap.mmap(-1, 1 << 33)",
        "x = 'x' * (1 << 33)",
    ],
)
def test_a_memory_bomb_ends(submission_run, bomb):
    ran = submission_run.run_cell(bomb)
    assert ran.status in ("error", "died")
    if ran.status == "error":
        assert ran.name in ("MemoryError", "RuntimeError", "OSError")


def test_many_processes_share_one_budget_of_memory(submission_run):
    # Each stays below the limit of one process; together they do not.
    ran = submission_run.run_cell(
        "import mmap, os, time\n"
        "for _ in range(10):\n"
        "    if os.fork() == 0:\n"
        "        x = mmap.mmap(-1, 100 << 20); x.write(b'x' * (100 << 20)); time.sleep(60)\n"
        "time.sleep(60)"
    )
    assert ran.status == "died"
    assert "more than 256 MiB of memory" in ran.message


@pytest.mark.parametrize("folder", ["/tmp", "/learner", "/dev/shm"])
def test_the_disk_cannot_be_filled(submission_run, folder):
    ran = submission_run.run_cell(
        f"try:\n    for i in range(100): open(f'{folder}/{{i}}', 'wb').write(b'x' * (4 << 20))\n"
        "except OSError as error: print(error.strerror, i)"
    )
    assert shown(ran) == "No space left on device 2\n" or "No space" in shown(ran)


def test_a_daemon_ends_with_its_submission(submission_run, learners):
    before = {*descendants(learners)}
    ran = submission_run.run_cell(
        "import os, time, signal\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        for s in range(1, 32):\n"
        "            try: signal.signal(s, signal.SIG_IGN)\n"
        "            except (OSError, ValueError): pass\n"
        "        time.sleep(1000)\n"
        "    os._exit(0)\n"
        "os.wait()\nprint('left')"
    )
    assert shown(ran) == "left\n"
    daemon = {*descendants(learners)} - before
    assert daemon
    submission_run.close()  # the kernel ends it first of all: when this returns it has gone
    assert not daemon & {*descendants(learners)}


def test_output_without_end_is_cut(submission_run):
    ran = submission_run.run_cell("for i in range(10**6): print('x' * 1000)")
    assert ran.status in ("ok", "timeout")
    assert "[more output was cut]" in shown(ran) or ran.status == "timeout"
    assert len(shown(ran)) <= 20_100
    ran = submission_run.run_cell("!yes | head -c 3000000")
    assert len(shown(ran)) <= 20_100


def test_ending_the_grader_ends_everything(tmp_path):
    program = tmp_path / "grader.py"
    program.write_text(
        "import time\n"
        "from lmcourse.grading.sandbox.processes import ForkServer\n"
        "server = ForkServer('lmcourse.grading.bridge.judge'); server.wait_until_warm()\n"
        "print(server._process.pid, flush=True); time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    grader = subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, text=True, env=environment
    )
    server = os.pidfd_open(int(grader.stdout.readline()))
    grader.kill()
    grader.wait()
    grader.stdout.close()
    wait_until(lambda: select.select([server], [], [], 0)[0])  # it has ended
    os.close(server)


def test_without_bubblewrap_it_refuses_and_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    bubblewrap.problems.cache_clear()
    with pytest.raises(SandboxError, match="install the package bubblewrap"):
        bubblewrap.require()
    bubblewrap.problems.cache_clear()


def test_a_sandbox_that_does_not_close_is_refused(monkeypatch):
    monkeypatch.setattr(bubblewrap, "_ISOLATED", ("--unshare-nonsense",))
    bubblewrap.problems.cache_clear()
    with pytest.raises(SandboxError, match="does not work on this machine"):
        bubblewrap.require()
    bubblewrap.problems.cache_clear()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_it_works_for_somebody_who_is_not_root(tmp_path):
    script = "from lmcourse.grading.sandbox import bubblewrap; print(bubblewrap.problems())"
    package = tmp_path / "lmcourse"
    subprocess.run(["cp", "-r", str(REPOSITORY / "lmcourse"), package], check=True)
    subprocess.run(["chmod", "-R", "a+rX", str(tmp_path.parent.parent)], check=True)
    done = subprocess.run(
        [
            *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
            *(shutil.which("python3", path=os.defpath), "-B", "-c", script),  # readable by all
        ],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]},
    )
    assert done.stdout == "()\n", done.stderr


def test_what_python_s_own_folders_hold_can_be_hidden(tmp_path):
    line = bubblewrap.command(["true"], hidden=[Path(sys.prefix) / "lib", tmp_path])
    at = line.index(str(Path(sys.prefix).resolve() / "lib"))
    assert line[at - 1] == "--tmpfs"
    assert str(tmp_path) not in line


def test_a_limit_that_fails_stops_the_process_before_it_starts(learners, monkeypatch):
    monkeypatch.setattr(bubblewrap, "below_tmp", lambda: ["/tmp/nowhere"])
    with socket.socket() as other, pytest.raises(SandboxError, match="could not be enclosed"):
        learners.process(SMALL, 1, [other])


def test_the_launcher_s_users_lie_within_what_this_machine_has():
    first = bubblewrap._first_user()
    assert first > 65_536
    assert namespaces.HOME == "/learner"


def test_threads_may_ask_for_processes_one_after_the_other(submission_run, make_run):
    results = []
    thread = threading.Thread(target=lambda: results.append(make_run().run_cell("1").status))
    thread.start()
    thread.join()
    assert results == ["ok"]
    assert submission_run.run_setup(SETUP).status == "ok"
