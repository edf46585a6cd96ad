"""One slug for one thing: README, _toc.yml, book, package, tests and assignments name the same."""

import re
from dataclasses import dataclass, replace

import pytest
from book_pages import BOOK, ROOT, chapters, read_page

# Chapters whose modules have other names; those with none show other people's code or no code.
MODULES_OF = {
    "alignment": {
        "alignment",
        "alignment_runs",
        "carried_sums",
        "over_refusals",
        "preferred_replies",
    },
    "attention": {"attention", "recall"},
    "bert": {"bert", "both_sides", "missing_verb", "who_helped_whom"},
    "data": {
        "corpora",
        "data",
        "documents",
        "duplicates",
        "languages",
        "packing",
        "prepared",
        "quality",
        "same_sentences",
        "text_windows",
    },
    "embeddings": {
        "association",
        "beside_gensim",
        "co_occurrence",
        "embeddings",
        "negative_sampling",
        "village",
        "word_lists",
    },
    "evaluation": {"evaluation", "known_world"},
    "experts": {"experts", "random_facts"},
    "finetuning": {"finetuning", "quantization", "few_labels", "label_runs", "real_labels"},
    "generation": {"generation", "moods", "choices"},
    "gpt": {"gpt", "spells"},
    "lstm": {"recurrent", "fast_lstm", "first_letter", "learning_to_write"},
    "multi_head": {"attention"},
    "neurons": {"neurons", "clusters", "task_map"},
    "ngrams": {"ngrams", "counting"},
    "positions": {"positions", "last_note"},
    "optimization": {"optimization", "layer_sizes"},
    "tokenizers": {"tokenizers", "byte_pairs"},
    "seq2seq": {"seq2seq", "dates"},
    "transformer": {"transformer", "backwards"},
    "training": {
        "training",
        "batching",
        "event_log",
        "gradient_step",
        "interrupts",
        "modes",
        "reproducible",
        "run_folder",
        "training_config",
    },
    "pretrained": {"pretrained", "transformers_weights"},
    "pretraining": {
        "training",
        "cluster_plan",
        "distributed",
        "many_sizes",
        "scaling_laws",
        "sharding",
        "shards",
    },
    "classification": {"classification", "negation", "polarity"},
    "translation": {
        "translation",
        "combinations",
        "few_pairs",
        "habits",
        "tatoeba",
        "word_by_word",
    },
    "bias_and_privacy": {"privacy"},
    "cost": {"cost", "quantization"},
    "published_code": {"published_code", "pretrained"},
    "outlook": set(),
}
WITHOUT_CHAPTER = {
    "checkpoints", "config_options", "devices", "doctor", "export_web", "files", "grading",
    "kept_runs", "live_figures", "metrics", "plots", "prepare_data", "quiz", "reproduce",
    "sample_text", "shakespeare", "train_gpt", "training_data",
}  # fmt: skip
FOLDERS = ("applications", "loop", "commands")  # each of their modules counts, as if it stood flat
GATHERING = {"understanding", "text_to_text"}  # assignments that serve several chapters
# Tests that belong to no module: what they hold.
OTHER_TESTS = {
    "architecture": "the order of imports, sizes",
    "benchmarks": "the runner of the benchmarks",
    "book": "what the book's tools make",
    "breaks": "the table of systems",
    "classroom": "a class, graded from end to end",
    "experiments": "the table of experiments",
    "faults": "wrong answers against the graded tests",
    "hostile": "submissions that attack the grader",
    "lost_processes": "trainings that lose a process and go on",
    "main": "the command",
    "map": "this",
    "page_rules": "the rules about pages",
    "pages": "the pages",
    "paths": "where tests find what they import",
    "recipes": "files that start a training on a cluster",
    "site": "the built site",
    "suite_rules": "what tests, pages and notebooks must not do",
    "systems": "the table of systems",
    "term": "the plan of a term, against pages and tasks",
    "timing_rules": "what a test may not do with time",
}


