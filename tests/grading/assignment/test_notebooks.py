"""Reading a file that anyone may have written."""

import json
import os
import re
import socket
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.grading.assignment import notebooks
from lmcourse.grading.assignment.notebooks import (
    NotebookError,
    digest,
    essential,
    parse_cells,
    read_cells,
    read_plain_file,
    without_outputs,
)


def notebook(*cells, **more) -> bytes:
    return json.dumps({"cells": list(cells), "nbformat": 4, **more}).encode()


def test_a_cell_is_its_kind_its_text_and_what_it_claims():
    claims = {"grade_id": "double", "points": 400}
    cells = parse_cells(
        notebook({"cell_type": "code", "source": ["a\n", "b"], "metadata": {"nbgrader": claims}})
    )
    assert [(c.kind, c.source, c.label, c.claims) for c in cells] == [
        ("code", "a\nb", "double", claims)
    ]


@pytest.mark.parametrize(
    ("odd", "kind", "source"),
    [
        ({}, "raw", ""),
        ({"cell_type": "code", "source": None}, "code", ""),
        ({"cell_type": "code", "source": "x\r\ny\rz"}, "code", "x\ny\nz"),
        ({"cell_type": "heading", "source": "x"}, "raw", "x"),
        ({"cell_type": ["code"], "source": "x"}, "raw", "x"),
        ({"cell_type": "code", "source": "\ud800"}, "code", "\\ud800"),
        ({"cell_type": "code", "source": ["a", 3, "b"]}, "code", "ab"),
        ({"cell_type": "code", "source": "x", "metadata": ["no"]}, "code", "x"),
        ({"cell_type": "code", "source": "x", "metadata": {"nbgrader": 3}}, "code", "x"),
        ({"cell_type": "code", "source": "x" * 200_001}, "code", ""),
    ],
)
def test_odd_cells_become_plain_ones(odd, kind, source):
    (cell,) = parse_cells(notebook(odd))
    assert (cell.kind, cell.source, cell.label) == (kind, source, None)


def pasted(attachments, kind="markdown"):
    own = {"cell_type": kind, "source": "![](attachment:a.png)", "attachments": attachments}
    (cell,) = parse_cells(notebook(own))
    return cell


def test_pictures_that_were_pasted_into_a_text_are_kept():
    cell = pasted({"a.png": {"image/png": ["iVBO\n", "Rw=="]}, "b.jpg": {"image/jpeg": "/9j/"}})
    assert cell.pictures == {"a.png": {"image/png": "iVBORw=="}, "b.jpg": {"image/jpeg": "/9j/"}}
    assert cell.left_out == ""
    assert pasted({"a.png": {"image/png": "iVBO"}}, "code").pictures == {}  # which has none
    assert digest([cell]) != digest([pasted({"a.png": {"image/png": "iVBORw=="}})])


@pytest.mark.parametrize(
    "forms",
    [
        {"image/svg+xml": "PHN2Zz4="},
        {"text/html": "<b>"},
        {"image/png": 3},
        {"image/png": "é"},
        {"image/png": ""},
        {},
        [],
        None,
    ],
)
def test_other_attachments_are_named_as_not_kept(forms):
    cell = pasted({"x.svg": forms, "a.png": {"image/png": "iVBO"}})
    assert list(cell.pictures) == ["a.png"]
    assert cell.left_out == (
        "has attachments that are not shown (x.svg): pictures of a cell are kept if they are PNG"
        " or JPEG, up to 50"
    )


def test_attachments_in_another_form_or_without_end_cost_nothing_but_themselves():
    for odd in (None, 3, "x", ["a.png"]):
        assert (pasted(odd).pictures, pasted(odd).left_out) == ({}, "")
    many = pasted({f"{n}.png": {"image/png": "iVBO"} for n in range(60)})
    assert len(many.pictures) == 50
    assert "(50.png, 51.png, 52.png, …)" in many.left_out


