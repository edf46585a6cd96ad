"""What a test may not do with time, ports and other people's processes, found in its syntax tree.

A test that does is right on the machine it was written on, and fails beside load, on a slower
machine or after a pause. It can prove the same by the order of what happens (wait for a file, a
name, the end of a process), or by processor time.
"""

import ast

CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time", "time_ns"}


def broken_rules(source: str) -> list[str]:
    """One line for each place that breaks a rule."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child.parent = node
    found = [*_clock_bounds(tree), *_fixed_waits(tree), *_lost_ports(tree), *_foreign(tree)]
    return [f"line {line}: {what}" for line, what in sorted({*found})]


def _clock_bounds(tree):
    """Assertions about how long something took, but for those that end a loop that waits."""
    for scope in _scopes(tree):
        seconds = {
            target.id
            for node in _inside(scope)
            if isinstance(node, ast.Assign) and any(map(_reads_clock, ast.walk(node.value)))
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in _inside(scope):
            if not isinstance(node, ast.Assert) or _in_loop_that_waits(node):
                continue
            for part in ast.walk(node.test):
                if _reads_clock(part) or (isinstance(part, ast.Name) and part.id in seconds):
                    yield node.lineno, "asserts a bound on the clock"


def _fixed_waits(tree):
    """Sleeps of a fixed length, but for the pauses of a loop that waits; and timers."""
    for node in ast.walk(tree):
        call = node.value if isinstance(node, ast.Expr) else None
        is_sleep = isinstance(call, ast.Call) and _name(call.func) == "sleep"
        fixed = is_sleep and call.args and isinstance(call.args[0], ast.Constant)
        if fixed and not _in_loop_that_waits(node):
            yield node.lineno, "sleeps for a fixed time"
        if isinstance(node, ast.Call) and _name(node.func) == "Timer":
            yield node.lineno, "starts something after a fixed time"


def _lost_ports(tree):
    """Free ports that are used when their socket is closed, and another program may have them."""
    for block in ast.walk(tree):
        if not isinstance(block, ast.With) or not any(map(_makes_socket, block.items)):
            continue
        inside = [node for part in block.body for node in ast.walk(part)]
        for node in inside:
            if isinstance(node, ast.Return) and any(map(_asks_port, ast.walk(node))):
                yield node.lineno, "gives away a port that it has closed"
        ports = {
            target.id
            for node in inside
            if isinstance(node, ast.Assign) and any(map(_asks_port, ast.walk(node.value)))
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in _inside(_scope_of(block)):
            late = isinstance(node, ast.Name) and node.lineno > block.end_lineno
            if late and isinstance(node.ctx, ast.Load) and node.id in ports:
                yield node.lineno, "uses a port that it has closed"


def _foreign(tree):
    """Looks at all processes of the machine, most of which are others'."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        counts = _name(node.func) in ("len", "sum") and any(map(_lists_processes, ast.walk(node)))
        if counts or _name(node.func) in ("pids", "process_iter"):
            yield node.lineno, "counts the machine's processes"


def _name(function: ast.expr) -> str:
    """`sleep` for `sleep` and for `time.sleep`."""
    return getattr(function, "attr", getattr(function, "id", ""))


def _reads_clock(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or _name(node.func) not in CLOCKS:
        return False
    # `time()` of another object than the module is something else.
    return isinstance(node.func, ast.Name) or getattr(node.func.value, "id", "") == "time"


def _makes_socket(item: ast.withitem) -> bool:
    call = item.context_expr
    return isinstance(call, ast.Call) and _name(call.func) in ("socket", "create_server")


def _asks_port(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) == "getsockname"


def _lists_processes(node: ast.AST) -> bool:
    of_proc = [arg for arg in getattr(node, "args", ()) if getattr(arg, "value", "") == "/proc"]
    return isinstance(node, ast.Call) and _name(node.func) == "listdir" and of_proc != []


def _scopes(tree):
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _scope_of(node):
    while not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
        node = node.parent
    return node


def _inside(scope):
    """The nodes of one function, or of the module, without the functions in it."""
    return [node for node in ast.walk(scope) if node is not scope and _scope_above(node) is scope]


def _scope_above(node):
    return _scope_of(node.parent)


def _in_loop_that_waits(node) -> bool:
    """In a `while` loop, which goes on until something has happened."""
    while hasattr(node, "parent"):
        node = node.parent
        if isinstance(node, ast.While):
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return False
    return False
