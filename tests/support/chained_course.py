"""A course whose later answers build on earlier ones: a function, a module, a class with state."""

import json
from dataclasses import replace
from pathlib import Path

from notebook_edits import answer, without_markers
from tiny_course import CONFIG, TASK, cell

from lmcourse.grading.assignment.author import kind_of
from lmcourse.grading.assignment.notebooks import Cell, parse_cells
from lmcourse.grading.assignment.plan import CodeCell, names_to_define, stated_plan
from lmcourse.grading.execution.assignment_spec import AssignmentSpec
from lmcourse.grading.sandbox.budgets import Budgets

SETUP = "import torch\nfrom torch import nn"
MARK = "a mark in the author's text, 44d1"
ANSWERS = {
    "scale": f'''def scale(x, by):
    """x, larger."""
    ### BEGIN SOLUTION
    mark = {MARK!r}
    return x * by
    ### END SOLUTION''',
    "norm": '''def norm(x):
    """The length of twice x."""
    ### BEGIN SOLUTION
    return scale(x, 2).square().sum().sqrt()
    ### END SOLUTION''',
    "layer": '''class Layer(nn.Module):
    """x times a weight for each feature."""

    def __init__(self, n):
        super().__init__()
        ### BEGIN SOLUTION
        self.weight = nn.Parameter(torch.full((n,), 2.0))
        ### END SOLUTION

    def forward(self, x):
        """The new x."""
        ### BEGIN SOLUTION
        return x * self.weight
        ### END SOLUTION''',
    "block": '''class Block(nn.Module):
    """A layer, and what came in."""

    def __init__(self, n):
        super().__init__()
        ### BEGIN SOLUTION
        self.layer = Layer(n)
        ### END SOLUTION

    def forward(self, x):
        """The new x."""
        ### BEGIN SOLUTION
        return x + self.layer(x)
        ### END SOLUTION''',
    "stack": '''class Stack:
    """The last one in is the first one out."""

    def __init__(self):
        ### BEGIN SOLUTION
        self.items = []
        ### END SOLUTION

    def push(self, item):
        """Put an item on top."""
        ### BEGIN SOLUTION
        self.items.append(item)
        ### END SOLUTION

    def pop(self):
        """Take the item on top."""
        ### BEGIN SOLUTION
        return self.items.pop()
        ### END SOLUTION''',
    "reverse": '''def reverse(items):
    """The items from the last to the first."""
    ### BEGIN SOLUTION
    stack = Stack()
    for item in items:
        stack.push(item)
    return [stack.pop() for _ in items]
    ### END SOLUTION''',
}
_IMPORT = "import torch\nfrom lmcourse.grading.testing import close, probe\n"
TESTS = {
    "scale": 'close(scale(torch.ones(2), 3.0), torch.full((2,), 3.0), "3 times 1 is 3.")',
    "norm": """@probe
def with_gradient(norm, x):
    x = x.requires_grad_()
    y = norm(x)
    return y.detach(), torch.autograd.grad(y, x)[0]


y, gradient = with_gradient(norm, torch.tensor([3.0, 4.0]))
close(y, torch.tensor(10.0), "Twice (3, 4) is 10 long.")
### BEGIN HIDDEN TESTS
close(gradient, torch.tensor([1.2, 1.6]), "The gradient is wrong.")
### END HIDDEN TESTS""",
    "layer": """@probe
def run(layer, x):
    return layer(3)(x).detach()


close(run(Layer, torch.ones(3)), torch.full((3,), 2.0), "The weights start at 2.")""",
    "block": """@probe
def shapes_and_gradients(block, x):
    block = block(3)
    block.load_state_dict({"layer.weight": torch.tensor([1.0, 2.0, 3.0])})
    y = block(x)
    return y.detach(), torch.autograd.grad(y.sum(), list(block.parameters()))[0]


x = torch.tensor([4.0, 5.0, 6.0])
y, gradient = shapes_and_gradients(Block, x)
close(y, torch.tensor([8.0, 15.0, 24.0]), "It is x + layer(x).")
### BEGIN HIDDEN TESTS
close(gradient, x, "The gradient of the weights is x.")
### END HIDDEN TESTS""",
    "stack": """stack = Stack()
stack.push(1)
stack.push(2)
assert stack.pop() == 2, "the last one in comes out first." """.rstrip(),
    "reverse": """assert reverse([1, 2, 3]) == [3, 2, 1], "1 2 3 backwards is 3 2 1."
### BEGIN HIDDEN TESTS
items = torch.randint(99, (7,)).tolist()
assert reverse(items) == items[::-1], f"{items} backwards is {items[::-1]}."
### END HIDDEN TESTS""",
}
POINTS = {"scale": 1, "norm": 2, "layer": 1, "block": 2, "stack": 1, "reverse": 2}
FULL = float(sum(POINTS.values()))
WRONG = {
    "scale": "def scale(x, by):\n    return x + by",
    "layer": "class Layer(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n"
    "        self.weight = nn.Parameter(torch.full((n,), 2.0))\n    def forward(self, x):\n"
    "        return x - self.weight",
    "stack": "class Stack:\n    def __init__(self):\n        self.items = []\n"
    "    def push(self, item):\n        self.items.append(item)\n"
    "    def pop(self):\n        return self.items.pop(0)",
}


