"""The answers are cut out of the package that learners' code sees; the rest of it stays."""

import json

import forks
import pytest
from sandbox_processes import shown
from tiny_course import make_course, solution
from withheld_attention import ATTENTION

import lmcourse
from lmcourse.grading.sandbox.bubblewrap import PACKAGE
from lmcourse.grading.withholding.course_package import require, stub_tree
from lmcourse.grading.withholding.withheld import Withheld, stated


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "pkg"
    (folder / "sub").mkdir(parents=True)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_bytes(b"secret")
    (folder / "__init__.py").write_text("VALUE = 1\n")
    (folder / "sub" / "__init__.py").write_text("")
    (folder / "sub" / "a.py").write_text(
        "import functools\nSECRET = 'kept'\n@functools.cache\ndef answer(x):\n"
        "    return x + 41  # by magic\ndef helper():\n    return answer(1)\n"
        "class Layer:\n    def build(self):\n        return 'built'\n"
        "    def forward(self):\n        return 'forward'\nclass Whole:\n    size = 3\n"
    )
    (folder / "b.py").write_text("def one(): return 1  # stays\ndef two(): return 2\n")
    return folder


def read(folder, name):
    return (folder / name).read_text()


def test_bodies_are_cut_out_and_the_rest_stays(package, tmp_path):
    withheld = Withheld(names=("pkg.sub.a.answer", "pkg.sub.a.Layer.forward", "pkg.sub.a.Whole"))
    target = stub_tree(package, tmp_path / "stub", withheld)
    text = read(target, "sub/a.py")
    assert not [word for word in ("41", "magic", "size") if word in text]
    scope = {}
    exec(text, scope)
    assert scope["SECRET"] == "kept"
    assert scope["Layer"]().build() == "built"
    for use in (lambda: scope["helper"](), scope["Layer"]().forward, scope["Whole"]):
        with pytest.raises(RuntimeError, match="is withheld in this assignment: writing it is"):
            use()
    assert read(target, "b.py") == read(package, "b.py")
    assert not (target / "__pycache__").exists()


def test_a_whole_module_can_be_withheld(package, tmp_path):
    target = stub_tree(package, tmp_path / "stub", Withheld(names=("pkg.b",)))
    scope = {}
    exec(read(target, "b.py"), scope)
    with pytest.raises(RuntimeError, match=r"pkg\.b\.two is withheld"):
        scope["two"]()


def test_a_name_that_is_not_there_is_refused(package, tmp_path):
    with pytest.raises(ValueError, match=r"withheld names must exist, got pkg\.b\.three"):
        stub_tree(package, tmp_path / "stub", Withheld(names=("pkg.b.one", "pkg.b.three")))


def test_the_source_of_the_answer_is_not_there(withheld_run):
    ran = withheld_run.run_cell(
        "import lmcourse.attention, inspect, pathlib\n"
        "print(inspect.getsource(lmcourse.attention.attention).count('@'))\n"
        f"print(pathlib.Path({str(PACKAGE)!r}).exists())"
    )
    assert shown(ran) == "0\nFalse\n", (shown(ran), lmcourse.__file__)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"names": ["lmcourse.attention.attend"]}, r"names must exist, got lmcourse\..*attend"),
        ({"operators": ["_?scaled_dot.*", "sofmax"]}, "operators must exist, got 'sofmax'"),
        ({"operators": ["("]}, r"must be regular expressions, got '\('"),
        ({"attributes": ["torch.nn.Multihead"]}, "attributes must exist, got 'torch.nn.Multihead'"),
        ({"attributes": ["softmax"]}, "attributes must exist, got 'softmax'"),
    ],
)
def test_what_is_not_there_to_withhold_is_said_before_anybody_is_graded(said, message):
    with pytest.raises(ValueError, match=message):
        require(stated(said), PACKAGE)


def test_what_the_course_withholds_is_there():
    assert require(ATTENTION, PACKAGE) is None
    assert require(Withheld(), PACKAGE) is None


@pytest.mark.slow
def test_a_wrong_name_stops_release_and_grading_at_once_with_one_line(tmp_path):
    root = make_course(tmp_path / "course")
    nb = solution()
    assert forks.lmcourse("release", cwd=root).returncode == 0
    for student in ("ada", "ben"):
        (root / "in" / student).mkdir(parents=True)
        (root / "in" / student / "tiny.ipynb").write_text(json.dumps(nb))
    nb["metadata"]["lmcourse"] = {"withheld": {"names": ["lmcourse.nowhere"]}}
    (root / "solutions/tiny/tiny.ipynb").write_text(json.dumps(nb))
    for call in (["release"], ["grade", "in", "-a", "tiny"]):
        done = forks.lmcourse(*call, cwd=root)
        said = "tiny: metadata.lmcourse.withheld: withheld names must exist, got lmcourse.nowhere"
        assert (done.returncode, done.stderr) == (1, f"lmcourse: {said}\n")
    assert not (root / "grades/tiny.json").exists()
