"""Each way out is tried for real; it fails, in bounded time, and leaves nothing behind."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from sandbox_processes import shown

from lmcourse.grading.sandbox import bubblewrap
from lmcourse.grading.sandbox.bubblewrap import SandboxError

REPOSITORY = Path(__file__).resolve().parents[3]


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


@pytest.fixture
def forgotten():
    """Nothing is known yet of whether the sandbox works here, and nothing is afterwards."""
    bubblewrap.require.cache_clear()
    yield
    bubblewrap.require.cache_clear()


def test_without_bubblewrap_it_refuses_and_says_what_to_install(monkeypatch, forgotten):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxError, match="install the package bubblewrap"):
        bubblewrap.require()


def test_a_sandbox_that_does_not_close_is_refused(monkeypatch, forgotten):
    monkeypatch.setattr(bubblewrap, "_ISOLATED", ("--unshare-nonsense",))
    with pytest.raises(SandboxError, match="does not work on this machine"):
        bubblewrap.require()


def test_that_it_did_not_start_once_is_not_remembered_and_that_it_did_is(monkeypatch, forgotten):
    answers = [(None, "it did not start within 60 seconds"), ([], "")]
    monkeypatch.setattr(bubblewrap, "_look_around", lambda unseen: answers.pop(0))
    with pytest.raises(SandboxError, match=r"\(it did not start within 60 seconds\)"):
        bubblewrap.require()
    for _ in range(2):
        assert bubblewrap.require() is None


def test_root_that_has_too_few_users_to_give_is_told_so(monkeypatch, forgotten):
    """In a container to which one user is mapped, say."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(bubblewrap, "_known_users", lambda: 1)
    with pytest.raises(
        SandboxError, match=r"too few here \(1, at least 258 are needed\): run as an"
    ):
        bubblewrap.require()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("user", ["0", "1234"])
def test_without_user_namespaces_it_refuses_and_says_how_to_allow_them(readable_by_all, user):
    """Root has its users here, but neither it nor another may make a namespace of users."""
    closed = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    script = "from lmcourse.grading.sandbox import bubblewrap; print(*bubblewrap.problems())"
    done = subprocess.run(
        [
            *(sys.executable, "-I", "-S", bubblewrap.namespaces.__file__, "1", "70000"),
            *("sh", "-c", closed, "sh", "setpriv", f"--reuid={user}", f"--regid={user}"),
            *("--clear-groups", *readable_by_all["python"], script),
        ],
        capture_output=True,
        text=True,
        env=readable_by_all["environment"],
    )
    assert done.stdout.startswith("the sandbox does not work on this machine ("), done.stderr
    advice = "User namespaces are switched off: run `sysctl -w user.max_user_namespaces=10000`"
    assert advice in done.stdout


@pytest.fixture
def readable_by_all():
    """A Python and a copy of this package for whoever is not root."""
    # Not below pytest's folder, which each new run of pytest, a neighbor's too, closes to others.
    with tempfile.TemporaryDirectory(prefix="lmcourse-", dir="/tmp") as folder:
        subprocess.run(["cp", "-r", str(REPOSITORY / "lmcourse"), folder], check=True)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        python = shutil.which("python3", path=os.defpath)
        yield {
            "folder": Path(folder),
            "python": [python, "-B", "-c"],
            "environment": {"PYTHONPATH": folder, "PATH": os.environ["PATH"]},
        }


# As a submission's process, but nothing is withheld from what it says.
LOOK = """
import subprocess, sys
from lmcourse.grading.sandbox import bubblewrap
from lmcourse.grading.sandbox.inventory import Inventory, Place
inside = (
    "import os, sys; sys.path.insert(0, '/opt/course/lmcourse/grading/sandbox')\\n"
    "import namespaces; namespaces.mount_proc(); namespaces.separate(0)\\n"
    "if os.fork() == 0:\\n"
    f"    namespaces.enclose(1 << 20, {bubblewrap.below_tmp()})\\n"
    "    for place in sys.argv[1:]:\\n"
    "        try: open(place + '/mine', 'w'); print('wrote in', place)\\n"
    "        except OSError: pass\\n"
    "    sys.stdout.flush(); os._exit(0)\\n"
    "os.wait()"
)
covered = sys.argv[1]
places = [covered, sys.prefix, "/home", "/dev", "/", "/run", "/usr", "/usr/lib", "/opt", "/learner"]
line = bubblewrap.command(
    [sys.executable, "-S", "-c", inside, *places],
    unseen=Inventory(places=(Place(path=bubblewrap.Path(covered)),)),
)
print(bubblewrap.problems(), "--tmpfs " + covered in " ".join(line))
print(subprocess.run(line, capture_output=True, text=True).stdout)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("below_tmp", [False, True])
def test_it_works_for_somebody_who_is_not_root(readable_by_all, below_tmp):
    """And what this one writes, the next submission, of the same user, does not find."""
    covered = next(path for path in sorted(Path("/usr/lib").iterdir()) if path.is_dir())
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    python, *options = readable_by_all["python"]
    if below_tmp:
        env = readable_by_all["folder"] / "env"
        subprocess.run([python, "-m", "venv", "--without-pip", env], check=True)
        env.chmod(0o777)
        python = env / "bin/python"
    done = subprocess.run(
        [*user, python, *options, LOOK, str(covered)],
        capture_output=True,
        text=True,
        env=readable_by_all["environment"],
    )
    assert done.stdout == "() True\nwrote in /learner\n\n", done.stderr
