from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sample_runs import Page

from jupyter_mltrain.domain.model import ModelVersion, Signature, TensorSpec
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.models_view import ModelDetails, ModelsList

VERSION = ModelVersion(
    name="digits",
    version=3,
    path=Path("home") / "models" / "digits" / "3.keras",
    sha256="9f86d081884c7d659a2feaa0c55ad015",
    size=156_000,
    signature=Signature(
        inputs=(TensorSpec(name="image", shape=(None, 8, 8), dtype="float32"),),
        outputs=(TensorSpec(name="digit", shape=(None, 10), dtype="float32"), TensorSpec(name="<b>", shape=(1,), dtype="bool")),
    ),
    num_params=12810,
    metrics={"loss": 0.0123, "val_loss": 0.0812},
    run_id="01jzabc00003",
    run_ref="digits#3",
    user="ada",
    created_at=datetime(2026, 3, 1, 14, 5, 9, tzinfo=UTC),
)
ROW = [
    *("digits@3", "loss 0.0123, val_loss 0.0812", "digits#3", theme.moment(VERSION.created_at), "12,810", "156 kB"),
    *("image (?, 8, 8) float32", "digit (?, 10) float32, <b> (1,) bool", "9f86d081884c"),
]


def test_the_list_has_a_row_for_each_version() -> None:
    page = Page(ModelsList([VERSION, replace(VERSION, version=2)]).html())
    assert page.rows[1:] == [ROW, ["digits@2", *ROW[1:]]]


def test_an_empty_registry_says_what_to_do_first() -> None:
    assert ModelsList([]).text() == "No model is registered yet: add --register NAME to a %%train line."


def test_details_show_the_version_and_the_history_of_its_name() -> None:
    details = ModelDetails(VERSION, [VERSION, replace(VERSION, version=2)])
    rows = Page(details.html()).rows
    assert ["loss", "0.0123", "0.0812"] in rows
    assert ["sha256", VERSION.sha256] in rows
    assert ["made by run", "digits#3 (01jzabc00003)"] in rows
    assert ["file", "home/models/digits/3.keras"] in rows
    assert [row[0] for row in rows[-2:]] == ["digits@3", "digits@2"]
    assert details.text().startswith('digits@3: jupyter_mltrain.load_model("digits@3")\n')


def test_a_version_without_metrics_or_signature_is_shown() -> None:
    bare = replace(VERSION, metrics={}, signature=Signature())
    rows = Page(ModelDetails(bare, [bare]).html()).rows
    assert "takes" not in [row[0] for row in rows]
    assert rows[0] == ["parameters", "12,810"]
