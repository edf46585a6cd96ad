"""`nbgrader generate_feedback`, made to write the page of `lmcourse.grading.reports.feedback`.

Chapter: book/instructors/hand_grading.md
"""

from pathlib import Path

from nbconvert.exporters import TemplateExporter
from nbformat import NotebookNode

from lmcourse.grading.assignment.author import authors_notebook, recorded_plan, released_order
from lmcourse.grading.assignment.course import Course
from lmcourse.grading.assignment.plan import tasks
from lmcourse.grading.gradebook.recorder import Recorder
from lmcourse.grading.gradebook.results import GradingRun, Options
from lmcourse.grading.lateness import days_late
from lmcourse.grading.reports.feedback import feedback


class FeedbackExporter(TemplateExporter):
    """A learner's page, whichever button or command asks for it; nbgrader's shows hidden tests."""

    output_mimetype = "text/html"

    def _file_extension_default(self) -> str:
        return ".html"

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict | None = None, **_
    ) -> tuple[str, dict]:
        """The page of feedback of a graded notebook."""
        ids = resources["nbgrader"]
        course = self.parent.coursedir
        grading_run = GradingRun(
            course=Course(root=Path(course.root), config=self.config),
            assignment=ids["assignment"],
            output=Path(course.root),
            options=Options(),
            log=self.log,
        )
        plan = recorded_plan(resources, released_order(authors_notebook(course, resources)))
        with Recorder(grading_run) as recorder:
            where = course.format_path(
                course.autograded_directory, ids["student"], ids["assignment"]
            )
            result = recorder.read_back(ids["student"], Path(where))
        page = feedback(
            ids["assignment"],
            days_late.noted(result, grading_run.output, grading_run.assignment),
            tasks(plan),
        )
        return page, {**resources, "output_extension": ".html"}
