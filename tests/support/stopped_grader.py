"""A grader that is stopped in the middle of its work, and goes on an hour later."""

import contextlib
import json
import mmap
import os
import select
import signal
import struct
import time

from waiting import wait_until


class StoppedGrader:
    """A grader in a fork, which is stopped for longer than anybody may take.

    Args:
        work: what it does; its result is sent back as JSON.
    """

    def __init__(self, work, monkeypatch):
        self._shared = mmap.mmap(-1, 16)  # by how much clocks are ahead; how often one was read
        now = time.monotonic

        def shifted():
            shift, reads = struct.unpack("dQ", self._shared[:])
            self._shared[8:] = struct.pack("Q", reads + 1)
            return now() + shift

        self._result, result = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            with contextlib.suppress(BaseException):
                monkeypatch.setattr(time, "monotonic", shifted)
                os.write(result, json.dumps(work()).encode())
            os._exit(0)
        os.close(result)

    def stop(self):
        os.kill(self._pid, signal.SIGSTOP)
        os.waitpid(self._pid, os.WUNTRACED)

    def go_on(self, *, look):
        """An hour later.

        Args:
            look: return when it has looked at the clock several times.
        """
        self._shared[:8] = struct.pack("d", 3600.0)
        before = self._reads()
        os.kill(self._pid, signal.SIGCONT)
        if look:
            wait_until(lambda: self._reads() > before + 20 or self._ended())

    def result(self):
        with os.fdopen(self._result) as file:
            result = json.loads(file.read())
        os.waitpid(self._pid, 0)
        return result

    def _reads(self):
        return struct.unpack("Q", self._shared[8:])[0]

    def _ended(self):
        return bool(select.select([self._result], [], [], 0)[0])
