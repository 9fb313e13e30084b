"""A process that is killed before one of the system calls of a save leaves the old or the new, never something torn.

`strace` kills it: it sees each call, those of SQLite too, and sends the signal before the call is done.
"""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_samples import begin, register_file, some_epochs, some_result
from store_writers import PROCESSES, start

from jupyter_mltrain.domain.run import RunStatus
from jupyter_mltrain.engine.checkpoints import files
from jupyter_mltrain.store import record_files
from jupyter_mltrain.store.schema import runs
from jupyter_mltrain.store.store import Store

CALL = re.compile(r"^(\w+)\(", re.MULTILINE)
CONTENT = b"weights" * 100_000


def save_checkpoint(home: Path) -> Callable[[], object]:
    shutil.rmtree(home / "checkpoints", ignore_errors=True)
    path = files.path_of(home / "checkpoints", 1, 1)
    home.mkdir(exist_ok=True)
    for epoch in (1, 2):
        files.write(path.with_name(files.path_of(path.parent, 1, epoch).name), state(epoch))
    return lambda: files.write(files.path_of(path.parent, 1, 3), state(3))


def state(epoch: int) -> dict[str, Any]:
    return {"epoch": epoch, "weights": np.full(100_000, epoch)}


def is_saved_checkpoint(home: Path) -> bool:
    found = {path: files.read(path) for path in files.paths(home / "checkpoints")}
    for content in found.values():
        np.testing.assert_array_equal(content["weights"], state(content["epoch"])["weights"])
    newest = files.read(files.paths(home / "checkpoints")[0])["epoch"]
    assert newest in (2, 3)
    assert len(found) >= 2
    return bool(newest == 3)


def save_run(home: Path) -> Callable[[], object]:
    store = Store(home)
    run = begin(store)
    store.runs.append_epochs(run.id, some_epochs(4)[:2])
    result = some_result({"loss": 0.5}, num_epochs=4)
    return lambda: store.runs.finish_run(run.id, status=RunStatus.COMPLETED, result=result, epochs=some_epochs(4)[2:])


def is_saved_run(home: Path) -> bool:
    store = Store(home)
    assert "Integrity: SQLite's quick check found nothing wrong." in store.findings()
    run = store.runs.get("digits")
    rows, num_damaged = record_files.read(run.folder / record_files.NAME)
    assert num_damaged == 0
    is_recorded = rows[runs][0]["status"] == RunStatus.COMPLETED
    assert (run.status, len(run.epochs)) in ((RunStatus.COMPLETED, 4), (RunStatus.DIED, 2))
    assert is_recorded or run.status is RunStatus.DIED  # the record comes first
    return run.status is RunStatus.COMPLETED


def save_version(home: Path) -> Callable[[], object]:
    store = Store(home)
    run = begin(store)
    (run.folder / "best.keras").write_bytes(CONTENT)
    return lambda: register_file(store, run, run.folder / "best.keras", name=f"of-{run.id}")


def is_saved_version(home: Path) -> bool:
    store = Store(home)
    run = store.runs.get("digits")
    versions = [version for version in store.models.list() if version.run_id == run.id]
    assert all(store.models.verify(version).read_bytes() == CONTENT for version in versions)
    again = register_file(store, run, run.folder / "best.keras", name=f"of-{run.id}")
    assert store.models.verify(again).read_bytes() == CONTENT
    assert again.version == len(versions) + 1
    return bool(versions)


SAVES = {
    "checkpoint": (save_checkpoint, is_saved_checkpoint),
    "run": (save_run, is_saved_run),
    "version": (save_version, is_saved_version),
}


def save_when_told(what: str, home: Path, parent: Connection) -> None:
    save = SAVES[what][0](home)
    parent.send("ready")
    parent.recv()
    save()


def traced(what: str, home: Path, *options: str) -> tuple[int, str]:
    """Save in a process that strace looks at from then on; return its exit code and its calls."""
    mine, theirs = PROCESSES.Pipe()
    process = start(save_when_told, what, home, theirs)
    assert mine.recv() == "ready"
    log = home.with_name("calls")
    tracer = subprocess.Popen(
        ["strace", "-p", str(process.pid), "-o", log, "-e", "trace=%file,%desc", *options], stderr=subprocess.PIPE, text=True
    )
    assert tracer.stderr
    said = tracer.stderr.readline()
    if "attached" not in said:
        process.kill()
        pytest.skip(f"strace may not look at processes here: {said}")
    mine.send("save")
    process.join()
    tracer.wait()
    assert process.exitcode is not None
    return process.exitcode, log.read_text()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("what", SAVES)
def test_a_process_killed_at_a_system_call_of_a_save_leaves_the_old_or_the_new(what: str, tmp_path: Path, faults: Any) -> None:
    home = tmp_path / "home"
    code, calls = traced(what, home)
    assert code == 0
    assert SAVES[what][1](home)
    places = [(name, number) for name, count in Counter(CALL.findall(calls)).items() for number in range(1, count + 1)]
    chosen = random.sample(places, 4) if faults.number(1) == 1 else places
    saved = []
    for name, number in chosen:
        code, _ = traced(what, home, "-e", f"inject={name}:signal=KILL:when={number}")
        assert code in (0, -signal.SIGKILL), (name, number)
        saved.append(SAVES[what][1](home))
    faults.report(f"kills at {len(chosen)} of the {len(places)} system calls of saving a {what}: {sum(saved)} new, the rest old")
