"""What the device is, and the tests that are marked `gpu`, in a pytest of their own. For gpu.py."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import torch
from gpu_checks import ROOT, Checks, NotHereError, Setup

USES_DEVICE = re.compile(r"mark\.gpu|^def test_\w+\([^)]*\bdevice\b", re.MULTILINE)
# Without beartype the import hook of tests/conftest.py gets one that checks nothing.
UNCHECKED = "def beartype(function=None, **options):\n    return function or (lambda f: f)\n"


def machine(setup: Setup) -> Checks:
    """What the device is, and that it multiplies."""
    yield "device", lambda: _device(setup.device)
    yield "product", lambda: _product(setup.device)


def _device(device: str) -> dict:
    found = {"name": f"{torch.backends.cpu.get_cpu_capability()} CPU", "torch": torch.__version__}
    if device.startswith("cuda"):
        told = torch.cuda.get_device_properties(device)
        found |= {
            "name": told.name,
            "memory_gb": round(told.total_memory / 1e9, 1),
            "multiprocessors": told.multi_processor_count,
            "capability": f"{told.major}.{told.minor}",
            "cuda": torch.version.cuda or torch.version.hip,
            "cudnn": torch.backends.cudnn.version(),
            "devices": torch.cuda.device_count(),
            "bf16": torch.cuda.is_bf16_supported(),
        }
    elif device.startswith("mps"):
        found |= {"name": "Apple GPU", "memory_gb": torch.mps.recommended_max_memory() / 1e9}
    return found


def _product(device: str) -> dict:
    torch.manual_seed(0)
    a, b = torch.randn(2, 64, 64)
    gap = (a.to(device) @ b.to(device)).cpu().sub(a @ b).abs().max().item()
    return {"ok": gap < 1e-4, "gap": gap}


def test_files() -> list[str]:
    """Those with a test that takes a device."""
    found = sorted((ROOT / "tests").glob("test_*.py"))
    return [str(p) for p in found if USES_DEVICE.search(p.read_text(encoding="utf-8"))]


def tests(setup: Setup) -> Checks:
    """All of them together; a file that lacks a library is an error, and the others are run."""
    yield "gpu tests", lambda: _run_tests(setup)


def _run_tests(setup: Setup) -> dict:
    absent = [name for name in ("pytest", "hypothesis") if importlib.util.find_spec(name) is None]
    if absent:
        raise NotHereError(f"{', '.join(absent)} must be there for the tests")
    if setup.device.startswith("mps"):
        raise NotHereError("the tests marked gpu are for CUDA")
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        is_checked = importlib.util.find_spec("beartype") is not None
        if not is_checked:
            Path(folder, "beartype.py").write_text(UNCHECKED, encoding="utf-8")
            paths.append(folder)
        out = Path(folder, "tests.xml")
        command = [
            sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "-p", "no:xdist",
            "-p", "no:randomly", "-o", "minversion=8", "--continue-on-collection-errors",
            "--junitxml", str(out), "--rootdir", str(ROOT), "--color", "no", *test_files(),
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            timeout=setup.seconds * 0.6, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not out.exists():
            said = (done.stdout + done.stderr).strip().splitlines()
            raise RuntimeError(f"pytest ended with {done.returncode}: {said[-1] if said else ''}")
        suite = ElementTree.parse(out).getroot().find("testsuite")
    count = {key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}
    if setup.device == "cpu" and count["skipped"] == count["tests"]:
        raise NotHereError(f"{count['tests']} tests were found, and need a GPU")
    bad = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    count |= {"why": "; ".join(bad[:5])} if bad else {}
    is_good = not count["failures"] + count["errors"] and count["skipped"] < count["tests"]
    return {"ok": is_good, **count, "shapes_checked": is_checked, "log": done.stdout[-4000:]}
