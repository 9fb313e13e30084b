"""Versions of a model looked at closely: two beside each other, and whether files are what was registered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jupyter_mltrain.domain.comparison import Layer, LayerPair, VersionComparison
from jupyter_mltrain.domain.model import ModelVersion, Verification
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.runs_view import recorded_differences, source_difference
from jupyter_mltrain.widgets.table import Table, Value
from jupyter_mltrain.widgets.view import Line, Page, Section, View

_SELDOM_TOLD = ("dtype", "trainable", "inputs")
"""Settings of a layer that are told only where they differ; so are switches and initializers."""


@dataclass(frozen=True, slots=True, repr=False)
class VersionDifferences(Page):
    """What `%models diff` shows: metrics, what differs, the layers and the cells of two versions."""

    comparison: VersionComparison

    def parts(self) -> Sequence[View]:
        """Return metrics, layers, what differs, and the cells' difference."""
        return [
            Section("Metrics", (_metrics(*self.comparison.versions),), unfolded=True),
            Section("Layers", (_layers(self.comparison),), unfolded=True),
            *_of_runs(self.comparison),
        ]


@dataclass(frozen=True, slots=True, repr=False)
class Verifications(Page):
    """What `%models verify` shows: each version's file, and what is wrong with it."""

    found: Sequence[Verification]

    def parts(self) -> Sequence[View]:
        """Return the table."""
        rows = [
            (each.version.ref, "damaged or missing" if each.trouble else "as registered", each.version.sha256[:12], each.trouble)
            for each in self.found
        ]
        return [Table(("version", "file", "sha256", "what to do"), rows)]


def _metrics(old: ModelVersion, new: ModelVersion) -> View:
    names = list(dict.fromkeys((*old.metrics, *new.metrics)))
    if not names:
        return Line("No metrics are recorded of them.")
    rows = [(name, old.metrics.get(name), new.metrics.get(name), _change(old.metrics, new.metrics, name)) for name in names]
    sizes = ("parameters", theme.count(old.num_params), theme.count(new.num_params), _signed(new.num_params - old.num_params))
    return Table(("", old.ref, new.ref, "change"), [*rows, sizes], sortable=False)


def _change(old: Mapping[str, float], new: Mapping[str, float], name: str) -> str:
    if name not in old or name not in new:
        return ""
    change = new[name] - old[name]
    return f"{'+' if change > 0 else ''}{theme.number(float(change))}"


def _signed(change: int) -> str:
    return f"{'+' if change > 0 else ''}{theme.count(change)}"


def _layers(comparison: VersionComparison) -> View:
    if comparison.layers is None:
        return Line("One of the files holds weights only: its layers are told by its run's cell alone.")
    old, new = comparison.versions
    rows = [_row(pair) for pair in comparison.layers]
    return Table(("layer", "is", old.ref, new.ref), rows, sortable=False)


def _row(pair: LayerPair) -> tuple[Value, ...]:
    if pair.before is None or pair.after is None:
        before, after = (_described(layer) for layer in (pair.before, pair.after))
        return (pair.kind, "removed" if pair.after is None else "added", before, after)
    changes = pair.changes
    before, after = (", ".join(f"{name} {values[side] or 'none'}" for name, values in changes.items()) for side in (0, 1))
    return (pair.kind, "changed" if changes else "the same", before, after)


def _described(layer: Layer | None) -> str:
    told = [
        f"{name} {value}"
        for name, value in (layer.settings.items() if layer else ())
        if name not in _SELDOM_TOLD and value not in ("yes", "no") and not name.endswith("_initializer")
    ]
    return ", ".join(told)


def _of_runs(comparison: VersionComparison) -> Iterator[View]:
    first, second = comparison.runs
    if first and second:
        yield Section("What differs in their runs", (recorded_differences([first, second]),), unfolded=True)
        yield source_difference(first, second)
        return
    gone = ", ".join(version.run_ref for version, run in zip(comparison.versions, comparison.runs, strict=True) if run is None)
    yield Line(f"removed, so that hyperparameters and cells cannot be compared: {gone}.", lead="Runs")
