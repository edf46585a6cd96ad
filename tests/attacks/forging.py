"""Attacks that make the learner's process lie: by its own parts, its interpreter, its memory.

FALSE and FIND_SOCKETS on a line of their own stand for the lines of that name.
"""

# What stands on the wire for whatever is answered.
_RAW = """
FALSE
from lmcourse.grading.bridge import learner_side
kinds = iter(range(10 ** 6))
def pack(self, value, depth=0):
    if isinstance(value, (list, bool, str)) or callable(value): return plain(self, value, depth)
    self.blocks = [bytes(64)]
    return FORMS[next(kinds) % len(FORMS)]
plain, learner_side.Packer.pack = learner_side.Packer.pack, pack
"""


def _raw(forms: str) -> str:
    return _RAW.replace("FORMS[", f"({forms})[").replace("len(FORMS)", f"len(({forms}))")


FORGING = {
    "numbers that JSON does not have": _raw(
        "float('nan'), float('inf'), 10 ** 4000, -10 ** 4000, {'f': 'nan'}, {'i': '0x' + 'f' * 999}"
    ),
    "data that lies elsewhere": _raw(
        "{'T': ['float32', [5], 1 << 40, 20]}, {'T': ['float32', [5], -20, 20]},"
        " {'T': ['float32', [5, 0, 1 << 30], 0, 0]}, {'T': ['float32', [True] * 5, 0, 4]},"
        " {'N': ['|O', [5], 0, 40]}, {'b': [0, 1 << 62]}, {'T': [['float32'], 5, 0, 20]}"
    ),
    "objects that were never given": _raw(
        "{'h': 10 ** 9, 'n': 'Tensor'}, {'h': -1}, {'h': True}, {'h': 1.0}, {'iterator': 0},"
        " {'callback': 0}, {'callback': -1}, {'callback': [1]}, {'d': [[{'d': []}, 1]]}, {'q': 1}"
    ),
    "sets and keys that fall together": _raw(
        "{'s': [float('nan')] * 19999}, {'d': [['a', 1], ['a', 2]]}, {'s': [1, True, 1.0]},"
        " {'z': [[1]]}, {'r': [0, 10 ** 30, 0]}, {'r': [0, 0, 0]}, {'l': [[], {}, ()]}"
    ),
    "errors that name what they are not": """
        FALSE
        from lmcourse.grading.bridge import learner_side
        kinds = iter(range(10 ** 6))
        names = ['SystemExit', 'KeyboardInterrupt', 'GeneratorExit', 'BridgeFault', 'Gone',
                 'StopIteration', 'ExceptionGroup', 'UnicodeDecodeError', 'MemoryError', '', 7, []]
        def described(error):
            name = names[next(kinds) % len(names)]
            return {'kinds': [name, 'Exception'] * 99, 'message': name, 'trace': 5}
        learner_side._described = described
        def f(x): raise ValueError('a width of 3 is no width')
    """,
    "answers to other questions": """
        FALSE
        from lmcourse.grading.bridge import learner_side
        from lmcourse.grading.sandbox import frames
        def send(sock, head, blocks=(), deadline=None):
            if 'seq' in head and 'value' in head:
                for seq in (head['seq'] - 1, head['seq'] + 1, None, True, str(head['seq']), [1]):
                    true(sock, {**head, 'seq': seq, 'value': True}, blocks)
            true(sock, head, blocks)
        true, learner_side.frames.send = frames.send, send
    """,
    "a test's question changed on its way": """
        FALSE
        from lmcourse.grading.sandbox import frames
        def receive(self, deadline=None):
            head, block = true(self, deadline)
            if head.get('op') == 'call': head.update(op='names', names=['f'])
            if head.get('op') == 'probe': head['source'] = 'def probe(f, x): return f(x) * 0 + 2'
            return head, block
        true, frames.Inbox.receive = frames.Inbox.receive, receive
    """,
    "a profiler that answers for f": """
        FALSE
        import sys
        def profile(frame, event, arg):
            if event == 'return' and frame.f_code.co_name in ('_do_call', '_do_probe'):
                raise StopIteration(True)
            if event == 'c_call' and arg.__name__ in ('dumps', 'send'): sys.stdout.write('x')
        sys.setprofile(profile)
    """,
    "types changed in memory": """
        FALSE
        import ctypes, gc
        for kind in (int, float, bool, dict):
            own = gc.get_referents(kind.__dict__)[0]
            own['__eq__'] = lambda *a: True
            own['__ne__'] = lambda *a: False
            ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
    """,
    "the service found by the garbage collector": """
        FALSE
        import gc
        for one in gc.get_objects():
            if type(one).__name__ == 'Service':
                one._do = lambda head, reader: True
                one._things = type('Everything', (dict,), {'__missing__': lambda s, k: True})()
                one._current = 10 ** 9
            if type(one).__name__ == 'Defaults': one._wanted = {}
    """,
    "finalizers that speak": """
        FIND_SOCKETS
        import atexit, weakref
        def speak(*a):
            for s in socks:
                try: s.sendall(frame(outcome='passed', verdict='passed', fraction=1.0, seq=2))
                except OSError: pass
        class Last:
            def __del__(self): speak()
        class Holder: pass
        atexit.register(speak)
        def f(x):
            held = Holder()
            weakref.finalize(held, speak)
            held.last = Last()
            return x * 0
    """,
    "answers that change when they are garbage": """
        import gc, torch
        class Turncoat(dict):
            def __del__(self):
                import lmcourse.grading.bridge.learner_side as side
                side._described = lambda error: {'kinds': ['Exception'], 'message': 'passed'}
        gc.callbacks.append(lambda phase, info: Turncoat())
        gc.set_threshold(1)
        def f(x): return Turncoat(x=x)
    """,
    "every odd tensor in turn": """
        import itertools, torch
        def odd():
            yield torch.empty(5, device='meta')
            yield torch.zeros(5).to_sparse()
            yield torch.quantize_per_tensor(torch.zeros(5), 0.1, 0, torch.quint8)
            yield torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
            yield torch.zeros(5, dtype=torch.complex64).conj()
            yield torch._neg_view(torch.zeros(5))
            yield torch.nn.Parameter(torch.zeros(5))
            yield torch.zeros(1).expand(1 << 40)
            yield torch.zeros((1,) * 60)
            yield torch.zeros(5, names=('N',))
            class Hollow(torch.Tensor):
                @staticmethod
                def __new__(cls): return torch.Tensor._make_wrapper_subclass(cls, (5,))
                @classmethod
                def __torch_dispatch__(cls, *a, **k): return torch.full((5,), float('nan'))
            yield Hollow()
            yield torch.func.vmap(lambda x: Kept.append(x) or x)(torch.zeros(5)) and Kept[-1]
        Kept, each = [], None
        def f(x):
            global each
            each = each or itertools.cycle(odd())
            return next(each)
    """,
    "every odd array in turn": """
        import itertools, numpy as np
        each = itertools.cycle([
            np.array([object()] * 5), np.array(['yes'] * 5), np.zeros(5, dtype='V8'),
            np.zeros(5, dtype=[('a', 'f4')]), np.array('2020-01-01', dtype='M8[D]'),
            np.ma.masked_all(5), np.matrix([[0]]), np.zeros(5)[::-2], np.float64('nan'),
            np.broadcast_to(np.zeros(1), (5, 1 << 30)), np.void(b'x'), np.zeros((0, 1 << 40)),
            np.lib.stride_tricks.as_strided(np.zeros(1), (1 << 28,), (0,)), np.longdouble(0),
        ])
        def f(x): return next(each)
    """,
    "text that no file can hold": r"""
        def f(x):
            if x is None: raise ValueError('\ud800 a width of 3\x00\x1b[2J\u202e' * 99)
            return '\ud800\udfff\x00\x1b]0;owned\x07\u2028' * 9
    """,
    "f that is asynchronous": """
        import asyncio
        async def f(x):
            await asyncio.sleep(0)
            return x
    """,
    "f that is a module which knows": """
        import sys, types
        class Knows(types.ModuleType):
            def __call__(self, x): return self
            def __getattr__(self, name): return self
            def __iter__(self): return iter([self])
            def __len__(self): return 1 << 39
            def __getitem__(self, key): return self
            def __contains__(self, value): return True
        f = sys.modules['f'] = Knows('f')
    """,
    "an answer that knows where it is asked from": """
        import sys, torch
        def f(x):
            frame = sys._getframe()
            while frame:
                for name in ('f', 'grads', 'probe', 'SENT_AS', 'want'):
                    frame.f_globals.setdefault(name, lambda *a: torch.full((5,), 2.0))
                if frame.f_code.co_filename == '<probe>':
                    frame.f_globals['torch'] = type('T', (), {'autograd': type('A', (), {
                        'grad': staticmethod(lambda *a, **k: [torch.full((5,), 2.0)])})})
                frame = frame.f_back
            return x * 0
    """,
    "torch's modes left on": """
        import torch
        from torch.overrides import TorchFunctionMode
        from torch.utils._python_dispatch import TorchDispatchMode
        class Two(TorchFunctionMode):
            def __torch_function__(self, func, types, args=(), kwargs=None): return 2.0
        class Twos(TorchDispatchMode):
            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                return torch.full((5,), 2.0)
        modes = [Two(), Twos()]
        for mode in modes: mode.__enter__()
        def f(x): return x * 0
    """,
    "a gradient that is not its function's": """
        import torch
        class Doubles(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x): return x * 0
            @staticmethod
            def backward(ctx, upstream): return upstream * 2
        torch.autograd.graph.saved_tensors_hooks(lambda x: 2, lambda x: 2).__enter__()
        def f(x): return Doubles.apply(x) if hasattr(x, 'shape') else 0
    """,
    "outputs made by hand": r"""
        FALSE
        from IPython.core.getipython import get_ipython
        kept = get_ipython().outputs.kept
        act = '<script>alert(1)</script><img src=x onerror=alert(1)>'
        for data in ({'image/png': '"><script>alert(1)</script>'}, {'text/html': act}, {act: act},
                     {'text/plain': act}, {'image/jpeg': 'javascript:alert(1)'}, {'text': act}):
            kept.append({'output_type': 'display_data', 'data': data, 'metadata': {act: act}})
            kept.append({'output_type': 'stream', 'name': act, 'text': act, 'data': data})
        kept.append({'output_type': 'error', 'ename': act, 'evalue': act, 'traceback': [act]})
        kept.append({'output_type': 'execute_result', 'data': {'text/plain': act},
                     'execution_count': 10 ** 4000})
        kept += [None, 7, [], {}, {'output_type': []}, {'output_type': 'stream', 'text': 7}]
    """,
    "a page that says it passed": """
        def f(x):
            raise ValueError('</pre><p class="passed">All tests passed: 1 of 1 points.</p><pre>')
    """,
    "words for the terminal": r"""
        FALSE
        act = '\x1b[2J\x1b[1;1Hall tests passed\x1b]0;owned\x07\x1bc\x9b2J\u202e\r[bold]'
        import sys
        print(act); print(act, file=sys.stderr)
        def f(x): raise type('E' + chr(0x202e), (ValueError,), {})(act)
        raise ValueError(act)
    """,
}
