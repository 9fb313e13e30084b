from __future__ import annotations

from sample_runs import FACTS, SOURCE, Page, make_result, make_run

from jupyter_mltrain.domain.run import RunStatus
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.runs_view import RunComparison, RunsList


def test_the_list_has_a_row_for_each_run() -> None:
    run, dead = make_run(), make_run(number=2, status=RunStatus.DIED, result=None, tags={})
    page = Page(RunsList([run, dead], total=300).html())
    started = theme.moment(run.started_at)
    assert page.rows == [
        ["run", "status", "epochs", "best score", "by", "train loss", "val loss", "duration", "started", "registered as", "tags"],
        [
            "digits#3",
            "completed",
            "4",
            "0.0812",
            "val_loss",
            "0.0100",
            "0.0900",
            "4.2 s",
            started,
            "digits@3",
            "stage=draft, baseline",
        ],
        ["digits#2", "died", "", "", "", "", "", "", started, "", ""],
    ]
    assert "300 runs, 2 shown" in page.text


def test_the_list_sorts_by_moments_and_seconds_not_by_their_texts() -> None:
    run = make_run()
    page = Page(RunsList([run], total=1).html())
    keys = [attributes["data-key"] for tag, attributes in page.elements if tag == "td" and "data-key" in attributes]
    assert keys == ["0.08123", "0.01", "0.09", "4.21", str(int(run.started_at.timestamp()))]


def test_an_empty_list_says_what_to_do_first() -> None:
    assert RunsList([], total=0).text().startswith("No run is recorded here yet")
    assert "%%train" in Page(RunsList([], total=0).html()).text


def test_a_comparison_shows_the_metrics_side_by_side() -> None:
    other = make_run(number=4, result=make_result(epochs=2, best_epoch=1, train_loss=0.7, best_metrics={"loss": 0.5}))
    rows = Page(RunComparison([make_run(), other]).html()).rows
    assert ["epochs", "4", "2"] in rows
    assert ["best epoch", "3", "1"] in rows
    assert ["loss, best epoch", "0.0123", "0.500"] in rows
    assert ["val_loss, best epoch", "0.0812", ""] in rows
    assert ["loss, last epoch", "0.0100", "0.700"] in rows


def test_a_comparison_shows_only_what_differs() -> None:
    other = make_run(
        number=4,
        options={"epochs": 9, "register": "digits"},
        result=make_result(hyperparams={"epochs": 9, "batch_size": 32, "learning_rate": 0.01}, precision="float64"),
        facts={**FACTS, "seed": 8, "environment": {**FACTS["environment"], "packages": {"keras": "3.15.2"}}},
    )
    rows = Page(RunComparison([make_run(), other]).html()).rows
    differing = rows[rows.index(["run", "digits#3", "digits#4"], 1) + 1 :]
    assert differing == [
        ["options.epochs", "4", "9"],
        ["seed", "7", "8"],
        ["environment.packages.keras", "3.15.1", "3.15.2"],
        ["hyperparams.epochs", "4", "9"],
        ["hyperparams.learning_rate", "0.001", "0.01"],
        ["precision", "float32", "float64"],
    ]


def test_a_comparison_of_equal_runs_says_so() -> None:
    text = RunComparison([make_run(), make_run(number=4)]).text()
    assert "Options, hyperparameters, data, model and environment are the same." in text
    assert "Cell of digits#4 against digits#3\nThe cells are the same." in text


def test_a_comparison_shows_how_each_cell_differs_from_the_first() -> None:
    others = [make_run(number=n, source=SOURCE.replace("units=32", f"units={n}<b>")) for n in (4, 5)]
    comparison = RunComparison([make_run(), *others])
    assert "  -model = build(units=32)\n  +model = build(units=5<b>)" in comparison.text()
    page = Page(comparison.html())
    assert "-model = build(units=32)\n+model = build(units=4<b>)" in page.text
    marked = [attributes["class"] for tag, attributes in page.elements if tag == "span"]
    assert marked == ["mltrain-removed", "mltrain-added"] * 4  # two lines of names, two lines of code, twice
    assert "b" not in {tag for tag, _ in page.elements}
