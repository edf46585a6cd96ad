"""What holds for every test: one thread, no network but loopback, shapes checked as annotated."""

import ast
import os
import random
import signal
import socket

# The threads of two test processes on two cores would fight; and results must not depend on them.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell that starts the suite in the background has it ignore Ctrl-C, and so would every command
# that the tests start and then interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import pytest
from hypothesis import Phase, settings
from jaxtyping import _import_hook, config, install_import_hook
from seeds import SEED


class _NotInside(_import_hook.JaxtypingTransformer):
    """Leaves what is defined inside of a function as it is.

    Its check would be compiled anew each time that the function is called, for a thousand times
    what the call itself takes.
    """

    def _is_inside(self):
        return any(isinstance(parent, ast.FunctionDef) for parent in self._parents)

    def visit_FunctionDef(self, node):  # noqa: N802 - ast's name
        return node if self._is_inside() else super().visit_FunctionDef(node)

    def visit_ClassDef(self, node):  # noqa: N802 - ast's name
        return node if self._is_inside() else super().visit_ClassDef(node)


# Every call of a public function in the suite checks the shapes and types of its signature.
_import_hook.JaxtypingTransformer = _NotInside
install_import_hook("lmcourse", "beartype.beartype")

# The same examples each time: a red suite stays red until someone mends it. To look for new ones:
# pytest --hypothesis-profile=explore
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=20)
settings.register_profile("explore", deadline=None, max_examples=500)
# For who only asks whether a test fails: the first example will do, nobody needs a smaller one.
phases = [Phase.explicit, Phase.generate]
settings.register_profile("first", settings.get_profile("suite"), phases=phases)
# What a test claims holds for other seeds, too: LMCOURSE_TEST_SEED=7 draws other numbers, and has
# hypothesis draw other examples.
settings.register_profile("shifted", deadline=None, derandomize=False, max_examples=20)
settings.load_profile("shifted" if SEED else os.environ.get("LMCOURSE_EXAMPLES", "suite"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if SEED and config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = str(SEED)


# Answers of blind rounds, a file called `tokenizers` among them: looked for doctests, its folder
# would stand before the library's.
collect_ignore = ["blind"]

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(autouse=True)
def _signals():
    """A command that is interrupted hears no second Ctrl-C; the next test does."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """A test that reaches for another machine fails at once, by name."""
    connect = socket.socket.connect

    def loopback_only(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test tried to reach {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", loopback_only)


@pytest.fixture
def seed():
    """For a test that draws from a generator of its own, or starts from the same numbers twice."""
    return SEED


@pytest.fixture(autouse=True)
def _seed():
    import torch

    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)


@pytest.fixture
def unchecked(monkeypatch):
    """Calls as a reader makes them: annotations are not checked, our own refusals speak."""
    monkeypatch.setattr(config, "jaxtyping_disable", True)


# Of the session, not of one test, so that a property test may ask for it too.
@pytest.fixture(scope="session", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    import torch

    return torch.device(request.param)


@pytest.hookimpl(trylast=True)  # after pytest's own sorting
def pytest_collection_modifyitems(config, items):
    _leave_out_large(config, items)
    _reorder(items, os.environ.get("LMCOURSE_TEST_ORDER", ""))
    _skip_without_gpu(items)


def _leave_out_large(config, items):
    """`large` tests run only where the marker is asked for."""
    if "large" in config.option.markexpr:
        return
    large = [item for item in items if item.get_closest_marker("large")]
    config.hook.pytest_deselected(items=large)
    items[:] = [item for item in items if item not in large]


def _reorder(items, order):
    """LMCOURSE_TEST_ORDER=reversed or shuffled-N: no test may count on those before it.

    The tests of a file stay together, since what they share is made once for all of them.
    """
    if order == "reversed":
        items.reverse()
    elif order.startswith("shuffled-"):
        generator = random.Random(order)
        files = {}
        for item in items:
            files.setdefault(item.nodeid.split("::")[0], []).append(item)
        shuffled = generator.sample(list(files.values()), len(files))
        items[:] = [item for file in shuffled for item in generator.sample(file, len(file))]
    elif order:
        raise pytest.UsageError(
            f"LMCOURSE_TEST_ORDER must be reversed or shuffled-N, got {order!r}"
        )


def _skip_without_gpu(items):
    """`gpu` tests are skipped, by name and with a reason, where there is no GPU."""
    # By marker, not by keyword: a parameter named "gpu" would be a keyword, too.
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not on_gpu:
        return
    import torch

    if torch.cuda.is_available():
        return
    for item in on_gpu:
        item.add_marker(pytest.mark.skip(reason="no GPU here"))


@pytest.fixture(scope="module")
def live_browser():
    from live_page import live_browser

    with live_browser() as browser:
        yield browser


@pytest.fixture
def live_stage(live_browser):
    """For a test of its own about a page: see live_page.py."""
    from live_page import stage

    with stage(live_browser) as made:
        yield made


@pytest.fixture
def live_page(live_stage):
    """Opens live figures on a page in a real browser: see live_page.py."""
    return live_stage.open
