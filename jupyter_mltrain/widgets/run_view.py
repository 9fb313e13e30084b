"""One run: the result that stays under a `%%train` cell, and all that is recorded of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.widgets import facts, theme
from jupyter_mltrain.widgets.rate_picture import RatePicture
from jupyter_mltrain.widgets.table import Cell, Fields, Table, Value
from jupyter_mltrain.widgets.view import Findings, Line, Page, Section, Verbatim, View

_AFTERWARDS = {
    RunStatus.STOPPED: "model, history and best weights are kept",
    RunStatus.INTERRUPTED: "model, history and best weights are kept",
    RunStatus.DIED: "its process ended without a word, what it had recorded is kept",
}
_GROUPED = ("said", "hyperparams", "data", "model", "environment", *facts.TRIED)  # facts that have a group of their own


@dataclass(frozen=True, slots=True, repr=False)
class RunResult(Page):
    """What a training came to, in lines that are the same whenever the cell gives the same numbers.

    Times, ids, versions and paths stand in `RunDetails` and in the picture of the curves, because a notebook's saved
    output is compared with its next one.

    Attributes:
        notices: sentences for the user: options that overrode the cell, choices made.
    """

    run: Run
    notices: tuple[str, ...] = ()

    def parts(self) -> Sequence[View]:
        """Return the headline, the metrics of the best epoch, what was chosen, and the notices."""
        metrics = _metrics_table(self.run)
        return [
            Line(_headline(self.run), lead=self.run.name),
            *([metrics] if metrics else []),
            *(Line(sentence) for sentence in (*_choices(self.run), *self.notices)),
        ]


@dataclass(frozen=True, slots=True, repr=False)
class RunDetails(Page):
    """All that is recorded of a run, in groups that fold."""

    run: Run

    def parts(self) -> Sequence[View]:
        """Return the groups that hold something."""
        run = self.run
        groups = [
            _result(run),
            _group("Notices", Findings(run.facts["said"]) if run.facts.get("said") else None),
            _group("Options", _fields(run.options)),
            _group("Hyperparameters", _fields(facts.hyperparams(run))),
            _group("Learning-rate range test", *map(RatePicture, run.facts.get("lr_range", ()))),
            _group("Batch sizes tried", _fields(run.facts.get("batch_sizes", {}))),
            _group("Data", _fields(run.facts.get("data", {}))),
            _group("Model", *_model(run.facts.get("model", {}))),
            *_environment(run),
            _group("Cell", Verbatim(run.source)),
            _group("Epochs", _epochs(run)),
            _group("Failure", Verbatim(run.failure.traceback) if run.failure else None, unfolded=True),
        ]
        return [Line(_headline(run), lead=run.ref), _record(run), *(group for group in groups if group)]


def _headline(run: Run) -> str:
    """Return the status and how far the training came: `completed, 20 epochs, best epoch 17 by val_loss`."""
    ended_early = run.status not in (RunStatus.COMPLETED, RunStatus.RUNNING)
    status = f"{run.status}{' after ' if ended_early else ', '}{_extent(run)}"
    if run.result and run.result.best_epoch:
        status += f", best epoch {run.result.best_epoch} by {run.result.monitor}"
    if run.failure:
        return f"{status}: {run.failure.kind}: {theme.one_line(run.failure.message, 500)}"
    return f"{status}: {_AFTERWARDS[run.status]}" if run.status in _AFTERWARDS else status


def _extent(run: Run) -> str:
    done, planned = facts.num_epochs(run), facts.hyperparams(run).get("epochs")
    if isinstance(planned, int) and done < planned:
        return f"{done} of {theme.plural(planned, 'epoch')}"
    return theme.plural(done, "epoch")


def _metrics_table(run: Run) -> Table | None:
    metrics = facts.best_metrics(run)
    if not metrics:
        return None
    epoch = (run.result and run.result.best_epoch) or facts.num_epochs(run)
    rows = [(name, *facts.pair(metrics, name)) for name in facts.metric_names(metrics)]
    num_columns = 2 if all(validation is None for _, _, validation in rows) else 3
    columns = (f"epoch {epoch}", "train", "validation")[:num_columns]
    return Table(columns, [row[:num_columns] for row in rows], sortable=False)


def _choices(run: Run) -> Iterator[str]:
    if run.result is None:
        return
    yield f"{run.result.reason} Precision {run.result.precision}, plan {run.options.get('plan', 'auto')}."
    if run.result.model_id:
        name = run.result.model_id.partition("@")[0]
        yield f'Registered as {name}: jupyter_mltrain.load_model("{name}")'


def _record(run: Run) -> Fields:
    """Return who, when, where."""
    result = run.result
    return Fields(
        (
            ("id", run.id),
            ("started", theme.moment(run.started_at)),
            ("ended", theme.moment(run.ended_at) if run.ended_at else None),
            ("trained for", theme.duration(result.duration) if result else None),
            ("registered as", result.model_id if result else None),
            ("tags", facts.tags(run)),
            ("note", run.note),
            ("user", f"{run.user} on {run.process.host}, process {run.process.pid}"),
            ("folder", str(run.folder)),
        )
    )


def _group(title: str, *content: View | None, unfolded: bool = False) -> Section | None:
    """Return what there is under a title, or None if nothing is."""
    present = tuple(view for view in content if view)
    return Section(title, present, unfolded) if present else None


def _fields(values: Mapping[str, Any]) -> Fields | None:
    pairs = tuple(facts.flatten(values))
    return Fields(pairs) if pairs else None


def _result(run: Run) -> Section | None:
    if run.result is None:
        return None
    best, last = facts.best_metrics(run), facts.last_metrics(run.result)
    rows = [(name, *facts.pair(best, name), *facts.pair(last, name)) for name in facts.metric_names(best, last)]
    columns = ("metric", "train, best", "validation, best", "train, last", "validation, last")
    choices = tuple(Line(sentence) for sentence in (*_choices(run), run.result.plan_reason) if sentence)
    return _group("Result", Table(columns, rows, sortable=False), *choices, unfolded=True)


def _model(model: Mapping[str, Any]) -> Iterator[View | None]:
    yield _fields({name: value for name, value in model.items() if name != "summary"})
    yield Verbatim(model["summary"]) if model.get("summary") else None


def _environment(run: Run) -> Iterator[Section | None]:
    """Yield what reproducibility hangs on, whatever its name, and the packages, which are many."""
    environment = {name: value for name, value in run.facts.items() if name not in _GROUPED} | run.facts.get("environment", {})
    packages = environment.pop("packages", {})
    yield _group("Environment", _fields(environment))
    yield _group("Packages", Table(("package", "version"), tuple(packages.items())) if packages else None)


def _epochs(run: Run) -> Table | None:
    names = list(run.history)
    rows: list[tuple[Value, ...]] = [
        (epoch.number, *(epoch.metrics.get(name) for name in names), Cell(theme.duration(epoch.seconds), epoch.seconds))
        for epoch in run.epochs
    ]
    return Table(("epoch", *names, "time"), rows) if rows else None
