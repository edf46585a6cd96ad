"""A submission is what runs in its process namespace, whatever its processes show of themselves."""

import platform

import pytest
from sandbox_processes import SMALL, descendants, shown
from waiting import wait_until

from lmcourse.grading.sandbox import keeper
from lmcourse.grading.sandbox.budgets import MIB
from lmcourse.grading.sandbox.keeper import Processes, Watch

EXIT = {"x86_64": 60, "aarch64": 93}[platform.machine()]


class MadeUp(Processes):
    """A /proc of files by their paths; what they say changes when a test says so."""

    def __init__(self):
        self.files = {}
        self.add("1", anonymous=100, size=500)

    def add(
        self, pid, *, anonymous=0, shared=0, size=0, flags=64, clock=(0, 0), ticks=(0, 0, 0, 0)
    ):
        """A process: MiB of its memory, seconds for which it ran and waited, ticks of its work."""
        kb = {"VmSize": size, "RssAnon": anonymous, "RssShmem": shared, "VmSwap": 0}
        lines = "".join(f"{name}:\t{mib * 1024} kB\n" for name, mib in kb.items())
        self.files[f"{pid}/status"] = f"Name:\tpython\n{lines}"
        fields = ["S", 1, 1, 1, 0, -1, flags, 0, 0, 0, 0, *ticks, 20, 0, 1, 0, 1000 + int(pid), 0]
        self.files[f"{pid}/stat"] = f"{pid} (py thon)) {' '.join(map(str, fields))}"
        ran, waited = (int(seconds * 1e9) for seconds in clock)
        self.files[f"{pid}/task/{pid}/schedstat"] = f"{ran} {waited} 7\n"
        self.files.setdefault(f"{pid}/maps", "")
        return self

    def end(self, pid):
        self.files = {path: text for path, text in self.files.items() if path.split("/")[0] != pid}

    def maps(self, pid, *lines):
        self.files[f"{pid}/maps"] = "".join(f"{line}\n" for line in lines)

    def share(self, pid, anonymous, shared=0):
        """What it has, each page divided by the number of those who have it."""
        text = f"Pss:\t9 kB\nPss_Anon:\t{anonymous << 10} kB\nPss_Shmem:\t{shared << 10} kB\n"
        self.files[f"{pid}/smaps_rollup"] = text

    def numbers(self, path="."):
        if path == ".":
            return sorted({name.split("/")[0] for name in self.files})
        inside = [name[len(path) + 1 :] for name in self.files if name.startswith(f"{path}/")]
        return sorted({name.split("/")[0] for name in inside})

    def read(self, path):
        text = self.files.get(path, "")
        if isinstance(text, Exception):
            raise text
        return text.encode()


@pytest.fixture
def made_up(monkeypatch):
    made = MadeUp()
    made.now = made.waited = 0.0
    monkeypatch.setattr(keeper.time, "monotonic", lambda: made.now)
    monkeypatch.setattr(keeper.budgets, "starved_seconds", lambda: made.waited)
    return made


def test_memory_is_what_comes_on_top_of_the_servers(made_up):
    watch = Watch(made_up, 256 * MIB)
    assert not watch.look()
    made_up.add("2", anonymous=350, size=700)
    assert not watch.look()
    made_up.add("2", anonymous=357, size=700)
    assert watch.look()


@pytest.mark.parametrize("path", ["2/maps", "2/stat", "2/task/2/schedstat"])
@pytest.mark.parametrize("error", [PermissionError(13, "not yours"), OSError(22, "no sense")])
def test_what_cannot_be_read_counts_as_guilty(made_up, path, error):
    """It ends no keeper either: with it everything would end, as if by the learner's own doing."""
    watch = Watch(made_up, 256 * MIB)
    made_up.add("2", size=600)
    readable, made_up.files[path] = made_up.files[path], error
    assert watch.look()
    made_up.files[path] = readable
    assert not watch.look()


def test_a_process_that_has_just_ended_has_no_memory(made_up):
    watch = Watch(made_up, 256 * MIB)
    for pid in ("2", "3"):
        made_up.add(pid, anonymous=300, size=600)
        made_up.share(pid, 120)
    made_up.files["3/status"] = "Name:\tpython\nState:\tZ (zombie)\n"
    assert not watch.look()


NAMELESS = "7f0000000000-7f0006400000 rw-s 00000000 00:01 {} /dev/zero (deleted)"  # 100 MiB


def test_a_shared_mapping_counts_whole_though_no_process_shows_its_pages(made_up):
    watch = Watch(made_up, 256 * MIB)
    for number in range(2, 5):
        made_up.add(str(number), size=600)
        made_up.maps(str(number), NAMELESS.format(number))
        assert watch.look() is (number == 4)


def test_a_mapping_that_several_processes_have_counts_once(made_up):
    watch = Watch(made_up, 256 * MIB)
    for number in range(2, 9):
        made_up.add(str(number), size=600)
        made_up.maps(str(number), NAMELESS.format(1), NAMELESS.format(2).replace("deleted", "here"))
        made_up.share(str(number), 0, 14)
    assert not watch.look()


