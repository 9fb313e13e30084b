"""The states of a run that are kept in files, for another run to begin with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.run import Parent, Run
from jupyter_mltrain.engine.checkpoints import files
from jupyter_mltrain.engine.checkpoints.checkpoint import Checkpoint

BEST = "best"
_NUM_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptState:
    """One of them.

    Attributes:
        epoch: the last one that was done, by the run's numbers.
        step: how many steps of the next one were done.
        path: of a checkpoint, or of a model.
        has_optimizer: whether the optimizer's state in it is of that moment too.
    """

    epoch: int
    step: int = 0
    path: Path
    has_optimizer: bool = True

    def parent(self, run: Run) -> Parent:
        """Return what a run that begins with it has as its parent."""
        return Parent(id=run.id, ref=run.ref, epoch=self.epoch, step=self.step)

    def check(self) -> None:
        """Raise `OSError` or `ValueError` if it is a checkpoint and not whole."""
        if self.path.suffix == files.SUFFIX:
            Checkpoint.head(self.path)


def kept_states(run: Run) -> list[KeptState]:
    """Return the states of a run that there are, the newest first; of one epoch the one that knows most."""
    return sorted([*_checkpoints(run), *_models(run)], key=lambda state: (state.epoch, state.step), reverse=True)


def at_place(run: Run, place: str) -> list[KeptState]:
    """Return the states at a place of a run, that first which knows most.

    Args:
        run: with its epochs.
        place: the number of an epoch, `best`, or nothing for the newest ones.

    Raises:
        OptionError: none is kept there; it is said where.
    """
    states = kept_states(run)
    number = str(_best_number(run)) if place == BEST else place
    found = [state for state in states if str(state.epoch) == number and not state.step] if place else states
    if not found:
        received = place or "its newest"
        raise OptionError(f"expected an epoch of {run.ref} whose state is kept, received {received}: {_kept(run, states)}")
    return found


def places(run: Run) -> tuple[str, ...]:
    """Return what `at_place` takes of a run, the newest first."""
    states = kept_states(run)
    numbers = dict.fromkeys(state.epoch for state in states if not state.step)
    return (*map(str, numbers), *([BEST] if _best_number(run) in numbers else ()))


def _kept(run: Run, states: Sequence[KeptState]) -> str:
    if not states:
        return "none is there; train it again with --keep-checkpoints all"
    best = _best_number(run)
    epochs = dict.fromkeys(state.epoch for state in states if not state.step)
    shown = [f"{epoch} (best)" if epoch == best else str(epoch) for epoch in epochs]
    newest = ["the newest, within an epoch, without a number"] if states[0].step else []
    listed = ", ".join(newest + shown[:_NUM_SHOWN]) + (
        f" and {len(shown) - _NUM_SHOWN} before" if len(shown) > _NUM_SHOWN else ""
    )
    return f"there is {listed}; --keep-checkpoints all keeps every epoch"


def _best_number(run: Run) -> int | None:
    return run.result.best_epoch if run.result else run.facts.get("best_epoch")


def _checkpoints(run: Run) -> Iterator[KeptState]:
    num_before = run.parent.epoch if run.parent else 0
    for path in files.paths(run.folder / files.FOLDER):
        with suppress(OSError, ValueError):  # removed meanwhile, or damaged
            if not files.is_end(path):  # where the best weights may be set
                epochs, step = files.entry(path, "epochs"), files.entry(path, "step")
                yield KeptState(epoch=num_before + len(epochs), step=step, path=path)


def _models(run: Run) -> Iterator[KeptState]:
    if run.result and run.epochs:
        yield from _files(run, "last", run.epochs[-1].number)
    best = _best_number(run)
    if best:
        yield from _files(run, "best", best, has_optimizer=False)


def _files(run: Run, name: str, epoch: int, *, has_optimizer: bool = True) -> Iterator[KeptState]:
    for path in (run.folder / f"{name}.keras", run.folder / f"{name}.weights.h5"):
        if path.exists():
            yield KeptState(epoch=epoch, path=path, has_optimizer=has_optimizer)
