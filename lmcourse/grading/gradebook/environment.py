"""What besides a submission can change its grade: Python, the packages, the machine, our own code.

Chapter: book/instructors/scale.md
"""

import functools
import hashlib
import json
import platform
import site
from importlib import metadata

from lmcourse.grading.sandbox.bubblewrap import PACKAGE


@functools.cache
def facts() -> dict[str, str]:
    """The versions of all packages, of Python and the machine, and a digest of `lmcourse` itself.

    The number of the version would not do for our own code: a course may run from a clone.
    """
    found = {"Python": platform.python_version(), "machine": platform.machine()}
    # Not all of sys.path: some packages add what they carry with them, once they are imported.
    for package in metadata.distributions(path=site.getsitepackages()):
        found.setdefault(str(package.name), str(package.version))
    found["lmcourse"] = _digest()
    return dict(sorted(found.items()))


def _digest() -> str:
    sources = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        sources.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return sources.hexdigest()[:16]


def fingerprint() -> str:
    """Another one in another environment."""
    return hashlib.sha256(json.dumps(facts()).encode()).hexdigest()


def differences(theirs: dict[str, str]) -> list[str]:
    """What is not as it is here, a phrase for each: `torch 2.6.0 there, 2.7.1 here`."""
    ours = facts()
    names = sorted({*ours, *theirs}, key=str.lower)
    return [
        f"{name} {theirs.get(name, 'is missing')} there, {ours.get(name, 'missing')} here"
        for name in names
        if ours.get(name) != theirs.get(name)
    ]
