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
    RunStatus.PRUNED: "it fell behind the trials before it",
    RunStatus.DIED: "its process ended without a word, what it had recorded is kept",
}
_GROUPED = (
    "said",
    "hp",
    "hyperparams",
    "data",
    "model",
    "environment",
    "best_epoch",
    *facts.NOT_COMPARED,
)  # not in the environment's group


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
            _trial(run),
            group("Notices", Findings(run.facts["said"]) if run.facts.get("said") else None),
            group("Options", recorded_fields(run.options)),
            group("Values of hp", recorded_fields(run.facts.get("hp", {}))),
            group("Hyperparameters", recorded_fields(facts.hyperparams(run))),
            group("Learning-rate range test", *map(RatePicture, run.facts.get("lr_range", ()))),
            group("Batch sizes tried", recorded_fields(run.facts.get("batch_sizes", {}))),
            group("Data", recorded_fields(run.facts.get("data", {}))),
            group("Model", *_model(run.facts.get("model", {}))),
            *_environment(run),
            group("Cell", Verbatim(run.source)),
            group("Epochs", _epochs(run)),
            group("Failure", Verbatim(run.failure.traceback) if run.failure else None, unfolded=True),
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
    epoch = (run.result and run.result.best_epoch) or (run.epochs[-1].number if run.epochs else facts.num_epochs(run))
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
            ("trial", f"{run.trial.number} of the search {run.trial.search}" if run.trial else None),
            ("forked from", f"{run.parent.ref} {run.parent.place}" if run.parent else None),
            ("started", theme.moment(run.started_at)),
            ("ended", theme.moment(run.ended_at) if run.ended_at else None),
            ("trained for", theme.duration(result.duration) if result else None),
            ("registered as", result.model_id if result else None),
            ("tags", facts.labels(run.tags)),
            ("note", run.note),
            ("user", f"{run.user} on {run.process.host}, process {run.process.pid}"),
            ("folder", str(run.folder)),
        )
    )


def group(title: str, *content: View | None, unfolded: bool = False) -> Section | None:
    """Return what there is under a title, or None if nothing is."""
    present = tuple(view for view in content if view)
    return Section(title, present, unfolded) if present else None


def recorded_fields(values: Mapping[str, Any]) -> Fields | None:
    """Return every value under its dotted name, or None if there is nothing."""
    pairs = tuple(facts.flatten(values))
    return Fields(pairs) if pairs else None


def _result(run: Run) -> Section | None:
    if run.result is None:
        return None
    best, last = facts.best_metrics(run), facts.last_metrics(run.result)
    rows = [(name, *facts.pair(best, name), *facts.pair(last, name)) for name in facts.metric_names(best, last)]
    columns = ("metric", "train, best", "validation, best", "train, last", "validation, last")
    choices = tuple(Line(sentence) for sentence in (*_choices(run), run.result.plan_reason) if sentence)
    return group("Result", Table(columns, rows, sortable=False), *choices, unfolded=True)


def _trial(run: Run) -> Section | None:
    """Return what made the run a trial: its values, and what it came to."""
    if run.trial is None:
        return None
    return group("Trial", recorded_fields({"values": run.trial.values, "scores": run.trial.scores}), unfolded=True)


def _model(model: Mapping[str, Any]) -> Iterator[View | None]:
    yield recorded_fields({name: value for name, value in model.items() if name != "summary"})
    yield Verbatim(model["summary"]) if model.get("summary") else None


def _environment(run: Run) -> Iterator[Section | None]:
    """Yield what reproducibility hangs on, whatever its name."""
    others = {name: value for name, value in run.facts.items() if name not in _GROUPED}
    return environment_groups(others | run.facts.get("environment", {}))


def environment_groups(environment: Mapping[str, Any]) -> Iterator[Section | None]:
    """Yield the environment, and the packages, which are many, by themselves."""
    environment = dict(environment)
    packages = environment.pop("packages", {})
    yield group("Environment", recorded_fields(environment))
    yield group("Packages", Table(("package", "version"), tuple(packages.items())) if packages else None)


def _epochs(run: Run) -> Table | None:
    names = list(run.history)
    rows: list[tuple[Value, ...]] = [
        (epoch.number, *(epoch.metrics.get(name) for name in names), Cell(theme.duration(epoch.seconds), epoch.seconds))
        for epoch in run.epochs
    ]
    return Table(("epoch", *names, "time"), rows) if rows else None
