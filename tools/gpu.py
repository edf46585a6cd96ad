"""Does the course's code do on a GPU what it does on the CPU, and how fast is it there?

    python tools/gpu.py                        the GPU that is there, 8 minutes at most
    python tools/gpu.py --device cpu --small   the whole of it, without a GPU
    python tools/gpu.py --list                 its parts

It needs Python 3.11, torch 2.6 and a few small packages, no network, no installation. A part that
fails, or takes too long, does not keep the others from being run. All that was found is written
to one JSON file, and shown at the end.
"""

import argparse
import contextlib
import gc
import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import multiprocessing
import platform
import re
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpu_checks import ROOT, Check, NotHereError, Setup

OLDEST_PYTHON, OLDEST_TORCH = (3, 11), (2, 6)
NEEDED = ("torch", "numpy", "jaxtyping", "regex", "safetensors", "tqdm")
# What each is good for; without one the rest is done all the same.
OPTIONAL = {
    "transformers": "GPT-2 to compare with",
    "pytest": "the gpu tests",
    "hypothesis": "the gpu tests",
    "beartype": "shapes checked in the gpu tests",
    "triton": "torch.compile on a GPU",
}
# Name → (module, function, what it does), in the order of what is most worth knowing.
PARTS = {
    "machine": ("gpu_tests", "machine", "what the device is"),
    "models": ("gpu_parity", "models", "every model: values and gradients, device beside CPU"),
    "functions": ("gpu_parity", "functions", "metrics and optimizers, device beside CPU"),
    "training": ("gpu_training", "training", "train: losses, precision, resume across devices"),
    "generation": ("gpu_training", "generation", "generate: the same ids, with and without cache"),
    "tests": ("gpu_tests", "tests", "the tests that are marked gpu"),
    "attention": (
        "gpu_speed",
        "attention_backends",
        "attention over T in torch's backends",
    ),
    "writing": ("gpu_speed", "writing", "generation with the cache, beside two peers"),
    "steps": ("gpu_speed", "steps", "training steps: fp32, TF32, bf16, compiled; memory"),
}
LIMIT = 480.0  # seconds for all parts together
SHARE = 0.45  # of them for one part at most: one that hangs leaves time for the others


# ---------------------------------------------------------------- what is needed


