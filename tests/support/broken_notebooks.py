"""Right notebooks of `attention` with one thing wrong, for the class of `class_attention`."""

from notebook_edits import (
    answer,
    cell_of,
    claims,
    delete,
    double,
    index,
    insert,
    source_of,
)


def doctored(room) -> list:
    """Cells deleted, doubled, renamed, moved, edited."""

    def no_asserts(nb):
        answer(nb, "masks", room.fault("masks", "either mask"))
        answer(nb, "test_masks", "print('all tests passed')")

    def more_points(nb):
        answer(nb, "additive", room.fault("additive", "no tanh"))
        claims(nb, "test_dot_product")["points"] = 400
        claims(nb, "test_additive")["points"] = 0

    def renamed(nb):
        claims(nb, "masks")["grade_id"] = "my_masks"
        claims(nb, "test_masks")["grade_id"] = "my_test"

    def old(nb):
        for number, cell in enumerate(nb["cells"]):
            own = cell["metadata"].get("nbgrader", {})
            if number % 2:
                own["schema_version"] = 1
            else:
                own.pop("schema_version", None)

    def moved(nb):
        setup, test = index(nb, "setup"), index(nb, "test_heads")
        nb["cells"].append(nb["cells"].pop(setup))
        nb["cells"].insert(1, nb["cells"].pop(test - 1))

    def unlocked(nb):
        own = claims(nb, "test_heads")
        own.update(grade=False, solution=True, locked=False)
        answer(nb, "test_heads", "pass")

    def half_copy(nb):
        # Splitting a cell in Jupyter gives both halves the same metadata.
        first, second = source_of(cell_of(nb, "heads")).split("\n\n\n", 1)
        double(nb, "heads")
        at = index(nb, "heads")
        nb["cells"][at]["source"], nb["cells"][at + 1]["source"] = first, second

    return [
        room.learner("gil", "deleted a test", lambda nb: delete(nb, "test_masks")),
        room.learner(
            "hana",
            "deleted an answer",
            lambda nb: delete(nb, "additive"),
            lost=("additive",),
        ),
        room.learner("ivo", "doubled an answer", lambda nb: double(nb, "dot_product")),
        room.learner("jill", "split an answer's cell in two", half_copy),
        room.learner(
            "kim",
            "doubled a test",
            lambda nb: double(nb, "test_heads"),
            ungraded=("heads",),
            status="partly graded",
        ),
        room.learner("leo", "emptied a test of a wrong answer", no_asserts, lost=("masks",)),
        room.learner("mia", "wrote other points", more_points, lost=("additive",)),
        room.learner("nils", "renamed an answer and its test", renamed),
        room.learner("olga", "old metadata", old),
        room.learner("paul", "setup at the end, a test on top", moved),
        room.learner("quy", "a test made an answer", unlocked),
        room.learner("rosa", "deleted the setup", lambda nb: delete(nb, "setup")),
    ]


def misbehaving(room) -> list:
    """Code that does not end, ends too much, or talks."""

    def broken(nb):
        answer(nb, "additive", "def additive_scores(query, key:\n    return query @ key.mT")

    def endless(nb):
        answer(
            nb,
            "dot_product",
            "def attention(query, key, value):\n    while True:\n        pass",
        )

    def deaf(nb):
        answer(
            nb,
            "masks",
            "while True:\n    try:\n        import time; time.sleep(1)\n"
            "    except BaseException:\n        pass",
        )

    def dead(nb):
        answer(nb, "additive", "import os\n" + source_of(cell_of(nb, "additive")))
        cell_of(nb, "additive")["source"] += "\n\n\nos._exit(0)"

    def leaves(nb):
        insert(nb, "masks", "import sys\nprint('done')\nsys.exit()")

    def warns(nb):
        own = source_of(cell_of(nb, "heads"))
        talk = "    import sys, warnings\n    warnings.warn('careful')\n"
        talk += "    print('splitting', file=sys.stderr)\n"
        head = '"""(B, T, C) as (B, H, T, D): H pieces of each vector."""\n'
        answer(nb, "heads", own.replace(head, head + talk))
        assert talk in source_of(cell_of(nb, "heads"))

    def chatty(nb):
        insert(nb, "masks", "print('x' * 10**6)\n1 + 1", "import logging\nlogging.error('?')")
        insert(nb, "explain", "raise RuntimeError('only a try')")
        nb["cells"].append({"cell_type": "markdown", "metadata": {}, "source": "<b>done</b>"})

    return [
        room.learner("sam", "a syntax error in one cell", broken, lost=("additive",)),
        room.learner("tom", "an endless loop in one answer", endless, lost=("dot_product",)),
        room.learner("uma", "a loop that ignores interrupts", deaf, lost=("masks",)),
        room.learner("vera", "os._exit below a right answer", dead),
        room.learner("wes", "sys.exit in a cell of its own", leaves),
        room.learner("xia", "a right answer that warns on stderr", warns),
        room.learner("yan", "extra cells, prints, a stray error", chatty),
    ]