def solution() -> dict:
    """The author's notebook."""
    cells = [cell("code", "setup", SETUP, locked=True)]
    for number, (name, text) in enumerate(ANSWERS.items(), start=1):
        points = POINTS[name]
        plural = "point" if points == 1 else "points"
        task = TASK.format(number=number, title=name.title(), points=points)
        task = task.replace(f"({points} points)", f"({points} {plural})")
        cells.append(cell("markdown", f"chained-task-{number}", task, locked=True))
        cells.append(cell("code", name, text, solution=True))
        test = _IMPORT + TESTS[name]
        cells.append(cell("code", f"test_{name}", test, points=points, grade=True, locked=True))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def make_course(root: Path) -> Path:
    """A course's folder with the assignment `chained`, and the project's settings for nbgrader."""
    path = root / "solutions/chained/chained.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(solution(), indent=1), "utf-8")
    (root / CONFIG.name).write_text(CONFIG.read_text("utf-8"), "utf-8")
    return root


def answered(nb: dict, **answers: str) -> dict:
    """The released notebook with every answer right but these."""
    for name, text in ANSWERS.items():
        answer(nb, name, answers.get(name, without_markers(text)))
    return nb


def spec(**changes):
    """All that grading needs to know of the assignment, with no course behind it."""
    return spec_of(parse_cells(json.dumps(solution()).encode()), "chained", **changes)


def spec_of(cells: list[Cell], name: str, **changes) -> AssignmentSpec:
    """That of an author's notebook, given as its cells."""
    plan = stated_plan(cells)
    own = {cell.name: cell for cell in plan}
    code = [cell for cell in cells if cell.kind == "code"]
    facts = {
        "assignment": name,
        "plan": plan,
        "reference": [
            CodeCell(kind=kind_of(own.get(c.label or "")), source=c.source, name=c.label or "")
            for c in code
        ],
        "wanted": names_to_define(plan),
        "secret": b"a secret of the course",
        "budgets": Budgets(test_seconds=20.0, total_seconds=240.0),
    }
    return AssignmentSpec(**{**facts, **changes})


def submission(**answers: str) -> list[CodeCell]:
    """The code cells of a notebook with every answer right but these, as they are run."""
    return with_answers(spec(), **answers)


def with_answers(one: AssignmentSpec, **answers: str) -> list[CodeCell]:
    """The author's own answers but for these."""
    return [
        replace(cell, source=answers.get(cell.name, cell.source))
        if cell.kind == "learner"
        else cell
        for cell in one.reference
    ]
