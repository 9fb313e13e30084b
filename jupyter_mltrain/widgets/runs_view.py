"""Several runs: a list of them, and a comparison."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jupyter_mltrain.domain.run import Run, TrainingResult
from jupyter_mltrain.widgets import facts, theme
from jupyter_mltrain.widgets.table import Cell, Table, Value
from jupyter_mltrain.widgets.view import Line, Page, Section, Verbatim, View

_COLUMNS = (
    *("run", "status", "epochs", "best score", "by", "train loss", "val loss", "duration"),
    *("started", "registered as", "tags"),
)


NO_RUNS = "No run is recorded here yet, or none fits: put %%train on top of a cell that trains a Keras model."


@dataclass(frozen=True, slots=True, repr=False)
class RunsList(Page):
    """What `%runs list` shows: one page of runs, in the order given.

    Attributes:
        total: how many runs there are that fit the filters, on all pages.
    """

    runs: Sequence[Run]
    total: int

    def parts(self) -> Sequence[View]:
        """Return the table, or what to do first."""
        if not self.runs:
            return [Line(NO_RUNS)]
        caption = theme.plural(self.total, "run") + (f", {len(self.runs)} shown" if self.total > len(self.runs) else "")
        with_user = len({run.user for run in self.runs}) > 1
        columns = (*_COLUMNS, "user") if with_user else _COLUMNS
        return [Table(columns, [(*_row(run), *([run.user] if with_user else [])) for run in self.runs], caption)]


def _row(run: Run) -> tuple[Value, ...]:
    started = Cell(theme.moment(run.started_at), int(run.started_at.timestamp()))
    model = run.result.model_id if run.result else None
    return (run.ref, run.status.value, *_outcome(run.result), started, model, facts.labels(run.tags))


def _outcome(result: TrainingResult | None) -> tuple[Value, ...]:
    if result is None:
        return (None,) * 6
    time = Cell(theme.duration(result.duration), result.duration)
    return (result.epochs, result.best_score, result.monitor, result.train_loss, result.val_loss, time)


@dataclass(frozen=True, slots=True, repr=False)
class RunComparison(Page):
    """What `%runs compare` shows: metrics side by side, what differs, and how the cells differ from the first's.

    The curves are a picture of their own, `CurvesPicture(runs)`.
    """

    runs: Sequence[Run]

    def parts(self) -> Sequence[View]:
        """Return metrics, differences and the cells' differences."""
        first, *others = self.runs
        return [
            Section("Results", (_metrics(self.runs),), unfolded=True),
            Section("What differs", (recorded_differences(self.runs),), unfolded=True),
            *(source_difference(first, other) for other in others),
        ]


def _metrics(runs: Sequence[Run]) -> Table:
    rows: list[tuple[Value, ...]] = [
        ("status", *(run.status.value for run in runs)),
        ("epochs", *(facts.num_epochs(run) for run in runs)),
        ("best epoch", *(run.result.best_epoch if run.result else None for run in runs)),
    ]
    best = [facts.best_metrics(run) for run in runs]
    last = [facts.last_metrics(run.result) if run.result else {} for run in runs]
    names = dict.fromkeys(name for some in (*best, *last) for name in some)
    for when, metrics in (("best", best), ("last", last)):
        rows += [(f"{name}, {when} epoch", *(some.get(name) for some in metrics)) for name in names]
    return Table(("run", *(run.ref for run in runs)), rows, sortable=False)


def recorded_differences(runs: Sequence[Run]) -> View:
    """Return all that is recorded and not the same in every run."""
    recorded = [dict(_recorded(run)) for run in runs]
    names = dict.fromkeys(name for some in recorded for name in some)
    rows = [(name, *(some.get(name) for some in recorded)) for name in names]
    rows = [row for row in rows if len(set(row[1:])) > 1]
    if not rows:
        return Line("Options, hyperparameters, data, model and environment are the same.")
    return Table(("run", *(run.ref for run in runs)), rows, sortable=False)


def _recorded(run: Run) -> Iterator[tuple[str, str]]:
    model = {name: value for name, value in run.facts.get("model", {}).items() if name != "summary"}
    known = {name: value for name, value in run.facts.items() if name not in facts.NOT_COMPARED}
    groups = {"options": run.options, **known, "model": model, "hyperparams": facts.hyperparams(run)}
    groups["tags"] = {name: value or True for name, value in run.tags.items()}
    if run.trial:
        groups |= {"trial": run.trial.values}
    if run.result:
        groups |= {"strategy": run.result.strategy, "precision": run.result.precision, "plan": run.result.plan}
    return facts.flatten(groups)


def source_difference(first: Run, other: Run) -> View:
    """Return how one cell differs from another."""
    sources = first.source.splitlines(), other.source.splitlines()
    lines = tuple(difflib.unified_diff(*sources, first.ref, other.ref, lineterm=""))
    difference = Difference(lines) if lines else Line("The cells are the same.")
    return Section(f"Cell of {other.ref} against {first.ref}", (difference,), unfolded=True)


@dataclass(frozen=True, slots=True, repr=False)
class Difference(View):
    """The lines of a unified difference; added and removed ones are told apart by colour too."""

    lines: tuple[str, ...]

    def text(self) -> str:
        """Return the lines indented."""
        return Verbatim("\n".join(self.lines)).text()

    def html(self) -> str:
        """Return the lines preformatted."""
        lines = "\n".join(map(_marked, self.lines))
        return f"<pre>{lines}</pre>"


def _marked(line: str) -> str:
    mark = {"+": "added", "-": "removed"}.get(line[:1])
    shown = theme.escape(line)
    return f'<span class="mltrain-{mark}">{shown}</span>' if mark else shown
