from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from jupyter_mltrain.domain.run import Process
from jupyter_mltrain.store.processes import is_alive, started_of, this_process


def test_this_process_is_alive_and_named() -> None:
    here = this_process()
    assert (here.host, here.pid) == (socket.gethostname(), os.getpid())
    assert is_alive(here)


def test_another_process_under_the_same_number_is_not_it() -> None:
    here = this_process()
    assert not is_alive(replace(here, started=here.started - 5))


def test_a_killed_process_is_gone_even_before_its_parent_looked() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = Process(host=socket.gethostname(), pid=child.pid, started=started_of(psutil.Process(child.pid)))
    assert is_alive(process)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is kept as a zombie
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    assert not is_alive(process)
    child.communicate()
    assert not is_alive(process)


def test_a_clock_that_is_set_changes_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    here, at = this_process(), psutil.boot_time()
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: at - 3600)  # as the operating system has it then
    assert psutil.Process().create_time() < at - 3600 + psutil._psplatform.Process(here.pid).create_time(monotonic=True) + 1
    assert is_alive(here)
