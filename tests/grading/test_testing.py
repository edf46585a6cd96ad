"""The door for the test cells of assignments."""

import subprocess
import sys

from lmcourse.grading import testing
from lmcourse.grading.bridge import assertions, checklist
from lmcourse.grading.withholding import torch_functions, without_autograd


def test_the_door_opens_what_the_bridge_has():
    helpers = ["draws_anew", "left_alone", "second_call", "sizes", "turned"]
    judges = ["award", "close", "probe", "raises", "take_award", "takes_objects", "verdicts"]
    assert testing.__all__ == sorted([*judges, *helpers, "without", "without_autograd"])
    assert testing.without is torch_functions.without
    assert testing.without_autograd is without_autograd.without_autograd
    for name in [*judges, *helpers]:
        place = checklist if name in helpers else assertions
        assert getattr(testing, name) is getattr(place, name)


def test_a_learner_s_notebook_can_use_it_without_nbgrader():
    code = "import sys; from lmcourse.grading.testing import award, close, probe, raises\n"
    code += "close(1.0, 1.0); print('nbgrader' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
