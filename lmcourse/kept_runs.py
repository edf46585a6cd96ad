"""Runs that are kept in a file, so that a long comparison goes on where it was stopped.

Chapter: book/conventions.md
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lmcourse.files import write_file


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
