"""What a checkpoint says, and the one that a resumed run goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.checkpoints import All
from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.run import Epoch
from jupyter_mltrain.engine.checkpoints import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """All that decides how a run goes on between two steps, or after a phase.

    Attributes:
        phase: the `fit`, from 1.
        epoch: Keras's number of the epoch that goes on or comes next.
        step: how many of its steps are done.
        is_end: whether the phase is done.
        is_over: whether a callback has ended the phase, so that no epoch comes next.
        epochs: of the run so far.
        best_number: of the best epoch; None before there is one.
        seconds: of training so far.
        batch_size: that `auto` has found; None where it was not asked to.
        plan, plan_reason: how the steps were done.
        order_seed: of the data's order; None where Keras orders them.
        begun_with: random states before the body.
        random: random states now.
        hp: values of hyperparameters.
        data: fingerprints of the phase's data.
        variables: values of all that the training changes, by where they belong.
        objects: states of the callbacks, the engine's own among them, and of data that shuffle themselves.
        feeds: places of pipelines.
        last_weights: those of the last epoch, where the phase ended with the best ones.
        path: of the file, where the rest was left in it.
    """

    phase: int
    epoch: int
    step: int = 0
    is_end: bool = False
    is_over: bool = False
    epochs: tuple[Epoch, ...] = ()
    best_number: int | None = None
    seconds: float = 0.0
    batch_size: int | None = None
    plan: str = ""
    plan_reason: str = ""
    order_seed: int | None = None
    begun_with: Mapping[str, Any] = field(default_factory=dict)
    random: Mapping[str, Any] = field(default_factory=dict)
    hp: Mapping[str, Any] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    objects: Mapping[str, Any] = field(default_factory=dict)
    feeds: tuple[Any, ...] = ()
    last_weights: list[Any] | None = None
    path: Path | None = None

    def write(self, folder: Path, keep: int | All | None = None) -> None:
        """Write it to its place; see `files.write`."""
        state = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "path"}
        state["epochs"] = [{part.name: getattr(epoch, part.name) for part in fields(epoch)} for epoch in self.epochs]
        files.write(files.path_of(folder, self.phase, None if self.is_end else self.epoch, self.step), state, keep)

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Return the one in a file; see `files.read`."""
        state = files.read(path)
        return cls(**{**state, "epochs": tuple(Epoch(**epoch) for epoch in state["epochs"])})

    @classmethod
    def head(cls, path: Path) -> Checkpoint:
        """Return the one in a file, read and verified, but without what needs much memory."""
        return replace(cls.read(path), variables={}, objects={}, path=path)

    @property
    def whole(self) -> Checkpoint:
        """All of it, read again if it was left in its file."""
        return self if self.path is None else Checkpoint.read(self.path)


class Resumption:
    """Where a run goes on.

    Attributes:
        target: the newest checkpoint that is whole.
        num_epochs: number in the run of the last epoch that is done.
        said: sentences for the user.
    """

    def __init__(self, folder: Path, ref: str, num_before: int = 0) -> None:
        """Find it.

        Args:
            folder: of the run.
            ref: the run's name, for messages.
            num_before: epochs of what it was forked from.

        Raises:
            OptionError: the run has no checkpoint, or none that is whole.
        """
        self._folder = folder / files.FOLDER
        self.said: list[str] = []
        found = files.paths(self._folder)
        for path in found:
            try:
                self.target = Checkpoint.head(path)
            except (OSError, ValueError) as error:
                self.said.append(f"A checkpoint was passed over: {error}.")
            else:
                break
        else:
            what = f"{len(found)} damaged ones" if found else "none: it ended before its first one"
            raise OptionError(f"expected a checkpoint of {ref} to go on from, received {what}; leave --resume out to begin anew")
        self.num_epochs = num_before + len(self.target.epochs)
        steps = f"step {self.target.step} of " if self.target.step else ""
        self.said.append(f"The run goes on after {steps}epoch {self.num_epochs + bool(steps)}.")

    def at(self, phase: int) -> Checkpoint | None:
        """Return what a phase goes on from: its end where it is done; None where it begins, or has to be done again."""
        if phase >= self.target.phase:
            return self.target if phase == self.target.phase else None
        try:
            return Checkpoint.head(files.path_of(self._folder, phase, None))
        except (OSError, ValueError):
            self.said.append(f"Phase {phase} is done again: there is no checkpoint of its end.")
            return None

    def has(self, phase: int) -> bool:
        """Tell whether a phase needs not be begun anew."""
        return phase == self.target.phase or (phase < self.target.phase and files.path_of(self._folder, phase, None).exists())
