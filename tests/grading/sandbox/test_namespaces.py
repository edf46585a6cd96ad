"""Each submission is alone: no network, no other process, a disk of its own."""

import os
import socket
import subprocess
import sys

import pytest
from sandbox_processes import shown

from lmcourse.grading.sandbox import bubblewrap, namespaces


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
    assert shown(ran) == "[1, 2] 2\n"  # the first one is the sandbox's own


def test_it_cannot_signal_anybody_else(submission_run):
    ran = submission_run.run_cell(
        "import os\n"
        f"for pid in ({os.getpid()}, {max(3, os.getppid())}, 3, -1, 99):\n"  # 2 is itself
        "    try: os.kill(pid, 9); print('sent', pid)\n"
        "    except OSError: print('refused')"
    )
    assert shown(ran) == "refused\n" * 5


@pytest.mark.parametrize("folder", ["/tmp", "/learner", "/dev/shm"])
def test_the_disk_cannot_be_filled(submission_run, folder):
    ran = submission_run.run_cell(
        f"try:\n    for i in range(100): open(f'{folder}/{{i}}', 'wb').write(b'x' * (4 << 20))\n"
        "except OSError as error: print(error.strerror, i)"
    )
    assert shown(ran) == "No space left on device 2\n" or "No space" in shown(ran)


def test_the_launcher_s_users_lie_within_what_this_machine_has():
    first = bubblewrap._first_user()
    assert first > 65_536
    assert namespaces.HOME == "/learner"


def test_where_no_namespace_can_be_had_nobody_is_left_waiting():
    """Root's launcher has a helper that waits to be asked: it ends with who would have asked."""
    code = (
        "from lmcourse.grading.sandbox import namespaces\n"
        "class Refusing:\n"
        "    def unshare(self, flags): return -1\n"
        "namespaces._libc = Refusing()\n"
        "namespaces.launch(100000, 10, ['true'])"
    )
    done = subprocess.run(  # it returns when nobody has its pipes any more
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300
    )
    assert "unshare" in done.stderr
