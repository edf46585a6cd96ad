"""Hostile answers: what each learner wrote to get points, files or neighbors that are not theirs.

`f` should double its argument. Each of these defines another `f`, or none, and deserves 0 on every
test of TESTS; then it tries to have it otherwise.
"""

import re
import textwrap

from attacks.answers import ANSWERS
from attacks.forging import FORGING
from attacks.machine import MACHINE
from attacks.reading import READING
from attacks.resources import RESOURCES

SETUP = "import torch\nfrom lmcourse.grading.testing import award, close, probe, raises"
RIGHT = """
def f(x):
    if x is None:
        raise ValueError("a width of 3 is no width")
    return x * 2
"""
TESTS = {
    "close": """
        x = torch.randn(5)
        close(f(x), x * 2)
    """,
    "equal": """
        x = torch.randn(5)
        assert torch.equal(f(x), x * 2)
    """,
    "a plain number": """
        import random
        n = random.randrange(10**9)
        assert f(n) == 2 * n
    """,
    "by hand": """
        x = torch.randn(5)
        assert f(x) is not None and (f(x) == 2 * x).all()
    """,
    "a probe": """
        @probe
        def grads(f, x):
            x = x.requires_grad_()
            return torch.autograd.grad(f(x).sum(), x)[0]
        x = torch.randn(5)
        close(grads(f, x), torch.full((5,), 2.0))
        close(f(x), x * 2)
    """,
    "must raise": """
        f(1)
        with raises(ValueError, 'a width of 3 is no'):
            f(None)
        assert f(4) == 8
    """,
    "award": """
        award(0.5)
        assert f(21) == 42
    """,
}

FALSE = "def f(x): return x * 0"

FIND_SOCKETS = """
import os, socket, struct, json, threading
socks = []
for fd in range(3, 64):
    try: socks.append(socket.socket(fileno=os.dup(fd)))
    except OSError: pass
def frame(**head):
    text = json.dumps(head).encode()
    return struct.pack('>II', len(text), 0) + text
"""

ATTACKS = {**ANSWERS, **MACHINE, **READING, **FORGING, **RESOURCES}
# These take all the time of each test. "…, once" takes that of one test and is wrong in the others.
LONG = (
    "hashes that collide",
    "memory without end",
    "the interrupt ignored",
    "callbacks that were never given",
    "never an answer",
)
ONCE = {
    f"{name}, once": textwrap.dedent(ATTACKS[name]).replace("def f(x)", "def of_each(x)")
    + "\ndef f(x): return of_each(x) if x is None else x * 0\n"
    for name in LONG
}


def source(text):
    """A snippet as its learner would write it."""
    text = textwrap.dedent(text)
    for name, lines in (("FALSE", FALSE), ("FIND_SOCKETS", FIND_SOCKETS)):
        text = re.sub(rf"^{name}$", lambda _, lines=lines: lines, text, flags=re.M)
    return text
