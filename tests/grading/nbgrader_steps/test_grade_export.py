"""`nbgrader export` says of whom the points are not decided."""

import csv
import warnings
from types import SimpleNamespace

from traitlets.config import Config

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from nbgrader import api
    from nbgrader.apps.exportapp import ExportApp

    from lmcourse.grading.config import configure
    from lmcourse.grading.nbgrader_steps.grade_export import MarkedExport


class Gradebook(api.Gradebook):
    """nbgrader's without a database: ada is decided, ben waits, cleo has nothing."""

    assignments = (SimpleNamespace(name="tiny", duedate=None, max_score=6.0),)
    students = tuple(
        SimpleNamespace(id=name, last_name=f"={name}", first_name=None, email=None)
        for name in ("ada", "ben", "cleo")
    )

    def __init__(self):
        pass

    def find_submission(self, assignment, student):
        if student == "cleo":
            raise api.MissingEntry("none")
        waits = student == "ben"
        return SimpleNamespace(
            timestamp=None, score=5.0, late_submission_penalty=0.0, needs_manual_grade=waits
        )


def test_the_table_has_a_column_for_who_waits_and_no_formulas(tmp_path):
    path = tmp_path / "grades.csv"
    MarkedExport(to=str(path)).export(Gradebook())
    with path.open(newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert [row["score"] for row in rows.values()] == ["5.0", "5.0", "0.0"]
    assert [row["needs_manual_grade"] for row in rows.values()] == ["False", "True", ""]
    assert rows["ada"]["last_name"] == "'=ada"


def test_the_course_s_settings_name_it():
    configure(config := Config())
    assert ExportApp(config=config).plugin_class is MarkedExport
