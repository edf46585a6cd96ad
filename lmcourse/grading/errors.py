"""The two ways in which a command ends early, each with one line that says what to do.

Chapter: book/instructors/index.md
"""


class MisuseError(Exception):
    """The command was asked for something that it cannot do: exit code 2."""


class FailureError(Exception):
    """The command was asked rightly and could not do its work: exit code 1."""
