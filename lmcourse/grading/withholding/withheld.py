"""What an assignment withholds, as its notebook states it.

Chapter: book/instructors/writing_tests.md
"""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Withheld:
    """What an assignment withholds; it stands in the assignment's own metadata.

    Args:
        names: functions, classes, methods or whole modules of this package, by their full names.
        operators: names of torch's operators (`aten::…`), as regular expressions.
        attributes: torch's Python functions and classes, by their full names.
        say: what to do instead.
    """

    names: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    say: str = "writing it is the task"

    def as_json(self) -> dict:
        """What a fork server gets (`torch_functions.apply`)."""
        return asdict(self)


def stated(withheld: Any) -> Withheld:
    """What `metadata.lmcourse.withheld` of a notebook says.

    Raises:
        ValueError: it is not written as it must be.
    """
    known = Withheld().as_json()
    if not isinstance(withheld, dict) or not set(withheld) <= set(known):
        raise ValueError(f"withheld must hold nothing but {sorted(known)}, got {withheld!r}")
    read = {}
    for key, value in withheld.items():
        if key == "say" and isinstance(value, str):
            read[key] = value
        elif key != "say" and isinstance(value, list) and all(type(v) is str for v in value):
            read[key] = tuple(value)
        else:
            wanted = "a text" if key == "say" else "a list of texts"
            raise ValueError(f"withheld {key} must be {wanted}, got {value!r}")
    return Withheld(**read)
