"""tools/published_notebooks.py: what Colab opens installs the course and runs without the book."""

import importlib.util
import json
import sys
import types

import nbformat
import published_notebooks as module
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from published_notebooks import main, publish, published

PAGE = """\
# The numbers in the text come from cells like this one.
from myst_nb import glue"""


def notebook(*sources):
    cells = [nbformat.v4.new_markdown_cell("# A page")]
    return nbformat.v4.new_notebook(
        cells=cells + [nbformat.v4.new_code_cell(source) for source in sources]
    )


def run(page, monkeypatch, *, is_installed):
    """The names that the cells leave, and what was installed; no module but the usual ones."""
    installed, names = [], {}
    shell = types.SimpleNamespace(
        run_line_magic=lambda magic, line, **_: installed.append((magic, line))
    )
    monkeypatch.setitem(sys.modules, "myst_nb", None)  # importing it fails
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: "here" if is_installed else None)
    for cell in page.cells:
        if cell.cell_type == "code":
            source = TransformerManager().transform_cell(cell.source)
            exec(source, names | {"get_ipython": lambda: shell}, names)
    return names, installed


def test_a_page_runs_where_neither_the_course_nor_the_book_is(monkeypatch):
    page = published(notebook(PAGE, "glue('a-number', 1.5, display=False)\nx = 2"))
    names, installed = run(page, monkeypatch, is_installed=False)
    assert names["x"] == 2
    assert installed == [("pip", f"install --quiet {module.COURSE}")]
    nbformat.validate(page)


def test_nothing_is_installed_where_the_course_is(monkeypatch):
    assert run(published(notebook("x = 1")), monkeypatch, is_installed=True)[1] == []


def test_a_page_as_it_is_fails_there(monkeypatch):
    with pytest.raises(ImportError):
        run(notebook(PAGE), monkeypatch, is_installed=False)


def test_what_only_one_page_needs_is_installed_for_that_one(monkeypatch):
    page = published(notebook("x = '''\nimport tiktoken\n'''"))
    assert run(page, monkeypatch, is_installed=False)[1][0][1].endswith(" tiktoken")


def test_outputs_stay_and_a_page_without_code_gets_no_cell():
    page = notebook("1 + 1")
    page.cells[1].outputs = [nbformat.v4.new_output("stream", text="2")]
    assert published(page).cells[2].outputs == page.cells[1].outputs
    assert len(page.cells) == 2, "the page itself is left alone"
    words = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Words")])
    assert published(words).cells == words.cells


def test_notebooks_keep_their_folders(tmp_path, monkeypatch, capsys):
    executed = tmp_path / "executed"
    (executed / "deep").mkdir(parents=True)
    nbformat.write(notebook("1"), executed / "deep/page.ipynb")
    (path,) = publish(executed, tmp_path / "out")
    assert path == tmp_path / "out/deep/page.ipynb"
    assert "%pip" in nbformat.read(path, as_version=4).cells[0].source
    monkeypatch.setattr(module, "EXECUTED", executed)
    assert main([str(tmp_path / "again")]) == 0
    monkeypatch.setattr(module, "EXECUTED", tmp_path / "nowhere")
    assert main([str(tmp_path / "again")]) == 1
    assert "run make book" in capsys.readouterr().err


def test_numbers_come_from_what_the_build_has_kept(tmp_path):
    page = notebook()
    page.cells[0].source = "It is {glue:text}`a-share:.0%`, of {glue:text}`a-count`."
    nbformat.write(page, tmp_path / "page.ipynb")
    kept = {"a-share": "0.256", "a-count": "7"}
    outputs = {name: {"data": {"text/plain": text}} for name, text in kept.items()}
    (tmp_path / "page.glue.json").write_text(json.dumps(outputs), encoding="utf-8")
    (path,) = publish(tmp_path, tmp_path / "out")
    assert nbformat.read(path, as_version=4).cells[0].source == "It is 26%, of 7."


def test_what_the_book_asserts_behind_the_scenes_prints_a_line_and_goes_on(monkeypatch, capsys):
    hidden = notebook("x = 1", "assert x == 2, 'never'\ny = 3")
    hidden.cells[2].metadata["tags"] = ["remove-cell"]
    page = published(hidden)
    names, _ = run(page, monkeypatch, is_installed=True)
    assert names["y"] == 3
    assert capsys.readouterr().out == module.CHANGED + "\n"
    assert page.cells[3].metadata["jupyter"] == {"source_hidden": True}


def test_what_the_page_states_by_an_assertion_still_stops(monkeypatch):
    with pytest.raises(AssertionError):
        run(published(notebook("assert 1 == 2")), monkeypatch, is_installed=True)
