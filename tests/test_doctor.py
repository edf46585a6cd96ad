"""lmcourse.commands.doctor: right about this machine, and about machines that lack something."""

import builtins
import importlib.metadata
import io
import os
import shutil
import sys

import pytest
import torch

from lmcourse.commands import doctor
from lmcourse.commands.doctor import report


@pytest.fixture
def rows(monkeypatch):
    """The report by name, on a machine whose variables are not set."""
    monkeypatch.delenv("LMCOURSE_DATA", raising=False)
    monkeypatch.delenv("LMCOURSE_DEVICE", raising=False)
    return lambda: {row.name: row for row in report()}


def forget(monkeypatch, *names):
    version = importlib.metadata.version

    def without(name):
        if name in names:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)


def test_this_machine_is_ready(rows):
    found = rows()
    assert [row for row in found.values() if not row.ok] == []
    assert found["Python"].value.startswith(".".join(map(str, sys.version_info[:3])))
    assert found["PyTorch"].value == torch.__version__
    assert found["threads"].value.startswith(f"{torch.get_num_threads()} of ")
    for name in ("jupyterlab", "nbgrader", "nbclient"):
        assert f"{name} {importlib.metadata.version(name)}" in found["to learn"].value


def test_the_report_names_every_part(rows):
    names = "Python, text, PyTorch, device, threads, the course, to learn, to grade, sandbox"
    names += ", browser, real data"
    assert ", ".join(rows()) == names


def test_every_row_that_asks_for_something_says_how_to_get_it(rows, monkeypatch):
    forget(monkeypatch, "jupyterlab", "nbgrader", "nbclient", "joblib", "nh3")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    monkeypatch.setenv("LMCOURSE_DATA", "/nowhere")
    monkeypatch.setenv("LMCOURSE_DEVICE", "abacus")
    asking = {name for name, row in rows().items() if not row.ok}
    assert asking == {"Python", "device", "to learn", "real data"}
    for name in asking | {"to grade", "sandbox", "browser"}:
        assert rows()[name].hint, name


def test_what_a_learner_needs_is_asked_for(rows, monkeypatch):
    forget(monkeypatch, "nbgrader")
    row = rows()["to learn"]
    assert not row.ok
    assert row.value == "missing: nbgrader"
    assert '-c constraints.txt -e ".[learn]"' in row.hint


@pytest.mark.parametrize(
    ("package", "row"), [("psutil", "to learn"), ("safetensors", "the course")]
)
@pytest.mark.parametrize(
    "why",
    [ImportError("DLL load failed\nwhile importing"), ValueError("no such ABI"), SystemExit(3)],
)
def test_a_package_that_is_there_but_broken_is_named(rows, monkeypatch, package, row, why):
    load = importlib.import_module

    def broken(name):
        if name == package:
            raise why
        return load(name)

    monkeypatch.setattr(importlib, "import_module", broken)
    found = rows()[row]
    assert not found.ok
    said = str(why).partition("\n")[0]
    assert found.value == f"{package} is broken ({type(why).__name__}: {said})"
    assert "pip install -c constraints.txt" in found.hint
    assert [other.name for other in rows().values() if not other.ok] == [row]


def test_what_is_missing_is_named_beside_what_is_broken(rows, monkeypatch):
    forget(monkeypatch, "jupytext", "ipykernel")
    monkeypatch.setitem(sys.modules, "psutil", None)
    value = rows()["to learn"].value
    assert value.startswith("missing: ipykernel, jupytext; psutil is broken (ModuleNotFoundError")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk"])
def test_an_encoding_that_lacks_signs_is_told_and_is_no_failure(rows, monkeypatch, encoding):
    assert rows()["text"].value == "UTF-8"
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
    row = rows()["text"]
    assert row.ok
    assert f"output in {encoding}, names of files in utf-8: signs that are lacking" in row.value
    assert "PYTHONUTF8=1" in row.value


def test_what_only_a_teacher_needs_is_told_and_not_asked_for(rows, monkeypatch):
    forget(monkeypatch, "joblib")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = rows()
    assert "for teachers only: missing: joblib" in found["to grade"].value
    assert "for teachers" in found["sandbox"].value
    assert all(found[name].ok for name in ("to grade", "sandbox", "browser"))


def test_an_old_python_is_sent_away(rows, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    assert not rows()["Python"].ok
    assert "3.11 or later" in rows()["Python"].hint


@pytest.mark.parametrize(("version", "ok"), [("2.5.1", False), ("2.6.0+cpu", True)])
def test_an_old_torch_is_told(rows, monkeypatch, version, ok):
    monkeypatch.setattr(torch, "__version__", version)
    assert rows()["PyTorch"].ok is ok


def test_a_torch_that_cannot_be_imported_is_a_row(rows, monkeypatch):
    real = builtins.__import__

    def without_torch(name, *arguments, **options):
        if name == "torch" or name.startswith("lmcourse.devices"):
            raise ImportError("libtorch.so: cannot open shared object file")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    found = rows()
    assert not found["PyTorch"].ok
    assert "libtorch.so" in found["PyTorch"].value
    assert ".[learn]" in found["PyTorch"].hint
    assert found["to learn"].ok


def test_a_variable_that_names_no_device_is_told(rows, monkeypatch):
    monkeypatch.setenv("LMCOURSE_DEVICE", "abacus")
    assert not rows()["device"].ok
    assert "unset it or use 'cpu'" in rows()["device"].hint


def test_the_folder_of_the_data_is_looked_at(rows, monkeypatch, tmp_path):
    assert "not set" in rows()["real data"].value
    monkeypatch.setenv("LMCOURSE_DATA", str(tmp_path))
    assert rows()["real data"].ok
    monkeypatch.setenv("LMCOURSE_DATA", str(tmp_path / "typo"))
    assert not rows()["real data"].ok
    assert os.environ["LMCOURSE_DATA"] in rows()["real data"].value


def test_no_check_breaks_the_report(rows, monkeypatch):
    def broken():
        raise RuntimeError("out of luck")

    monkeypatch.setattr(doctor, "_browser", broken)
    row = rows()["broken"]
    assert not row.ok
    assert "RuntimeError: out of luck" in row.value
