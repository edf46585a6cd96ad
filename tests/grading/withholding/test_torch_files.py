"""Nothing that is withheld comes back from torch's own files."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sandbox_processes import SMALL, shown

from lmcourse.grading.execution.sandboxed import SubmissionRun
from lmcourse.grading.sandbox import bubblewrap
from lmcourse.grading.sandbox.bubblewrap import PACKAGE
from lmcourse.grading.sandbox.budgets import MIB
from lmcourse.grading.withholding import torch_files, torch_functions
from lmcourse.grading.withholding.course_package import require, stub_tree
from lmcourse.grading.withholding.withheld import Withheld

# Interpreters that the learner's code starts; each imports PyTorch, which takes seconds.
PATIENT = replace(SMALL, cell_seconds=100.0, total_seconds=400.0, memory_bytes=1024 * MIB)


CHILD = """
import torch
from torch.nn import functional as F
q = torch.ones(2, 3, 4)
attend, layer = F.scaled_dot_product_attention, torch.nn.MultiheadAttention
for call in (lambda: attend(q, q, q), lambda: layer(4, 2)):
    try: call()
    except RuntimeError as error: print(error)
    else: print("it ran")
print(F.softmax(q, -1).sum().item())
"""


CHILDREN = {
    "subprocess": "subprocess.run([sys.executable, '-c', CHILD])",
    "one that is told nothing": "subprocess.run([sys.executable, '-I', '-c', CHILD], env={})",
    "multiprocessing": """
process = multiprocessing.get_context('spawn').Process(target=exec, args=(CHILD, {}))
process.start()
process.join()
""",
    # What a fork prints into the cell's own output is lost with it.
    "a fork": """
back, there = os.pipe()
if os.fork() == 0:
    try:
        with open(there, 'w') as sys.stdout: exec(CHILD, {})
    finally:
        os._exit(0)
os.close(there)
print(open(back).read(), end='')
""",
}


@pytest.mark.parametrize("way", CHILDREN)
def test_nor_may_an_interpreter_that_it_starts(withheld_learners, judges, way):
    with SubmissionRun(withheld_learners, judges, PATIENT, wanted=frozenset()) as submission_run:
        cell = f"import multiprocessing, os, subprocess, sys\nCHILD = {CHILD!r}\n{CHILDREN[way]}"
        ran = submission_run.run_cell(cell)
    lines = shown(ran).splitlines()
    assert len(lines) == 3, (ran, lines)
    assert "torch's scaled_dot_product_attention is withheld in this assignment" in lines[0]
    assert "torch.nn.MultiheadAttention is withheld in this assignment" in lines[1]
    assert lines[2] == "6.0"  # all else is PyTorch as ever


def test_where_the_sandbox_has_the_functions_that_withhold():
    below = f"{bubblewrap._COURSE}/{PACKAGE.name}"
    assert torch_files.IN_SANDBOX.startswith(f"{below}/")
    path = PACKAGE / torch_files.IN_SANDBOX.removeprefix(f"{below}/")
    assert path.samefile(torch_functions.__file__)


@pytest.mark.parametrize("key", torch_functions._ELSEWHERE)
def test_each_other_name_is_there_and_is_cut_in_its_file(key, tmp_path):
    names = torch_functions._ELSEWHERE[key]
    kind = "attributes" if key.startswith("torch.") else "operators"
    withheld = Withheld(**{kind: (key,)})
    assert set(names) <= {*torch_functions.elsewhere(withheld.as_json())}
    assert require(withheld, PACKAGE) is None
    target = stub_tree(PACKAGE, tmp_path / "lmcourse", withheld)
    texts = [Path(new).read_text("utf-8") for new, old in torch_files.covers(target)]
    assert all(ast.parse(text).body for text in texts)
    for full in names:
        assert any(f"{full} is withheld in this assignment" in text for text in texts), full


def test_a_file_of_pytorchs_without_what_is_withheld_has_all_else_in_its_place(tmp_path):
    attributes = ("torch.optim.Adam", "torch.nn.utils.clip_grad_norm_", "torch.nn.LSTM")
    withheld = Withheld(attributes=attributes, operators=("rnn_tanh", "log_softmax"))
    target = stub_tree(PACKAGE, tmp_path / "lmcourse", withheld)
    pairs = torch_files.covers(target)
    own = Path(torch.__file__).parent
    sources = {Path(old).relative_to(own).as_posix(): new for new, old in pairs if old[-1] == "y"}
    cut = {}
    for name, new in sources.items():
        theirs, ours = (ast.parse(Path(path).read_text("utf-8")) for path in (own / name, new))
        kept = {node.lineno: ast.unparse(node) for node in theirs.body}
        changed = [node for node in ours.body if kept.get(node.lineno) != ast.unparse(node)]
        cut[name] = {getattr(node, "name", "") for node in changed}
        assert name == "__init__.py" or all("is withheld" in ast.unparse(node) for node in changed)
    assert "_withhold" in cut.pop("__init__.py")
    assert cut == {
        "optim/adam.py": {"Adam", "_single_tensor_adam", "_multi_tensor_adam", "_fused_adam"},
        "optim/sparse_adam.py": {"SparseAdam"},
        "optim/_functional.py": {"sparse_adam"},
        "nn/utils/clip_grad.py": {"clip_grad_norm_"},
        "nn/modules/rnn.py": {"LSTM"},
        # Torch's own versions of operators, whichever of its files is run again.
        "_decomp/decompositions.py": {
            *("rnn_tanh_input", "rnn_tanh_data", "one_layer_rnn", "one_layer_rnn_data"),
            *("_log_softmax", "_log_softmax_backward_data"),
        },
        "_refs/__init__.py": {"log_softmax"},
        "_refs/nn/functional/__init__.py": {"log_softmax"},
        "_refs/special/__init__.py": {"log_softmax"},
        # With anything of torch's.
        "onnx/ops/_impl.py": {
            *("attention_23", "_attention_23_fake_impl"),
            *("rotary_embedding_23", "_rotary_embedding_23_fake_impl"),
        },
    }
    # What is compiled of them is covered, too, if it is there.
    assert {new for new, old in pairs if old.endswith(".pyc")} <= {*sources.values()}
