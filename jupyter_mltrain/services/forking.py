"""Fork: the state of a recorded run that a new one begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mltrain.domain.errors import MLTrainError, ModelFileError, OptionError, UnknownNameError
from jupyter_mltrain.domain.run import Parent, Run, RunFilter
from jupyter_mltrain.domain.spec import TrainSpec
from jupyter_mltrain.services.runs import get_run, run_names
from jupyter_mltrain.services.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from jupyter_mltrain.engine.checkpoints.forking import Fork
    from jupyter_mltrain.engine.checkpoints.kept import KeptState


def parent_of(session: Session, ref: str) -> Parent:
    """Return what a run begins with that is forked from `ref`.

    Args:
        session: where the parent is recorded.
        ref: `digits#2@5`: a run or a trial, and after `@` an epoch or `best`; the newest state of the run where nothing follows.
            `digits` is the newest of that name that has come to any state.

    Raises:
        UnknownNameError: there is no such run.
        StoreError: its files are on another machine, and not in the shared folder.
        OptionError: its state there is not kept.
        ModelFileError: it is damaged.
    """
    from jupyter_mltrain.engine.checkpoints.kept import at_place

    name, _, place = ref.partition("@")
    run = _run(session, name, session.store.artifacts.bring_run)
    return _whole(at_place(run, place), ref).parent(run)


def fork_of(session: Session, parent: Parent, spec: TrainSpec) -> Fork:
    """Return the state that a run begins with.

    Args:
        session: where the parent is recorded.
        parent: as `parent_of` returned it.
        spec: of the run that begins.

    Raises:
        UnknownNameError: the parent was removed.
        ModelFileError: its state there was, or is damaged.
    """
    from jupyter_mltrain.engine.checkpoints.forking import Fork

    run = get_run(session, parent.id)
    return Fork(run, _state_of(session, run, parent), spec)


def copy_parent(session: Session, parent: Parent, home: Path) -> None:
    """Make a home that holds the parent, with the file of the state that a run begins with.

    Raises:
        OptionError: the parent was removed, or its state there was, or is damaged.
    """
    from jupyter_mltrain.store.copying import copy_run

    try:
        run = get_run(session, parent.id)
        copy_run(session.store, run, _state_of(session, run, parent).path, home)
    except (UnknownNameError, ModelFileError) as error:
        raise OptionError(
            f"expected the state of {parent.ref} {parent.place} that the run began with, it is not there any more: "
            "the run cannot be done again without it"
        ) from error


def _state_of(session: Session, run: Run, parent: Parent) -> KeptState:
    from jupyter_mltrain.engine.checkpoints.kept import kept_states

    session.store.artifacts.bring_run(run)
    states = [state for state in kept_states(run) if (state.epoch, state.step) == (parent.epoch, parent.step)]
    return _whole(states, f"{parent.ref} {parent.place}")


def fork_names(session: Session, begun: str) -> tuple[str, ...]:
    """Return what can be forked: the names of runs, and those of a run's states where `begun` ends with its name and an `@`."""
    name, at, _ = begun.partition("@")
    if not at:
        return run_names(session, begun)
    from jupyter_mltrain.engine.checkpoints.kept import places

    try:
        return tuple(f"{name}@{place}" for place in places(_run(session, name)))
    except MLTrainError:
        return ()


def _run(session: Session, ref: str, bring: Callable[[Run], None] = lambda _: None) -> Run:
    from jupyter_mltrain.engine.checkpoints.kept import kept_states

    newest = get_run(session, ref)
    named = session.store.runs.list(RunFilter(name=ref)) if ref == newest.name else (newest,)
    for run in (session.store.runs.get(each.id) for each in named):
        bring(run)
        if kept_states(run):
            return run
    return newest


def _whole(states: Iterable[KeptState], where: str) -> KeptState:
    """Return the first state that is whole."""
    said = ["its files are gone"]
    for state in states:
        try:
            state.check()
        except (OSError, ValueError) as error:
            said.append(str(error))
        else:
            return state
    raise ModelFileError(
        f"expected a state of {where} to begin with, received none that is whole ({said[-1]}): fork another epoch"
    )
