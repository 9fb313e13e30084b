"""When a trial that falls behind is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from jupyter_mltrain.domain.search import Objective, Prune

_NUM_BEFORE_MEDIAN = 5  # trials
_LEAST_EPOCHS = 3
_SHARE_BEFORE_MEDIAN = 0.2  # of the epochs
_REDUCTION = 3


class Pruner(Protocol):
    """Looks at the objective after each epoch of a trial. Trials may run side by side."""

    def falls_behind(self, number: int, values: Sequence[float], num_epochs: int) -> bool:
        """Tell whether to stop a trial.

        Args:
            number: of the trial.
            values: of the objective so far, one an epoch.
            num_epochs: that the trial will have at most.
        """
        ...

    def ended(self, number: int, values: Sequence[float], *, pruned: bool) -> None:
        """Take note of how a trial went."""
        ...


def made(kind: Prune, objective: Objective) -> Pruner | None:
    """Return what stops trials; None where nothing does."""
    if kind is Prune.NONE:
        return None
    sign = 1 if objective.direction == "min" else -1
    if kind is Prune.AUTO:
        return _OutlookPruner(sign)
    import optuna

    if kind is Prune.ASHA:
        return _OptunaPruner(sign, lambda _num_epochs: optuna.pruners.SuccessiveHalvingPruner(reduction_factor=_REDUCTION))
    return _OptunaPruner(
        sign,
        lambda num_epochs: optuna.pruners.MedianPruner(
            n_startup_trials=_NUM_BEFORE_MEDIAN, n_warmup_steps=max(_LEAST_EPOCHS, int(_SHARE_BEFORE_MEDIAN * num_epochs))
        ),
    )


class _OutlookPruner:
    """Stops a trial that would not become the best even if it went on at the pace of its last epochs.

    Learning curves flatten, so a straight line on from the last half of the epochs promises more than will come: what is
    stopped could not have won, as long as the curve does not rise again after it was flat.
    """

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._best: float | None = None

    def falls_behind(self, number: int, values: Sequence[float], num_epochs: int) -> bool:  # noqa: ARG002 - of the protocol
        done = len(values)
        if self._best is None or done < _LEAST_EPOCHS or done >= num_epochs:
            return False
        half = done // 2
        now, before = self._lowest(values), self._lowest(values[:half])
        pace = (before - now) / (done - half)
        return now - pace * (num_epochs - done) > self._best

    def ended(self, number: int, values: Sequence[float], *, pruned: bool) -> None:  # noqa: ARG002 - of the protocol
        if values and not pruned:
            reached = self._lowest(values)
            self._best = reached if self._best is None else min(self._best, reached)

    def _lowest(self, values: Sequence[float]) -> float:
        return min(self._sign * value for value in values)


class _OptunaPruner:
    """Asks a pruner of Optuna, which looks at all trials of a study."""

    def __init__(self, sign: int, pruner_for: Any) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._sign, self._pruner_for = sign, pruner_for
        self._states = optuna.trial.TrialState
        self._study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        self._running: dict[int, Any] = {}

    def falls_behind(self, number: int, values: Sequence[float], num_epochs: int) -> bool:
        trial = self._running.get(number) or self._begun(number)
        trial.report(self._sign * values[-1], len(values))
        self._study.pruner = self._pruner_for(num_epochs)
        is_behind = bool(trial.should_prune())
        return is_behind and len(values) < num_epochs

    def ended(self, number: int, values: Sequence[float], *, pruned: bool) -> None:
        if number not in self._running:  # of a search that goes on
            for step in range(1, len(values) + 1):
                self.falls_behind(number, values[:step], len(values))
        trial = self._running.pop(number, None) or self._study.ask()
        if pruned or not values:
            self._study.tell(trial, state=self._states.PRUNED if values else self._states.FAIL)
        else:
            self._study.tell(trial, min(self._sign * value for value in values))

    def _begun(self, number: int) -> Any:
        self._running[number] = self._study.ask()
        return self._running[number]
