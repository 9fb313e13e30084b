"""The registry: its models, and one version with all others of its name and the timeline of its aliases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from jupyter_mltrain.domain.alias import AliasMove
from jupyter_mltrain.domain.model import ModelVersion, TensorSpec
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.widgets import facts, theme
from jupyter_mltrain.widgets.aliases_view import Timeline
from jupyter_mltrain.widgets.run_view import group, recorded_fields
from jupyter_mltrain.widgets.table import Cell, Fields, Table
from jupyter_mltrain.widgets.view import Line, Page, Section, View

_COLUMNS = ("model", "aliases", "metrics", "run", "created", "parameters", "size", "takes", "gives", "sha256")


@dataclass(frozen=True, slots=True, repr=False)
class ModelsList(Page):
    """What `%models list` shows: registered versions, in the order given.

    Attributes:
        versions: one a model.
        aliases: model to alias to the number of the version that it stands for.
    """

    versions: Sequence[ModelVersion]
    aliases: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def parts(self) -> Sequence[View]:
        """Return the table, or what to do first."""
        if not self.versions:
            return [Line("No model is registered yet: add --register NAME to a %%train line.")]
        return [_table(self.versions, lambda version: _standing(self.aliases.get(version.name, {})))]


@dataclass(frozen=True, slots=True, repr=False)
class VersionDetails(Page):
    """All that is recorded of one version.

    Attributes:
        run: that made it; None where it was removed.
    """

    version: ModelVersion
    run: Run | None

    def parts(self) -> Sequence[View]:
        """Return the metrics, the record and the data that it was trained on."""
        version = self.version
        metrics = [(name, *facts.pair(version.metrics, name)) for name in facts.metric_names(version.metrics)]
        data = group("Data", recorded_fields(self.run.facts.get("data", {})), unfolded=True) if self.run else None
        return [
            Line(f'jupyter_mltrain.load_model("{version.ref}")', lead=version.ref),
            *([Table(("metric", "train", "validation"), metrics, sortable=False)] if metrics else []),
            _record(version),
            *([data] if data else []),
        ]


@dataclass(frozen=True, slots=True, repr=False)
class ModelDetails(Page):
    """What `%models show` shows: one version, all versions under its name, and the moves of their aliases."""

    details: VersionDetails
    versions: Sequence[ModelVersion]
    moves: Sequence[AliasMove] = ()

    def parts(self) -> Sequence[View]:
        """Return what is recorded of the version, those beside it and the history."""
        name = self.details.version.name
        return [
            self.details,
            Section(f"All versions of {name}", (_table(self.versions, _state),), unfolded=True),
            *([Section("Aliases", (Timeline(name, self.moves),), unfolded=True)] if self.moves else []),
        ]


def _standing(aliases: Mapping[str, int]) -> str:
    return ", ".join(f"{alias}: {version}" for alias, version in aliases.items())


def _state(version: ModelVersion) -> str:
    return ", ".join((*version.aliases, *(["archived"] if version.archived else [])))


def _archival(version: ModelVersion) -> str:
    archived = version.archived
    if archived is None:
        return ""
    return f"{theme.moment(archived.at)} by {archived.user}" + (f": {archived.reason}" if archived.reason else "")


def _table(versions: Sequence[ModelVersion], aliases: Callable[[ModelVersion], str]) -> Table:
    return Table(
        _COLUMNS,
        [
            (
                version.ref,
                aliases(version),
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
            ("aliases", ", ".join(version.aliases)),
            ("archived", _archival(version)),
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
