"""Tests that expect the same True and False in the same order, whoever is asked: refused.

Chapter: book/instructors/writing_tests.md

Threat: the points of a task in which a learner writes a test, for counting its calls. What is
found here is what stands in the cell as such: asserts about a learner's answer as it is. A test
that hides its list better is its author's to find; `verdicts` has none.
"""

import ast
from collections.abc import Collection, Iterator

from lmcourse.grading.safe_text import UNREADABLE

_LOOPS = (ast.For, ast.While, ast.FunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.GeneratorExp, ast.ListComp, ast.SetComp)
_SAME = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)


def fixed_verdicts(source: str, wanted: Collection[str]) -> list[int]:
    """The lines of a test cell in which an answer of the learner's is asserted to be True or False.

    Empty if there is at most one such answer, which nothing counts.

    Args:
        wanted: the names that the release asks the learner to define.
    """
    try:
        tree = ast.parse(source)
    except UNREADABLE:  # nothing of it will run
        return []
    cell = _Cell(tree, wanted)
    found = [(node.lineno, times) for node, times in cell.asserted(tree, 1)]
    return sorted(line for line, _ in found) if sum(times for _, times in found) > 1 else []


class _Cell:
    """What the names of a test cell stand for.

    Args:
        wanted: see `fixed_verdicts`.
    """

    def __init__(self, tree: ast.Module, wanted: Collection[str]):
        self._asking, self._answers = set(wanted), set()
        nodes = [*ast.walk(tree)]
        for node in nodes:  # a function of the test that hands the learner's answer on
            if isinstance(node, ast.FunctionDef) and not node.decorator_list:
                returned = [n.value for n in ast.walk(node) if isinstance(n, ast.Return)]
                if any(self._asks(value) for value in returned):
                    self._asking.add(node.name)
        self._constant = {name for node in nodes for name in _constants(node)}
        for node in nodes:
            if isinstance(node, ast.Assign) and self._asks(node.value):
                self._answers |= {t.id for t in node.targets if isinstance(t, ast.Name)}

    def asserted(self, tree: ast.AST, times: int) -> Iterator[tuple[ast.expr, int]]:
        """The answers that are asserted to be what is fixed, and how often: 2 means several times.

        Args:
            times: how often the tree runs.
        """
        for node in ast.iter_child_nodes(tree):
            often = 2 if isinstance(node, _LOOPS) else times
            if isinstance(node, ast.Assert):
                yield from self._verdicts(node.test, often)
            yield from self.asserted(node, often)

    def _verdicts(self, test: ast.expr, times: int) -> Iterator[tuple[ast.expr, int]]:
        if isinstance(test, ast.BoolOp | ast.List | ast.Tuple):
            for part in test.values if isinstance(test, ast.BoolOp) else test.elts:
                yield from self._verdicts(part, times)
        elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            yield from self._verdicts(test.operand, times)
        elif isinstance(test, ast.Compare) and isinstance(test.ops[0], _SAME):
            sides = [test.left, *test.comparators]
            rest = [side for side in sides if not self._is_fixed(side)]
            if len(rest) == 1 < len(sides):
                yield from self._verdicts(rest[0], times)
        elif isinstance(test, _COMPREHENSIONS):
            yield from self._verdicts(test.elt, 2)
        elif isinstance(test, ast.Call) and _name(test.func) in ("all", "any", "bool"):
            for part in test.args:
                yield from self._verdicts(part, times)
        elif self._asks(test) or _name(test) in self._answers:
            yield test, times

    def _asks(self, node: ast.expr | None) -> bool:
        """Whether it calls a learner's function, or a method of a learner's object."""
        return isinstance(node, ast.Call) and _name(node.func) in self._asking

    def _is_fixed(self, node: ast.expr) -> bool:
        return _is_bool(node) or _name(node) in self._constant


def _constants(node: ast.AST) -> Iterator[str]:
    """The names that a statement binds to True and False, as they are written there."""
    if isinstance(node, ast.Assign) and _is_bool(node.value):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    if not (isinstance(node, ast.For | ast.comprehension)):
        return
    if not isinstance(node.iter, ast.Tuple | ast.List):
        return
    rows = node.iter.elts
    if isinstance(node.target, ast.Name) and all(map(_is_bool, rows)):
        yield node.target.id
    if isinstance(node.target, ast.Tuple) and all(
        isinstance(r, ast.Tuple | ast.List) for r in rows
    ):
        for target, *column in zip(node.target.elts, *(row.elts for row in rows), strict=False):
            if isinstance(target, ast.Name) and all(map(_is_bool, column)):
                yield target.id


def _is_bool(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is bool


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
