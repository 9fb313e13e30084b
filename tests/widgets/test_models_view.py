from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sample_models import VERSION, make_move
from sample_runs import Page, make_run

from jupyter_mltrain.domain.alias import AliasMove
from jupyter_mltrain.domain.model import Archival, ModelVersion, Signature
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.models_view import ModelDetails, ModelsList, VersionDetails

ROW = [
    *(
        "digits@3",
        "champion: 2",
        "loss 0.0123, val_loss 0.0812",
        "digits#3",
        theme.moment(VERSION.created_at),
        "12,810",
        "156 kB",
    ),
    *("image (?, 8, 8) float32", "digit (?, 10) float32, <b> (1,) bool", "9f86d081884c"),
]


def test_the_list_has_a_row_for_each_version() -> None:
    page = Page(ModelsList([VERSION, replace(VERSION, name="tabular")], {"digits": {"champion": 2}}).html())
    assert page.rows[1:] == [ROW, ["tabular@3", "", *ROW[2:]]]


def test_an_empty_registry_says_what_to_do_first() -> None:
    assert ModelsList([]).text() == "No model is registered yet: add --register NAME to a %%train line."


def details_of(version: ModelVersion, *others: ModelVersion, moves: Sequence[AliasMove] = ()) -> ModelDetails:
    return ModelDetails(VersionDetails(version, make_run()), [version, *others], moves)


def test_details_show_the_version_its_data_and_the_history_of_its_name() -> None:
    details = details_of(VERSION, replace(VERSION, version=2))
    rows = Page(details.html()).rows
    assert ["takes", "image (?, 8, 8) float32"] in rows
    assert ["x.shape", "1437, 8, 8"] in rows
    assert ["loss", "0.0123", "0.0812"] in rows
    assert ["sha256", VERSION.sha256] in rows
    assert ["made by run", "digits#3 (01jzabc00003)"] in rows
    assert ["file", "home/models/digits/3.keras"] in rows
    assert [row[0] for row in rows[-2:]] == ["digits@3", "digits@2"]
    assert details.text().startswith('digits@3: jupyter_mltrain.load_model("digits@3")\n')


def test_details_tell_aliases_what_is_archived_and_the_timeline() -> None:
    when = datetime(2026, 3, 2, tzinfo=UTC)
    named = replace(VERSION, aliases=("champion", "staging"))
    archived = replace(VERSION, version=2, archived=Archival(at=when, user="bob", reason="worse"))
    details = details_of(named, archived, moves=[make_move(version=3)])
    rows = Page(details.html()).rows
    assert ["aliases", "champion, staging"] in rows
    assert [row[1] for row in rows if row[0] in ("digits@3", "digits@2")] == ["champion, staging", "archived"]
    assert rows[-1][:2] == ["champion", "digits@3"]
    assert ["archived", f"{theme.moment(when)} by bob: worse"] in Page(details_of(archived).html()).rows


def test_a_version_without_metrics_signature_or_run_is_shown() -> None:
    bare = replace(VERSION, metrics={}, signature=Signature())
    rows = Page(VersionDetails(bare, None).html()).rows
    assert "takes" not in [row[0] for row in rows]
    assert rows[0] == ["parameters", "12,810"]
