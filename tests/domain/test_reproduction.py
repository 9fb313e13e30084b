"""How a run that was done again compares with the first one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jupyter_mltrain.domain.reproduction import Agreement, compare
from jupyter_mltrain.domain.run import Epoch, Failure, Process, Run, RunStatus

PACKAGES = {"keras": "3.15.1", "numpy": "2.0"}
ENVIRONMENT = {"python": "3.11.7", "packages": PACKAGES, "devices": ["CPU:0"], "threads": {"intra_op": 0}}
X = {"shape": [4, 2], "dtype": "float32", "content": "xxh3:1"}
Y = {"shape": [4], "dtype": "int32", "content": "xxh3:2"}
FACTS = {
    "seed": 1,
    "data": {"x": X, "y": Y},
    "environment": ENVIRONMENT,
    "reproduction": {"precision": "float32", "plans": ["epoch"], "weights": "xxh3:3"},
}


def run(*losses: float, facts: dict[str, Any] | None = None, **changes: Any) -> Run:
    epochs = tuple(Epoch(number=n, phase=1, metrics={"loss": loss}, seconds=0.1) for n, loss in enumerate(losses, 1))
    made = Run(
        id="1",
        name="digits",
        number=1,
        status=RunStatus.COMPLETED,
        source="%%train\n",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        ended_at=None,
        user="ada",
        process=Process(host="here", pid=1, started=0.0),
        options={},
        tags={},
        note="",
        facts={**FACTS, **(facts or {})},
        failure=None,
        result=None,
        epochs=epochs,
        folder=Path(),
    )
    return replace(made, **changes)


def test_the_same_to_the_bit_with_not_a_number_too() -> None:
    found = compare(run(0.5, float("nan")), run(0.5, float("nan")), ())
    assert found == Agreement(ends=("completed", "completed"), num_epochs=2, metrics=(), weights=True, causes={})
    assert found.is_exact


def test_metrics_tell_the_first_epoch_that_differs_and_weights_only_after_as_many() -> None:
    found = compare(run(0.5, 0.25, 0.2), run(0.5, 0.26), ())
    assert found.metrics == ("3 epochs, again 2", "loss from epoch 2 on: 0.25 and again 0.26, at most 0.01 apart")
    assert (found.num_epochs, found.weights, found.is_exact) == (2, None, False)
    other = {"reproduction": {"weights": "xxh3:4"}}
    assert compare(run(0.5), run(0.5, facts=other), ()).weights is False
    assert compare(run(0.5), run(0.5, facts={"reproduction": {}}), ()).weights is None


@pytest.mark.parametrize(
    ("facts", "cause", "sentences"),
    [
        ({"data": {"x": {**X, "content": "xxh3:9"}, "y": Y}}, "data", "x has other content"),
        ({"data": {"x": X, "y": {**Y, "shape": [5]}}}, "data", "y was int32 [4], now int32 [5]"),
        ({"data": {"x": X}}, "data", "y is missing"),
        ({"environment": {**ENVIRONMENT, "python": "3.12.1"}}, "versions", "Python 3.11.7, now 3.12.1"),
        ({"environment": {**ENVIRONMENT, "packages": {"numpy": "2.0"}}}, "versions", "keras 3.15.1, now not there"),
        ({"environment": {**ENVIRONMENT, "devices": ["GPU:0", "GPU:1"]}}, "device", "devices CPU:0, now GPU:0, GPU:1"),
        ({"environment": {**ENVIRONMENT, "threads": {"intra_op": 1}}}, "device", "threads intra_op=0, now intra_op=1"),
    ],
)
def test_what_is_not_as_it_was(facts: dict[str, Any], cause: str, sentences: str) -> None:
    assert compare(run(0.5), run(0.5, facts=facts), ()).causes == {cause: (sentences,)}


def test_many_packages_are_counted() -> None:
    packages = {f"package{n:02}": "1" for n in range(15)}
    again = run(0.5, facts={"environment": {**ENVIRONMENT, "packages": {**PACKAGES, **packages}}})
    found = compare(run(0.5), again, ()).causes["versions"]
    assert (len(found), found[-1]) == (11, "5 packages more")


def test_what_cannot_be_the_same() -> None:
    mixed = {"reproduction": {"is_mixed": True, "weights": "xxh3:3"}, "seed": None}
    first = run(0.5, facts=mixed, status=RunStatus.STOPPED)
    stream = run(0.5, facts={"data": {"x": {"content": "not known: a stream"}}})
    assert compare(first, run(0.5), ("a.py",)).causes == {
        "code": ("a.py has changed",),
        "training": (
            "without --seed what TensorFlow draws by itself, as tf.data does to shuffle, is drawn anew",
            "plan auto had some steps compiled, when there was time for it, and those round otherwise; --seed keeps one plan",
            "the first run was stopped",
        ),
    }
    assert compare(stream, stream, ()).causes == {"data": ("x is a stream, whose content is not known",)}


def test_a_failure_is_compared_by_its_message() -> None:
    failure = Failure(kind="ValueError", message="oh", traceback="")
    first = run(0.5, status=RunStatus.FAILED, failure=failure)
    assert compare(first, run(0.5), ()).ends == ("failed, ValueError: oh", "completed")
