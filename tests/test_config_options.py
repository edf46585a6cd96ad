"""commands.config_options: a command has what its configs have, and knows what was typed."""

from dataclasses import dataclass, fields
from typing import Literal

import pytest
import typer
from typer.testing import CliRunner

from lmcourse.commands.config_options import Settings, config_command, field_helps, typed
from lmcourse.gpt import GPTConfig
from lmcourse.training import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A cake.

    Args:
        eggs: how many, all of
            one size.
        sugar: in grams; none if None.
        oven: "gas" is hotter.
    """

    eggs: int
    sugar: float | None = 50.0
    friends: int | None = None
    oven: Literal["gas", "electric"] = "gas"
    glazed: bool = True
    secret: str = "rum"


def called(*arguments):
    """What a command with a Recipe is given."""
    seen = []
    app = typer.Typer()

    def settings():
        return [Settings(Recipe(eggs=3), ("secret",), "The cake")]

    @app.command(cls=config_command(settings))
    def bake(context: typer.Context, plate: str = "white") -> None:
        seen.append((plate, context.obj, typed(context)))

    shown = CliRunner().invoke(app, [str(x) for x in arguments])
    assert shown.exit_code == 0, shown.output
    return seen[0] if seen else shown.output


def test_defaults_and_types_are_those_of_the_config():
    plate, values, given = called()
    assert plate == "white"
    assert values == {"eggs": 3, "sugar": 50.0, "friends": None, "oven": "gas", "glazed": True}
    assert given == set()


def test_what_was_typed_is_known_also_where_it_equals_the_default():
    asked = ["--eggs", "3", "--sugar", "none", "--friends", "2", "--no-glazed", "--plate", "red"]
    plate, values, given = called(*asked)
    assert plate == "red"
    expected = {"eggs": 3, "sugar": None, "friends": 2, "oven": "gas", "glazed": False}
    assert values == expected
    assert given == {"eggs", "sugar", "friends", "glazed", "plate"}


def test_the_help_is_that_of_the_docstring():
    shown = " ".join(called("--help").split())
    for words in ("How many, all of one size.", "In grams; none if None.", "[gas|electric]"):
        assert words in shown
    assert "--secret" not in shown


@pytest.mark.parametrize("kind", [GPTConfig, TrainingConfig])
def test_every_field_that_becomes_an_option_is_told(kind):
    names = {field.name for field in fields(kind)}
    assert names - field_helps(kind).keys() == {"vocab_size"} & names  # which gets no option
