"""What tests, pages and notebooks must not do, since another processor or seed would judge anew.

Each rule takes Python source and returns what is wrong with it. `test_suite_rules.py` applies them
to the suite and to small snippets that break them.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

# ---------------------------------------------------------------- equality of floats

# A reason, on the statement or on the line above it: `# exact: the same kernel on the same rows`.
REASON = re.compile(r"#.*\bexact\b")
# What is called so comes out of a kernel, whatever type it has in the end.
MEASURED = re.compile(
    r"(loss|norm|perplexity|prob|probs|entropy|logits|weights|gradient|gradients|grad|accuracy)$"
)


def exact_comparisons(source: str) -> list[str]:
    """Comparisons to the last bit that give no reason, in code that knows torch or numpy.

    A kernel may sum in another order on another processor. So floats are compared with a tolerance
    (torch.testing.assert_close, pytest.approx), unless the same kernel on the same shapes, copies
    or ids are the claim: then a comment says so. That two things differ, rounding cannot refute.
    """
    tree = ast.parse(source)
    if not _imports(tree) & {"torch", "numpy"}:
        return []
    reasons = _lines_with_a_reason(source)
    found = {}
    for statement in _statements(tree):
        lines = _lines_of(statement)
        if reasons & {lines.start - 1, *lines}:
            continue
        for node in _expressions(statement):
            if what := _exact(node):
                found[node.lineno] = f"line {node.lineno}: {what} to the last bit, without a reason"
    return [found[line] for line in sorted(found)]


def _imports(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def _exact(node: ast.AST) -> str | None:
    """What the node compares to the last bit, if it does."""
    if isinstance(node, ast.Call):
        name = _name(node.func)
        if name in ("equal", "array_equal"):
            return f"{name} compares"
        if _compares(node, "all", ast.Eq):
            return "`(a == b).all()` compares"
        if name in ("assert_close", "allclose", "isclose") and _without_tolerance(node):
            return f"{name} without a tolerance compares"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return "`not (a != b).any()` compares"
    if isinstance(node, ast.Compare):
        return _exact_compare(node)
    return None


def _compares(node: ast.AST, name: str, operator: type[ast.cmpop]) -> bool:
    """Is the node `(a == b).all()` or `torch.all(a == b)`, with this name and operator?"""
    return (
        isinstance(node, ast.Call)
        and _name(node.func) == name
        and any(
            isinstance(part, ast.Compare) and isinstance(part.ops[0], operator)
            for part in [*node.args, getattr(node.func, "value", None)]
        )
    )


def _exact_compare(node: ast.Compare) -> str | None:
    sides = [node.left, *node.comparators]
    for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
        if not isinstance(operator, ast.Eq):
            continue
        both = (left, right)
        if any(isinstance(part, ast.Call) and _name(part.func) == "approx" for part in both):
            continue
        if all(_is_literal(part) for part in both):
            continue
        if any(_holds_a_float(part) for part in both):
            return "`== 0.5` compares"
        # A literal that holds no float: names, ids and counts are compared with those.
        if any(_is_literal(part) for part in both):
            continue
        if any(isinstance(part, ast.Call) and _name(part.func) == "item" for part in both):
            return "`.item() ==` compares"
        if all(isinstance(part, ast.Call) and _name(part.func) == "tolist" for part in both):
            return "`.tolist() == .tolist()` compares"
        if any(MEASURED.search(_name(part)) for part in both):
            return "`loss ==` compares"
    return None


def _holds_a_float(node: ast.AST) -> bool:
    """A literal with a float in it that is no infinity."""
    return _is_literal(node) and any(
        isinstance(part, ast.Constant) and isinstance(part.value, float) for part in ast.walk(node)
    )


def _is_literal(node: ast.AST) -> bool:
    parts = ast.Constant | ast.List | ast.Tuple | ast.UnaryOp | ast.BinOp | ast.Dict | ast.Set
    inner = ast.operator | ast.unaryop | ast.expr_context
    return all(isinstance(part, parts | inner) for part in ast.walk(node))


def _without_tolerance(node: ast.Call) -> bool:
    given = {
        word.arg: word.value.value
        for word in node.keywords
        if isinstance(word.value, ast.Constant) and word.arg in ("rtol", "atol", "rel", "abs")
    }
    return bool(given) and not any(given.values()) and len(given) == 2


def _name(node: ast.AST) -> str:
    """The last word of a dotted name."""
    return getattr(node, "attr", getattr(node, "id", ""))


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.stmt))


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement that belong to none of the statements inside of it."""
    open_nodes: list[ast.AST] = [
        node for node in ast.iter_child_nodes(statement) if not isinstance(node, ast.stmt)
    ]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            if _compares(node.operand, "any", ast.NotEq):
                yield node
            continue  # `not torch.equal(a, b)`
        yield node
        open_nodes += [n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.stmt)]


