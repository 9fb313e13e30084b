"""How long `%runs list` and `%runs show` take where many runs are recorded, and a search with many trials."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from jupyter_mltrain.domain.run import Epoch, RunStatus, TrainingResult
from jupyter_mltrain.store.processes import this_process
from jupyter_mltrain.store.store import Store

_NUM_EPOCHS, _NUM_TRIALS, _NUM_LOOKS = 50, 1_000, 21
_CELL = "%%train digits --epochs 50\nmodel.fit(x, y, validation_data=(x_val, y_val))\n"
_FACTS: dict[str, Any] = {"seed": 1, "environment": {"packages": {f"package-{i}": "1.0" for i in range(150)}}}
_LOOKS = ("%runs list", "%runs list --best val_accuracy", "%runs show digits#{middle}")


def measure(*, num_runs: int) -> Iterator[tuple[str, str]]:
    """Yield the medians of a command's whole time in a shell, HTML included."""
    shell = InteractiveShell.instance(colors="nocolor")
    with tempfile.TemporaryDirectory() as home:
        fill(Path(home), num_runs)
        shell.run_line_magic("load_ext", "jupyter_mltrain")
        shell.run_line_magic("config", f"MLTrain.home = {home!r}")
        for look in _LOOKS:
            command = look.format(middle=num_runs // 2)
            seconds = median(_seconds(shell, command) for _ in range(_NUM_LOOKS))
            recorded = f"{num_runs:,} runs and {_NUM_TRIALS:,} trials of {_NUM_EPOCHS} epochs"
            yield f"`{command}` at {recorded}", f"{seconds * 1000:.0f} ms"


def _seconds(shell: InteractiveShell, command: str) -> float:
    started = perf_counter()
    with capture_output() as captured:
        shell.run_cell(command)
    assert captured.outputs, captured.stdout
    return perf_counter() - started


def fill(home: Path, num_runs: int) -> None:
    """Record runs `digits#1`, … and a search."""
    store = Store(home)
    given: dict[str, Any] = {
        "source": _CELL,
        "options": {},
        "tags": {},
        "note": "",
        "user": "somebody",
        "process": this_process(),
    }
    for number in range(num_runs):
        run = store.runs.create_run(name="digits", facts=_FACTS, **given)
        epochs = [_epoch(each, number) for each in range(1, _NUM_EPOCHS + 1)]
        store.runs.finish_run(run.id, status=RunStatus.COMPLETED, result=_result(epochs), epochs=epochs)
    search = store.searches.create_search(name="digits", facts={}, **given)
    for number in range(_NUM_TRIALS):
        _add_trial(store, search.id, number, given)
    store.close()


def _add_trial(store: Store, search_id: str, number: int, given: dict[str, Any]) -> None:
    values, epochs = {"units": number}, [_epoch(each, number) for each in range(1, _NUM_EPOCHS + 1)]
    trial = store.searches.begin_trial(search_id, values=values, state={}, **given)
    store.searches.end_trial(
        trial.id,
        status=RunStatus.COMPLETED,
        result=_result(epochs),
        failure=None,
        epochs=epochs,
        facts=_FACTS,
        scores={"val_loss": epochs[-1].metrics["val_loss"]},
        values=values,
        state={},
    )


def _epoch(number: int, run: int) -> Epoch:
    loss = 1 / (number + run % 17)
    metrics = {"loss": loss, "accuracy": 1 - loss, "val_loss": 1.1 * loss, "val_accuracy": 0.9 - loss}
    return Epoch(number=number, phase=1, metrics=metrics, seconds=0.5)


def _result(epochs: list[Epoch]) -> TrainingResult:
    last = dict(epochs[-1].metrics)
    return TrainingResult(
        epochs=len(epochs),
        train_loss=last["loss"],
        val_loss=last["val_loss"],
        train_metrics={"accuracy": last["accuracy"]},
        val_metrics={"accuracy": last["val_accuracy"]},
        monitor="val_loss",
        best_epoch=len(epochs),
        best_score=last["val_loss"],
        best_metrics=last,
        duration=25.0,
        hyperparams={"epochs": len(epochs), "optimizer": "Adam", "learning_rate": 0.001},
        strategy="cpu",
        precision="float32",
        plan="keras",
        reason="CPU: this machine has no GPU.",
    )
