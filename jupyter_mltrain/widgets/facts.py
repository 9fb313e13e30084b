"""Reading a run for showing: its metrics in pairs, and all that is recorded as flat names and texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_mltrain.domain.run import Run, TrainingResult
from jupyter_mltrain.widgets import theme

VALIDATION = "val_"

TRIED = ("lr_range", "batch_sizes")
"""Facts on how a hyperparameter was found: measured, so that they differ from run to run."""

NOT_COMPARED = (*TRIED, "reproduction")
"""Facts that are of use for one run alone."""


def hyperparams(run: Run) -> dict[str, Any]:
    """Return what the training was done with, as far as it is known."""
    return {**run.facts.get("hyperparams", {}), **(run.result.hyperparams if run.result else {})}


def num_epochs(run: Run) -> int:
    """Return how many epochs were trained."""
    return run.result.epochs if run.result else len(run.epochs)


def labels(tags: Mapping[str, str]) -> str:
    """Return `stage=draft, baseline`."""
    return ", ".join(f"{key}={value}" if value else key for key, value in tags.items())


def best_metrics(run: Run) -> Mapping[str, float]:
    """Return all metrics of the best epoch; of the last where none is best."""
    if run.result:
        return run.result.best_metrics
    return run.epochs[-1].metrics if run.epochs else {}


def last_metrics(result: TrainingResult) -> dict[str, float]:
    """Return all metrics of the last epoch under Keras's own names."""
    metrics = {"loss": result.train_loss, **result.train_metrics, "val_loss": result.val_loss}
    metrics |= {validation_name(name): value for name, value in result.val_metrics.items()}
    return {name: value for name, value in metrics.items() if value is not None}


def validation_name(name: str) -> str:
    """Return Keras's name of the metric on validation data."""
    return VALIDATION + name


def metric_names(*metrics: Mapping[str, Any]) -> list[str]:
    """Return the names without the prefix `val_`, the loss first, else in their order."""
    names = dict.fromkeys(name.removeprefix(VALIDATION) for some in metrics for name in some)
    return sorted(names, key=lambda name: name != "loss")


def pair(metrics: Mapping[str, float], name: str) -> tuple[float | None, float | None]:
    """Return the metric's value on training and on validation data."""
    return metrics.get(name), metrics.get(validation_name(name))


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield every value as text under its dotted name: `("data.x.dtype", "float32")`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", theme.recorded(value)
