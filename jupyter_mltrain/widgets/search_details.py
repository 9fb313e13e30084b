"""All that is recorded of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.widgets import facts, search_facts, theme
from jupyter_mltrain.widgets.run_view import environment_groups, group, recorded_fields
from jupyter_mltrain.widgets.search_result import causes, headline
from jupyter_mltrain.widgets.table import Cell, Fields, Table, Value
from jupyter_mltrain.widgets.view import Findings, Line, Page, Section, Verbatim, View

_SHOWN_OTHERWISE = ("best", "environment", "objectives", "space", "said")
_CAUSE_WIDTH = 100


@dataclass(frozen=True, slots=True, repr=False)
class SearchDetails(Page):
    """Who, when and what of a search, its space and all its trials, in groups that fold.

    The charts are a picture of their own, `SearchPicture(search)`.

    Attributes:
        search: with its trials.
    """

    search: Search

    def parts(self) -> Sequence[View]:
        """Return the groups that hold something."""
        search = self.search
        rest = {name: value for name, value in search.facts.items() if name not in _SHOWN_OTHERWISE}
        groups: list[Section | None] = [
            group("Trials", _trials(search), unfolded=True),
            group("Notices", Findings(search.facts["said"]) if search.facts.get("said") else None),
            group("Space", _space(search.facts.get("space", ()))),
            group("Options", recorded_fields(search.options)),
            group("Oracle and pruning", recorded_fields(_timed(rest))),
            *environment_groups(search.facts.get("environment", {})),
            group("Cell", Verbatim(search.source)),
            group("Failure", Verbatim(search.failure.traceback) if search.failure else None, unfolded=True),
        ]
        head = [Line(headline(search), lead=search.ref), *map(Line, causes(search.trials)), _record(search)]
        return [*head, *(section for section in groups if section)]


def _record(search: Search) -> Fields:
    """Return who, when, where."""
    took = (search.ended_at - search.started_at).total_seconds() if search.ended_at else None
    return Fields(
        (
            ("id", search.id),
            ("started", theme.moment(search.started_at)),
            ("ended", theme.moment(search.ended_at) if search.ended_at else None),
            ("took", theme.duration(took) if took is not None else None),
            ("objectives", ", ".join(map(str, search.objectives))),
            ("tags", facts.labels(search.tags)),
            ("note", search.note),
            ("user", f"{search.user} on {search.process.host}, process {search.process.pid}"),
        )
    )


def _timed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts with the time that pruning saved as people say it."""
    saved = values.get("seconds_saved")
    others = {name: value for name, value in values.items() if name != "seconds_saved"}
    return others | ({"saved by pruning": f"about {theme.duration(saved)}"} if saved else {})


def _space(space: Sequence[Mapping[str, Any]]) -> Table | None:
    rows = [
        (setting["name"], setting["kind"], _choices(setting), theme.recorded(setting.get("default")), setting.get("condition"))
        for setting in space
    ]
    return Table(("hyperparameter", "kind", "values", "default", "where"), rows, sortable=False) if rows else None


def _choices(setting: Mapping[str, Any]) -> str:
    """Return `adam, sgd` or `16 to 256, step 16, by its logarithm`."""
    if "values" in setting:
        return theme.recorded(list(setting["values"]))
    if setting.get("min") is None:
        return ""
    step = f", step {theme.recorded(setting['step'])}" if setting.get("step") else ""
    return f"{theme.recorded(setting['min'])} to {theme.recorded(setting.get('max'))}{step}" + (
        ", by its logarithm" if setting.get("log") else ""
    )


def _trials(search: Search) -> Table | None:
    if not search.trials:
        return None
    names = search_facts.hyperparameters(search.trials)
    columns = ("trial", "status", *(objective.metric for objective in search.objectives), *names, "epochs", "time", "cause")
    return Table(columns, [_row(search, trial, names) for trial in search.trials])


def _row(search: Search, trial: Run, names: Sequence[str]) -> tuple[Value, ...]:
    seconds = search_facts.seconds(trial)
    failure = trial.failure
    return (
        search_facts.number(trial),
        f"{trial.status}{', best' if trial is search.best else ''}",
        *search_facts.cells(trial, search.objectives, names),
        facts.num_epochs(trial),
        None if seconds is None else Cell(theme.duration(seconds), seconds),
        theme.one_line(f"{failure.kind}: {failure.message}", _CAUSE_WIDTH) if failure else None,
    )
