"""Attacks on what all share: memory, processes, descriptors, places in the queue, and patience."""

RESOURCES = {
    "files without number": """
        FALSE
        import os
        for place in ('.', '/tmp', '/dev/shm'):
            try:
                for n in range(20_000): open(f'{place}/{n}', 'w').close()
            except OSError as error: print(error)
    """,
    "folders within folders": """
        FALSE
        import os
        try:
            for _ in range(20_000): os.mkdir('d'); os.chdir('d')
        except OSError as error: print(error)
    """,
    "descriptors without end": """
        FALSE
        import os
        try:
            while True: os.open('/dev/null', os.O_RDONLY)
        except OSError as error: print(error)
    """,
    "descriptors under way in sockets": """
        FALSE
        import array, socket
        ends = [socket.socketpair() for _ in range(40)]
        some = array.array('i', [end.fileno() for pair in ends for end in pair])
        try:
            for a, b in ends * 100:
                for end in (a, b):
                    end.setblocking(False)
                    end.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, some[:80])])
        except OSError as error: print(error)
        del ends
    """,
    "terminals without end": """
        FALSE
        import os
        pairs = []
        try:
            while True: pairs.append(os.open('/dev/ptmx', os.O_RDWR | os.O_NOCTTY))
        except OSError as error: print(error)
        print(len(pairs), os.popen('echo x').read())
    """,
    "pipes that are as wide as can be": """
        FALSE
        import fcntl, os
        for _ in range(60):
            try:
                read, write = os.pipe()
                os.set_blocking(write, False)
                fcntl.fcntl(write, 1031, 1 << 20)
                os.write(write, bytes(1 << 20))
            except OSError as error: print(error)
    """,
    "watches and timers without end": """
        FALSE
        import ctypes, os, signal
        libc = ctypes.CDLL(None)
        for _ in range(200): libc.inotify_init1(0)
        timer = ctypes.c_void_p()
        print(sum(libc.timer_create(1, None, ctypes.byref(timer)) == 0 for _ in range(5_000)))
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
        for _ in range(5_000): libc.sigqueue(os.getpid(), int(signal.SIGRTMIN), None)
    """,
    "a better place in the queue": """
        FALSE
        import ctypes, os
        libc = ctypes.CDLL(None)
        for act in (
            lambda: os.nice(-20),
            lambda: os.setpriority(os.PRIO_USER, 0, -20),
            lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)),
            lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)),
            lambda: os.sched_setaffinity(0, range(os.cpu_count())),
            lambda: open('/proc/self/oom_score_adj', 'w').write('-1000'),
            lambda: open('/proc/self/autogroup', 'w').write('-20'),
            lambda: print(libc.mlockall(3), libc.syscall(251, 1, 0, 1 << 13)),
        ):
            try: act()
            except OSError as error: print(error)
    """,
    "read-only places changed": """
        FALSE
        import os
        for path in ('/opt/course/lmcourse/__init__.py', os.__file__, '/usr/bin/env', '/etc', '/'):
            for act in (lambda: os.chmod(path, 0o777), lambda: os.utime(path),
                        lambda: os.link(path, 'mine'), lambda: os.rename(path, path + '~'),
                        lambda: os.chown(path, os.getuid(), -1), lambda: os.truncate(path, 0),
                        lambda: os.setxattr(path, 'user.x', b'x'), lambda: os.remove(path)):
                try: act(); print('changed', path)
                except OSError as error: print(error)
    """,
    "addresses without memory": """
        FALSE
        import mmap
        kept = []
        for size in (1 << 46, 1 << 40, 1 << 34, 1 << 31):
            for flags in (0x22 | 0x4000, 0x21, 0x22 | 0x40000):
                try: kept.append(mmap.mmap(-1, size, flags=flags))
                except (OSError, ValueError, OverflowError) as error: print(error)
    """,
    "a number of a hundred million digits": """
        def f(x): return 1 << (1 << 28) if x is not None else 0
    """,
    "empty outputs without end": """
        FALSE
        from IPython.display import display
        get_ipython()
        for _ in range(200_000): get_ipython().outputs.show('display_data', {'text/plain': ''})
    """,
    "a picture of ten thousand megapixels": """
        FALSE
        import base64, struct, zlib
        from IPython.display import display
        def part(kind, data):
            check = struct.pack('>I', zlib.crc32(kind + data))
            return struct.pack('>I', len(data)) + kind + data + check
        head = struct.pack('>IIBBBBB', 100_000, 100_000, 8, 0, 0, 0, 0)
        png = b'\\x89PNG\\r\\n\\x1a\\n' + part(b'IHDR', head) + part(b'IDAT', b'')
        text = base64.b64encode(png + part(b'IEND', b'')).decode()
        for _ in range(50): display({'image/png': text}, raw=True)
    """,
    "questions to whoever watches": """
        FALSE
        import getpass, os, pdb, sys
        for act in (lambda: input('your password: '), lambda: getpass.getpass(),
                    lambda: open('/dev/tty').readline(), lambda: os.read(0, 10),
                    lambda: open('/dev/console', 'w').write('x'), lambda: pdb.set_trace()):
            try: print(act())
            except BaseException as error: print(type(error))
        breakpoint()
    """,
}
