"""The registry: its models, and one version with its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_mltrain.domain.model import ModelVersion, TensorSpec
from jupyter_mltrain.widgets import facts, theme
from jupyter_mltrain.widgets.table import Cell, Fields, Table
from jupyter_mltrain.widgets.view import Line, Page, Section, View

_COLUMNS = ("model", "metrics", "run", "created", "parameters", "size", "takes", "gives", "sha256")


@dataclass(frozen=True, slots=True, repr=False)
class ModelsList(Page):
    """What `%models list` shows: registered versions, in the order given."""

    versions: Sequence[ModelVersion]

    def parts(self) -> Sequence[View]:
        """Return the table, or what to do first."""
        if not self.versions:
            return [Line("No model is registered yet: add --register NAME to a %%train line.")]
        return [_table(self.versions)]


@dataclass(frozen=True, slots=True, repr=False)
class ModelDetails(Page):
    """What `%models show` shows: one version, and all versions under its name."""

    version: ModelVersion
    versions: Sequence[ModelVersion]

    def parts(self) -> Sequence[View]:
        """Return what is recorded of the version, its metrics and the history."""
        version = self.version
        metrics = [(name, *facts.pair(version.metrics, name)) for name in facts.metric_names(version.metrics)]
        return [
            Line(f'jupyter_mltrain.load_model("{version.ref}")', lead=version.ref),
            *([Table(("metric", "train", "validation"), metrics, sortable=False)] if metrics else []),
            _record(version),
            Section(f"All versions of {version.name}", (_table(self.versions),), unfolded=True),
        ]


def _table(versions: Sequence[ModelVersion]) -> Table:
    return Table(
        _COLUMNS,
        [
            (
                version.ref,
                ", ".join(f"{name} {theme.number(value)}" for name, value in version.metrics.items()),
                version.run_ref,
                Cell(theme.moment(version.created_at), int(version.created_at.timestamp())),
                Cell(theme.count(version.num_params), version.num_params),
                Cell(theme.size(version.size), version.size),
                _tensors(version.signature.inputs),
                _tensors(version.signature.outputs),
                version.sha256[:12],
            )
            for version in versions
        ],
    )


def _record(version: ModelVersion) -> Fields:
    return Fields(
        (
            ("takes", _tensors(version.signature.inputs)),
            ("gives", _tensors(version.signature.outputs)),
            ("parameters", theme.count(version.num_params)),
            ("size", theme.size(version.size)),
            ("made by run", f"{version.run_ref} ({version.run_id})"),
            ("registered", f"{theme.moment(version.created_at)} by {version.user}"),
            ("sha256", version.sha256),
            ("file", str(version.path)),
        )
    )


def _tensors(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(map(str, specs))
