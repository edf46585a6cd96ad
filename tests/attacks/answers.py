"""Attacks on the verdict, from inside the learner's process.

FALSE and FIND_SOCKETS on a line of their own stand for the lines of that name.
"""

ANSWERS = {
    "asserts stripped from every cell": """
        FALSE
        import ast
        class Strip(ast.NodeTransformer):
            def visit_Assert(self, node): return ast.Pass()
        get_ipython().ast_transformers.append(Strip())
    """,
    "input rewritten": r"""
        FALSE
        get_ipython().input_transformers_cleanup.append(lambda lines: ['pass\n'])
        get_ipython().input_transformers_post.append(lambda lines: ['pass\n'])
    """,
    "hooks around every cell": """
        FALSE
        def calm(*a):
            import lmcourse.grading.testing as t; t.award(1.0)
        for event in ('pre_run_cell', 'post_run_cell', 'pre_execute', 'post_execute'):
            get_ipython().events.register(event, calm)
    """,
    "comparisons of torch patched": """
        FALSE
        import torch
        torch.testing.assert_close = lambda *a, **k: None
        torch.allclose = torch.equal = lambda *a, **k: True
        torch.Tensor.__eq__ = lambda *a: torch.tensor(True)
    """,
    "the helpers of tests patched": """
        FALSE
        import lmcourse.grading.testing as t, contextlib
        t.close = lambda *a, **k: None; t.raises = lambda *a: contextlib.nullcontext()
        t.probe = lambda f: (lambda *a: 0)
        t.award(1.0); t._awarded = 1.0
    """,
    "builtins patched": """
        FALSE
        import builtins
        builtins.AssertionError = type('A', (BaseException,), {})
        builtins.all = lambda *a: True
    """,
    "a number equal to everything": """
        class Yes(int):
            def __eq__(self, o): return True
            __hash__ = int.__hash__
        def f(x): return Yes(0)
    """,
    "an object equal to everything": """
        class Yes:
            def __eq__(self, o): return True
            def __getattr__(self, n): return self
            def __call__(self, *a, **k): return self
            def __bool__(self): return True
            def __float__(self): return 0.0
            shape = property(lambda s: s)
            def all(self): return True
        def f(x): return Yes()
    """,
    "a lying tensor": """
        import torch
        class Liar(torch.Tensor):
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None): return True
        def f(x): return torch.zeros(5).as_subclass(Liar)
    """,
    "a dict with a lying key": """
        Key = type('Key', (str,), {'__eq__': lambda s, o: True, '__hash__': lambda s: 0})
        def f(x): return {Key('a'): 1}
    """,
    "not a number": """
        import torch
        def f(x): return x * float('nan')
    """,
    "a wide empty tensor": """
        import torch
        def f(x): return torch.empty(0, 1 << 30)
    """,
    "the value of the last line": """
        FALSE
        import sys
        sys.displayhook(2.0)
        2.0
    """,
    "an exit with success": """
        import os, sys
        def f(x): os._exit(0)
    """,
    "sys.exit": """
        def f(x): raise SystemExit(0)
    """,
    "a segfault": """
        import ctypes
        def f(x): ctypes.string_at(0)
    """,
    "its own exceptions of the bridge": """
        class BridgeFault(BaseException): pass
        class Gone(BaseException): pass
        def f(x): raise (BridgeFault if x is None else Gone)('full marks')
    """,
    "an exception that is everything": """
        Every = type('Every', (ValueError,), {'__str__': lambda s: 'a width of 3 is no ' * 3})
        def f(x): raise Every()
    """,
    "the bridge's own exceptions": """
        from lmcourse.grading.bridge.proxies import BridgeFault, Gone
        def f(x): raise BridgeFault('x')
    """,
    "an error whose text fails": """
        class E(Exception):
            def __str__(self): raise SystemExit
        def f(x): raise E
    """,
    "the service replaced": """
        FALSE
        from lmcourse.grading.bridge import learner_side
        def do(self, head, reader):
            return (reader.unpack(head['args']) or [1])[0] if 'args' in head else True
        learner_side.Service._do = do
    """,
    "answers that echo": """
        FALSE
        from lmcourse.grading.bridge import learner_side
        from lmcourse.grading.sandbox import frames
        def answer(self, head, block):
            value = (head.get('args') or [True])[0]
            frames.send(self._link, {'seq': head['seq'], 'value': value}, [block])
        learner_side.Service.answer = answer
    """,
    "a verdict forged on every socket": """
        FALSE
        FIND_SOCKETS
        for s in socks:
            try: s.sendall(frame(outcome='passed', fraction=1.0, seq=1, value=None))
            except OSError: pass
    """,
    "a verdict forged while tests run": """
        FALSE
        FIND_SOCKETS
        def forge():
            import time
            while True:
                time.sleep(0.01)
                for s in socks:
                    try: s.sendall(frame(outcome='passed', fraction=1.0, seq=3, value=True))
                    except OSError: pass
        threading.Thread(target=forge, daemon=True).start()
    """,
    "noise on every socket": r"""
        FIND_SOCKETS
        def f(x):
            for s in socks: s.sendall(b'\xff' * 100000)
    """,
    "the author's version asked for": """
        from lmcourse.grading.bridge import learner_side, substitutes
        def f(x):
            return substitutes._call({'name': 'f'}, (x,), {})
    """,
    "callbacks that were never given": """
        FIND_SOCKETS
        def f(x):
            for s in socks:
                for n in range(200): s.sendall(frame(seq=n, callback=n, args=[], kwargs={'d': []}))
    """,
    "a flood of handles": """
        def f(x): return [object() for _ in range(100000)]
    """,
    "a deep answer": """
        def f(x):
            x = []
            for _ in range(100000): x = [x]
            return x
    """,
    "a long answer": """
        def f(x): return 'x' * (1 << 26)
    """,
    "the judge made to work": """
        def f(x): return range(10 ** 6)
    """,
    "an iterator without end": """
        def f(x):
            while True: yield 2
    """,
    "never an answer": """
        import time
        def f(x): time.sleep(1000)
    """,
    "its parent's frames": """
        import sys
        def f(x):
            frame = sys._getframe()
            found = {}
            while frame: found |= frame.f_locals; frame = frame.f_back
            for name in ('want', 'expected', 'oracle'):
                if name in found: return found[name]
            return x
    """,
    "the gradient replaced": """
        import torch
        FALSE
        torch.autograd.grad = lambda *a, **k: (torch.ones(5),)
    """,
    "the random generator fixed": """
        import torch, random
        torch.manual_seed(0); random.seed(0)
        first = torch.randn(5) * 2
        torch.randn = lambda *a, **k: torch.zeros(5); random.randrange = lambda *a: 7
        def f(x): return first if hasattr(x, 'shape') else 14
    """,
    "a torch of its own": """
        FALSE
        import sys, types
        open('torch.py', 'w').write('def equal(*a): return True')
        sys.modules['torch'] = types.ModuleType('torch'); sys.path.insert(0, '.')
    """,
    "a package of its own": """
        FALSE
        import os
        os.makedirs('lmcourse/grading')
        open('lmcourse/__init__.py', 'w'); open('lmcourse/grading/__init__.py', 'w')
        open('lmcourse/grading/testing.py', 'w').write('close = print')
        import sys; sys.path.insert(0, os.getcwd())
    """,
    "a gradebook of its own": """
        FALSE
        import sqlite3
        for p in ('gradebook.db', '/tmp/gradebook.db', '/gradebook.db'):
            try: sqlite3.connect(p).execute('create table grade (auto_score)')
            except Exception: pass
    """,
    "a name that tests use": """
        FALSE
        close = award = raises = probe = lambda *a, **k: None
        class torch: equal = staticmethod(lambda *a: True)
    """,
    "f that is torch": """
        import torch
        f = torch
    """,
    "f that is a type": """
        f = bool
    """,
    "f that is True": """
        f = True
    """,
    "the process forked": """
        import os
        os.fork()
        FALSE
    """,
    "threads that never end": """
        FALSE
        import threading
        for _ in range(8): threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()
    """,
    "the interrupt ignored": """
        import signal
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        def f(x):
            while True: pass
    """,
    "hashes that collide": """
        def f(x): return {i * ((1 << 61) - 1) for i in range(1, 19999)}
    """,
}
