"""What the live view of a search knows: its trials, and the training of the one that it shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from jupyter_mltrain.domain.events import (
    EngineStarting,
    FactsKnown,
    Notice,
    SearchEnded,
    SearchEvent,
    SearchStarted,
    TrialEnded,
    TrialEvent,
    TrialStarted,
)
from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.domain.search import Objective, best_of
from jupyter_mltrain.widgets import facts, search_facts, theme
from jupyter_mltrain.widgets.live_state import LiveState
from jupyter_mltrain.widgets.pace import SearchPace
from jupyter_mltrain.widgets.state import State, significant

_MOST_NOTICES = 12  # every trial may have something to say
_TEXT_WIDTH = 60  # of a value that is a text
_CAUSE_WIDTH = 300
_LONGEST_NOTICE = 1000

Row = dict[str, Any]  # a trial: number, status, scores, values, epochs, seconds, best, each once it is known


class SearchState(State[SearchEvent]):
    """Fold the events of a search; its lists are the trials, and in `trial` what there is of the newest running one.

    Args:
        name: of the search, until it has one of its own.
        clock: seconds from any origin.
    """

    def __init__(self, name: str, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(name)
        self._about |= {"num_trials": None, "objectives": [], "algorithm": "", "best": None, "saved": None, "failure": ""}
        self._objectives: tuple[Objective, ...] = ()
        self._best: Run | None = None
        self._clock = clock
        self._pace = SearchPace(clock)
        self._ends_at: float | None = None
        self._rows: dict[int, Row] = {}
        self._unsent: dict[int, Row] = {}
        self._running: dict[int, LiveState] = {}  # in the order in which they began
        self._shown: tuple[int, LiveState] | None = None
        self._sent_training: LiveState | None = None

    def apply(self, event: SearchEvent) -> None:
        """Take in an event."""
        match event:
            case TrialEvent():
                self._apply_in_trial(event)
            case TrialStarted():
                self._start_trial(event)
            case TrialEnded():
                self._end_trial(event.run)
            case SearchStarted():
                self._start(event)
            case EngineStarting():
                self._about |= {"name": event.name, "doing": "Starting TensorFlow…"}
            case Notice():
                self._notice(event.text)
            case FactsKnown():
                self._about["saved"] = significant(event.facts.get("seconds_saved", self._about["saved"]), 2)
            case SearchEnded():
                self.end(f"{event.search.status.capitalize()}.")

    def _start(self, event: SearchStarted) -> None:
        self._objectives = event.objectives
        self._ends_at = None if event.max_time is None else self._clock() + event.max_time
        self._about |= {
            "name": event.name,
            "doing": "Preparing the first trial…",
            "num_trials": event.num_trials,
            "objectives": [(objective.metric, objective.direction) for objective in event.objectives],
            "algorithm": f"oracle {event.oracle}, pruning {event.prune}",
        }
        for run in event.trials:
            self._keep(run)

    def _start_trial(self, event: TrialStarted) -> None:
        self._about["doing"] = ""
        self._put({"number": event.number, "status": str(RunStatus.RUNNING), "values": _sendable(event.values)})
        self._begin(event.number)

    def _begin(self, number: int) -> None:
        self._pace.start_trial(number)
        self._running.pop(number, None)  # one that comes twice is the newest again
        self._running[number] = LiveState("", self._clock)
        self._show_newest()

    def _apply_in_trial(self, event: TrialEvent) -> None:
        if isinstance(event.event, Notice):
            self._notice(event.event.text)
        elif isinstance(event.event, EngineStarting):  # its machine has gone away
            self._begin(event.number)
        elif event.number in self._running:
            self._running[event.number].apply(event.event)

    def _end_trial(self, run: Run) -> None:
        number = search_facts.number(run)
        self._pace.end_trial(number)
        self._running.pop(number, None)
        self._keep(run)
        if run.failure:
            cause = theme.one_line(f"{run.failure.kind}: {run.failure.message}", _CAUSE_WIDTH)
            self._about["failure"] = f"Trial {number} failed: {cause}"
        self._show_newest()

    def _keep(self, run: Run) -> None:
        """Take in a trial as it is recorded."""
        number = search_facts.number(run)
        is_best = number == self._about["best"] or best_of((self._best, run) if self._best else (run,), self._objectives) is run
        if is_best:
            self._best, self._about["best"] = run, number
        scores = run.trial.scores if run.trial else {}
        self._put(
            {
                "number": number,
                "status": str(run.status),
                "scores": {name: significant(value, 6) for name, value in scores.items()},
                "values": _sendable(search_facts.values(run)),
                "epochs": facts.num_epochs(run),
                "seconds": significant(search_facts.seconds(run), 3),
                "best": is_best,
            }
        )

    def _put(self, row: Row) -> None:
        self._rows[row["number"]] = self._unsent[row["number"]] = row

    def _show_newest(self) -> None:
        """Show the training that began last; where none runs, the one that was shown stays until the next begins."""
        if self._running:
            number = next(reversed(self._running))
            self._shown = number, self._running[number]

    def _notice(self, text: str) -> None:
        """Keep a sentence once, however many trials say it."""
        notices, text = self._about["notices"], theme.one_line(text, _LONGEST_NOTICE)
        if text not in notices and len(notices) < _MOST_NOTICES:
            self._about["notices"] = [*notices, text]

    def _fields(self) -> dict[str, Any]:
        return {**self._about, "left": self._left()}

    def _left(self) -> float | None:
        num_trials = self._about["num_trials"]
        by_trials = None if num_trials is None else self._pace.left(max(0, num_trials - len(self._rows)))
        by_time = None if self._ends_at is None else max(0.0, self._ends_at - self._clock())
        return min((round(left) for left in (by_trials, by_time) if left is not None), default=None)

    def _lists(self) -> dict[str, Any]:
        shown = self._shown
        trial = {"trial": {"number": shown[0], **shown[1].snapshot()}} if shown else {}
        return {"trials": list(self._rows.values()), **trial}

    def _new_in_lists(self) -> dict[str, Any]:
        """Return every trial that has begun or ended, and what is new of the one that is shown: all, if another was before."""
        rows, self._unsent = list(self._unsent.values()), {}
        return ({"trials": rows} if rows else {}) | self._new_in_trial()

    def _new_in_trial(self) -> dict[str, Any]:
        if self._shown is None:
            return {}
        number, training = self._shown
        changed = training.changed()
        if training is not self._sent_training:
            self._sent_training = training
            changed = training.snapshot()
        return {"trial": {"number": number, **changed}} if changed else {}


def _sendable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as JSON has them; numbers shortened, anything else as its text."""
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, bool | int) else theme.one_line(theme.recorded(value), _TEXT_WIDTH)
