"""A Dask cluster of two worker processes, and a PostgreSQL gradebook: scores as on one machine."""

import os
import shutil
import warnings

import pytest
from class_small import CLASS, grade, gradebook, graded_by, report
from dask_and_postgres import DASK, DRIVER, POSTGRES, dask_cluster, postgres
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool
from tiny_course import make_course
from waiting import wait_until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from lmcourse.grading.assignment.course import find_course, quiet_log
    from lmcourse.grading.errors import FailureError
    from lmcourse.grading.gradebook import lock
    from lmcourse.grading.gradebook.database import fill_database
    from lmcourse.grading.gradebook.recorder import Recorder
    from lmcourse.grading.gradebook.results import GradingRun, Options


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("cluster")) as address:
        yield address


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    with postgres(tmp_path_factory.mktemp("database")) as db_url:
        yield db_url


@pytest.mark.slow
@pytest.mark.skipif(DASK is None, reason="distributed is not installed")
def test_a_cluster_gives_the_scores_of_one_machine(small_class, whole, cluster, tmp_path):
    out = tmp_path / "out"
    done = grade(small_class, out, "--backend", "dask", "--scheduler", cluster)
    assert done.returncode == 1, done.stderr
    assert graded_by(out) == CLASS
    assert gradebook(out) == gradebook(whole[0])
    # What a cluster has graded this machine need not grade again: the environment is the same.
    assert f"{len(CLASS)} of them were graded by an earlier run" in grade(small_class, out).stdout


needs_postgres = pytest.mark.skipif(
    not POSTGRES or DRIVER is None, reason="no PostgreSQL server, or no psycopg2, is installed"
)


@pytest.mark.slow
@needs_postgres
def test_a_postgresql_gradebook_holds_the_same(small_class, whole, database, tmp_path):
    root, out = tmp_path / "course", tmp_path / "out"
    shutil.copytree(small_class, root)
    with (root / "nbgrader_config.py").open("a") as config:
        config.write(f"\nc.CourseDirectory.db_url = {database!r}\n")
    done = grade(root, out)
    assert done.returncode == 1, done.stderr
    assert graded_by(out) == CLASS
    assert not (out / "gradebook.db").exists()
    assert gradebook(out, database) == gradebook(whole[0])
    same = {name: row["score"] for name, row in report(whole[0]).items()}
    assert {name: row["score"] for name, row in report(out).items()} == same
    # From another folder, where the file's lock is another one, the database's own holds.
    with lock.hold(tmp_path / "elsewhere", database):
        second = grade(root, out)
    assert second.returncode == 1
    assert f"in use by process {os.getpid()} on " in second.stderr
    assert f"{len(CLASS)} of them were graded by an earlier run" in grade(root, out).stdout


@needs_postgres
def test_the_lock_of_a_database_names_who_holds_it(database, tmp_path):
    held = rf"in use by process {os.getpid()} on .* since 20"
    with (
        lock.hold(tmp_path / "one", database),
        pytest.raises(FailureError, match=held),
        lock.hold(tmp_path / "two", database),
    ):
        raise AssertionError("two hold it")
    with lock.hold(tmp_path / "two", database):
        pass


def asked(db_url, *statements):
    """The rows of the last of some statements, by a connection of its own."""
    engine = create_engine(db_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            found = connection.execute(text(statement))
        return found.fetchall() if found.returns_rows else []


@needs_postgres
def test_a_lock_whose_connection_the_server_has_ended_is_noticed(database, tmp_path):
    with lock.hold(tmp_path / "one", database) as require_lock:
        require_lock()
        whose = "from pg_locks where locktype = 'advisory'"
        assert asked(database, f"select pg_terminate_backend(pid) {whose}") == [(True,)]
        wait_until(lambda: not asked(database, f"select pid {whose}"))
        with lock.hold(tmp_path / "two", database) as theirs:  # nothing keeps another run out now
            for _ in range(2):  # and no new connection passes for the old one
                with pytest.raises(FailureError, match="is gone, so another run may be at work"):
                    require_lock()
            theirs()


@needs_postgres
def test_a_postgresql_gradebook_keeps_other_writers_out_while_it_is_written(database, tmp_path):
    course = find_course(make_course(tmp_path / "course"))
    course.config.CourseDirectory.db_url = database
    run = GradingRun(
        course=course, assignment="tiny", output=tmp_path, options=Options(), log=quiet_log()
    )
    fill_database(database)
    write = ("set lock_timeout = 50", "update grade set manual_score = 1 where id = 'none'")
    with Recorder(run) as recorder:
        with recorder._whole():
            with pytest.raises(OperationalError, match="lock timeout"):
                asked(database, *write)
            assert asked(database, "select count(*) from grade where id = 'none'") == [(0,)]
        asked(database, *write)
