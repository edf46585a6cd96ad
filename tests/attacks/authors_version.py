"""Attacks on the author's version of an answer, which stands behind a name when a test runs again.

Each is an answer to `norm` in `chained_course`, handed in with a wrong `scale` before it, so that
the author's `scale` can be called. It tries to read how that works, or to have more than it gives,
and reports in an error's message what it found: `got: []` if nothing.
"""

_REPORT = """
def norm(x):
    got = attack(x)
    assert type(scale(x, 2)).__name__ == 'Tensor'
    raise ValueError(f'got: {got}')
"""

AUTHORS_VERSION = {
    "its text in this process's memory": r"""
        import re
        mine = 'a mark in ' + 'my own text, 44d1'
        def hunt(pattern):
            # With brackets, so that it does not find itself.
            found = 0
            with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as memory:
                for line in maps:
                    span, rights = line.split()[:2]
                    low, high = (int(n, 16) for n in span.split('-'))
                    if rights.startswith('rw') and high - low < 1 << 28:
                        try:
                            memory.seek(low)
                            found += len(re.findall(pattern, memory.read(high - low)))
                        except (OSError, ValueError, OverflowError):
                            pass
            return found
        def attack(x):
            scale(x, 2)
            if not hunt(rb'a mar[k] in my own text, 44d[1]'): return ['the hunt does not work']
            return ['theirs'] * hunt(rb"a mar[k] in the autho[r]'s text, 44d[1]")
    """,
    "the substitute taken apart": r"""
        import gc, inspect, linecache, re
        def attack(x):
            scale(x, 2)
            texts = [scale.__doc__, str(vars(scale)), str(scale.__code__.co_consts)]
            texts += [str(cell.cell_contents) for cell in scale.__closure__ or ()]
            texts += [str(o.co_consts) for o in gc.get_objects() if type(o).__name__ == 'code']
            texts += [str(lines) for lines in linecache.cache.values()]
            for take in (inspect.getsource, inspect.getsourcefile, inspect.getcomments):
                try: texts.append(take(scale))
                except (OSError, TypeError): pass
            return [t for t in texts if re.search(r"in the autho[r]'s text", t or '')]
    """,
    "other names of the author's": r"""
        from lmcourse.grading.bridge import substitutes
        def attack(x):
            got = []
            for name in ('norm', 'Block', 'reverse', 'scale.__code__', '__builtins__', 'torch'):
                try: got.append(substitutes._call({'name': name}, (x,), {}))
                except NameError: pass
            for method in ('__code__', '__globals__', '__getattribute__', '__reduce__'):
                for what in ({'name': 'scale'}, {'object': 1}):
                    try: got.append(substitutes._call({**what, 'method': method}, (), {}))
                    except (AttributeError, LookupError): pass
                    question = {'op': 'get', 'object': 1, 'attribute': method}
                    try: got.append(substitutes._ask(question))
                    except (AttributeError, LookupError): pass
            return got
    """,
    "an argument that records": r"""
        from lmcourse.grading.bridge import substitutes
        from lmcourse.grading.bridge.remote_calls import flatten
        seen = []
        class Spy:
            def __call__(self, *a, **k): seen.append(('call', a)); return self
            def __getattr__(self, name): seen.append(name); return self
            def __mul__(self, other): seen.append(('mul', other)); return self
            __rmul__ = __add__ = __getitem__ = __mul__
        def attack(x):
            request = {'op': 'call', 'name': 'scale', 'state': {}, 'tensors': [], 'needs': [],
                       'grad': False, 'gradients': {}, 'random': None, 'form': [[Spy(), 2], {}]}
            for form in ([[Spy(), 2], {}], [[2, Spy()], {}], [[Spy(), Spy()], {}], Spy()):
                try: substitutes._ask({**request, 'form': form})
                except Exception: pass
            return seen
    """,
    "errors that tell where they come from": r"""
        import traceback
        def attack(x):
            got = []
            for args in ((None, None), ('x', 'y'), (x, x[:1].expand(3)), (), (1, 2, 3), ({}, {})):
                try: scale(*args)
                except Exception as error:
                    text = ''.join(traceback.format_exception(error))
                    marks = ('<author>', 'authors_answers', 'mark =')
                    got += [mark for mark in marks if mark in text]
            return got
    """,
}


def source(attack: str) -> str:
    """The attack as the answer that is handed in."""
    import textwrap

    return textwrap.dedent(AUTHORS_VERSION[attack]) + _REPORT
