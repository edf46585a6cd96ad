"""The door for the test cells of assignments."""

import subprocess
import sys

from lmcourse.grading import testing
from lmcourse.grading.bridge import assertions


def test_the_door_opens_what_the_bridge_has():
    assert testing.__all__ == ["award", "close", "probe", "raises", "take_award"]
    for name in testing.__all__:
        assert getattr(testing, name) is getattr(assertions, name)


def test_a_learner_s_notebook_can_use_it_without_nbgrader():
    code = "import sys; from lmcourse.grading.testing import award, close, probe, raises\n"
    code += "close(1.0, 1.0); print('nbgrader' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
