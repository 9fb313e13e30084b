"""What the live list of runs shows, as JSON, and what its buttons do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mltrain.domain.errors import MLTrainError
from jupyter_mltrain.domain.run import Run, RunFilter
from jupyter_mltrain.domain.run_summary import RunOrder
from jupyter_mltrain.services.registry import defined_in, register_run
from jupyter_mltrain.services.runs import get_run, remove_runs, runs_to_compare
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.widgets import runs_overlay, theme
from jupyter_mltrain.widgets.run_view import RunDetails
from jupyter_mltrain.widgets.runs_page import Look, RunsPage
from jupyter_mltrain.widgets.runs_view import NO_RUNS, RunComparison
from jupyter_mltrain.widgets.said import NOTHING, said, trouble
from jupyter_mltrain.widgets.state import State
from jupyter_mltrain.widgets.view import View

_CURVE_POINTS = 300
_MOST_COMPARED = 12
_PLAIN = re.compile(r"[\w.#/-]+")


class RunsState(State[Mapping[str, Any]]):
    """One page of runs, what was asked to be shown of them below, and what came of the last command.

    Args:
        session: where the runs are recorded.
        which: the runs to choose among; its page is passed over.
        order: how they are ordered at first.
        first: the first of them.
        total: how many there are.

    Attributes:
        has_changed: whether the last command found that any run has.
    """

    def __init__(self, session: Session, which: RunFilter, *, order: RunOrder, first: Sequence[Run], total: int) -> None:
        super().__init__("runs")
        self._session, self._which = session, which
        self._page = RunsPage(session, which, order=order, first=first, total=total)
        self._said: Mapping[str, Any] = NOTHING
        self._detail: Mapping[str, Any] | None = None
        self._num_commands = 0
        self.has_changed = False

    def apply(self, event: Mapping[str, Any]) -> None:
        """Do what a button asks for: `look`, `open`, `compare`, `cell`, `register`, `remove`, `close`; then look again."""
        self._num_commands += 1
        try:
            self._do(event)
            self.has_changed = self._page.refresh()
        except MLTrainError as error:
            self._said = trouble(error)

    def _fields(self) -> dict[str, Any]:
        own = {"said": self._said, "detail": self._detail, "empty": NO_RUNS, "num_commands": self._num_commands}
        return self._page.fields() | own

    def _lists(self) -> dict[str, Any]:
        return {}

    def _new_in_lists(self) -> dict[str, Any]:
        return {}

    def _do(self, command: Mapping[str, Any]) -> None:
        match command:
            case {"cmd": "look", **told} if told:
                self._page.look = self._page.look.changed(told)
                if told.keys() - {"page", "columns"}:
                    self._said = said("", list_call(self._which, self._page.look))
            case {"cmd": "open", "run": run_id}:
                run = get_run(self._session, run_id)
                self._detail = self._shown(RunDetails(run), [run])
                self._said = said(f"{run.ref} is below.", f"runs[{run.ref!r}]")
            case {"cmd": "cell", "run": run_id}:
                run = get_run(self._session, run_id)
                self._said = {**said(f"The cell of {run.ref}:"), "code": run.source}
            case {"cmd": "compare", "runs": run_ids}:
                self._compare(runs_to_compare(self._session, run_ids[:_MOST_COMPARED]), len(run_ids))
            case {"cmd": "register", "run": run_id, "name": name}:
                run = get_run(self._session, run_id)
                version = register_run(self._session, name, run, defined_in())
                self._said = said(f"{run.ref} is registered as {version.ref}.", f"models.register({name!r}, {run.ref!r})")
            case {"cmd": "remove", "runs": run_ids}:
                refs = [run.ref for run in remove_runs(self._session, run_ids)]
                self._detail = None
                self._said = said(f"Removed: {', '.join(refs)}.", f"runs.remove({', '.join(map(repr, refs))})")
            case {"cmd": "close"}:
                self._detail, self._said = None, NOTHING

    def _compare(self, runs: Sequence[Run], num_asked: int) -> None:
        self._detail = self._shown(RunComparison(runs), runs)
        more = f", the first of {num_asked}," if num_asked > len(runs) else ""
        text = f"{theme.plural(len(runs), 'run')}{more} are compared below."
        self._said = {**NOTHING, "text": text, "code": f"%runs compare {' '.join(map(_word, runs))}"}

    def _shown(self, view: View, runs: Sequence[Run]) -> dict[str, Any]:
        epochs = self._session.store.summaries.curves([run.id for run in runs], _CURVE_POINTS)
        return {
            "title": theme.visible(", ".join(run.ref for run in runs)),
            "html": view._repr_mimebundle_()["text/html"],
            "metrics": runs_overlay.metric_names(epochs),
            "curves": runs_overlay.curves(epochs, runs),
            "coordinates": runs_overlay.coordinates(runs),
        }


def list_call(which: RunFilter, look: Look) -> str:
    """Return the call that lists what the controls ask for among the runs of a filter."""
    given = {name: getattr(which, name) for name in ("name", "model", "tags", "best", "search")}
    since = look.since or (which.since.isoformat() if which.since else "")
    given |= {"status": look.status or str(which.status or ""), "since": since}
    given |= {name: getattr(look, name) for name in ("contains", "sort", "descending")}
    return f"runs.list({', '.join(f'{name}={value!r}' for name, value in given.items() if value)})"


def _word(run: Run) -> str:
    """Return what names a run on a line: its id where its name would need quotes."""
    return run.ref if _PLAIN.fullmatch(run.ref) else run.id
