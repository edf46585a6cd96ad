"""What must stay unseen is listed, covered where it would show, and looked for from inside."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from traitlets.config import Config

from lmcourse.grading.sandbox import bubblewrap
from lmcourse.grading.sandbox.bubblewrap import SandboxError
from lmcourse.grading.sandbox.inventory import Inventory, Place, of_course

ODD = "a [b] {c} 'd' \"e\" $HOME *? 書 "
PREFIX = os.path.realpath(sys.prefix)
PLACES = (
    *("/usr/src", "/usr/local", "/usr/local/src", "/usr/local/share", "/usr/local/lib"),
    *("/usr/lib", "/usr/share", "/usr/share/fonts", "/usr/include", "/opt", "/srv", "/home"),
    *(PREFIX, f"{PREFIX}/lib", f"{PREFIX}/share", os.path.realpath(sys.base_prefix) + "/lib"),
)


def inventory(*paths) -> Inventory:
    return Inventory(places=tuple(Place(path=Path(path)) for path in paths))


def run(script: str, unseen: Inventory) -> str:
    """What a script in the sandbox says that is not yet enclosed: it sees at least as much."""
    line = bubblewrap.command([sys.executable, "-S", "-c", script], unseen=unseen)
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folders():
    """A folder with a file in it, in each of the places that may be written to."""
    with_name = [place for place in PLACES if os.path.isdir(place) and os.access(place, os.W_OK)]
    made = [tempfile.TemporaryDirectory(prefix=ODD, dir=place) for place in with_name]
    assert made
    for folder in made:
        Path(folder.name, "a secret").write_text("mark")
    yield [Path(folder.name) for folder in made]
    for folder in made:
        folder.cleanup()


def test_wherever_it_lies_it_is_not_seen_and_python_works(folders):
    files = [str(folder / "a secret") for folder in folders]
    look = (
        "import os\n"
        f"for path in {files!r}:\n"
        "    try: print(open(path).read(), path)\n"
        "    except OSError: pass\n"
        f"    if os.path.isdir(os.path.dirname(path)): print(*os.listdir(os.path.dirname(path)))\n"
    )
    assert run(look, inventory(*folders)).split() == []
    assert bubblewrap.require_unseen(inventory(*folders)) is None


def test_what_is_not_listed_would_be_seen_and_is_named(folders):
    """The control: the search finds what nothing covers."""
    below_lib = next(folder for folder in folders if folder.parent == Path(PREFIX, "lib"))
    facts = inventory(below_lib).facts()

    class Uncovered(Inventory):
        def covered(self, trees):
            return {}

    with pytest.raises(SandboxError) as caught:
        bubblewrap.require_unseen(Uncovered(places=inventory("/nowhere", below_lib).places))
    assert len(facts) == 1
    assert str(below_lib) in str(caught.value)
    assert "/nowhere" not in str(caught.value)
    assert "Nothing was run. Move it elsewhere" in str(caught.value)


@pytest.mark.parametrize("path", [f"{PREFIX}/lib", "/usr/lib"])
def test_a_folder_that_python_needs_cannot_be_a_course(path):
    with pytest.raises(SandboxError, match=f"could read the folder of the course {path}: "):
        bubblewrap.require_unseen(of_course(root=Path(path), config={}))


def test_a_course_may_hold_its_own_environment():
    """The folder is there, with nothing in it but the way to Python."""
    course = Path(sys.prefix).parent
    assert bubblewrap.require_unseen(inventory(course)) is None
    seen = run(f"import os; print(*os.listdir({str(course)!r}))", inventory(course))
    assert seen.split() == [Path(sys.prefix).name]


def test_what_python_needs_is_shown_even_in_a_folder_that_is_covered(folders, monkeypatch):
    """A course in Python's folder, say, that holds an environment of its own."""
    course = next(folder for folder in folders if folder.parent == Path(PREFIX, "lib"))
    own = course / "env/lib"
    own.mkdir(parents=True)
    (own / "needed.py").touch()
    packages = bubblewrap._packages()
    monkeypatch.setattr(bubblewrap, "_packages", lambda: [*packages, str(own)])
    look = f"import os; print(os.listdir({str(course)!r}), os.listdir({str(own)!r}))"
    assert run(look, inventory(course)) == "['env'] ['needed.py']\n"
    assert bubblewrap.require_unseen(inventory(course)) is None