def _lines_of(statement: ast.stmt) -> range:
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) and body else statement.end_lineno
    return range(statement.lineno, max(last or 0, statement.lineno) + 1)


def _lines_with_a_reason(source: str) -> set[int]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]
        for token in tokens
        if token.type == tokenize.COMMENT and REASON.search(token.string)
    }


# ---------------------------------------------------------------- nothing random at import

_TORCH = {
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "bernoulli", "multinomial",
    "normal", "manual_seed", "Generator", "seed", "get_rng_state", "dropout",
}  # fmt: skip
_RANDOM = {
    "random", "Random", "choice", "choices", "randint", "randrange", "sample", "shuffle", "seed",
    "default_rng", "randbytes",
}  # fmt: skip


_WITH_RANDOM_WEIGHTS = re.compile(
    r"(Lazy)?(Linear|Bilinear|Embedding(Bag)?|Conv\w*|(RNN|LSTM|GRU)(Cell)?|Transformer\w*"
    r"|MultiheadAttention)"
)


def drawn_on_import(source: str, modules: frozenset[str]) -> list[str]:
    """Random numbers drawn, or models built, when a file of tests is imported or collected.

    No test's seed has been set then: the verdict would be random.

    Args:
        modules: the names of classes whose parameters are random, and of functions that train.
    """
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    draws = _those_that_draw(functions, modules)
    return [
        f"line {node.lineno}: {_dotted(node.func)} is called on import, before a seed is set"
        for node in _called_on_import(tree)
        if _draws(node, modules | draws)
    ]


def drawn_at_definition(source: str, modules: frozenset[str]) -> list[str]:
    """Random numbers in defaults and decorators: drawn once, whatever seed is set at the call."""
    return [
        f"line {node.lineno}: {_dotted(node.func)} is called where a function is defined"
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in _calls(_at_definition(function))
        if _draws(node, modules)
    ]


def drawn_before_a_seed(source: str, modules: frozenset[str]) -> list[str]:
    """Random numbers of a page, read from its top, that come before `torch.manual_seed`."""
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    seeding = {name for name, function in functions.items() if "manual_seed" in ast.dump(function)}
    draws = modules | _those_that_draw(functions, modules)
    for node in sorted(_called_on_import(tree), key=lambda node: (node.lineno, node.col_offset)):
        if _name(node.func) == "manual_seed" or _dotted(node.func) in seeding:
            return []
        if _draws(node, draws):
            return [f"line {node.lineno}: {_dotted(node.func)} comes before torch.manual_seed"]
    return []


def _called_on_import(tree: ast.Module) -> Iterator[ast.Call]:
    """Every call outside of the bodies of functions."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += _at_definition(node)
            continue
        if isinstance(node, ast.Call):
            yield node
        waiting += ast.iter_child_nodes(node)


def _at_definition(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.AST]:
    """What is computed once, when the function is defined: defaults and decorators."""
    defaults = [*node.args.defaults, *(x for x in node.args.kw_defaults if x is not None)]
    return [*defaults, *getattr(node, "decorator_list", [])]


def _calls(nodes: list[ast.AST]) -> Iterator[ast.Call]:
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Lambda | ast.FunctionDef):
            continue
        if isinstance(node, ast.Call):
            yield node
        waiting += ast.iter_child_nodes(node)


def _those_that_draw(functions: dict[str, ast.FunctionDef], modules: frozenset[str]) -> set[str]:
    """The functions of a file that draw, by themselves or through each other."""
    found: set[str] = set()
    while more := {
        name
        for name, function in functions.items()
        if name not in found
        and any(
            _draws(node, modules | found)
            for node in ast.walk(function)
            if isinstance(node, ast.Call)
        )
    }:
        found |= more
    return found


def _draws(node: ast.Call, known: frozenset[str] | set[str]) -> bool:
    name, dotted = _name(node.func), _dotted(node.func)
    if dotted in ("random.Random", "Random"):
        return not node.args  # with a seed of its own it draws nothing yet
    if dotted.startswith("torch.") and name in _TORCH:
        return True
    if dotted.startswith(("random.", "np.random.", "numpy.random.")) and name in _RANDOM:
        return True
    if dotted.startswith(("nn.", "torch.nn.")) and _WITH_RANDOM_WEIGHTS.fullmatch(name):
        return True
    return name in known and dotted == name


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return getattr(node, "id", "")


def modules_of(package: Path) -> frozenset[str]:
    """The classes of a package that are torch modules, and its functions that train them."""
    bases: dict[str, set[str]] = {}
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {_dotted(base) for base in node.bases}
    found = {"train"}
    while more := {
        name for name, of in bases.items() if name not in found and of & (found | {"nn.Module"})
    }:
        found |= more
    return frozenset(found)
