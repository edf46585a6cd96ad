"""Attacks on a course that lies below folders of the system, or of Python.

Where the sandbox shows such a folder as a whole, an answer finds all of it there.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ODD = "a [b] {c} 'd' \"e\" $HOME 書 "
# For a course's own: nbgrader takes the other signs for patterns and variables.
PLAIN = "a 'd' \"e\" 書 "
_PYTHON = os.path.realpath(sys.prefix)
# For the course, what was handed in, what is written, and what else must stay unseen. The first
# that may be written to is taken.
COURSE = ("/usr/src", "/usr/local", "/opt", "/usr/lib", f"{_PYTHON}/lib")
HANDED_IN = ("/usr/local/share", "/srv", "/usr/share", f"{_PYTHON}/share", f"{_PYTHON}/lib")
OUTPUT = (f"{_PYTHON}/lib", "/usr/lib")
SECRET = ("/usr/include", "/usr/lib", _PYTHON, f"{_PYTHON}/lib")
EXCHANGE = ("/usr/share/fonts", "/usr/local/lib", f"{_PYTHON}/lib")

# Whatever in these folders holds a mark is printed; Python's packages are too many to be looked at.
EVERYTHING_PRINTED = """
FALSE
import os
for place in PLACES:
    for folder, below, names in os.walk(place):
        below[:] = [name for name in below if not name.startswith(('python3', 'site-packages'))]
        for name in names:
            if not name.endswith(('.ipynb', '.db', '.py', 'key', 'inbound', '_secret')): continue
            try: text = open(os.path.join(folder, name), errors='replace').read(100_000)
            except OSError: continue
            if 'mark of' in text: print(folder, name, text)
"""


@contextmanager
def folder(places: tuple[str, ...], prefix: str = ODD) -> Iterator[Path]:
    """A folder with an odd name in the first of the places that may be written to."""
    place = next((place for place in places if os.access(place, os.W_OK)), None)  # else temporary
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as name:
        Path(name).chmod(0o755)  # as folders are where nobody closes them: learners are others
        yield Path(name)
