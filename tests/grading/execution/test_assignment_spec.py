"""All that can change a grade changes the spec's fingerprint."""

import dataclasses
from pathlib import Path

import pytest
from small_assignment import SPEC

from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.inventory import Inventory, Place
from lmcourse.grading.withholding.withheld import Withheld


def changed(**changes):
    return dataclasses.replace(SPEC, **changes)


@pytest.mark.parametrize(
    "other",
    [
        changed(assignment="large"),
        changed(sandbox=False),
        changed(plan=[dataclasses.replace(SPEC.plan[0], points=3.0)]),
        changed(plan=[dataclasses.replace(SPEC.plan[0], source="1")]),
        changed(reference=[]),
        changed(wanted=frozenset({"g"})),
        changed(secret=b"another secret of the course"),
        changed(budgets=Budgets(test_seconds=5.0)),
        changed(withheld=Withheld(names=("lmcourse.neurons.softmax",))),
        changed(files={"data.csv": b"1,3"}),
    ],
)
def test_whatever_decides_a_grade_is_in_the_fingerprint(other):
    assert other.fingerprint != SPEC.fingerprint


def test_every_field_but_the_unseen_places_decides():
    """A new field must be put into the fingerprint, or have a reason not to be."""
    fields = {field.name for field in dataclasses.fields(SPEC)}
    assert fields - {"unseen"} == {
        *("assignment", "plan", "reference", "wanted", "secret", "budgets", "withheld", "files"),
        "sandbox",
    }
    elsewhere = Inventory(places=(Place(path=Path("/somewhere/else")),))
    assert changed(unseen=elsewhere).fingerprint == SPEC.fingerprint
