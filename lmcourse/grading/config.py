"""All that `nbgrader_config.py` needs: plain `nbgrader autograde` then does as `lmcourse grade`.

Chapter: book/instructors/index.md
"""

from traitlets.config import Config


def configure(c: Config) -> None:
    """Attach the strict reader, repair, bounded execution and the three outcomes to nbgrader."""
    ours, theirs = "lmcourse.grading.nbgrader_steps.preprocessors.", "nbgrader.preprocessors."
    c.Autograde.exporter_class = ours + "StrictNotebook"
    c.Autograde.sanitize_preprocessors = [ours + "Repair", theirs + "CheckCellMetadata"]
    c.Autograde.autograde_preprocessors = [
        ours + "Execute",
        theirs + "IgnorePattern",
        theirs + "LimitOutput",
        ours + "SaveOutcomes",
        theirs + "AssignLatePenalties",
        theirs + "CheckCellMetadata",
    ]
    c.ExportApp.plugin_class = "lmcourse.grading.nbgrader_steps.grade_export.MarkedExport"
    # nbgrader's own feedback would show hidden tests to learners, and run what they wrote.
    c.GenerateFeedback.exporter_class = (
        "lmcourse.grading.nbgrader_steps.feedback_exporter.FeedbackExporter"
    )
    c.GenerateFeedback.preprocessors = []
