"""What other processes do to a store in these tests; nothing here imports TensorFlow, so they start at once."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from store_samples import begin, begin_trial, end_trial, move, register, register_file, some_epochs, train

from jupyter_mltrain.domain.address import StoreAddress
from jupyter_mltrain.domain.errors import ConflictError, OptionError, StoreError
from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.store.processes import this_process
from jupyter_mltrain.store.store import Store

Home = Path | tuple[Path, StoreAddress]

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["jupyter_mltrain.store.store", "alembic.command"])


def at_once(work: Callable[..., Any], *arguments: Any, num_processes: int = 8) -> list[Any]:
    """What `work` returns in each of several processes that begin together."""
    with ProcessPoolExecutor(num_processes, mp_context=PROCESSES) as pool:
        return [future.result() for future in [pool.submit(work, *arguments) for _ in range(num_processes)]]


def start(work: Callable[..., Any], *arguments: Any) -> ForkServerProcess:
    """A process that the test ends."""
    process = PROCESSES.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def opened(home: Home) -> Store:
    """The store of a folder with SQLite, or of a folder and the address of a server's database."""
    return Store(*home) if isinstance(home, tuple) else Store(home)


def open_home(home: Home) -> str:
    store = opened(home)
    return begin(store).ref


def train_runs(home: Home, num_runs: int) -> list[str]:
    store = opened(home)
    return [train(store, "shared", num_epochs=10).id for _ in range(num_runs)]


def register_versions(home: Home, run_id: str, num_versions: int) -> list[str]:
    store = opened(home)
    run = store.runs.get(run_id)
    return [register_file(store, run, run.folder / "best.keras").ref for _ in range(num_versions)]


def train_until_told(home: Home, name: str, parent: Connection) -> None:
    """Train and register without end; tell of every run that is finished."""
    store = opened(home)
    parent.send("ready")
    while not parent.poll():
        run = train(store, name, num_epochs=10)
        parent.send(run.id)
        register(store, run, name, content=run.id.encode() * 5000)


def begin_and_wait(home: Home, parent: Connection) -> None:
    parent.send(begin(opened(home)).id)
    parent.recv()


def begin_trials(home: Home, search_id: str, num_trials: int) -> list[str]:
    store = opened(home)
    search = store.searches.get(search_id)
    return [begin_trial(store, search).id for _ in range(num_trials)]


def search_until_told(home: Home, search_id: str, parent: Connection) -> None:
    """Go on with a search, its unfinished trials first, without end; tell of every trial that is over."""
    store = opened(home)
    search = store.searches.resume_search(search_id, this_process())
    for unfinished in store.searches.unfinished(search_id):
        parent.send(end_counted_trial(store, store.searches.restart_trial(unfinished.id, this_process()), search_id))
    while not parent.poll():
        state = store.searches.state(search_id)
        begun = state["begun"] + 1
        trial = begin_trial(store, search, values={"units": begun}, state={**state, "begun": begun})
        parent.send(end_counted_trial(store, trial, search_id))


def end_counted_trial(store: Store, trial: Run, search_id: str) -> int:
    assert trial.trial is not None
    (trial.folder / "best.keras").write_bytes(b"weights")
    state = store.searches.state(search_id)
    told = [*state["told"], trial.trial.number]
    end_trial(store, trial, num_epochs=10, state={**state, "told": told})
    return trial.trial.number


def resume_when_told(home: Home, search_id: str, parent: Connection) -> None:
    _resume(opened(home).searches.resume_search, search_id, parent)


def resume_run_when_told(home: Home, run_id: str, parent: Connection) -> None:
    _resume(partial(opened(home).runs.resume_run, num_epochs=0), run_id, parent)


def _resume(resume: Callable[..., Any], what: str, parent: Connection) -> None:
    parent.send("ready")
    parent.recv()
    try:
        parent.send(resume(what, this_process()).process.pid)
    except OptionError as error:
        parent.send(str(error))
    parent.recv()


def move_seen_at_one(home: Home, versions: list[int]) -> tuple[int, str]:
    """Move the alias, seen at version 1, to a version of this process's own; tell what came of it."""
    version = versions[os.getpid() % len(versions)]
    try:
        opened(home).aliases.move("digits", "champion", version, seen=1, reason="", user=f"process {os.getpid()}")
    except ConflictError as error:
        return version, str(error)
    return version, "moved"


def move_until_done(home: Home, num_moves: int) -> int:
    """Move the alias on to the next version so many times, looking again whenever somebody else was quicker."""
    store, done = opened(home), 0
    while done < num_moves:
        seen = store.aliases.standing("digits")["digits"].get("champion")
        try:
            store.aliases.move("digits", "champion", (seen or 0) % 3 + 1, seen=seen, reason="", user=str(os.getpid()))
        except ConflictError:
            continue
        done += 1
    return done


def archive_or_promote(home: Home, num_versions: int) -> None:
    """Archive every version, or give it an alias of its own; what is done already stays."""
    store = opened(home)
    for version in range(1, num_versions + 1):
        try:
            if os.getpid() % 2:
                store.models.archive("digits", version, reason="", user="ada")
            else:
                move(store, version, f"v{version}")
        except (ConflictError, OptionError):
            pass


def register_from(home: Home, run_id: str, file: Path) -> None:
    store = opened(home)
    register_file(store, store.runs.get(run_id), file)


def train_until_full(home: Home, limit: int) -> tuple[list[str], str]:
    """Train with no file allowed to grow beyond `limit` bytes; the ids that were finished, and the error."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = opened(home)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    finished: list[str] = []
    try:
        while len(finished) < 10_000:
            finished.append(train(store, "full", facts={"padding": "x" * 5000}).id)
    except StoreError as error:
        return finished, str(error)
    return finished, ""


def register_too_large(home: Home, run_id: str, file: Path, limit: int) -> str:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = opened(home)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        register_file(store, store.runs.get(run_id), file)
    except StoreError as error:
        return str(error)
    return ""


def train_through_damage(home: Home, parent: Connection) -> None:
    """Train without end, each step again until it is written, as a recorder does; then tell of the runs."""
    store, finished = opened(home), []
    parent.send("ready")
    while not parent.poll():
        run = again(lambda: begin(store))
        epochs = some_epochs(4)
        again(store.runs.append_epochs, run.id, epochs[:2])
        finish = partial(store.runs.finish_run, run.id, status=RunStatus.COMPLETED, result=None, epochs=epochs[2:])
        finished.append(again(finish).id)
    parent.send(finished)


def again(write: Callable[..., Any], *arguments: Any) -> Any:
    while True:
        try:
            return write(*arguments)
        except StoreError:
            time.sleep(0.01)
