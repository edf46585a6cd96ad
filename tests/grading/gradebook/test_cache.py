"""What is kept is what decides a grade, whole or not at all."""

import dataclasses
from pathlib import Path

import pytest
from small_assignment import CELLS, SPEC

from lmcourse.grading.assignment.notebooks import Cell
from lmcourse.grading.gradebook import environment
from lmcourse.grading.gradebook.cache import Cache
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.inventory import Inventory, Place


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
        {"spec": changed(budgets=Budgets(test_seconds=5.0))},
    ],
)
def test_whatever_decides_a_grade_decides_the_key(other):
    assert key(**other) != key()


@pytest.mark.parametrize(
    "other",
    [
        {
            "spec": changed(unseen=Inventory(places=(Place(path=Path("/somewhere/else")),)))
        },  # the course was moved
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
