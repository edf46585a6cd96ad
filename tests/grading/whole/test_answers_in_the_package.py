"""Which modules of the package answer which assignment: the grader withholds them, and no other.

A new module must be entered here, so that no chapter brings an answer that nobody withholds.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import lmcourse
from lmcourse.grading.assignment.course import find_course
from lmcourse.grading.withholding.course_package import is_withheld, stub_tree, withheld_helpers
from lmcourse.grading.withholding.withheld import stated

COURSE, PACKAGE = find_course(), Path(lmcourse.__file__).parent
SLUGS = COURSE.assignments()
# Modules, or packages, that hold the answer to a task.
ANSWERS = {
    "attention": "attention generation gpt",
    "byte_pairs": "tokenizers",
    "clusters": "neurons",
    "co_occurrence": "embeddings",
    "data": "tokenizers",
    "documents": "training",
    "efficient_attention": "attention generation gpt neurons",
    "embeddings": "embeddings",
    "fast_lstm": "recurrent",
    "finetuning": "finetuning",
    "generation": "generation gpt transformer",
    "gpt": "gpt",
    "loop": "training",
    "metrics": "generation neurons",
    "negative_sampling": "embeddings",
    "neurons": "neurons published_code training",
    "optimization": "recurrent training",
    "positions": "gpt transformer",
    "published_code": "attention generation gpt published_code transformer",
    "quantization": "finetuning",
    "recurrent": "recurrent",
    "text_windows": "training",
    "tokenizers": "tokenizers",
    "training": "training",
    "transformer": "gpt transformer",
    "transformers_weights": "gpt",
}
# Those that hold none: they call what is above, which raises, or do something else.
_OTHERS = """
    alignment alignment_runs applications association backwards bert beside_gensim both_sides
    carried_sums checkpoints cluster_plan commands corpora counting dates devices duplicates
    evaluation experts few_labels files first_letter grading habits kept_runs known_world
    label_runs languages last_note layer_sizes learning_to_write live_figures many_sizes
    missing_verb modes ngrams over_refusals packing plots preferred_replies prepared pretrained
    quality quiz random_facts real_labels recall same_sentences scaling_laws seq2seq task_map
    village who_helped_whom word_lists
"""
OTHERS = _OTHERS.split()


def names_withheld(slug: str) -> tuple[str, ...]:
    notebook = json.loads(COURSE.solution(slug).read_text("utf-8"))
    return stated(notebook["metadata"]["lmcourse"]["withheld"]).names


def test_of_every_module_it_is_known_which_assignments_it_answers():
    there = {path.stem for path in PACKAGE.glob("[!_]*.py")}
    there |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert not {*ANSWERS} & {*OTHERS}
    assert {*ANSWERS, *OTHERS} == there, "say in this file which assignments a new module answers"
    assert {slug for slugs in ANSWERS.values() for slug in slugs.split()} <= {*SLUGS}


@pytest.mark.parametrize("slug", SLUGS)
def test_what_answers_an_assignment_is_withheld(slug):
    touched = {name.split(".")[1] for name in names_withheld(slug)}
    assert touched == {module for module, slugs in ANSWERS.items() if slug in slugs.split()}


# What is private and would give a task away; each is cut with what is stated.
PRIVATE = {
    "tokenizers": ("lmcourse.byte_pairs._Pairs", "lmcourse.byte_pairs._merge_in_place"),
    "attention": (
        "lmcourse.attention._masked_softmax",
        "lmcourse.efficient_attention.blocks._BlockAttention",
        "lmcourse.efficient_attention.blocks.flash_attention",
    ),
    "generation": ("lmcourse.generation._Text", "lmcourse.efficient_attention.caches.KVCache"),
    "training": ("lmcourse.training._Loop", "lmcourse.optimization._copies"),
    "recurrent": ("lmcourse.recurrent._projections",),
}


@pytest.mark.parametrize("slug", PRIVATE)
def test_what_is_private_goes_with_it(slug, tmp_path):
    names = names_withheld(slug)
    helpers = withheld_helpers(PACKAGE, names)
    assert [
        full for full in PRIVATE[slug] if full not in helpers and not is_withheld(full, names)
    ] == []
    target = stub_tree(PACKAGE, tmp_path / "lmcourse", stated({"names": [*names]}))
    for full in PRIVATE[slug]:
        module, _, name = full.rpartition(".")
        text = target.joinpath(*module.split(".")[1:]).with_suffix(".py").read_text("utf-8")
        body = text.partition(f"{name}(")[2] or text.partition(f"class {name}")[2]
        assert f"{full} is withheld in this assignment" in body[:1500], full


# Every module of the package, from a tree that stands for it.
IMPORTS = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
failed = {}
for name in json.loads(sys.argv[2]):
    try: importlib.import_module(name)
    except Exception as error: failed[name] = str(error)
print(json.dumps([importlib.import_module("lmcourse").__file__, failed]))
"""


@pytest.mark.parametrize("slug", SLUGS)
def test_all_modules_can_still_be_imported_or_say_why_not(slug, tmp_path):
    target = stub_tree(PACKAGE, tmp_path / "lmcourse", stated({"names": [*names_withheld(slug)]}))
    modules = [
        ".".join(("lmcourse", *path.relative_to(PACKAGE).with_suffix("").parts))
        for module in [*ANSWERS, *OTHERS]
        if module not in ("grading", "commands")
        for path in (*PACKAGE.glob(f"{module}.py"), *PACKAGE.glob(f"{module}/[!_]*.py"))
    ]
    call = [sys.executable, "-W", "ignore", "-c", IMPORTS, str(tmp_path), json.dumps(modules)]
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    place, failed = json.loads(done.stdout)
    assert Path(place).is_relative_to(target)
    unclear = {n: said for n, said in failed.items() if "withheld in this assignment" not in said}
    assert unclear == {}


def test_helpers_are_what_withheld_ones_alone_use(tmp_path):
    (tmp_path / "a.py").write_text(
        "def answer(): return _one() + _shared()\n"
        "def _one(): return _two()\n"
        "def _two(): return 2\n"
        "def _shared(): return 3\n"
        "def stays(): return _shared()\n"
        "def _for_itself(): return _for_itself()\n"
        "class Layer:\n"
        "    def forward(self): return _inner()\n"
        "    def size(self): return _size()\n"
        "def _inner(): return 4\n"
        "def _size(): return 5\n"
    )
    package = tmp_path.name
    names = (f"{package}.a.answer", f"{package}.a.Layer.forward")
    wanted = [f"{package}.a.{name}" for name in ("_inner", "_one", "_two")]
    assert withheld_helpers(tmp_path, names) == wanted
    assert withheld_helpers(tmp_path, ()) == []
