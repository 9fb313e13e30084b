"""Which process trains, and whether it still lives."""

from __future__ import annotations

import os
import socket
import uuid
from functools import cache
from pathlib import Path

import psutil

from jupyter_mltrain.domain.run import Process

_START_TOLERANCE = 2.5  # seconds: the operating system rounds the moment of its start to whole ones, when it is asked


def this_process() -> Process:
    """Return the process that calls, as a run records it."""
    return process_of(os.getpid())


@cache  # it is what records find their process by
def process_of(pid: int) -> Process:
    """Return a process of this machine, as a run records it."""
    return Process(host=socket.gethostname(), pid=pid, started=started_of(psutil.Process(pid)))


def started_of(process: psutil.Process) -> float:
    """Return when a process began, in seconds since the machine did: a clock that is set moves both."""
    return process.create_time() - psutil.boot_time()


def is_alive(process: Process) -> bool:
    """Tell whether a process of this host still lives; a number that was given to a newer process does not count."""
    try:
        found = psutil.Process(process.pid)
        same = abs(started_of(found) - process.started) < _START_TOLERANCE
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
