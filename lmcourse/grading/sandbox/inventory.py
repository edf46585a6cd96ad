"""What must stay unseen by learners' code: one list, from which the sandbox hides and is searched.

Chapter: book/instructors/sandbox.md

Threat: the course, what was handed in, the gradebook, the secret or nbgrader's exchange lies below
a folder that the sandbox shows – Python's own, say – and an answer prints it. So all of them are
listed once (`of_course`). The sandbox shows a list of folders, not whole trees, and what lies in
one of them is covered; then it is searched from inside for each of the list (`bubblewrap`), and
nothing runs if one is there.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmcourse.grading.safe_text import plain

# What nbgrader's settings call the folders of a course, and what they are.
_FOLDERS = {
    "source_directory": "the folder of the authors' notebooks",
    "release_directory": "the folder of the release",
    "source_with_tests_directory": "the folder of the authors' notebooks",
    "submitted_directory": "the folder of what was handed in",
    "autograded_directory": "the folder of graded notebooks",
    "feedback_directory": "the folder of the feedback",
    "solution_directory": "the folder of solutions",
}
_EXCHANGE = "/usr/local/share/nbgrader/exchange"  # nbgrader's, where no other is set
_HOMES = ("/home", "/root")
# Where a database of this machine listens, unless its address says so.
_SOCKETS = {
    "postgresql": ("/run/postgresql", "/var/run/postgresql"),
    "mysql": ("/run/mysqld", "/var/run/mysqld"),
    "mariadb": ("/run/mysqld", "/var/run/mysqld"),
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file or folder that must stay unseen, and what it is."""

    path: Path
    what: str = "a folder of the course"

    @property
    def real(self) -> str:
        """The path without links."""
        return os.path.realpath(self.path)

    @property
    def said(self) -> str:
        """What a person reads of it."""
        return f"{self.what} {plain(str(self.path))}"


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """All that must stay unseen; a path is in it once."""

    places: tuple[Place, ...] = ()

    def __iter__(self) -> Iterator[Place]:
        return iter(self.places)

    def covered(self, trees: Mapping[str, str]) -> dict[str, str]:
        """Where in the sandbox something must be put over a place, lest it be seen; and the place.

        A folder that holds a tree, or is one, cannot be covered: Python needs the tree.

        Args:
            trees: of the sandbox, each with the folder of the machine that is shown there.
        """
        found = {
            os.path.join(inside, os.path.relpath(place.real, outside)): place.real
            for place in self.places
            for inside, outside in trees.items()
            if place.real != outside and Path(place.real).is_relative_to(outside)
        }
        return {path: real for path, real in found.items() if not _is_covered(path, found, trees)}

    def facts(self) -> list[tuple[int, str, int, int]]:
        """Each place that is there: its number, its path, and by what it can be told from others.

        Whatever stands at a path in the sandbox is the place itself if both numbers are the same.
        """
        found = []
        for number, place in enumerate(self.places):
            for path in dict.fromkeys((str(place.path), place.real)):
                try:
                    facts = os.stat(path)
                except (OSError, ValueError):
                    continue  # nothing is there, or nobody may look
                found.append((number, path, facts.st_dev, facts.st_ino))
        return found


def _is_covered(path: str, covers: Iterable[str], trees: Iterable[str]) -> bool:
    """Whether a cover above lies over it, and no tree comes after that, which would show it."""
    tree = max((one for one in trees if Path(path).is_relative_to(one)), key=len)
    above = (one for one in covers if one != path and Path(path).is_relative_to(one))
    return any(one != tree and Path(one).is_relative_to(tree) for one in above)


NOTHING = Inventory()


def of_course(
    *,
    root: Path,
    config: Mapping[str, Any],
    db_url: str = "",
    output: Path | None = None,
    handed_in: Path | None = None,
    secret: Path | None = None,
    solutions: Path | None = None,
) -> Inventory:
    """The inventory of a course, and of what a call names beside it.

    Args:
        root: of the course.
        config: the course's settings for nbgrader.
        db_url: the address of the gradebook.
    """
    named = [
        (root, "the folder of the course"),
        (output, "the output folder"),
        (handed_in, "the folder of what was handed in"),
        (secret, "the course secret"),
        (solutions, "the folder of the authors' notebooks"),
    ]
    found = [(path, what) for path, what in named if path is not None]
    folders = config.get("CourseDirectory", {})
    found += [(root / folders[name], what) for name, what in _FOLDERS.items() if folders.get(name)]
    found += [(root / path, "the gradebook") for path in _of_database(db_url)]
    found += [(path, "nbgrader's exchange") for path in _exchange(root, config.get("Exchange", {}))]
    homes = dict.fromkeys((*_HOMES, os.path.expanduser("~")))
    found += [(Path(home), "the home folder") for home in homes if os.path.isabs(home)]
    places = {}
    for path, what in found:
        places.setdefault(os.path.abspath(path), what)
    return Inventory(places=tuple(Place(path=Path(p), what=what) for p, what in places.items()))


def _exchange(root: Path, settings: Mapping[str, Any]) -> list[Path]:
    from jupyter_core.paths import jupyter_data_dir

    cache = settings.get("cache") or os.path.join(jupyter_data_dir(), "nbgrader_cache")
    return [root / (settings.get("root") or _EXCHANGE), Path(_EXCHANGE), root / cache]


def _of_database(db_url: str) -> list[str]:
    """The file of a gradebook, or where its server listens on this machine."""
    if not db_url:
        return []
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(db_url)
    except ArgumentError:  # told by whoever opens it
        return []
    kind = url.get_backend_name()
    if kind == "sqlite":
        # With its folder: a journal, and a copy that `lmcourse` keeps, lie beside it.
        there = bool(url.database) and url.database != ":memory:"
        return [os.path.dirname(url.database), url.database] if there else []
    # Whatever begins like a path: a socket, a file with a key or a password.
    values = [
        *_SOCKETS.get(kind, ()),
        os.environ.get("PGHOST", ""),
        os.environ.get("PGPASSFILE", ""),
    ]
    for value in url.query.values():
        values += [value] if isinstance(value, str) else value
    return [value for value in values if os.path.isabs(value)]
