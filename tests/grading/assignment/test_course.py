"""A course is found from where one stands, and says what is wrong with it."""

import os
import shutil
import sys
import warnings
from pathlib import Path

import pytest
from tiny_course import make_course

from lmcourse.grading.errors import MisuseError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from lmcourse.grading.assignment.course import (
        closing_log,
        find_course,
        own_tools,
        quiet_log,
        writable_folder,
    )


@pytest.fixture
def root(tmp_path):
    return make_course(tmp_path / "course")


def test_it_is_found_in_its_folder_and_from_below(root, monkeypatch):
    assert find_course(root).root == root.resolve()
    monkeypatch.chdir(root / "solutions/tiny")
    assert find_course().root == root.resolve()


def test_where_there_is_none_the_way_out_is_said(root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(MisuseError, match=r"elsewhere holds no nbgrader_config\.py: run this in"):
        find_course(tmp_path / "elsewhere")
    with pytest.raises(MisuseError, match="holds no nbgrader_config"):
        find_course(root / "solutions")  # a folder that is named must be the course's own


def test_a_folder_may_have_a_dollar_in_its_name(tmp_path):
    root = make_course(tmp_path / "costs $HOME")
    assert find_course(root).config.CourseDirectory.course_id == "lmcourse"


def test_settings_that_do_not_load_are_named(root):
    (root / "nbgrader_config.py").write_text("c = nonsense()")
    with pytest.raises(MisuseError, match=r"nbgrader_config\.py does not load: NameError"):
        find_course(root)


def test_assignments_are_folders_with_a_notebook_of_their_name(root):
    (root / "solutions/other").mkdir()
    shutil.copy(root / "solutions/tiny/tiny.ipynb", root / "solutions/other/draft.ipynb")
    course = find_course(root)
    assert course.assignments() == ["tiny"]
    assert course.solution("tiny") == root / "solutions/tiny/tiny.ipynb"
    with pytest.raises(MisuseError, match=r"one of this course's \(tiny\), got 'other'"):
        course.solution("other")


def test_a_change_for_one_command_changes_no_setting(root):
    course = find_course(root)
    before = str(course.config)
    assert course.directory(quiet_log(), release_directory="x").release_directory == "x"
    assert str(course.config) == before


def test_a_folder_is_made_or_refused(tmp_path):
    assert writable_folder(tmp_path / "a/b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(MisuseError, match=r"cannot make the folder .*: choose another"):
        writable_folder(tmp_path / "file/b")


def test_the_tools_of_this_environment_come_first_for_a_while(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with own_tools():
        assert os.environ["PATH"].split(os.pathsep) == [
            str(Path(sys.executable).parent),
            "/nowhere",
        ]
    assert os.environ["PATH"] == "/nowhere"


def test_a_log_goes_to_a_file_of_this_run_or_nowhere(tmp_path, capsys):
    path = tmp_path / "run.log"
    path.write_text("an older run")
    quiet_log().error("to nobody")
    log = quiet_log(path)
    assert not path.exists()  # until there is something to say
    log.warning("careful")
    for handler in log.handlers:
        handler.close()
    assert path.read_text("utf-8").endswith("WARNING careful\n")
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk here that is always full")
def test_a_log_that_a_full_disk_does_not_take_leaves_the_screen_alone(tmp_path, capsys):
    with closing_log(quiet_log(tmp_path / "run.log")) as log:
        log.handlers[0].stream = open("/dev/full", "w")  # noqa: SIM115
        log.error("a line that nobody can keep")
    assert capsys.readouterr() == ("", "")
