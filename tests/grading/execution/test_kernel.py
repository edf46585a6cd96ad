"""One kernel: how it starts, what it says, what is kept of it, and that it ends."""

import os
import signal
import socket
import tempfile
import threading
import time

import psutil
import pytest
from jupyter_core.utils import ensure_event_loop
from sandbox_processes import meanwhile
from unprotected_runs import checked, run
from waiting import wait_until

from lmcourse.grading.execution import kernel
from lmcourse.grading.execution.kernel import Session
from lmcourse.grading.sandbox.budgets import Budgets

pytestmark = pytest.mark.usefixtures("little_grace")


def test_outputs_are_cut_and_only_still_pictures_and_text_are_kept(monkeypatch):
    monkeypatch.setattr(kernel, "_OUTPUT_CHARS", 1000)
    html = "from IPython.display import HTML, display\ndisplay(HTML('<script>1</script>'))"
    rans = run("print('x' * 10**7)", "for _ in range(10**4): print('y' * 100)", html)
    for ran in rans[:2]:
        assert ran.status == "ok"
        assert sum(len(output["text"]) for output in ran.outputs) < 1200
        assert "cut" in ran.outputs[-1]["text"]
    (output,) = rans[2].outputs
    assert set(output["data"]) == {"text/plain"}


def test_input_does_not_wait():
    (ran,) = run("input()")
    assert (ran.status, ran.name) == ("error", "StdinNotImplementedError")


@pytest.fixture
def taken(monkeypatch):
    """From now on the first ports that are chosen for a kernel are another program's."""
    from jupyter_client.provisioning.local_provisioner import LocalPortCache

    choose = LocalPortCache.find_available_port
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        def take(n):
            ports = iter([other.getsockname()[1]] * n)
            monkeypatch.setattr(
                LocalPortCache,
                "find_available_port",
                lambda self, ip: next(ports, None) or choose(self, ip),
            )

        yield take


@pytest.mark.skipif(os.name == "nt", reason="its sockets have no names in a folder")
def test_where_sockets_can_be_files_no_port_is_needed(taken):
    taken(1000)
    assert run("1")[0].status == "ok"


def test_a_port_that_another_program_took_meanwhile_is_tried_again(taken, monkeypatch):
    monkeypatch.setattr(kernel, "_can_be_sockets", lambda folder: False, raising=False)
    taken(5)
    assert run("1")[0].status == "ok"


def test_a_folder_whose_name_is_too_long_for_a_socket_is_no_harm(monkeypatch):
    with tempfile.TemporaryDirectory(prefix="long-" * 30) as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        assert run("1")[0].status == "ok"


def test_a_cell_whose_end_is_not_told_is_no_endless_loop(monkeypatch):
    """The first messages of a process can be lost while the channels are still being joined."""
    from jupyter_client.blocking.client import BlockingKernelClient

    receive = BlockingKernelClient.get_iopub_msg

    def lossy(self, *args, **options):
        message = receive(self, *args, **options)
        while message["content"].get("execution_state") == "idle":
            message = receive(self, *args, **options)
        return message

    monkeypatch.setattr(BlockingKernelClient, "get_iopub_msg", lossy)
    rans = run("print('x')", "1 / 0", "y = 1")
    assert [ran.status for ran in rans] == ["ok", "error", "ok"]
    assert rans[0].outputs[0]["text"] == "x\n"


def test_a_pause_costs_a_cell_nothing(monkeypatch, tmp_path):
    """Of all that runs, for longer than a cell or even the notebook may take by the clock."""
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    now, ahead, reads = time.monotonic, [0.0], []

    def shifted():
        if threading.current_thread() is threading.main_thread():
            reads.append(ahead[0])
        return now() + ahead[0]

    monkeypatch.setattr(time, "monotonic", shifted)
    with meanwhile(
        lambda: wait_until(begun.exists),
        lambda: ahead.append(ahead.pop() + 290.0),
        lambda: wait_until(lambda: reads.count(290.0) > 10, 600.0),  # it has looked several times
        go_on.touch,
    ):
        cell = f"import os, time\nopen({str(begun)!r}, 'w').close()\n"
        cell += f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)"
        budgets = Budgets(cell_seconds=20.0, total_seconds=50.0)
        rans = run(cell, checked("1"), budgets=budgets)
    assert [ran.status for ran in rans] == ["ok", "ok"]


def test_no_process_is_left_behind(tmp_path):
    one = Session(tmp_path)
    pid = int(one.run("import os; print(os.getpid())", 5.0).outputs[0]["text"])
    one.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(os.name == "nt", reason="no such signal")
# Ctrl-C may come while psutil reads a file of /proc, which then nobody has closed by name.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*'/proc/:pytest.PytestUnraisableExceptionWarning"
)
def test_ctrl_c_ends_the_learners_process_too(monkeypatch, tmp_path):
    pids = []
    start = kernel._Clock.__init__
    monkeypatch.setattr(
        kernel._Clock, "__init__", lambda self, pid: (pids.append(pid), start(self, pid))[1]
    )
    begun = tmp_path / "begun"

    def interrupt():
        wait_until(begun.exists)
        os.kill(os.getpid(), signal.SIGINT)

    with meanwhile(interrupt), pytest.raises(KeyboardInterrupt):
        run(f"open({str(begun)!r}, 'w')\nwhile True: pass", budgets=Budgets(cell_seconds=600.0))
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_stop_that_ctrl_c_left_in_the_event_loop_keeps_no_process_alive(tmp_path):
    session = Session(tmp_path)
    process = psutil.Process(session._manager.provisioner.pid)
    loop = ensure_event_loop()
    loop.call_soon(loop.stop)
    session.close()
    assert not process.is_running()
    assert not session.alive


@pytest.mark.parametrize("said", ["2.0", "-1", "'all'", "float('nan')", "exit()", "1 / 0"])
def test_what_is_no_fraction_is_no_award(said):
    fake = f"import sys, types\nfake = types.SimpleNamespace(take_award=lambda: {said})\n"
    rans = run(f"{fake}sys.modules['lmcourse.grading.testing'] = fake", checked("1"))
    assert rans[1].award is None
