"""tools/hostile.py: every attack is tried; those that nbgrader's own code meets go both ways."""

import inspect
import warnings

import hostile
from attacks.folders import FOLDERS, REFUSED, TIMES
from attacks.notebooks import NOTEBOOKS
from hostile_runs import ALL, ATTACKS
from traitlets.config import Config


def test_every_attack_is_tried_by_the_check():
    assert hostile.names_of("lmcourse") == ALL
    assert len(ALL) == len(set(ALL)) >= 97


def test_what_is_handed_in_goes_both_ways_and_of_the_answers_a_sample():
    both = {*hostile.names_of("nbgrader")}
    assert both - {*ATTACKS} == {*NOTEBOOKS, *FOLDERS, *REFUSED, *TIMES}
    assert both & {*ATTACKS} == {*hostile.SAMPLE}
    assert hostile.names_of("nbgrader", everything=True) == ALL


def test_both_ways_run_answers_by_the_same_function():
    """So an attack that lies in an answer meets the same code, whichever way it comes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
        from lmcourse.grading import config
        from lmcourse.grading.batch import workers
        from lmcourse.grading.execution import submission
        from lmcourse.grading.nbgrader_steps import preprocessors
    settings = Config()
    config.configure(settings)
    step = f"{preprocessors.__name__}.{preprocessors.Execute.__name__}"
    assert step in settings.Autograde.autograde_preprocessors
    assert workers.grade is submission.grade
    for way in (submission.grade, preprocessors.Execute.preprocess):
        names = inspect.getclosurevars(inspect.unwrap(way)).globals
        assert names["run_notebook"] is submission.run_notebook
