"""Wrong answers that the tests of an assignment must catch, and right ones that they must let pass.

One module for each assignment, `tests/faults/<slug>.py`, with two lists: `WRONG` and `RIGHT`.
`tools/run_faults.py` runs them; `make faults` prints the score.
"""

import importlib.util
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Literal

Origin = Literal["own", "blind"]

_BLIND = Path(__file__).parents[1] / "blind"
_BLANK = re.compile(r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer to one task.

    Args:
        name: a few words for the table.
        task: the grade_id of the answer's cell, and the task that a wrong answer breaks.
        note: what the learner thought, or in which style it is right.
        source: the text of the cell, made from that of the solution.
        cause: what the message to the learner must name: a word or its beginning, or several with
            "|" between them, one of which is enough; capitals do not matter. It is looked for in
            the first message of the task, before the empty line that figures stand behind.
        origin: who thought of it: the tests' authors, or somebody who saw the release alone.
    """

    name: str
    task: str
    note: str
    source: Callable[[str], str]
    cause: str = ""
    origin: Origin = "own"


def edit(
    name: str,
    task: str,
    note: str,
    *edits: tuple[str, str],
    cause: str = "",
    origin: Origin = "own",
) -> Answer:
    """The solution with `old` replaced by `new`, for each pair; `old` stands there exactly once."""

    def source(solution: str) -> str:
        for old, new in edits:
            if solution.count(old) != 1:
                raise ValueError(
                    f"edits of {name!r} must replace what stands once in the solution of {task}, "
                    f"got {solution.count(old)} times {old!r}"
                )
            solution = solution.replace(old, new)
        return solution

    return Answer(name=name, task=task, note=note, source=source, cause=cause, origin=origin)


def wrong(task: str, cause: str, name: str, *edits: tuple[str, str]) -> Answer:
    """The solution with these edits; `name` says what was thought."""
    return edit(name, task, name, *edits, cause=cause)


def fill(
    name: str, task: str, note: str, *bodies: str, cause: str = "", origin: Origin = "own"
) -> Answer:
    """The blanks of the task filled with `bodies`, one for each `### BEGIN SOLUTION`, in order."""

    def source(solution: str) -> str:
        blanks = _BLANK.findall(solution)
        if len(blanks) != len(bodies):
            raise ValueError(
                f"bodies of {name!r} must fill the blanks of {task}, "
                f"got {len(bodies)} bodies for {len(blanks)} blanks"
            )
        rest = iter(bodies)

        def body(blank: re.Match) -> str:
            return textwrap.indent(textwrap.dedent(next(rest)).strip("\n"), blank[1]) + "\n"

        return _BLANK.sub(body, solution)

    return Answer(name=name, task=task, note=note, source=source, cause=cause, origin=origin)


def write(
    name: str, task: str, note: str, cell: str, *, cause: str = "", origin: Origin = "own"
) -> Answer:
    """The whole cell, written anew."""
    whole = textwrap.dedent(cell).strip("\n")
    return Answer(
        name=name, task=task, note=note, source=lambda _: whole, cause=cause, origin=origin
    )


def load_answers(path: Path) -> ModuleType:
    """The module of frozen answers at `path`, with `WRONG` and `RIGHT`."""
    name = f"blind_{path.parent.name}_{path.stem}"  # its own may be that of a library
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def frozen(slug: str, number: int, causes: Mapping[str, str]) -> list[Answer]:
    """Answers of a blind round, as they are kept in tests/blind.

    Those that were graded wrongly; and caught ones, where an assignment has too few answers of its
    own that pass the visible tests.

    Args:
        causes: what the message must name, by the answer's name there; empty for a right one.
    """
    answers = load_answers(_BLIND / str(number) / f"{slug}.py")
    found = {answer.name: answer for answer in answers.WRONG + answers.RIGHT}
    return [replace(found[name], cause=cause, origin="blind") for name, cause in causes.items()]
