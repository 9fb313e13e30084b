"""Runs, results and models to put into a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.alias import AliasMove
from jupyter_mltrain.domain.model import ModelVersion, Signature, TensorSpec
from jupyter_mltrain.domain.run import Epoch, Parent, Run, RunFilter, RunStatus, TrainingResult
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.store.processes import this_process
from jupyter_mltrain.store.record_files import NAME
from jupyter_mltrain.store.store import Store

SIGNATURE = Signature(
    inputs=(TensorSpec(name="image", shape=(None, 8, 8, 1), dtype="float32"),),
    outputs=(TensorSpec(name="digit", shape=(None, 10), dtype="float32"),),
)


def begin(store: Store, name: str = "digits", **given: Any) -> Run:
    """A run that has begun."""
    record: dict[str, Any] = {
        "source": f"%%train {name}\nmodel.fit(x, y)\n",
        "options": {},
        "tags": {},
        "note": "",
        "facts": {},
        "user": "ada",
        "process": this_process(),
    }
    return store.runs.create_run(name=name, **(record | given))


def train(store: Store, name: str = "digits", *, num_epochs: int = 4, **given: Any) -> Run:
    """A whole run, its epochs written two at a time, the last two with its end."""
    run = begin(store, name, **given)
    epochs = some_epochs(num_epochs)
    for first in range(0, num_epochs - 2, 2):
        store.runs.append_epochs(run.id, epochs[first : first + 2])
    result = some_result(epochs[-1].metrics, num_epochs=num_epochs)
    return store.runs.finish_run(run.id, status=RunStatus.COMPLETED, result=result, epochs=epochs[-2:])


def finish_with(store: Store, best_metrics: Mapping[str, float], name: str = "digits") -> Run:
    """A run whose best epoch came to these metrics."""
    return store.runs.finish_run(begin(store, name).id, status=RunStatus.COMPLETED, result=some_result(best_metrics))


def begin_search(store: Store, name: str = "digits", **given: Any) -> Search:
    """A search that has begun."""
    record: dict[str, Any] = {
        "source": f"%%tune {name}\nmodel.fit(x, y)\n",
        "options": {},
        "tags": {},
        "note": "",
        "facts": {"objectives": ["val_loss:min"]},
        "user": "ada",
        "process": this_process(),
    }
    return store.searches.create_search(name=name, **(record | given))


def begin_trial(store: Store, search: Search, **given: Any) -> Run:
    """A trial that has begun."""
    record: dict[str, Any] = {
        "values": {"units": 16},
        "state": {"begun": 1},
        "source": search.source,
        "options": {},
        "tags": {},
        "note": "",
        "user": "ada",
        "process": this_process(),
    }
    return store.searches.begin_trial(search.id, **(record | given))


def end_trial(store: Store, trial: Run, *, num_epochs: int = 3, **given: Any) -> Run:
    """A trial whose loss fell."""
    epochs = some_epochs(num_epochs)
    record: dict[str, Any] = {
        "status": RunStatus.COMPLETED,
        "result": some_result(epochs[-1].metrics, num_epochs=num_epochs),
        "failure": None,
        "epochs": epochs,
        "facts": {},
        "scores": {"val_loss": epochs[-1].metrics["val_loss"]},
        "values": trial.trial.values if trial.trial else {},
        "state": {"begun": 1, "ended": 1},
    }
    return store.searches.end_trial(trial.id, **(record | given))


def search_of(store: Store, num_trials: int, name: str = "digits") -> Search:
    """A whole search of completed trials, each of one epoch more than the one before."""
    search = begin_search(store, name)
    for number in range(1, num_trials + 1):
        end_trial(store, begin_trial(store, search, values={"units": 16 * number}), num_epochs=number)
    return store.searches.finish_search(search.id, status=RunStatus.COMPLETED)


def some_epochs(num_epochs: int) -> list[Epoch]:
    """Epochs whose loss falls."""
    return [
        Epoch(number=number, phase=1, metrics={"loss": 1 / number, "val_loss": 2 / number}, seconds=0.5)
        for number in range(1, num_epochs + 1)
    ]


def some_result(best_metrics: Mapping[str, float], *, num_epochs: int = 1) -> TrainingResult:
    """A result whose best epoch is the last one."""
    return TrainingResult(
        epochs=num_epochs,
        train_loss=best_metrics.get("loss"),
        val_loss=best_metrics.get("val_loss"),
        train_metrics={},
        val_metrics={},
        monitor="val_loss",
        best_epoch=num_epochs,
        best_score=best_metrics.get("val_loss"),
        best_metrics=best_metrics,
        duration=2.5,
        hyperparams={"optimizer": {"name": "adam", "learning_rate": 0.001}},
        strategy="cpu",
        precision="float32",
        plan="keras",
        reason="CPU: this machine has no GPU.",
    )


def register(
    store: Store, run: Run, name: str = "digits", *, content: bytes = b"weights", file: str = "best.keras"
) -> ModelVersion:
    """A version whose file holds `content`."""
    path = run.folder / file
    path.write_bytes(content)
    return register_file(store, run, path, name)


def register_file(store: Store, run: Run, path: Path, name: str = "digits") -> ModelVersion:
    """A version made of a file."""
    metrics = {"val_loss": 0.25}
    return store.models.register(name, file=path, signature=SIGNATURE, num_params=650, metrics=metrics, run=run, user="ada")


def move(store: Store, version: int, alias: str = "champion", *, model: str = "digits", reason: str = "") -> AliasMove:
    """A move of an alias by somebody who has just looked where it is."""
    seen = store.aliases.standing(model)[model].get(alias)
    return store.aliases.move(model, alias, version, seen=seen, reason=reason, user="ada")


def fill(store: Store) -> None:
    """Three runs, one of which registered two versions; a search; an alias that moved; an archived version."""
    first = train(store, tags={"team": "vision"}, note="line\ttab\x00nul", facts={"seed": 7})
    (first.folder / "tensorboard").mkdir()
    (first.folder / "tensorboard" / "events.1").write_bytes(b"scalars")
    (first.folder / ".partial-abc-last.keras").write_bytes(b"half")
    for content in (b"first", b"second"):
        register(store, first, content=content)
    store.models.archive("digits", 1, reason="worse", user="bob")
    move(store, 2)
    train(store, "other", parent=Parent(id=first.id, ref=first.ref, epoch=2))
    train(store)
    search = search_of(store, 2)
    register(store, search.trials[1], "searched")


def everything(store: Store) -> list[object]:
    """All records, and the content of all files but those that keep records, whose place is told apart."""
    runs = [store.runs.get(run.id) for run in store.runs.list(RunFilter())]
    searches = [store.searches.get(search.id) for search in store.searches.list()]
    members = [*runs, *(trial for search in searches for trial in search.trials)]
    files = {
        path.relative_to(store.home): path.read_bytes()
        for path in store.home.glob("*/**/*")
        if path.is_file() and path.name != NAME
    }
    nowhere = [replace(member, folder=Path()) for member in members]
    versions = [replace(version, path=Path()) for name in store.models.names() for version in store.models.list(name)]
    states = [store.searches.state(search.id) for search in searches]
    moves = [each for name in store.models.names() for each in store.aliases.history(name)]
    return [nowhere, [replace(search, trials=()) for search in searches], states, versions, moves, files]
