"""tools/plant.py: a fault that is found is told from one that is missed, and each step has one."""

import check
import plant
import planted_faults
import pytest

CHECK = "echo ran >> runs; ! grep -n bad words"


def fault(kind, says="bad", text="bad\n", command=CHECK, copy="one"):
    how = planted_faults.append("words", text)
    return plant.Fault(kind=kind, step="words", plant=how, command=command, says=says, copy=copy)


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/words").write_text("good\n")
    return tmp_path / "tree"


def test_a_fault_is_found_by_what_its_step_says(tree, capsys):
    assert plant.main(["--tree", str(tree)], [fault("a bad word")]) == 0
    out = capsys.readouterr().out
    assert "2:bad" in out
    assert out.endswith("planted faults found: 1 of 1\n")
    assert (tree / "words").read_text() == "good\n"
    assert not (tree / "runs").exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"text": "fine\n"}, "status 0, without its words"),
        ({"says": "worse"}, "status 1, without its words: 2:bad"),
        ({"command": "grep bad words"}, "status 0, with its words"),
        ({"command": "exit 1", "says": "worse"}, "status 1, without its words"),
    ],
)
def test_a_fault_is_missed_if_nothing_fails_or_something_else_does(tree, change, why):
    (found,) = plant.try_copy(tree, [fault("missed", **change)])
    assert found.by == ""
    assert why in found.missed


def test_a_command_that_never_ends_has_found_nothing(tree):
    endless = fault("endless", command="echo bad; sleep 600; exit 1")
    (found,) = plant.try_copy(tree, [endless], seconds=0.5)
    assert "it took more than 0.5 seconds" in found.missed


def test_what_is_missed_or_cannot_be_planted_ends_with_1(tree, capsys):
    odd = planted_faults.replace("wor*", "nowhere", "x")
    lost = plant.Fault(kind="lost", step="s", plant=odd, command="exit 1", says="", copy="two")
    faults = [fault("found"), lost, fault("missed", says="worse")]
    assert plant.main(["--tree", str(tree)], faults) == 1
    out = capsys.readouterr().out
    assert "must hold 'nowhere' once" in out
    assert out.endswith("planted faults found: 1 of 3\n")


def test_faults_of_one_copy_share_what_its_command_prints(tree):
    count = "cat runs | wc -l; ! grep -n bad words"
    faults = [
        fault("first", says="2:bad"),
        fault("second", says="3:bad"),
        fault("third", says="^1\n", command=count),
    ]
    assert [one.missed for one in plant.try_copy(tree, faults)] == ["", "", ""]


def test_some_can_be_chosen_and_named(tree, capsys):
    faults = [fault("red"), fault("blue")]
    assert plant.main(["--list", "--only", "red"], faults) == 0
    assert capsys.readouterr().out.split() == ["words", "red"]
    with pytest.raises(SystemExit):
        plant.main(["--only", "green"], faults)


def test_each_step_of_the_check_has_a_fault_to_find():
    steps = {step.name for step in (*check.first_steps(), *check.other_steps())}
    steps.remove("release")  # what it gives is compared by the step after it
    planted = {fault.step for fault in planted_faults.FAULTS}
    assert {step for step in steps if not any(step.startswith(name) for name in planted)} == set()
    assert {name for name in planted if not any(s.startswith(name) for s in steps)} == set()


def test_each_kind_is_planted_once():
    kinds = [fault.kind for fault in planted_faults.FAULTS]
    assert len(kinds) == len(set(kinds))
