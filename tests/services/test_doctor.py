"""What the doctor finds of processes."""

from __future__ import annotations

import platform
import subprocess
import sys

from jupyter_mltrain.domain.run import Process
from jupyter_mltrain.services.doctor import findings, status
from jupyter_mltrain.services.session import Session


def create_run(session: Session, name: str, process: Process) -> None:
    session.store.runs.create_run(name=name, source="", options={}, tags={}, note="", facts={}, user="me", process=process)


def test_a_run_whose_process_is_gone_is_marked_and_named(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    session = Session(str(tmp_path / "home"))
    create_run(session, "lost", Process(host=platform.node(), pid=gone.pid, started=1.0))
    create_run(session, "far", Process(host="another-machine", pid=7, started=1.0))
    found = findings(session)
    assert f"Process {gone.pid} ended without a word: its run lost#1 is marked died." in found
    assert "Process 7 on another-machine trains far#1." in found
    assert session.store.runs.get("lost#1").status == "died"
    assert status(session)[1:] == ("Runs: 2, the newest far#1 (running).", "Models: none.", "Being trained: far#1.")
    session.close()


def test_searches_are_named_beside_runs(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    session = Session(str(tmp_path / "home"))
    for name, process in (
        ("lost", Process(host=platform.node(), pid=gone.pid, started=1.0)),
        ("far", Process(host="another-machine", pid=7, started=1.0)),
    ):
        session.store.searches.create_search(
            name=name, source="", options={}, tags={}, note="", facts={}, user="me", process=process
        )
    found = findings(session)
    assert f"Process {gone.pid} ended without a word: its search lost#1 is marked died." in found
    assert "Process 7 on another-machine trains search far#1." in found
    assert status(session)[-1] == "Being trained: search far#1."
    session.close()