def test_a_mapping_that_takes_the_place_of_another_is_seen_in_the_end(made_up):
    watch = Watch(made_up, 256 * MIB)
    made_up.add("2", size=900)
    assert not watch.look()
    made_up.maps("2", *(NAMELESS.format(number) for number in range(3)))  # of the same size
    assert True in [watch.look() for _ in range(keeper._SECOND_SIGHT)]


def test_addresses_are_bounded_too(made_up):
    watch = Watch(made_up, 256 * MIB)
    for number in range(2, 8):
        made_up.add(str(number), size=700)
        made_up.share(str(number), 0)
        assert watch.look() is (number == 7)


def test_pages_that_processes_share_count_once(made_up):
    watch = Watch(made_up, 256 * MIB)
    for number in range(2, 6):
        made_up.add(str(number), anonymous=200, size=600)
        made_up.share(str(number), 35)
    assert not watch.look()
    made_up.share("2", 600)  # it has written to them, and has pages of its own: seen at the latest
    assert True in [watch.look() for _ in range(keeper._SECOND_SIGHT)]  # at the second sight


def test_a_program_that_shares_nothing_counts_whole(made_up):
    """What the first process holds is taken off once, not for each that was never a fork of it."""
    watch = Watch(made_up, 256 * MIB)
    for number in range(2, 6):
        made_up.add(str(number), anonymous=99, size=200)
        made_up.share(str(number), 99)
    assert watch.look() is True


def test_two_processes_with_one_memory_have_it_once(made_up, monkeypatch):
    watch = Watch(made_up, 256 * MIB)
    for pid in ("2", "3"):
        made_up.add(pid, anonymous=250, size=600)
        made_up.share(pid, 250)
    assert watch.look()
    monkeypatch.setattr(watch, "_same_memory", lambda pid, parent: (pid, parent) == ("3", "1"))
    assert not watch.look()


def test_the_work_of_those_who_have_vanished_stays(made_up):
    """The kernel adds it to nobody's, when the parent ignores the end of its children."""
    watch = Watch(made_up, 256 * MIB)
    for number in range(3, 8):
        made_up.add("2", clock=(0.1, 0), ticks=(10, 0, 0, 0)).add(str(number), clock=(2.0, 0))
        made_up.now += 2.0
        watch.look()
        made_up.end(str(number))
    watch.look()
    assert watch.worked == pytest.approx(10.1)


def test_those_who_wait_for_a_processor_are_told_apart(made_up):
    watch = Watch(made_up, 256 * MIB)
    made_up.add("2", clock=(0.25, 0.0)).add("3", clock=(0.25, 1.5))
    made_up.now = 2.0
    watch.look()
    assert watch.starved == pytest.approx(1.5)
    made_up.add("2", clock=(0.5, 1.0)).add("3", clock=(0.25, 2.0))  # both at the same time
    made_up.now = 3.0
    watch.look()
    assert (watch.worked, watch.starved) == pytest.approx((0.75, 2.5))
    made_up.now = 9.0  # all sleep
    watch.look()
    assert (watch.worked, watch.starved) == pytest.approx((0.75, 2.5))


def test_what_the_keeper_waits_itself_it_counts_for_them(made_up):
    watch = Watch(made_up, 256 * MIB)
    made_up.add("2", clock=(0.25, 0.1))
    made_up.now, made_up.waited = 5.0, 4.0
    watch.look()
    assert watch.starved == pytest.approx(4.0)


def test_nobody_waits_for_longer_than_the_clock(made_up):
    watch = Watch(made_up, 256 * MIB)
    for looks in range(1, 4):
        for number in range(2, 9):
            made_up.add(str(number), clock=(0, 100.0 * looks))
        made_up.now += 1.0
        watch.look()
        assert watch.starved <= made_up.now


# In the sandbox

BUSY_CHILDREN = """
import ctypes, mmap, os, sys, threading, time

def show_nothing():
    kept = mmap.mmap(-1, 100 << 20)
    for at in range(0, 100 << 20, 1 << 20):  # at no time does it show more than this
        kept[at : at + (1 << 20)] = bytes(1 << 20)
        kept.madvise(mmap.MADV_DONTNEED, at, 1 << 20)
    time.sleep(10**6)

def go_on_alone():
    first = '/proc/self/task/%d/stat' % os.getpid()
    while open(first).read().rpartition(')')[2].split()[0] != 'Z': time.sleep(0.01)
    kept = bytearray(b'x') * (100 << 20)
    time.sleep(10**6)

for _ in range(8):  # with two threads each, fewer than processes may be
    if os.fork() == 0:
        try:
            {child}
            time.sleep(10**6)
        finally:
            os._exit(0)
time.sleep(10**6)
"""
ANONYMOUS = "x = bytearray(b'x') * (100 << 20)"


