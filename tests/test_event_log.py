"""lmcourse.loop.event_log: TensorBoard reads what was measured, once for each step."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lmcourse.__main__ import app
from lmcourse.loop.event_log import CURVES, EVENTS, EventLog
from lmcourse.loop.run_folder import Row, read_metrics

TINY = ["--n-layers", "1", "--n-heads", "2", "--d-model", "8", "--context-length", "8"]
SETTINGS = [*TINY, "--validate-every", "4", "--device", "cpu", "--tensorboard"]


def read(folder):
    """By curve, the steps and their numbers."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(folder), size_guidance={reader.SCALARS: 0})
    events.Reload()
    curves = events.Tags()["scalars"]
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in curves}


def train(*arguments):
    done = CliRunner().invoke(app, ["train", *map(str, arguments)])
    assert done.exit_code == 0, done.output


@pytest.fixture
def text(tmp_path, monkeypatch):
    monkeypatch.setenv("LMCOURSE_DEVICE", "cpu")  # put back after --device has set it
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat and the dog sat on the cat.\n" * 12)
    return path


def test_tensorboard_shows_the_numbers_of_the_table(text, tmp_path):
    pytest.importorskip("tensorboard")
    out = tmp_path / "out"
    train(text, "--out", out, *SETTINGS, "--n-steps", 8)
    rows, curves = read_metrics(out), read(out / EVENTS)
    assert curves.keys() == CURVES.keys()
    for curve, name in CURVES.items():
        expected = [(row.step, x) for row in rows if (x := getattr(row, name)) is not None]
        assert [step for step, _ in curves[curve]] == [step for step, _ in expected]
        numbers = [number for _, number in curves[curve]]
        # Its files hold numbers of 32 bits.
        assert numbers == pytest.approx([number for _, number in expected], rel=1e-6)
    assert [step for step, _ in curves["accuracy/validation"]] == [4, 8]


def test_a_training_that_goes_on_has_each_step_once(text, tmp_path):
    pytest.importorskip("tensorboard")
    out = tmp_path / "out"
    train(text, "--out", out, *SETTINGS, "--n-steps", 8)
    log = EventLog(out / EVENTS)  # steps after the last save of a training that was killed
    for step in (9, 10):
        log.add(Row(step, 99.0, None, 1e-3, 2.5, 768, 0.25))
    log.close()
    train("--resume", "--out", out, "--n-steps", 12, "--tensorboard")
    curve = read(out / EVENTS)["loss/training"]
    assert [step for step, _ in curve] == list(range(1, 13))
    assert [loss for _, loss in curve] == pytest.approx([row.loss for row in read_metrics(out)])


def test_without_being_asked_it_writes_nothing(text, tmp_path):
    train(text, "--out", tmp_path / "out", *SETTINGS[:-1], "--n-steps", 4)
    assert not (tmp_path / "out" / EVENTS).exists()


def test_a_missing_package_is_named_before_any_work(text, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    out = tmp_path / "out"
    arguments = ["train", text, "--out", out, *SETTINGS, "--n-steps", "4"]
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 2
    assert "tensorboard must be installed to write for it" in done.stderr
    assert '-c constraints.txt -e ".[tensorboard]"' in done.stderr
    assert not Path(out).exists()
