"""What cells show: views, and records as the value of a cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.display import display

from jupyter_mltrain.domain.alias import AliasMove
from jupyter_mltrain.domain.comparison import VersionComparison
from jupyter_mltrain.domain.errors import MLTrainError
from jupyter_mltrain.domain.estimate import Estimate
from jupyter_mltrain.domain.family import Family
from jupyter_mltrain.domain.model import ModelVersion
from jupyter_mltrain.domain.reproduction import Reproduction
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.services.background import BackgroundRun
from jupyter_mltrain.services.session import Session


def show(*views: Any) -> None:
    """Show views under the running cell, one under the other."""
    for view in views:
        display(view)


def show_records(shell: Any, session: Session) -> None:
    """Let a run, an estimate or a model version that is the value of a cell look as the magics show it."""
    _register(shell, Estimate, _estimate_details, lambda estimate: f"<Estimate of {estimate.model}>")
    _register(shell, BackgroundRun, lambda background: _run_details(background.run), repr)
    _register(shell, Run, _run_details, lambda run: f"<Run {run.ref} {run.status}>")
    _register(
        shell,
        VersionComparison,
        _version_differences,
        lambda compared: f"<Comparison of {' and '.join(version.ref for version in compared.versions)}>",
    )
    _register(shell, Reproduction, _reproduction, lambda done: f"<Reproduction of {done.run.ref}>")
    _register(shell, AliasMove, _move_line, lambda move: f"<AliasMove {move.ref} {move.number}>")
    _register(shell, Family, _family_tree, lambda family: f"<Family of {family.run.ref}>")
    _register(shell, Search, _search_details, lambda search: f"<Search {search.ref} {search.status}>")
    _register(shell, ModelVersion, lambda version: _model_details(version, session), lambda version: f"<Model {version.ref}>")


def _register(shell: Any, record: type, view: Callable[[Any], Any], short: Callable[[Any], str]) -> None:
    def pretty(value: Any, printer: Any, _cycle: bool) -> None:
        is_within_another = len(printer.stack) > 1
        printer.text(short(value) if is_within_another else view(value).text())

    formatters = shell.display_formatter.formatters
    formatters["text/plain"].for_type(record, pretty)
    formatters["text/html"].for_type(record, lambda value: view(value)._repr_mimebundle_()["text/html"])


def _estimate_details(estimate: Estimate) -> Any:
    from jupyter_mltrain.widgets.estimate_view import EstimateView

    return EstimateView(estimate)


def _search_details(search: Search) -> Any:
    from jupyter_mltrain.widgets.search_details import SearchDetails

    return SearchDetails(search)


def _family_tree(family: Family) -> Any:
    from jupyter_mltrain.widgets.family_view import FamilyTree

    return FamilyTree((family,))


def _run_details(run: Run) -> Any:
    from jupyter_mltrain.widgets.run_view import RunDetails

    return RunDetails(run)


def _reproduction(done: Reproduction) -> Any:
    from jupyter_mltrain.widgets.reproduction_view import ReproductionView

    return ReproductionView(done)


def _move_line(move: AliasMove) -> Any:
    from jupyter_mltrain.widgets.aliases_view import move_line

    return move_line(move)


def _version_differences(comparison: VersionComparison) -> Any:
    from jupyter_mltrain.widgets.versions_view import VersionDifferences

    return VersionDifferences(comparison)


def _model_details(version: ModelVersion, session: Session) -> Any:
    from jupyter_mltrain.services.aliases import history
    from jupyter_mltrain.services.registry import versions_of
    from jupyter_mltrain.services.versions import run_of
    from jupyter_mltrain.widgets.models_view import ModelDetails, VersionDetails

    try:
        details = VersionDetails(version, run_of(session, version))
        return ModelDetails(details, versions_of(session, version.name), history(session, version.name))
    except MLTrainError:  # a record outlives the home that it came from
        return ModelDetails(VersionDetails(version, None), (version,))