@pytest.mark.parametrize(
    "child",
    [
        f"ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); {ANONYMOUS}",
        "show_nothing()",
        f'os.execv(sys.executable, ["python", "-S", "-c", "{ANONYMOUS}; import time; "'
        '"time.sleep(10**6)"])',
        f"threading.Thread(target=go_on_alone).start(); ctypes.CDLL(None).syscall({EXIT}, 0)",
    ],
    ids=["hidden", "shown by nobody", "other programs", "the first thread has ended"],
)
def test_memory_is_found_wherever_it_is(submission_run, child):
    """Each of eight children has 100 MiB, of 256 for all."""
    ran = submission_run.run_cell(BUSY_CHILDREN.format(child=child))
    assert ran.status == "died", (ran.name, ran.message, ran.trace)
    assert "more than 256 MiB of memory" in ran.message


def test_many_may_use_what_one_of_them_has(submission_run):
    ran = submission_run.run_cell(
        "import os, time\nx = bytearray(b'x') * (110 << 20)\npids = []\n"
        "for _ in range(3):\n"
        "    pids.append(os.fork())\n"
        "    if not pids[-1]: time.sleep(10**6)\n"
        "time.sleep(1)\nfor pid in pids: os.kill(pid, 9); os.waitpid(pid, 0)\nprint('done')"
    )
    assert shown(ran) == "done\n"


def test_a_program_that_is_being_started_does_not_count_twice(submission_run):
    """Until it has its own memory it has its parent's. Here it waits for a file before that."""
    ran = submission_run.run_cell(
        "import os, time\nx = bytearray(b'x') * (150 << 20)\nos.mkfifo('gate')\n"
        "if os.fork() == 0: time.sleep(1); os.open('gate', os.O_WRONLY); os._exit(0)\n"
        "wait = [(os.POSIX_SPAWN_OPEN, 0, 'gate', os.O_RDONLY, 0)]\n"
        "pid = os.posix_spawn('/bin/true', ['true'], {}, file_actions=wait)\n"
        "print(os.waitpid(pid, 0)[1])"
    )
    assert shown(ran) == "0\n", ran


def test_children_whose_end_nobody_wants_to_know_of_are_counted(submission_run):
    learner = submission_run._learner
    before = learner.worked()
    ran = submission_run.run_cell(
        "import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "for _ in range(4):\n"
        "    read, write = os.pipe()\n"
        "    if os.fork() == 0:\n"
        "        while time.process_time() < 0.4: pass\n"
        "        os._exit(0)\n"
        "    os.close(write); os.read(read, 1); os.close(read)\n"  # until it has ended
        "signal.signal(signal.SIGCHLD, signal.SIG_DFL)"
    )
    assert ran.status == "ok"
    wait_until(lambda: learner.worked() - before >= 1.2, 60.0)


def test_who_waits_for_a_processor_is_starved(submission_run):
    """Two children on one processor: while one of them works the other one waits."""
    learner = submission_run._learner
    before = learner.starved()
    ran = submission_run.run_cell(
        "import os, time\nos.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "pids = []\n"
        "for _ in range(2):\n"
        "    pids.append(os.fork())\n"
        "    if pids[-1] == 0:\n"
        "        while time.process_time() < 0.5: pass\n"
        "        os._exit(0)\n"
        "for pid in pids: os.waitpid(pid, 0)"
    )
    assert ran.status == "ok"
    assert learner.starved() - before >= 0.2
    asleep = learner.starved()
    assert submission_run.run_cell("import time; time.sleep(1.5)").status == "ok"
    assert learner.starved() - asleep < 1.4


def niceness(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[16])


def test_what_a_submission_starts_weighs_less(submission_run, learners):
    before = {*descendants(learners)}
    submission_run.run_cell(
        "import os, subprocess, sys, time\n"
        "if os.fork() == 0: time.sleep(10**6)\n"
        "later = subprocess.Popen(['sleep', '1000'], start_new_session=True)"
    )
    children = {*descendants(learners)} - before
    assert len(children) == 2
    wait_until(lambda: {niceness(pid) for pid in children} == {15})
    assert {niceness(pid) for pid in before} == {niceness("self")}


def test_orphans_are_buried(submission_run):
    ran = submission_run.run_cell(
        f"import os, subprocess\nfor _ in range({2 * SMALL.processes}): os.system('true &')\n"
        "print(subprocess.run(['echo', 'here'], capture_output=True, text=True).stdout)"
    )
    assert shown(ran) == "here\n\n"


PIN = "import os, time\nos.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
HOG = PIN + (
    "for _ in range(20):\n    if os.fork() == 0:\n        os.setsid()\n        while True: pass\n"
)
HALF_A_SECOND = PIN + (
    "def f(x):\n"
    "    end = time.process_time() + 0.5\n"
    "    while time.process_time() < end: pass\n"
    "    return x * 2"
)


def test_a_hog_takes_no_points_from_its_neighbor(make_run):
    """On one processor; with equal shares the neighbor has less than a twentieth of it."""
    hog, neighbor = make_run(), make_run()
    assert hog.run_cell(HOG).status == "ok"
    assert neighbor.run_cell(HALF_A_SECOND).status == "ok"
    outcome = neighbor.run_test("doubles", "assert f(21) == 42")
    assert outcome.verdict == "passed", outcome