def test_a_label_that_is_no_name_is_none():
    odd = {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": {"a": 1}}}, "source": ""}
    assert parse_cells(notebook(odd))[0].label is None


@pytest.mark.parametrize(
    "claims",
    [
        {"grade_id": "a\ud800b"},
        {"grade_id": "a", "checksum": "\udfff"},
        {"grade_id": "a", "\ud800": 1},
        {"grade_id": "a", "more": [{"\ud800": ["\ud800"]}]},
        {"grade_id": "a", "more": [[[[[[[[[[[[["\ud800"]]]]]]]]]]]]]},
    ],
)
def test_half_a_surrogate_pair_is_cleaned_wherever_it_comes_in(claims):
    (cell,) = parse_cells(notebook({"source": "x", "metadata": {"nbgrader": claims}}))
    assert json.dumps(cell.claims, ensure_ascii=False).encode("utf-8")
    assert cell.label in ("a", "a\\ud800b")


def test_white_space_at_the_ends_of_lines_does_not_count_where_cells_are_compared():
    assert essential("a  \n\tb\t \n\n c\n \n") == "a\n\tb\n\n c"
    assert essential("a b") != essential("a  b")


def test_format_3_has_its_cells_on_worksheets():
    old = {"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["x = 1"]}]}]}
    assert [c.source for c in parse_cells(json.dumps(old).encode())] == ["x = 1"]


def test_a_byte_order_mark_is_no_error():
    data = b"\xef\xbb\xbf" + notebook({"cell_type": "code", "source": "x"})
    assert parse_cells(data)[0].source == "x"


ADVICE = re.compile(r"[:;] (open|keep) ")  # what there is to do


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"  \n", "the file is empty"),
        (b"{", r"broken \(line 1\)"),
        (b'{"cells": [],\n}', r"broken \(line 2\)"),
        (b"[1]", "not a notebook"),
        (b"{}", "no list of cells"),
        (b'{"cells": {}}', "no list of cells"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b'{"cells": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> x\n]}', "git could .* in line 2"),
        (b'{"cells": [{"cell_type": "code", "code": "x = 1"}]}', "nbformat 1"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_what_is_no_notebook_says_why_and_what_to_do(data, words):
    with pytest.raises(NotebookError, match=words) as raised:
        parse_cells(data)
    assert ADVICE.search(str(raised.value))


def test_too_many_cells():
    with pytest.raises(NotebookError, match=r"1,001 cells, at most 1,000 are read: delete those"):
        parse_cells(notebook(*[{}] * 1001))


def test_only_plain_files_are_opened(tmp_path):
    real = tmp_path / "real.ipynb"
    real.write_bytes(notebook())
    assert read_cells(real) == []
    link = tmp_path / "link.ipynb"
    link.symlink_to(real)
    with pytest.raises(NotebookError, match="a link, not a file: put the notebook itself there"):
        read_cells(link)
    with pytest.raises(NotebookError, match="no such file: look at its name"):
        read_cells(tmp_path / "none.ipynb")
    with pytest.raises(NotebookError, match="it is a folder, not a file: name a file in it"):
        read_cells(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_stands_in_the_place_of_a_file_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket has to be short
    os.mkfifo("pipe")
    with pytest.raises(NotebookError, match="it is a pipe, not a file: put a plain file in its"):
        read_plain_file(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket")
        with pytest.raises(NotebookError, match="it is a socket, not a file"):
            read_plain_file(tmp_path / "socket")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.ipynb")
    with pytest.raises(NotebookError, match="it is a pipe, not a file"):
        read_cells(tmp_path / "pipe.ipynb")


def test_a_sparse_file_is_refused_by_its_size(tmp_path):
    path = tmp_path / "sparse.ipynb"
    with path.open("wb") as file:
        file.truncate(notebooks.NOTEBOOK_BYTES + 1)
    with pytest.raises(NotebookError, match="too large: 20,000,001 bytes, at most 20,000,000"):
        read_cells(path)


def plot(size: int) -> dict:
    return {"output_type": "display_data", "data": {"image/png": "x" * size}}


def test_the_limit_does_not_count_outputs(tmp_path):
    path = tmp_path / "plots.ipynb"
    plots = [plot(notebooks.NOTEBOOK_BYTES // 2)] * 3
    path.write_bytes(notebook({"cell_type": "code", "source": "plot()", "outputs": plots}))
    assert [cell.source for cell in read_cells(path)] == ["plot()"]


def test_who_has_too_many_plots_is_told_to_clear_them(tmp_path):
    path = tmp_path / "plots.ipynb"
    with path.open("wb") as file:
        file.truncate(notebooks.NOTEBOOK_FILE_BYTES + 1)
    with pytest.raises(NotebookError, match="clear them in Jupyter by Kernel > Restart Kernel"):
        read_cells(path)
    with pytest.raises(NotebookError) as told:
        read_plain_file(path, 200)  # of another file, which has no outputs
    assert "clear" not in str(told.value)


OUTPUTS = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('[]{}":\\x'), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["outputs", "data", '"outputs":[', "]"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(
    outputs=st.lists(OUTPUTS, max_size=3),
    source=st.text(max_size=20),
    indent=st.none() | st.just(1),
)
def test_outputs_are_cut_out_and_nothing_else(outputs, source, indent):
    cell = {"source": source, "outputs": outputs, "metadata": {"a": "outputs", "b": '"outputs": ['}}
    data = json.dumps({"cells": [cell, cell], "nbformat": 4}, indent=indent).encode()
    bare = {**cell, "outputs": []}
    assert json.loads(without_outputs(data)) == {"cells": [bare, bare], "nbformat": 4}


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"outputs": [' + b"[" * 3_000_000,
        b"[" * 3_000_000,
        b'"' + b'\\"' * 1_500_000,
        b'"outputs":' * 300_000,
        b'{"outputs": [' + b'"' * 3_000_001,
    ],
)
def test_what_is_made_to_be_slow_to_read_is_read_in_one_pass(hostile):
    """A pass that began again at each quote or bracket would take hours."""
    assert without_outputs(hostile) == hostile  # none of the lists ends


KEYS = st.sampled_from(
    ["cells", "worksheets", "cell_type", "source", "input", "code", "metadata", "nbgrader", "x"]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, ANY_JSON, max_size=4))
def test_any_json_is_cells_or_a_reason(notebook):
    cells, said = [], ""
    try:
        cells = parse_cells(json.dumps(notebook).encode())
    except NotebookError as error:
        said = str(error)
    assert not said or "not a notebook" in said or "nbformat 1" in said
    assert all(isinstance(cell.source, str) and cell.kind in notebooks.KINDS for cell in cells)


def test_worksheets_without_lists_of_cells_are_no_notebook():
    with pytest.raises(NotebookError, match="it has no list of cells"):
        parse_cells(b'{"worksheets": [{"cells": 5}]}')


def test_the_digest_sees_what_counts():
    def of(source, **metadata):
        one = {"cell_type": "code", "source": source, "metadata": metadata}
        return digest(parse_cells(notebook(one)))

    assert of("x") == of("x", tags=["a"], nbgrader={"points": 3})
    assert len({of("x"), of("y"), of("x", nbgrader={"grade_id": "x"})}) == 3


def test_what_reads_notebooks_compiles_no_grammar():
    """jsonschema and rfc3987-syntax, in versions that constraints.txt keeps out, compile the whole
    grammar of addresses whenever nbformat is imported: by each command, worker and nbgrader."""
    script = "import sys, nbformat; print({'lark', 'rfc3987_syntax'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")
