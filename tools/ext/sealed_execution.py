"""Sphinx extension: cells run the same everywhere, and again whenever the package has changed."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx

# What a cell can depend on, beside its own text.
INPUTS = ("lmcourse/**/*.py", "constraints.txt", "tests/systems.csv", "book/data/**/*")
KEPT_CACHES = 3
PROCESSES = "LMCOURSE_BOOK_PROCESSES"  # names the variable that says how many pages run at a time


def inputs_digest(root: Path) -> str:
    """A digest of the package, its versions and the tables that pages read."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted({path for pattern in INPUTS for path in root.glob(pattern)}):
        if path.is_file():
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def seal(environment, build: Path) -> None:
    """Makes an environment in which kernels do not depend on the person who starts them."""
    environment.pop("LMCOURSE_DATA", None)  # real data are not there on every machine
    environment["OMP_NUM_THREADS"] = "1"
    environment.setdefault("PYTHONHASHSEED", "0")
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"  # kernels of this environment come first
    environment["IPYTHONDIR"] = str(build / "ipython")  # no start-up files of a person


def choose_cache(app: Sphinx, config) -> None:
    """A cache of its own for each state of the package: jupyter-cache looks at cells alone."""
    build = Path(app.outdir).parent
    seal(os.environ, build)
    caches = build / ".jupyter_cache"
    config.nb_execution_cache_path = str(caches / inputs_digest(Path(app.srcdir)))
    Path(config.nb_execution_cache_path).mkdir(parents=True, exist_ok=True)
    os.utime(config.nb_execution_cache_path)
    by_age = sorted(caches.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in by_age[KEPT_CACHES:]:
        shutil.rmtree(old, ignore_errors=True)


def setup(app: Sphinx) -> dict:
    app.connect("config-inited", choose_cache, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
