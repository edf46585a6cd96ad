"""A small class that several files grade in their ways, and what one worker makes of it."""

import subprocess
from pathlib import Path

import pytest
from class_small import grade, make_class


@pytest.fixture(scope="session")
def small_class(tmp_path_factory) -> Path:
    return make_class(tmp_path_factory.mktemp("small_class"))


@pytest.fixture(scope="session")
def whole(small_class, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """The class graded in one go by one worker, into SQLite."""
    out = tmp_path_factory.mktemp("whole")
    return out, grade(small_class, out, "--workers", 1)
