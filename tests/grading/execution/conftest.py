"""What tests of kernels share."""

import pytest

from lmcourse.grading.execution import kernel


@pytest.fixture
def little_grace(monkeypatch):
    """A kernel that does not end when it is asked is ended after three seconds."""
    monkeypatch.setattr(kernel, "_GRACE_SECONDS", 3.0)
