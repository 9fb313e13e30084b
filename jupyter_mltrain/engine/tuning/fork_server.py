"""Where the processes come from that train trials: forked from one that has imported TensorFlow, or started one by one."""

from __future__ import annotations

import gc
import os
import pickle
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from importlib import import_module
from typing import BinaryIO, Protocol

import numpy as np

from jupyter_mltrain.engine.devices import cards
from jupyter_mltrain.engine.environment import search_path
from jupyter_mltrain.engine.quiet import quieten

_WORKER = "jupyter_mltrain.engine.tuning.worker"
_IMPORTED = (_WORKER, "jupyter_mltrain.engine.rehearsal", "jupyter_mltrain.engine.sending", "jupyter_mltrain.engine.tuning.here")
SECONDS_TO_IMPORT, _SECONDS_TO_FORK = 4.0, 1.5  # until a worker trains as fast as this process
_MOST_BYTES = 2**12  # of a message
_READY = b"ready"


class Child(Protocol):
    """A process as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    def poll(self) -> int | None:
        """Return how it ended; None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, and return how.

        Raises:
            subprocess.TimeoutExpired: it did not within so many seconds.
        """
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class ForkServer:
    """Starts the workers of one search.

    Importing TensorFlow takes a core for 3.5 s and 300 MB. On Linux one process does it beside whatever this one does, and the
    workers are forked from it: it has no threads, and TensorFlow has started nothing. CUDA does not survive a fork, so with
    cards, and elsewhere, each worker imports for itself.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._unborn: deque[_Forked] = deque()
        self._is_ready = False
        if sys.platform == "linux" and hasattr(os, "pidfd_open") and not cards():
            self._begin()

    def _begin(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", __name__],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what keeps it from importing keeps the workers too, which say it
                env=_environment(OPENBLAS_NUM_THREADS="1"),  # else NumPy starts threads
                start_new_session=True,
            )
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def is_starting(self) -> bool:
        """Whether a worker would come sooner a little later."""
        return self._process is not None and not self._is_ready and self._process.poll() is None

    @property
    def seconds_to_start(self) -> float:
        """About what a worker needs until it trains as fast as this process."""
        return _SECONDS_TO_FORK if self._is_ready else SECONDS_TO_IMPORT

    def spawn(self, stdin: int, stdout: int, stderr: BinaryIO, *, card: str | None = None) -> Child:
        """Start a worker with these as its standard streams.

        Args:
            stdin: end of a pipe.
            stdout: end of another.
            stderr: a file.
            card: the GPU that it is to use, as CUDA numbers them; None for all that there are.
        """
        with self._lock, suppress(OSError):
            if self._process is not None and self._process.poll() is None:
                socket.send_fds(self._socket, [b"fork"], [stdin, stdout, stderr.fileno()])
                self._unborn.append(_Forked())
                return self._unborn[-1]
        chosen = {} if card is None else {"CUDA_VISIBLE_DEVICES": card}
        return subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", _WORKER],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=_environment(**chosen),
            start_new_session=True,  # the kernel's interrupts are handed on by the parent
        )

    def _listen(self) -> None:
        born: dict[int, _Forked] = {}
        with suppress(OSError):
            while message := self._socket.recv(_MOST_BYTES):
                if message == _READY:
                    self._is_ready = True
                    continue
                pid, returncode = pickle.loads(message)  # noqa: S301 - of our own child
                if returncode is None:
                    with self._lock:
                        born[pid] = self._unborn.popleft()
                    born[pid].is_born(pid)
                else:
                    born.pop(pid).has_ended(returncode)
        self._is_ready = False
        with self._lock:
            orphans = [*born.values(), *self._unborn]
            self._unborn.clear()
        for child in orphans:  # nobody would tell how they end
            child.kill()
            child.has_ended(-signal.SIGKILL)

    def close(self) -> None:
        """End it, when its workers have ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._socket.close()


class _Forked:
    """A worker that another process forks, as `Child`."""

    pid = 0  # until it is born

    def __init__(self) -> None:
        self._returncode = 0
        self._is_unwanted = False
        self._ended = threading.Event()

    def is_born(self, pid: int) -> None:
        self.pid = pid
        if self._is_unwanted:
            self.kill()

    def has_ended(self, returncode: int) -> None:
        self._returncode = returncode
        self._ended.set()

    def poll(self) -> int | None:
        return self._returncode if self._ended.is_set() else None

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout if self.pid else 0.0) and timeout is not None:
            raise subprocess.TimeoutExpired(_WORKER, timeout)
        return self._returncode

    def kill(self) -> None:
        self._is_unwanted = True
        if not self.pid:
            self.has_ended(-signal.SIGKILL)
        elif not self._ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def _environment(**changes: str) -> dict[str, str]:
    """Return this process's environment, for one that is to find the same modules."""
    return {**os.environ, "PYTHONPATH": search_path(), **changes}


def main() -> None:
    """Import, then fork a worker for each message on the socket that is the standard input, until that is closed."""
    quieten()
    with suppress(Exception):  # a worker tries again, and says what it is
        for name in _IMPORTED:
            import_module(name)
    gc.freeze()  # so that no collection writes to the pages that the workers share
    with socket.socket(fileno=os.dup(0)) as requests, selectors.DefaultSelector() as selector:
        streams = _served(requests, selector)
    if streams:
        _become_worker(streams)


def _served(requests: socket.socket, selector: selectors.BaseSelector) -> list[int]:
    """Fork and tell of it; return a worker's standard streams in that worker, none where nobody asks any more."""
    selector.register(requests, selectors.EVENT_READ)
    requests.send(_READY)
    while True:
        for key, _ in selector.select():
            if key.fileobj is requests:
                message, streams, _, _ = socket.recv_fds(requests, _MOST_BYTES, 3)
                pid = os.fork() if message else 0
                if not pid:
                    return streams
                for each in streams:
                    os.close(each)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                requests.send(pickle.dumps((pid, None)))
            else:
                _, status = os.waitpid(key.data, 0)
                selector.unregister(key.fd)
                os.close(key.fd)
                requests.send(pickle.dumps((key.data, os.waitstatus_to_exitcode(status))))


def _become_worker(streams: list[int]) -> None:
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    np.random.seed()  # the cell may draw from this one, and each worker has the same
    import_module(_WORKER).main()


if __name__ == "__main__":
    main()