@dataclass(frozen=True)
class Course:
    chapters: tuple[str, ...]  # parts I to VII of _toc.yml
    pages: frozenset[str]  # the files of book/
    in_readme: tuple[str, ...]  # the first column of its map
    in_index: tuple[str, ...]  # the chapters that the first page links to
    coming: frozenset[str]  # the chapters that the page of sources only names
    modules: frozenset[str]
    tests: frozenset[str]
    tools: frozenset[str]
    solutions: frozenset[str]
    exercises: frozenset[str]
    faults: frozenset[str]


def complaints(course: Course) -> list[str]:
    return [
        *_order(course),
        *_chapters_and_modules(course),
        *_tests(course),
        *_assignments(course),
    ]


def _order(course: Course) -> list[str]:
    found = [f"book/{slug}.md must exist" for slug in course.chapters if slug not in course.pages]
    for name, slugs in (("README.md", course.in_readme), ("book/index.md", course.in_index)):
        if slugs != course.chapters:
            found.append(f"{name} must name {course.chapters}, in this order, got {slugs}")
    return found


def _chapters_and_modules(course: Course) -> list[str]:
    found = [
        f"chapter {slug} must have lmcourse/{module}.py"
        for slug in course.chapters
        for module in sorted(MODULES_OF.get(slug, {slug}) - course.modules)
    ]
    known = set().union(WITHOUT_CHAPTER, course.chapters, course.coming, *MODULES_OF.values())
    strange = sorted(course.modules - known)
    return found + [f"lmcourse/{name}.py must have the slug of a chapter" for name in strange]


def _tests(course: Course) -> list[str]:
    missing = sorted(course.modules - course.tests)
    found = [f"lmcourse/{name}.py must have tests/test_{name}.py" for name in missing]
    known = course.modules | course.tools | set(OTHER_TESTS)
    for name in sorted(course.tests - known):
        if not any(name.startswith(f"{owner}_") for owner in known):
            found.append(f"tests/test_{name}.py must have a module, or a line in OTHER_TESTS")
    return found


def _assignments(course: Course) -> list[str]:
    found = [
        f"solutions/{slug} must have the slug of a chapter"
        for slug in sorted(course.solutions - set(course.chapters) - GATHERING)
    ]
    for name, others in (("exercises/{}", course.exercises), ("tests/faults/{}.py", course.faults)):
        found += [f"{name.format(x)} must exist" for x in sorted(course.solutions - others)]
        found += [
            f"{name.format(x)} has no solutions/{x}" for x in sorted(others - course.solutions)
        ]
    return found


def read_course() -> Course:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"^## Map\n(.*?)(?=^## )", readme, flags=re.MULTILINE | re.DOTALL)
    index = read_page("index").section("^What you will build$")
    listed = re.findall(r"\*\*\[[^\]`]+\]\((\w+)\.md\)\*\*", index)
    planned = set(re.findall(r"`(\w+)`", read_page("sources").body))
    return Course(
        chapters=tuple(chapters()),
        pages=frozenset(path.stem for path in BOOK.glob("*.md")),
        in_readme=tuple(re.findall(r"^\| `(\w+)` \|", table[1], flags=re.MULTILINE)),
        in_index=tuple(listed),
        coming=frozenset(planned - set(chapters())),
        modules=_modules(),
        tests=_stems("tests/test_*.py", "test_") | _rooms("tests/*/*/test_*.py"),
        tools=_stems("tools/*.py") | _stems("tools/ext/*.py"),
        solutions=frozenset(path.parent.name for path in ROOT.glob("solutions/*/*.ipynb")),
        exercises=frozenset(path.parent.name for path in ROOT.glob("exercises/*/*.ipynb")),
        faults=_stems("tests/faults/[!_]*.py"),
    )


def _modules() -> frozenset[str]:
    inside = (_stems(f"lmcourse/{folder}/[!_]*.py") for folder in FOLDERS)
    folders = _folders("lmcourse/*/__init__.py") - set(FOLDERS)
    return _stems("lmcourse/[!_]*.py").union(folders, *inside)