def test_what_is_covered_with_its_folder_leaves_no_name(folders):
    """A course's own folders and its gradebook, say: the course is covered, and that is all."""
    course = next(folder for folder in folders if folder.parent == Path(PREFIX, "lib"))
    (course / "solutions").mkdir()
    unseen = inventory(course / "solutions", course, course / "a secret", course / "gradebook.db")
    assert list(unseen.covered({f"{PREFIX}/lib": f"{PREFIX}/lib"})) == [str(course)]
    assert run(f"import os; print(os.listdir({str(course)!r}))", unseen) == "[]\n"
    # But what a folder shows again that Python needs is covered by itself.
    shown = {"/usr/lib": "/usr/lib", "/usr/lib/me/env": "/usr/lib/me/env"}
    wanted = ["/usr/lib/me", "/usr/lib/me/env/key"]
    assert sorted(inventory(*wanted, "/usr/lib/me/key").covered(shown)) == wanted


def test_a_folder_that_is_shown_under_two_names_is_covered_under_both(tmp_path):
    (tmp_path / "real/lib/course").mkdir(parents=True)
    (tmp_path / "alias").symlink_to("real")
    real, alias = tmp_path / "real/lib", tmp_path / "alias/lib"
    shown = {str(path): str(real) for path in (real, alias)}
    for course in (real / "course", alias / "course"):
        assert inventory(course).covered(shown) == {
            str(real / "course"): str(real / "course"),
            str(alias / "course"): str(real / "course"),
        }


def test_a_file_is_covered_too(folders):
    secret = next(folder for folder in folders if folder.parent == Path(PREFIX, "lib")) / "a secret"
    look = f"print(repr(open({str(secret)!r}).read()))"
    assert run(look, inventory()) == "'mark'\n"
    line = bubblewrap.command(["true"], unseen=inventory(secret))
    assert line[line.index(str(secret)) - 1] == "/dev/null"
    assert bubblewrap.require_unseen(inventory(secret)) is None


def paths(found: Inventory) -> dict[str, str]:
    return {str(place.path): place.what for place in found}


def test_the_list_holds_all_that_a_course_has(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/usr/lib/me")
    monkeypatch.setenv("JUPYTER_DATA_DIR", "/usr/share/data")
    config = Config()
    config.CourseDirectory.source_directory = "solutions"
    config.CourseDirectory.submitted_directory = "/usr/lib/submitted"
    config.Exchange.root = "/usr/lib/exchange"
    found = of_course(
        root=tmp_path,
        config=config,
        db_url=f"sqlite:///{tmp_path}/books/g.db",
        output=tmp_path / "out",
        handed_in=Path("/usr/lib/in"),
        secret=Path("/opt/key"),
        solutions=None,
    )
    assert paths(found) == {
        str(tmp_path): "the folder of the course",
        str(tmp_path / "out"): "the output folder",
        "/usr/lib/in": "the folder of what was handed in",
        "/opt/key": "the course secret",
        str(tmp_path / "solutions"): "the folder of the authors' notebooks",
        "/usr/lib/submitted": "the folder of what was handed in",
        str(tmp_path / "books"): "the gradebook",
        str(tmp_path / "books/g.db"): "the gradebook",
        "/usr/lib/exchange": "nbgrader's exchange",
        "/usr/local/share/nbgrader/exchange": "nbgrader's exchange",
        "/usr/share/data/nbgrader_cache": "nbgrader's exchange",
        "/home": "the home folder",
        "/root": "the home folder",
        "/usr/lib/me": "the home folder",
    }


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("", set()),
        ("sqlite://", set()),
        ("no address", set()),
        ("postgresql://u:p@db.example/g", {"/run/postgresql", "/var/run/postgresql"}),
        ("postgresql://u@/g?host=/usr/pg&sslkey=%2Fusr%2Fkey", {"/usr/pg", "/usr/key"}),
        ("mysql+pymysql://u@/g?unix_socket=/usr/my.sock", {"/run/mysqld", "/usr/my.sock"}),
    ],
)
def test_a_database_is_in_it_by_its_file_or_its_sockets(tmp_path, url, wanted):
    found = of_course(root=tmp_path, config={}, db_url=url)
    book = {path for path, what in paths(found).items() if "book" in what}
    assert book >= wanted
    assert bool(book) == bool(wanted)
