"""Which process trains, and whether it still lives."""

from __future__ import annotations

import os
import socket
import uuid
from functools import cache
from pathlib import Path

import psutil

from jupyter_mltrain.domain.run import Process

_START_TOLERANCE = 1.0  # seconds: the operating system's own clock ticks are coarse


def this_process() -> Process:
    """Return the process that calls, as a run records it."""
    return _process(os.getpid())


@cache  # a clock that is set moves the time of the start, by which records find their process
def _process(pid: int) -> Process:
    return Process(host=socket.gethostname(), pid=pid, started=psutil.Process(pid).create_time())


def is_alive(process: Process) -> bool:
    """Tell whether a process of this host still lives; a number that was given to a newer process does not count."""
    try:
        found = psutil.Process(process.pid)
        same = abs(found.create_time() - process.started) < _START_TOLERANCE
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # there is one, and more cannot be known
        return True


@cache
def this_machine() -> str:
    """Return what tells whether the process numbers of two processes mean the same: host names may be alike."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"  # containers of one machine count their processes apart
    except OSError:
        return f"{socket.gethostname()} {uuid.getnode():x}"