def _folders(pattern: str) -> frozenset[str]:
    return frozenset(path.parent.name for path in ROOT.glob(pattern))


def _rooms(pattern: str) -> frozenset[str]:
    """The packages whose tests stand in folders of folders."""
    return frozenset(path.parents[1].name for path in ROOT.glob(pattern))


def _stems(pattern: str, prefix: str = "") -> frozenset[str]:
    return frozenset(path.stem.removeprefix(prefix) for path in ROOT.glob(pattern))


def test_readme_book_package_tests_and_assignments_name_the_same():
    assert complaints(read_course()) == []


def test_an_assignment_is_one_notebook_with_the_name_of_its_folder():
    found = [path.relative_to(ROOT / "solutions") for path in ROOT.glob("solutions/*/*.ipynb")]
    assert found
    assert [str(path) for path in found if path.stem != path.parent.name] == []


def test_every_path_in_the_map_of_the_readme_exists():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme[readme.index("## Map") : readme.index("## Layers")]
    paths = [path for path in re.findall(r"`([\w./]+)`", table) if "/" in path or "." in path]
    assert len(paths) >= 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_module_names_a_chapter_of_the_course():
    course = read_course()
    known = {*course.pages, *course.coming}
    inside = [path for folder in FOLDERS for path in ROOT.glob(f"lmcourse/{folder}/*.py")]
    for path in [*ROOT.glob("lmcourse/[!_]*.py"), *inside]:
        chapter = re.search(r"^Chapter: book/(\w+)\.md$", path.read_text(encoding="utf-8"), re.M)
        assert chapter, f"{path.name} must say “Chapter: book/….md”"
        assert chapter[1] in known, f"{path.name} names {chapter[1]}, which nobody plans"


TINY = Course(
    chapters=("alpha", "lstm"),
    pages=frozenset({"index", "alpha", "lstm"}),
    in_readme=("alpha", "lstm"),
    in_index=("alpha", "lstm"),
    coming=frozenset({"gamma"}),
    modules=frozenset(
        {
            "alpha",
            "recurrent",
            "fast_lstm",
            "first_letter",
            "learning_to_write",
            "devices",
            "grading",
            "gamma",
        }
    ),
    tests=frozenset(
        {
            "alpha",
            "recurrent",
            "fast_lstm",
            "first_letter",
            "learning_to_write",
            "devices",
            "grading",
            "grading_check",
            "gamma",
            "map",
        }
    ),
    tools=frozenset({"faults"}),
    solutions=frozenset({"alpha"}),
    exercises=frozenset({"alpha"}),
    faults=frozenset({"alpha"}),
)


def test_a_good_map_has_no_complaints():
    assert complaints(TINY) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pages": TINY.pages - {"lstm"}}, "book/lstm.md must exist"),
        ({"in_readme": ("lstm", "alpha")}, "README.md must name"),
        ({"in_readme": ("alpha",)}, "README.md must name"),
        ({"in_index": ("alpha",)}, "book/index.md must name"),
        ({"modules": TINY.modules - {"alpha"}}, "must have lmcourse/alpha.py"),
        ({"modules": TINY.modules - {"recurrent"}}, "must have lmcourse/recurrent.py"),
        ({"modules": TINY.modules | {"utils"}}, "lmcourse/utils.py must have the slug"),
        ({"tests": TINY.tests - {"devices"}}, "must have tests/test_devices.py"),
        ({"tests": TINY.tests | {"stray"}}, "tests/test_stray.py must have a module"),
        ({"solutions": TINY.solutions | {"beta"}}, "solutions/beta must have the slug"),
        ({"exercises": frozenset()}, "exercises/alpha must exist"),
        ({"exercises": TINY.exercises | {"old"}}, "exercises/old has no solutions/old"),
        ({"faults": frozenset()}, "tests/faults/alpha.py must exist"),
    ],
)
def test_a_bad_map_is_found(change, words):
    assert any(words in complaint for complaint in complaints(replace(TINY, **change)))