def missing() -> list[str]:
    """What must be there and is not, one line each; nothing large is imported to find out."""
    found = []
    if sys.version_info < OLDEST_PYTHON:
        this = platform.python_version()
        found.append(f"Python {_dotted(OLDEST_PYTHON)} or later, this is {this}")
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        found.append(f"{', '.join(absent)} (python -m pip install {' '.join(absent)})")
    if "torch" not in absent:
        version = importlib.metadata.version("torch")
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST_TORCH:
            found.append(f"torch {_dotted(OLDEST_TORCH)} or later, this is {version}")
    return found


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def default_device() -> str:
    """The first of cuda and mps that is there; found in another process, since the driver that
    this one has asked could not be used by its forks.

    Raises:
        NotHereError: there is none.
    """
    code = (
        "import torch; print('cuda' if torch.cuda.is_available() else"
        " 'mps' if torch.backends.mps.is_available() else '')"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if not asked.stdout.strip():
        raise NotHereError("no GPU is here; --device cpu --small shows the whole without one")
    return asked.stdout.strip()


def versions() -> dict[str, str | None]:
    """The version of each package, None where it is not there."""
    found = {}
    for name in (*NEEDED, *OPTIONAL):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return {"python": platform.python_version(), **found}


def commit() -> str | None:
    """The commit of the work tree, with a + if files were changed; None without git."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        asked = [["git", "rev-parse", "HEAD"], ["git", "status", "--porcelain"]]
        name, changed = (
            subprocess.run(c, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
            for c in asked
        )
        return name + ("+" if changed else "")
    return None


def digest() -> str:
    """Of the package's source: says which code ran where there is no git."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "lmcourse").rglob("*.py")):
        found.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return found.hexdigest()[:16]


# ---------------------------------------------------------------- a part, in a process of its own


def run_part(name: str, setup: Setup, tell: Callable[[str, dict], None]) -> dict[str, Any]:
    """What the checks of a part found.

    A process of its own: an error on a GPU may spoil everything that its process does afterwards.

    Args:
        tell: is called after each check.
    """
    # A fork has torch imported already. Apple's GPU cannot be used in one.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    near_end, far_end = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(*PARTS[name][:2], setup, far_end))
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads: none of ours holds a lock
        process.start()
    far_end.close()
    part: dict[str, Any] = {"state": "passed", "checks": {}}
    try:
        while True:
            if not near_end.poll(max(0.0, setup.seconds - (time.monotonic() - start))):
                part |= {"state": "stopped", "why": f"took more than {setup.seconds:.0f} s"}
                break
            check, found = near_end.recv()
            if check is None:
                part |= found
                break
            part["checks"][check] = found
            tell(check, found)
    except EOFError:
        process.join()
        part |= {"state": "failed", "why": f"its process ended, exit code {process.exitcode}"}
    finally:
        process.join(timeout=5)
        process.kill()
        process.join()
    states = [found["state"] for found in part["checks"].values()]
    if part["state"] == "passed" and "failed" in states:
        part["state"] = "failed"
    part["seconds"] = round(time.monotonic() - start, 1)
    return part


def _import_ahead(names: list[str]) -> None:
    """What forks then need not import again; none of it looks for a device."""
    for name in names:
        with contextlib.suppress(Exception):  # told by the part that it belongs to
            importlib.import_module(PARTS[name][0])


def _work(module: str, function: str, setup: Setup, connection) -> None:
    """Runs the checks of one part and sends what each found, then (None, …)."""
    try:
        checks = getattr(importlib.import_module(module), function)(setup)
        for check_name, check in checks:
            connection.send((check_name, _checked(check)))
            _free(setup.device)
        connection.send((None, {}))
    except Exception as error:
        connection.send((None, {"state": "failed", **_told(error)}))


def _checked(check: Check) -> dict[str, Any]:
    start = time.monotonic()
    try:
        found = dict(check())
        state = "passed" if found.pop("ok", True) else "failed"
    except NotHereError as error:
        found, state = {"why": str(error)}, "not here"
    except Exception as error:
        found, state = _told(error), "failed"
    return {"state": state, **found, "seconds": round(time.monotonic() - start, 2)}


def _told(error: Exception) -> dict[str, str]:
    first = (str(error).strip() or "no message").splitlines()[0]
    trace = "".join(traceback.format_exception(error))
    return {"why": f"{type(error).__name__}: {first}", "traceback": trace[-3000:]}


def _free(device: str) -> None:
    """Gives memory back, so that one check does not take it from the next."""
    import torch

    gc.collect()
    if device.startswith("cuda"):
        with contextlib.suppress(RuntimeError):  # after an error on the GPU nothing works there
            torch.cuda.empty_cache()


# ---------------------------------------------------------------- telling

SILENT = ("state", "seconds", "traceback", "why", "log")  # in the file alone, or told in their way


def line(name: str, found: dict[str, Any]) -> str:
    """A check in one line."""
    told = {k: v for k, v in found.items() if k not in SILENT}
    numbers = ", ".join(f"{key} {_short(value)}" for key, value in told.items())
    return f"  {found['state']:9}{name}: {found.get('why', '') or numbers}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def summary(report: dict[str, Any]) -> str:
    """What is to be read first: the device, each part, and all that failed."""
    lines = [f"device: {report['device_name']}, torch {report['versions']['torch']}"]
    for name, part in report["parts"].items():
        states = [found["state"] for found in part["checks"].values()]
        counts = ", ".join(
            f"{states.count(state)} {state}"
            for state in ("passed", "failed", "not here")
            if state in states
        )
        why = f" ({part['why']})" if "why" in part else ""
        lines.append(f"{name:12}{part['state']:9}{part['seconds']:6.1f} s  {counts}{why}")
        lines += [
            line(check, found)
            for check, found in part["checks"].items()
            if found["state"] == "failed"
        ]
    lines += speeds(report)
    absent = [name for name in OPTIONAL if report["versions"][name] is None]
    lines += [f"not here: {name}, so without {OPTIONAL[name]}" for name in absent]
    good = sum(part["state"] == "passed" for part in report["parts"].values())
    return "\n".join([*lines, f"parts passed: {good} of {len(report['parts'])}"])


def speeds(report: dict[str, Any]) -> list[str]:
    """One line for each thing that was timed: the milliseconds of all that did it."""
    rows: dict[str, list[str]] = {}
    for part, found in report["parts"].items():
        for name, check in found["checks"].items():
            if "ms" in check:
                # "ours, fp32, compiled", but "T=512, flash"
                first, _, rest = name.partition(", ")
                what, who = (first, rest) if "=" in first else (rest, first)
                memory = f" {check['memory_gb']:.2f} GB" if "memory_gb" in check else ""
                rows.setdefault(f"{part}, {what}", []).append(f"{who} {check['ms']:.4g}{memory}")
    return [f"{what}, ms: {', '.join(told)}" for what, told in rows.items()]


def run(options: argparse.Namespace, device: str) -> dict[str, Any]:
    """Runs the parts one after the other; what was found so far is always on the disk."""
    from lmcourse.files import write_file

    start = time.monotonic()
    _import_ahead(options.parts)
    report: dict[str, Any] = {
        "device": device,
        "device_name": platform.processor() or platform.machine(),
        "versions": versions(),
        "platform": platform.platform(),
        "commit": commit(),
        "digest": digest(),
        "small": options.small,
        "parts": {},
    }
    for number, name in enumerate(options.parts, 1):
        left = options.limit - (time.monotonic() - start)
        print(f"[{number} of {len(options.parts)}] {name}: {PARTS[name][2]}", flush=True)
        if left < 1:
            part = {"state": "left out", "why": "no time left", "checks": {}, "seconds": 0.0}
        else:
            seconds = min(left, SHARE * options.limit)
            setup = Setup(device=device, small=options.small, seconds=seconds)
            part = run_part(name, setup, lambda check, found: print(line(check, found), flush=True))
        report["parts"][name] = part
        device_name = part["checks"].get("device", {}).get("name")
        report["device_name"] = device_name or report["device_name"]
        report["seconds"] = round(time.monotonic() - start, 1)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_file(options.out, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return report


def main(arguments: list[str] | None = None) -> int:
    """0 if no part failed, 1 if one did, 2 if nothing could be run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", metavar="NAME", help="cuda, cuda:1, mps or cpu; else the GPU")
    parser.add_argument("--small", action="store_true", help="sizes for a CPU")
    parser.add_argument("--parts", metavar="NAME,…", help="only these, see --list")
    parser.add_argument("--list", action="store_true", help="what the parts are")
    parser.add_argument("--out", metavar="FILE", type=Path, default=ROOT / "_build/gpu.json")
    parser.add_argument("--limit", metavar="SECONDS", type=float, default=LIMIT)
    options = parser.parse_args(arguments)
    options.parts = options.parts.split(",") if options.parts else list(PARTS)
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser.error(f"--parts must be of {', '.join(PARTS)}, got {', '.join(unknown)}")
    if options.list:
        print("\n".join(f"{name:12}{PARTS[name][2]}" for name in options.parts))
        return 0
    if absent := missing():
        print("nothing was run, missing here:", *absent, sep="\n  ", file=sys.stderr)
        return 2
    sys.path.insert(1, str(ROOT))  # this tree's lmcourse, whatever is installed
    try:
        device = options.device or default_device()
    except NotHereError as error:
        print(error, file=sys.stderr)
        return 2
    report = run(options, device)
    print(f"\n{summary(report)}\nall of it: {options.out}, {report['seconds']:.0f} s")
    return int(any(part["state"] != "passed" for part in report["parts"].values()))


if __name__ == "__main__":
    sys.exit(main())
