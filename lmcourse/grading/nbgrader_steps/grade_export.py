"""`nbgrader export`, made to say of whom the points are not decided.

Chapter: book/instructors/collecting.md
"""

import csv
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import CsvExportPlugin

from lmcourse.files import write_file
from lmcourse.grading.reports import tables

_FIELDS = {"assignment": 0, "student_id": 3}  # of nbgrader's table


class MarkedExport(CsvExportPlugin):
    """nbgrader's table with one more column, `needs_manual_grade`: a person is waited for.

    Points of an earlier notebook are among them, where the last one could not be graded.
    """

    def export(self, gradebook: Gradebook) -> None:
        """Write nbgrader's table, then this one in its place."""
        super().export(gradebook)
        path = Path(self.to or "grades.csv")
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
        rows = [[*row, _waits(gradebook, row)] for row in rows]
        write_file(path, tables.as_csv([*header, "needs_manual_grade"], rows))


def _waits(gradebook: Gradebook, row: list[str]) -> str:
    assignment, student = (row[place] for place in _FIELDS.values())
    try:
        return str(bool(gradebook.find_submission(assignment, student).needs_manual_grade))
    except MissingEntry:
        return ""
