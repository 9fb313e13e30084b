from __future__ import annotations

from dataclasses import replace

from sample_models import VERSION
from sample_runs import Page, make_run

from jupyter_mltrain.domain.comparison import Layer, VersionComparison, pair_layers
from jupyter_mltrain.domain.model import Verification
from jupyter_mltrain.widgets.versions_view import Verifications, VersionDifferences

OLD = replace(VERSION, version=2, metrics={"val_loss": 0.1, "loss": 0.05}, num_params=12_000)
NEW = replace(VERSION, metrics={"val_loss": 0.0812, "val_accuracy": 0.97})
BEFORE = (
    Layer(kind="Conv2D", settings={"filters": "8", "padding": "valid", "kernel_initializer": "GlorotUniform"}),
    Layer(kind="Dense", settings={"units": "10"}),
)
AFTER = (
    Layer(kind="Conv2D", settings={"filters": "16", "padding": "valid", "kernel_initializer": "HeNormal"}),
    Layer(kind="Dropout", settings={"dtype": "float32", "trainable": "yes", "rate": "0.3"}),
    Layer(kind="Dense", settings={"units": "10"}),
)


def compared(**changes):
    runs = (make_run(number=2, source="a\nb"), make_run(number=3, source="a\nc"))
    comparison = VersionComparison(versions=(OLD, NEW), runs=runs, layers=pair_layers(BEFORE, AFTER))
    return VersionDifferences(replace(comparison, **changes))


def test_metrics_are_told_with_their_change():
    rows = Page(compared().html()).rows
    assert ["val_loss", "0.100", "0.0812", "-0.0188"] in rows
    assert ["loss", "0.0500", "", ""] in rows
    assert ["val_accuracy", "", "0.970", ""] in rows
    assert ["parameters", "12,000", "12,810", "+810"] in rows


def test_layers_are_told_one_by_one():
    rows = Page(compared().html()).rows
    assert [
        "Conv2D",
        "changed",
        "filters 8, kernel_initializer GlorotUniform",
        "filters 16, kernel_initializer HeNormal",
    ] in rows
    assert ["Dropout", "added", "", "rate 0.3"] in rows
    assert ["Dense", "the same", "", ""] in rows


def test_cells_are_told_as_a_difference():
    text = compared().text()
    assert "  -b\n  +c" in text


def test_a_removed_run_and_a_file_of_weights_are_said():
    assert (
        "Runs: removed, so that hyperparameters and cells cannot be compared: digits#3."
        in compared(runs=(None, make_run(number=3))).text()
    )
    assert "One of the files holds weights only" in compared(layers=None).text()


def test_verification_tells_which_file_is_not_what_it_was():
    found = [Verification(version=NEW, trouble="expected <b>"), Verification(version=OLD, trouble="")]
    assert Page(Verifications(found).html()).rows[1:] == [
        ["digits@3", "damaged or missing", "9f86d081884c", "expected <b>"],
        ["digits@2", "as registered", "9f86d081884c", ""],
    ]
