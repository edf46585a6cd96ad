"""Attacks that look for what is not the learner's: through the kernel, descriptors, memory, names.

What they find they print; whoever finds a mark of something foreign has succeeded.
"""

READING = {
    "every descriptor that is open": """
        FALSE
        import fcntl, os
        for number in range(1024):
            try: print(number, os.readlink(f'/proc/self/fd/{number}'), os.fstat(number))
            except OSError: continue
            print(open(f'/proc/self/fdinfo/{number}').read())
            for path in (f'/proc/self/fd/{number}', f'/dev/fd/{number}/..'):
                try: print(os.listdir(path))
                except OSError: pass
            try: print(os.pread(number, 20000, 0))
            except OSError: pass
    """,
    "its own memory searched for marks": r"""
        FALSE
        import re
        with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as memory:
            for line in maps:
                low, high = (int(n, 16) for n in line.split()[0].split('-'))
                if not line.split()[1].startswith('rw') or high - low > 1 << 28: continue
                try:
                    memory.seek(low)
                    # In brackets, so that it does not find itself.
                    print(re.findall(rb'mar[k] of [ -~]{,40}', memory.read(high - low)))
                except (OSError, ValueError, OverflowError): pass
    """,
    "what crosses while a test runs": """
        import gc, sys
        def f(x):
            said, frame = [], sys._getframe()
            while frame:
                for name, value in frame.f_locals.items():
                    if name in ('head', 'block', 'reader', 'self', 'request', 'form'):
                        said += [repr(value), repr(getattr(value, '__dict__', ''))]
                frame = frame.f_back
            said += [repr(vars(o)) for o in gc.get_objects() if type(o).__name__ == 'Service']
            raise ValueError(''.join(said)[:4000])
    """,
    "frames of all threads and coroutines": """
        def f(x):
            import gc, inspect, sys, types
            frames = [*sys._current_frames().values(), *(one.frame for one in inspect.stack())]
            for one in gc.get_objects():
                frames += [getattr(one, 'gi_frame', None), getattr(one, 'cr_frame', None)]
                if type(one) is types.TracebackType: frames.append(one.tb_frame)
            said = [repr(frame.f_locals)[:300] + repr(frame.f_code) for frame in frames if frame]
            raise ValueError(' '.join(said)[-3900:])
    """,
    "devices of the machine": """
        FALSE
        import os, stat
        for name in sorted(os.listdir('/dev')): print(name, end=' ')
        for number, (kind, device) in enumerate([
            (stat.S_IFCHR, (1, 1)), (stat.S_IFCHR, (1, 11)), (stat.S_IFCHR, (10, 200)),
            *((stat.S_IFBLK, pair) for pair in ((8, 0), (259, 0), (7, 0), (254, 0))),
        ]):
            try:
                os.mknod(f'device{number}', kind | 0o600, os.makedev(*device))
                print(open(f'device{number}', 'rb').read(1 << 20))
            except OSError as error: print(error)
        for name in ('mem', 'kmsg', 'sda', 'nvme0n1', 'fuse', 'net/tun', 'kvm', 'loop-control'):
            try: print(name, open('/dev/' + name, 'rb').read(100))
            except OSError as error: print(error)
    """,
    "files by their handles": """
        FALSE
        import ctypes, os, platform, struct
        libc = ctypes.CDLL(None, use_errno=True)
        by = {'x86_64': 304, 'aarch64': 265}[platform.machine()]
        for place in ('/', '/usr', '/opt/course', os.getcwd()):
            here = os.open(place, os.O_RDONLY)
            for inode in range(1, 40):
                handle = struct.pack('IiII', 8, 1, inode, 0)
                got = libc.syscall(by, here, handle, os.O_RDONLY)
                if got >= 0: print(place, inode, os.readlink(f'/proc/self/fd/{got}'))
        print(ctypes.get_errno())
    """,
    "sockets of the machine's services": r"""
        FALSE
        import os, socket
        names = [line.split()[-1] for line in open('/proc/net/unix').read().splitlines()[1:]]
        names += ['/run/docker.sock', '/var/run/docker.sock', '/run/dbus/system_bus_socket',
                  '/tmp/.X11-unix/X0', '/run/systemd/notify', '/run/postgresql/.s.PGSQL.5432',
                  '\0/tmp/.X11-unix/X0', '\0/containerd-shim', '\0grader']
        for name in names:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(name.replace('@', '\0', 1)); sock.sendall(b'GET / HTTP/1.0\r\n\r\n')
                print(name, sock.recv(1000))
            except OSError as error: print(name, error)
    """,
    "the network by other doors": """
        FALSE
        import socket
        for family in range(46):
            for kind in (1, 2, 3, 5):
                try: sock = socket.socket(family, kind)
                except OSError: continue
                for place in (('127.0.0.1', PORT), ('::ffff:127.0.0.1', PORT), ('10.0.2.2', PORT),
                              ('255.255.255.255', PORT), ('169.254.169.254', 80)):
                    try:
                        sock.settimeout(0.2)
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                        sock.connect(place); sock.send(b'mine'); print(family, kind, place)
                    except (OSError, TypeError): pass
    """,
    "keys and passwords of the machine": """
        FALSE
        import glob, os
        homes = ['/root', '/home/*', os.path.expanduser('~'), '/learner', '/var/lib/*', '/etc']
        names = ['.ssh/*', '.netrc', '.git-credentials', '.aws/*', '.config/*/*', '.jupyter/*',
                 '.local/share/jupyter/runtime/*', '.bash_history', '.pgpass', 'shadow', 'passwd',
                 '*secret*', 'machine-id', 'krb5*', 'ssl/private/*', 'sudoers', 'hosts']
        for path in [p for home in homes for name in names for p in glob.glob(f'{home}/{name}')]:
            try: print(path, open(path, errors='replace').read(2000))
            except OSError as error: print(error)
    """,
    "a file that is named by another program": """
        FALSE
        import ctypes, locale, os, subprocess, sys, time
        key = os.path.join(COURSE, 'key')
        for name in ('TZ', 'TZDIR', 'LOCPATH', 'NLSPATH', 'HOSTALIASES', 'LD_PRELOAD', 'LD_AUDIT',
                     'PYTHONSTARTUP', 'ENV', 'BASH_ENV', 'OPENSSL_CONF', 'FONTCONFIG_FILE'):
            os.environ[name] = key
        time.tzset()
        try: locale.setlocale(locale.LC_ALL, '')
        except locale.Error as error: print(error)
        for line in (['bash', '-c', 'echo'], [sys.executable, '-c', 'print(1)'], ['date'],
                     ['bash', key], ['cat', key], ['dd', 'if=' + key], ['cp', key, 'key']):
            done = subprocess.run(line, capture_output=True, text=True)
            print(done.stdout, done.stderr)
        try: ctypes.CDLL(key)
        except OSError as error: print(error)
    """,
    "paths that lead out of the folder": """
        FALSE
        import os
        ways = ['..' + '/..' * 40, '/proc/self/root', '/proc/self/cwd/..', '/proc/1/root',
                '/proc/thread-self/root', '//', '/./', '/dev/fd/3/../..', '/opt/course/..']
        for way in ways:
            for path in (way + COURSE + '/key', way + COURSE + '/grades.csv', way + '/work'):
                try: print(open(path).read())
                except OSError as error: print(error)
        os.symlink(COURSE, 'course')
        for name in ('course/key', 'course/grades.csv', 'course/in/000-good/aim/aim.ipynb'):
            try: print(open(name).read())
            except OSError as error: print(error)
    """,
    "who else opens the files that all share": """
        FALSE
        import ctypes, os, select
        libc = ctypes.CDLL(None, use_errno=True)
        watch = libc.inotify_init1(os.O_NONBLOCK)
        for place in ('/', '/opt/course', '/usr/lib', '/tmp', '/run', '/dev/pts', COURSE):
            print(place, libc.inotify_add_watch(watch, place.encode(), 0xfff))
        if select.select([watch], [], [], 0.3)[0]: print(os.read(watch, 4096))
        print(open('/proc/locks').read(), os.listdir('/dev/pts'), os.listdir('/dev/shm'))
    """,
}
