"""What is kept is what decides a grade, whole or not at all."""

import dataclasses
from pathlib import Path

import pytest
from small_assignment import CELLS, SPEC

from lmcourse.grading.assignment.notebooks import Cell
from lmcourse.grading.gradebook import environment
from lmcourse.grading.gradebook.cache import Cache
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.withheld_functions import Withheld


def key(spec=SPEC, student="ada", cells=CELLS):
    return Cache(Path("nowhere"), spec).key(student, cells)


def changed(**changes):
    return dataclasses.replace(SPEC, **changes)


@pytest.mark.parametrize(
    "other",
    [
        {"student": "ben"},  # whose inputs are others
        {"cells": [dataclasses.replace(CELLS[0], source="def f(): return 2")]},
        {"cells": [dataclasses.replace(CELLS[0], claims={"grade_id": "g"})]},
        {"cells": [*CELLS, Cell(kind="markdown", source="")]},
        {"spec": dataclasses.replace(SPEC, assignment="large")},
        {"spec": dataclasses.replace(SPEC, sandbox=False)},
        {"spec": dataclasses.replace(SPEC, plan=[dataclasses.replace(SPEC.plan[0], points=3.0)])},
        {"spec": dataclasses.replace(SPEC, plan=[dataclasses.replace(SPEC.plan[0], source="1")])},
        {"spec": changed(reference=[])},
        {"spec": changed(wanted=frozenset({"g"}))},
        {"spec": changed(secret=b"another secret of the course")},
        {"spec": changed(budgets=Budgets(test_seconds=5.0))},
        {"spec": changed(withheld=Withheld(names=("lmcourse.neurons.softmax",)))},
        {"spec": changed(files={"data.csv": b"1,3"})},
    ],
)
def test_whatever_decides_a_grade_decides_the_key(other):
    assert key(**other) != key()


@pytest.mark.parametrize(
    "other",
    [
        {"spec": changed(hidden=[Path("/somewhere/else")])},  # the course was moved
        {"cells": [dataclasses.replace(CELLS[0], claims={"grade_id": "f", "points": 99})]},
    ],
)
def test_what_decides_no_grade_does_not(other):
    assert key(**other) == key()


@pytest.mark.parametrize("name", ["torch", "Python", "lmcourse"])
def test_another_environment_is_another_key(monkeypatch, name):
    before, facts = key(), environment.facts()
    monkeypatch.setattr(environment, "facts", lambda: {**facts, name: "another"})
    assert key() != before


def test_what_is_kept_is_found_again_under_its_key_alone(tmp_path):
    cache = Cache(tmp_path / "tiny", SPEC)
    assert cache.find("ada", "key") is None
    cache.keep("ada", "key", '{"cells": "äöü"}')
    assert cache.find("ada", "key") == '{"cells": "äöü"}'
    assert cache.find("ada", "other key") is None
    assert cache.find("ben", "key") is None
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["ada.json"]


def test_the_last_one_takes_the_place_of_the_one_before(tmp_path):
    cache = Cache(tmp_path, SPEC)
    cache.keep("ada", "old", "1")
    cache.keep("ada", "new", "2")
    assert (cache.find("ada", "old"), cache.find("ada", "new")) == (None, "2")


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b"", lambda b: b.replace(b"1", b"2")]
)
def test_a_damaged_entry_is_as_good_as_none(tmp_path, damage):
    cache = Cache(tmp_path, SPEC)
    cache.keep("ada", "key", '{"points": 1}')
    path = tmp_path / "ada.json"
    path.write_bytes(damage(path.read_bytes()))
    assert cache.find("ada", "key") is None


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
