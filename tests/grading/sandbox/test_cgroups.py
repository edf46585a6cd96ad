"""Control groups, on a folder that looks like the kernel's: few machines hand them out."""

import os

import pytest

from lmcourse.grading.sandbox import cgroups

GIB = 1 << 30


@pytest.fixture
def kernel(tmp_path):
    """The kernel's folder, with a group that has been handed over to this process."""

    class Kernel:
        root = tmp_path / "cgroup"
        own = tmp_path / "own"
        group = root / "user.slice" / "run-7.scope"
        controllers = "cpuset cpu io memory pids"

        def make(self, *others):
            members = [os.getpid(), *others]
            self.group.mkdir(parents=True)
            (self.root / "cgroup.controllers").write_text(self.controllers)
            (self.group / "cgroup.controllers").write_text(self.controllers)
            (self.group / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in members))
            (self.group / "cgroup.subtree_control").write_text("")
            self.own.write_text("1:cpu:/elsewhere\n0::/user.slice/run-7.scope\n")
            return self

        def groups(self):
            return cgroups.groups(self.root, self.own)

    return Kernel()


def contents(folder):
    return {path.name: path.read_text().strip() for path in folder.iterdir() if path.is_file()}


def test_a_group_that_was_handed_over_is_divided(kernel):
    made = kernel.make().groups().group(2 * GIB, 33)
    made.add(4711)
    (found,) = [path for path in kernel.group.iterdir() if path.name.startswith("submission-")]
    assert contents(found) == {
        "memory.max": str(2 * GIB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "33",
        "cpu.weight": "100",
        "cgroup.procs": "4711",
    }
    # The grader has left the group that gives its controllers on, as the kernel demands.
    assert contents(kernel.group / "lmcourse-grader") == {"cgroup.procs": str(os.getpid())}
    assert contents(kernel.group)["cgroup.subtree_control"] == "+memory +pids +cpu"


def test_each_submission_has_a_group_of_its_own(kernel):
    groups = kernel.make().groups()
    for _ in range(3):
        groups.group(GIB, 9)
    assert len([*kernel.group.glob("submission-*")]) == 3


def test_a_worker_of_a_grader_finds_its_place(kernel):
    kernel.make().groups()
    kernel.own.write_text("0::/user.slice/run-7.scope/lmcourse-grader\n")
    (kernel.group / "cgroup.subtree_control").write_text("memory pids\n")
    assert kernel.groups().group(GIB, 9) is not None
    assert [*kernel.group.glob("submission-*")]


@pytest.mark.parametrize("controllers", ["", "cpu", "memory", "pids cpu"])
def test_without_the_controllers_there_is_none(kernel, controllers):
    kernel.controllers = controllers
    assert kernel.make().groups() is None
    assert not (kernel.group / "lmcourse-grader").exists()


def test_nobody_else_is_ever_moved(kernel):
    assert kernel.make(1).groups() is None
    assert not (kernel.group / "lmcourse-grader").exists()


def test_the_first_interface_is_no_use(kernel):
    kernel.make()
    kernel.own.write_text("4:memory:/a\n1:cpu:/b\n")
    assert kernel.groups() is None
    kernel.own.write_text("0::/../user.slice/run-7.scope\n")  # of somebody else's view
    assert kernel.groups() is None
    kernel.own.write_text("4:memory:/a\n0::/\n")  # both at once: no controllers at the top
    (kernel.root / "cgroup.controllers").unlink()
    assert kernel.groups() is None


def test_a_kernel_that_refuses_leaves_the_keeper_alone(kernel):
    groups = kernel.make().groups()
    os.rename(kernel.group, kernel.root / "gone")
    assert groups.group(GIB, 9) is None


def test_the_kernel_s_word_on_memory(kernel):
    made = kernel.make().groups().group(GIB, 9)
    (folder,) = kernel.group.glob("submission-*")
    assert not made.exceeded()
    (folder / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 0\n")
    assert not made.exceeded()
    (folder / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 3\n")
    assert made.exceeded()


def test_it_is_removed_when_nobody_is_in_it(kernel):
    made = kernel.make().groups().group(GIB, 9)
    (folder,) = kernel.group.glob("submission-*")
    for path in folder.iterdir():  # the kernel's own files do not keep a folder
        path.unlink()
    made.close()
    assert not folder.exists()
