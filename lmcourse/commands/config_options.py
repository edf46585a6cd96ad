"""The options of a command that runs configs: one for each field, told by the config itself.

Chapter: book/training.md
"""

import inspect
import re
import types
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import fields
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand


class Settings(NamedTuple):
    """A config as a command starts from it.

    Args:
        config: its values are the defaults of the options.
        leave_out: fields that get no option.
        panel: the heading of the options in the help.
    """

    config: Any
    leave_out: Collection[str]
    panel: str


def config_command(settings: Callable[[], Sequence[Settings]]) -> type[TyperCommand]:
    """A command class that adds an option for each field of some configs.

    Their values are found in `context.obj`, by name.

    Args:
        settings: asked when the command is called and not before, since configs may stand in
            modules that take long to import.
    """

    class ConfigCommand(TyperCommand):
        context_class = typer.Context

        def get_params(self, ctx: Any) -> list[Any]:
            return [*super().get_params(ctx), *self._config_params()]

        def _config_params(self) -> list[Any]:
            if not hasattr(self, "_options"):
                self._options = [x for part in settings() for x in _options(part)]
            return self._options

        def invoke(self, ctx: Any) -> Any:
            names = [option.name for option in self._config_params()]
            ctx.obj = {name: ctx.params.pop(name) for name in names}
            return super().invoke(ctx)

    return ConfigCommand


def typed(context: typer.Context) -> set[str]:
    """The names of the arguments and options that were given, and not left as they are."""
    known = [parameter.name for parameter in context.command.get_params(context)]
    return {
        name
        for name in known
        if name and getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    }


def _options(settings: Settings) -> list[Any]:
    """One option of click for each field; typer makes them, as of the arguments of a function."""

    def command(**values: Any) -> None:
        pass

    parameters = list(_parameters(settings))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {x.name: x.annotation for x in parameters}
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return list(typer.main.get_command(app).params)


def _parameters(settings: Settings) -> Iterator[inspect.Parameter]:
    kind = type(settings.config)
    hints, helps = get_type_hints(kind), field_helps(kind)
    for field in fields(kind):
        if field.name in settings.leave_out:
            continue
        annotation, more = _annotation(hints[field.name])
        told = helps.get(field.name, "")
        option = typer.Option(
            help=told[:1].upper() + told[1:], rich_help_panel=settings.panel, **more
        )
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(settings.config, field.name),
            annotation=Annotated[annotation, option],
        )


def _annotation(hint: Any) -> tuple[Any, dict[str, Any]]:
    """The type of an option, and what else typer needs to know of it."""
    if get_origin(hint) is Literal:  # the config itself refuses others, in one line
        return str, {"metavar": "[" + "|".join(get_args(hint)) + "]"}
    if isinstance(hint, types.UnionType) and type(None) in get_args(hint):
        (kind,) = (x for x in get_args(hint) if x is not type(None))
        return kind | None, {"parser": _or_none(kind), "metavar": f"<{kind.__name__}>"}
    return hint, {}


def _or_none(kind: type) -> Callable[[str], Any]:
    """Reads a number, or the word none."""

    def read(text: Any) -> Any:
        return None if str(text).lower() == "none" else kind(text)

    read.__name__ = kind.__name__
    return read


def field_helps(kind: type) -> dict[str, str]:
    """What the docstring of a config says of each field, under `Args:`.

    Example:
        >>> from lmcourse.gpt import GPTConfig
        >>> field_helps(GPTConfig)["n_layers"]
        'the blocks, one after another.'
    """
    section = re.search(r"^Args:\n((?:    .*\n?|\n)*)", inspect.getdoc(kind) or "", re.MULTILINE)
    lines = re.findall(
        r"^    (\w+): (.*(?:\n {8}.*)*)", section[1] if section else "", re.MULTILINE
    )
    return {name: " ".join(text.split()) for name, text in lines}
