"""What the live view knows of a training, as the JSON that is sent: once whole, then what has changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic
from typing import Any

from jupyter_mltrain.domain.events import (
    EngineChosen,
    EngineStarting,
    EpochEnded,
    Event,
    Notice,
    Paused,
    PhaseStarted,
    PlanInUse,
    Progress,
    RunEnded,
)
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.pace import Pace
from jupyter_mltrain.widgets.state import State, rounded, significant

_MOST_POINTS = 400
_LONGEST_NOTICE = 1000

Row = tuple[int, dict[str, float | None]]  # an epoch's number and its metrics


class LiveState(State[Event]):
    """Fold the events of a training; its list is that of the epochs.

    Args:
        name: of the run, until the run has one of its own.
        clock: seconds from any origin.
    """

    def __init__(self, name: str, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(name)
        self._about |= {"reason": "", "plan": "", "best": None, "paused": False, "output": ""}
        self._phase: PhaseStarted | None = None
        self._progress: Progress | None = None
        self._pace = Pace(clock)
        self._rows: list[Row] = []
        self._unsent: list[Row] = []

    def apply(self, event: Event) -> None:
        """Take in an event; a `Progress`, by far the most frequent, is only kept until something is sent."""
        match event:
            case Progress():
                self._progress = event
                self._about["doing"] = ""
            case EpochEnded():
                self._end_epoch(event)
            case EngineStarting():
                self._about |= {"name": event.name, "doing": "Starting TensorFlow…"}
            case EngineChosen():
                chosen = f"{event.reason} Precision {event.precision}, plan {event.plan}."
                self._about |= {"reason": chosen, "doing": "Preparing the model and its data…"}
            case Paused():
                self._about["paused"] = event.paused
                self._pace.pause(paused=event.paused)
            case PlanInUse():
                self._about["plan"] = event.reason
            case Notice():
                self._about["notices"] = [*self._about["notices"], theme.one_line(event.text, _LONGEST_NOTICE)]
            case PhaseStarted():
                self._start_phase(event)
            case RunEnded():
                self.end(f"{event.run.status.capitalize()}.")

    def print(self, output: str) -> None:
        """Show what a training elsewhere has printed last."""
        self._about["output"] = output

    def _fields(self) -> dict[str, Any]:
        return {**self._about, **self._place(), **_speed(self._progress)}

    def _lists(self) -> dict[str, Any]:
        """Return the epochs, thinned evenly to about 400."""
        rows = self._rows.copy()
        stride = max(1, math.ceil(len(rows) / _MOST_POINTS))
        return {"epochs": rows[:-1:stride] + rows[-1:]}

    def _new_in_lists(self) -> dict[str, Any]:
        """Return every new epoch."""
        rows, self._unsent = self._unsent, []
        return {"epochs": rows} if rows else {}

    def _start_phase(self, phase: PhaseStarted) -> None:
        self._phase = phase
        self._progress = None
        self._pace.start_phase()
        self._about["doing"] = "Preparing the first step…"

    def _end_epoch(self, event: EpochEnded) -> None:
        if self._rows and event.epoch.number <= self._rows[-1][0]:  # told again by a process that goes on
            return
        row = (event.epoch.number, rounded(event.epoch.metrics))
        self._rows.append(row)
        self._unsent.append(row)
        self._pace.end_epoch(event.epoch.seconds)
        self._about["doing"] = ""
        if event.best:
            self._about["best"] = event.epoch.number

    def _place(self) -> dict[str, Any]:
        """Return where in its phase the training is, and how long it may still take."""
        phase, progress = self._phase, self._progress
        if phase is None:
            return {}
        ended = self._rows[-1][0] if self._rows else 0
        epoch = max(phase.first_epoch, ended, progress.epoch if progress else 0)
        if epoch == ended or progress is None:
            part, epoch_left = float(epoch == ended), None
        else:
            part, epoch_left = _part_done(progress), self._pace.left_in_epoch(progress)
        epoch_seconds = self._pace.epoch_seconds(progress)
        last_epoch = phase.first_epoch + phase.num_epochs - 1
        return {
            "phase": phase.phase,
            "epoch": epoch,
            "last_epoch": last_epoch,
            "part": part,
            "whole": round((epoch - phase.first_epoch + part) / max(1, phase.num_epochs), 4),
            "epoch_seconds": significant(epoch_seconds, 2),
            "epoch_left": significant(epoch_left, 2),
            "left": None if epoch_seconds is None else round((epoch_left or 0.0) + max(0, last_epoch - epoch) * epoch_seconds),
        }


def _speed(progress: Progress | None) -> dict[str, Any]:
    if progress is None:
        return {}
    return {
        "step": progress.step,
        "num_steps": progress.num_steps,
        "validating": progress.validating,
        "rate": significant(progress.steps_per_second, 3),
        "memory": round(progress.memory, -7),  # coarse enough to rest while nothing happens
        "metrics": rounded(progress.metrics),
    }


def _part_done(progress: Progress) -> float:
    if progress.validating:
        return 1.0
    return min(1.0, progress.step / progress.num_steps) if progress.num_steps else 0.0
