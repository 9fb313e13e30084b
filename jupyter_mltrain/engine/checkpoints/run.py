"""The checkpoints of one run: those that it takes, and the one that it goes on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jupyter_mltrain.domain.errors import ModelError, OptionError
from jupyter_mltrain.domain.events import EpochEnded, OnEvent
from jupyter_mltrain.domain.spec import Plan
from jupyter_mltrain.engine import randomness
from jupyter_mltrain.engine.checkpoints.checkpoint import Checkpoint
from jupyter_mltrain.engine.checkpoints.checkpointing import Checkpointing
from jupyter_mltrain.engine.checkpoints.forking import is_built
from jupyter_mltrain.engine.job import Job
from jupyter_mltrain.engine.watch import RunState


class RunCheckpoints:
    """Knows at each phase of a run where it goes on, and makes what takes its checkpoints."""

    def __init__(self, job: Job, state: RunState, *, say: Callable[[str], None], on_event: OnEvent) -> None:
        """Take the run.

        Args:
            job: without a keeper nothing is taken.
            state: of the run.
            say: told what the user should know.
            on_event: told of the epochs that the run has come to before.
        """
        self._keeper, self._resumption, self._hp, self._state = job.keeper, job.resumption, job.hp, state
        self._fork = job.fork
        self._say, self._on_event = say, on_event
        self._begun_with: dict[str, Any] = {}
        self.seconds_before = self._resumption.target.seconds if self._resumption else 0.0

    def begin(self) -> None:
        """Let the body draw the random numbers that it drew before, where no seed does that; say what there is to say."""
        if self._resumption:
            if self._state.seed is None:
                randomness.set_states(self._resumption.target.begun_with)
            for text in self._resumption.said:
                self._say(text)
        self._begun_with = randomness.states() if self._keeper else {}

    def count_on(self, merged: dict[str, Any]) -> None:
        """Let the first `fit` of a fork go on counting from where its parent was, if it does not say itself where it begins.

        Raises:
            OptionError: no epoch is left.
        """
        num_before = self._state.num_before
        if not num_before or self._state.phase or "initial_epoch" in merged:
            return
        num_epochs = merged.get("epochs", 1)
        if num_epochs <= num_before:
            raise OptionError(
                f"expected --epochs above {num_before}, since a fork goes on counting its parent's, received {num_epochs}: "
                f"--epochs {num_before + num_epochs} trains {num_epochs} more"
            )
        merged["initial_epoch"] = num_before

    def start(self, model: Any) -> Checkpoint | None:
        """Return what the next phase goes on from; None where it begins, of a fork with the weights of its parent.

        A model that is built by its first step alone is given them then.
        """
        start = self._resumed()
        if self._fork and self._is_fork(start):
            self._fork.put_early(model)
        return start

    def check_own_fit(self, model: Any) -> None:
        """Give a model whose `fit` nobody sees into the weights of the parent.

        Raises:
            ModelError: it has none of its own yet.
        """
        if self._fork is None or self._state.phase:
            return
        if not is_built(model):
            raise ModelError(
                f"expected a model that is built before its own {type(model).__name__}.fit for --fork, received {model.name!r}: "
                "build it in the cell"
            )
        self._fork.put_weights(model)
        self._say(self._fork.says_of_weights)

    def _is_fork(self, start: Checkpoint | None) -> bool:
        return self._fork is not None and start is None and self._state.phase == 0

    def _begin(self, model: Any) -> None:
        assert self._fork
        for text in self._fork.begin(model):
            self._say(text)

    def _resumed(self) -> Checkpoint | None:
        if self._resumption is None:
            return None
        found = self._resumption.at(self._state.phase + 1)
        for text in self._resumption.said:
            self._say(text)
        return found

    def go_on(self, start: Checkpoint, data: Mapping[str, Any]) -> None:
        """Take over the epochs of a phase that goes on.

        Args:
            start: what it goes on from.
            data: fingerprints of its data.
        """
        self._state.order_seed, self._state.plan, self._state.plan_reason = start.order_seed, Plan(start.plan), start.plan_reason
        for epoch in start.epochs:
            if epoch.phase == start.phase:
                self._state.epochs.append(epoch)
                self._on_event(EpochEnded(epoch=epoch, best=epoch.number == start.best_number))
        changed = [name for name in {**start.data, **data} if start.data.get(name) != data.get(name)]
        if changed:
            self._say(f"The data have changed since the run began: {', '.join(changed)}.")

    def of_phase(
        self, merged: Mapping[str, Any], data: Mapping[str, Any], start: Checkpoint | None, *, seconds: Callable[[], float]
    ) -> Checkpointing | None:
        """Return what takes the checkpoints of a phase.

        Args:
            merged: the arguments of its `fit`.
            data: fingerprints of its data.
            start: what it goes on from.
            seconds: gives those of training so far.
        """
        if self._keeper is None:
            return None
        state, hp = self._state, self._hp

        def about() -> dict[str, Any]:
            return {
                "phase": state.phase,
                "epochs": tuple(state.epochs),
                "best_number": state.best.best_number,
                "seconds": seconds(),
                "batch_size": merged.get("batch_size"),
                "plan": state.plan.value,
                "plan_reason": state.plan_reason,
                "order_seed": state.order_seed,
                "begun_with": self._begun_with,
                "hp": dict(hp.values) if hp else None,
                "data": data,
            }

        begin = self._begin if self._is_fork(start) else None
        checkpointing = Checkpointing(self._keeper, state, about, merged, start, begin=begin)
        for text in checkpointing.said:
            self._say(text)
        return checkpointing

    def close(self) -> None:
        """Wait until all is written."""
        if self._keeper:
            self._keeper.close()
            if self._keeper.trouble:
                self._say(f"The last checkpoint could not be written: {self._keeper.trouble}.")
