"""What besides a submission can change its grade, as facts that can be compared."""

from lmcourse.grading.gradebook import environment


def test_the_facts_name_our_packages_and_our_own_code():
    facts = environment.facts()
    assert {"torch", "nbgrader", "Python", "machine", "lmcourse"} <= {*facts}
    theirs = {name: value for name, value in facts.items() if name != "torch"} | {"Python": "2.7"}
    found = environment.differences(theirs)
    assert [line.split(" there")[0] for line in found] == ["Python 2.7", "torch is missing"]
    assert environment.differences(facts) == []


def test_the_facts_do_not_depend_on_what_was_imported(monkeypatch, tmp_path):
    (tmp_path / "carried-1.0.dist-info").mkdir()
    (tmp_path / "carried-1.0.dist-info/METADATA").write_text("Name: carried\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "carried" not in environment.facts.__wrapped__()
