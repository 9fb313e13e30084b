"""Which process trains, and whether it still lives."""

from __future__ import annotations

import os
import socket

import psutil

from jupyter_mltrain.domain.run import Process

_START_TOLERANCE = 1.0  # seconds: the operating system's own clock ticks are coarse


def this_process() -> Process:
    """Return the process that calls, as a run records it."""
    return Process(host=socket.gethostname(), pid=os.getpid(), started=psutil.Process().create_time())


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
