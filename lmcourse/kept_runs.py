"""Runs that are kept in a file, so that a long comparison goes on where it was stopped.

Chapter: book/conventions.md
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lmcourse.files import write_file

_STORY = "story.json"


def keep_story(folder: Path, story: Mapping[str, Any]) -> None:
    """Writes down what a comparison has to show beside its numbers: texts, scores, maps."""
    write_file(folder / _STORY, json.dumps(story, ensure_ascii=False) + "\n")


def kept_story(folder: Path) -> dict[str, Any]:
    """What `keep_story` wrote down in the folder."""
    return json.loads((folder / _STORY).read_text(encoding="utf-8"))


class KeptRuns:
    """What was measured already, by its key, in one file of JSON."""

    def __init__(self, path: Path):
        self.path = path
        self._known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def get(self, key: str, measure: Callable[[], Any]) -> Any:
        """What stands under the key; measured and kept if nothing does."""
        if key not in self._known:
            self._known[key] = measure()
            write_file(self.path, json.dumps(self._known, indent=1) + "\n")
        return self._known[key]
