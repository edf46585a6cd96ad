"""tools/gpu.py: what is missing is named, a part that fails leaves the others alone, and without a
GPU the whole of it runs on the CPU."""

import importlib.metadata
import importlib.util
import json
import multiprocessing
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import gpu
import gpu_parity
import gpu_speed
import gpu_tests
import pytest
import torch
from gpu_checks import NotHereError, Setup

ROOT = Path(__file__).resolve().parent.parent


def run_tool(*arguments, interpreter=()):
    return subprocess.run(
        [sys.executable, *interpreter, str(ROOT / "tools/gpu.py"), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


# ---------------------------------------------------------------- what is needed


def test_all_that_is_missing_is_named_at_once_and_nothing_is_run(tmp_path):
    # Without site-packages, as on a machine where nothing was installed.
    done = run_tool("--device", "cpu", "--out", str(tmp_path / "out.json"), interpreter=("-S",))
    assert done.returncode == 2
    assert done.stderr == (
        "nothing was run, missing here:\n"
        "  torch, numpy, jaxtyping, regex, safetensors, tqdm"
        " (python -m pip install torch numpy jaxtyping regex safetensors tqdm)\n"
    )
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("version", ["2.5.1+cu124", "1.13.0"])
def test_an_old_torch_or_python_is_named(monkeypatch, version):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    monkeypatch.setattr(gpu, "OLDEST_PYTHON", (9, 9))
    python, torch_line = gpu.missing()
    assert python.startswith("Python 9.9 or later, this is 3.")
    assert torch_line == f"torch 2.6 or later, this is {version}"


@pytest.mark.parametrize("version", ["2.6.0", "2.10.1+cu130", "3.0.0a0+git12"])
def test_a_newer_torch_will_do(monkeypatch, version):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    assert gpu.missing() == []


def test_what_it_needs_is_all_that_its_parts_import():
    """In a process that refuses every other package, all parts can be imported."""
    code = f"""
        import sys
        sys.path[:0] = [{str(ROOT / "tools")!r}, {str(ROOT)!r}]
        import gpu, torch, numpy, jaxtyping, regex, safetensors.torch, tqdm
        known = {{name.split(".")[0] for name in sys.modules}} | set(sys.stdlib_module_names)

        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] not in known | {{"lmcourse"}} and "." not in name:
                    if not name.startswith("gpu_"):
                        raise ModuleNotFoundError(name, name=name)

        sys.meta_path.insert(0, Refuse())
        for module, function, _ in gpu.PARTS.values():
            getattr(__import__(module), function)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_without_a_gpu_it_says_how_to_see_it_at_work(monkeypatch, capsys):
    def no_gpu():
        raise NotHereError("no GPU is here")

    monkeypatch.setattr(gpu, "default_device", no_gpu)
    assert gpu.main([]) == 2
    assert capsys.readouterr().err == "no GPU is here\n"


def test_an_unknown_part_is_refused_by_name(capsys):
    with pytest.raises(SystemExit):
        gpu.main(["--parts", "models,tea"])
    assert "--parts must be of machine, models" in capsys.readouterr().err


# ---------------------------------------------------------------- parts that fail

FAKE = """
import os, time
from gpu_checks import NotHereError

def lacks(): raise NotHereError("no kernel")
def fails(): raise ValueError("odd\\nmore")
def is_off(): return {"ok": False, "gap": 0.5}
def dies(): os._exit(3)
def hangs(): time.sleep(1000)

def mixed(setup):
    yield "good", lambda: {"gap": 0.25}
    yield "lacks", lacks
    yield "fails", fails
    yield "is off", is_off

def dying(setup):
    yield "good", lambda: {}
    yield "dies", dies

def hanging(setup):
    yield "good", lambda: {}
    yield "hangs", hangs

def broken(setup):
    raise RuntimeError("no part")

def good(setup):
    yield "seconds", lambda: {"left": setup.seconds, "device": setup.device}
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Parts that fail in every way, and then one that does not."""
    (tmp_path / "gpu_fake.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path)
    names = ("mixed", "dying", "broken", "good")
    monkeypatch.setattr(gpu, "PARTS", {n: ("gpu_fake", n, "") for n in (*names, "hanging")})
    yield lambda *arguments: gpu.main(
        ["--device", "cpu", "--out", str(tmp_path / "out/gpu.json"), *arguments]
    )
    sys.modules.pop("gpu_fake", None)


def test_what_fails_is_told_and_the_rest_goes_on(fake, tmp_path, capsys):
    assert fake("--parts", "mixed,dying,broken,good") == 1
    report = json.loads((tmp_path / "out/gpu.json").read_text())
    states = {name: part["state"] for name, part in report["parts"].items()}
    assert states == {"mixed": "failed", "dying": "failed", "broken": "failed", "good": "passed"}
    mixed = report["parts"]["mixed"]["checks"]
    assert {name: check["state"] for name, check in mixed.items()} == {
        "good": "passed", "lacks": "not here", "fails": "failed", "is off": "failed",
    }  # fmt: skip
    assert mixed["fails"]["why"] == "ValueError: odd"
    assert "in fails" in mixed["fails"]["traceback"]
    assert report["parts"]["dying"]["why"] == "its process ended, exit code 3"
    assert report["parts"]["dying"]["checks"]["good"]["state"] == "passed"
    assert report["parts"]["broken"]["why"] == "RuntimeError: no part"
    said = capsys.readouterr().out
    assert "  failed   is off: gap 0.5\n" in said
    assert "parts passed: 1 of 4\n" in said
    assert report["versions"]["torch"] == torch.__version__
    assert len(report["digest"]) == 16


def test_a_part_that_hangs_is_ended_and_keeps_what_it_found(fake, monkeypatch):
    setup, late, now = Setup(device="cpu", small=True, seconds=600), [], time.monotonic
    # The clock jumps when the first check has been told; the second one would sleep on.
    clock = SimpleNamespace(monotonic=lambda: now() + 1000 * len(late))
    monkeypatch.setattr(gpu, "time", clock)
    hanging = gpu.run_part("hanging", setup, lambda *told: late.append(told))
    assert (hanging["state"], hanging["why"]) == ("stopped", "took more than 600 s")
    assert list(hanging["checks"]) == ["good"]
    assert multiprocessing.active_children() == []
    assert gpu.run_part("good", setup, lambda *_: None)["state"] == "passed"


def test_when_the_time_is_over_what_is_left_is_said(fake, tmp_path):
    assert fake("--parts", "good", "--limit", "0.5") == 1
    report = json.loads((tmp_path / "out/gpu.json").read_text())
    assert report["parts"]["good"]["state"] == "left out"


def test_what_was_timed_is_told_side_by_side():
    checks = {
        "ours, fp32, compiled": {"ms": 2.5, "memory_gb": 1.25},
        "plain, fp32, compiled": {"ms": 4.0},
        "T=512, flash": {"ms": 0.5},
        "T=512, math": {"why": "none"},
    }
    assert gpu.speeds({"parts": {"speed": {"checks": checks}}}) == [
        "speed, fp32, compiled, ms: ours 2.5 1.25 GB, plain 4",
        "speed, T=512, ms: flash 0.5",
    ]


def test_the_gpu_tests_can_be_loaded_without_beartype(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        gpu_tests.importlib.util, "find_spec",
        lambda name, *more: None if name == "beartype" else find(name, *more),
    )  # fmt: skip
    monkeypatch.setattr(gpu_tests, "test_files", lambda: [str(ROOT / "tests/test_devices.py")])
    setup = Setup(device="cpu", small=True, seconds=600)
    if torch.cuda.is_available():
        assert gpu_tests._run_tests(setup)["shapes_checked"] is False
    else:
        with pytest.raises(NotHereError, match=r"\d+ tests were found, and need a GPU"):
            gpu_tests._run_tests(setup)


# ---------------------------------------------------------------- what is compared


def test_a_difference_is_relative_and_no_number_is_an_error():
    expected = torch.tensor([10.0, 0.0])
    assert gpu_parity.difference(expected + torch.tensor([0.0, 0.1]), expected) == pytest.approx(
        0.01, rel=1e-4
    )
    with pytest.raises(ValueError, match=r"finite numbers of shape \(2,\)"):
        gpu_parity.difference(torch.tensor([1.0, torch.nan]), expected)


def test_a_model_that_is_unlike_on_the_device_fails(monkeypatch):
    """The second model built is off in one weight: values and gradients must tell."""
    setup = Setup(device="cpu", small=True, seconds=60)
    copies = gpu_parity.copy.deepcopy

    def off(model):
        other = copies(model)
        with torch.no_grad():
            next(other.parameters()).mul_(1.01)
        return other

    torch.set_num_threads(1)
    monkeypatch.setattr(gpu_parity, "copy", SimpleNamespace(deepcopy=off))
    found = {name: check()["ok"] for name, check in gpu_parity.models(setup)}
    assert found
    assert not any(found.values())


def test_the_plain_gpt_writes_the_same_with_its_cache_as_without():
    model = gpu_speed.PlainGPT(**gpu_speed.SMALL).eval()
    prompt = torch.arange(5)[None]
    written, ids = model.write(prompt, 9), prompt
    for _ in range(9):
        ids = torch.cat([ids, model(ids)[:, -1:].argmax(-1)], 1)
    assert written.tolist() == ids.tolist()  # exact: ids


def test_every_file_with_a_test_on_a_device_is_run():
    names = {Path(path).name for path in gpu_tests.test_files()}
    assert {"test_attention.py", "test_devices.py", "test_checkpoints.py"} <= names
    assert "test_architecture.py" not in names


@pytest.mark.slow
def test_all_of_it_runs_on_a_cpu(tmp_path):
    out = tmp_path / "gpu.json"
    done = run_tool("--device", "cpu", "--small", "--limit", "3000", "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(out.read_text())
    assert list(report["parts"]) == list(gpu.PARTS)
    assert {part["state"] for part in report["parts"].values()} == {"passed"}
    assert "a GPU" in report["parts"]["tests"]["checks"]["gpu tests"]["why"]
    for name in ("ours, fp32", "plain, fp32", "transformers, fp32", "ours, bf16, compiled"):
        assert report["parts"]["steps"]["checks"][name]["tokens_per_second"] > 0
