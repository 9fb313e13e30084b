"""The line of `%%train` that does a run again: its options, and what `auto` came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.origin import Origin
from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.domain.search import OracleKind
from jupyter_mltrain.domain.spec import Plan, Precision, TrainSpec, flag

_NOT_AGAIN = ("name", "register", "hp", "data_memory", "track", "dry_run")
_EXPRESSIONS = ("data", "validation_data", "sample_weight", "class_weight", "callbacks", "checkpoint_every", "metrics")
_MAGICS = ("%%train", "%%tune")
_KNOWN = {each.name for each in fields(TrainSpec)}

VALUES = "hp_values"
"""The variable that holds the hyperparameters."""


def check_can_be_repeated(run: Run, origin: Origin | None, *, is_own_process: bool) -> None:
    """Raise `OptionError` if a run cannot be written as a cell with all that it hangs on.

    Args:
        run: as it is recorded.
        origin: of it; None where it is not known.
        is_own_process: whether it was trained in one.
    """
    if run.trial and run.options.get("oracle") == OracleKind.HYPERBAND:
        raise OptionError(
            f"expected a run that began anew to reproduce, received {run.ref}, which Hyperband may have begun where another "
            f"ended: train its cell with %%train --hp {run.ref}, and reproduce that run"
        )
    is_call = not run.source.startswith(_MAGICS)
    if is_call and not (origin and origin.call):
        raise OptionError(
            f"expected a run that a cell has made to reproduce, received {run.ref}, which a program made: "
            "the program does it again"
        )
    if is_call and is_own_process:
        raise OptionError(
            f"expected a call that waits for its training to reproduce, received {run.ref}, which was trained in a process of "
            "its own: call train without background and detach"
        )
    if is_call and isinstance(run.options.get("hp"), str):
        raise OptionError(
            f"expected a call with its own hyperparameters to reproduce, received {run.ref}, which takes them from a search: "
            "give hp as a dict"
        )


def name_of(run: Run) -> str:
    """Return what a run is called in the names of files."""
    return run.ref.replace("#", "-").replace("/", "-")


def values_of(run: Run) -> Mapping[str, Any]:
    """Return the hyperparameters that a run was given by `hp`; empty where its cell asks for none."""
    values: Mapping[str, Any] = run.trial.values if run.trial else run.facts.get("hp") or {}
    return values


def body_of(run: Run) -> str:
    """Return the cell below its magic."""
    return run.source.partition("\n")[2]


def line_of(run: Run) -> str:
    """Return what follows `%%train`; nothing for a run that a call made, whose arguments are in its cell."""
    if not run.source.startswith(_MAGICS):
        return ""
    known = {name: value for name, value in run.options.items() if name in _KNOWN and name not in _NOT_AGAIN}
    options = known | dict(_pinned(run))
    name = run.trial.search.partition("#")[0] if run.trial else run.name
    return " ".join([name, *(word for name, value in options.items() for word in _words(name, value))])


def _pinned(run: Run) -> Iterator[tuple[str, Any]]:
    """Yield what the run was trained with, for options that were left to the engine."""
    facts = run.facts.get("reproduction", {})
    if run.parent:
        yield "fork", run.parent.id if run.parent.step else f"{run.parent.id}@{run.parent.epoch}"
    if values_of(run):
        yield "hp", VALUES
    if run.status is RunStatus.PRUNED:
        yield "epochs", len(run.epochs)
    if run.options.get("batch_size") == "auto":
        yield "batch_size", run.facts.get("hyperparams", {}).get("batch_size")
    if run.facts.get("seed") is not None:
        yield "seed", run.facts["seed"]
    if run.options.get("strategy", "auto") == "auto" and run.result:
        yield "strategy", run.result.strategy
    if run.options.get("precision", "auto") == "auto" and facts.get("precision") in set(Precision):
        yield "precision", facts["precision"]
    if run.options.get("plan", "auto") == "auto" and facts.get("plans"):
        yield "plan", _plan(facts["plans"])


def _plan(plans: Sequence[str]) -> str:
    """Return the fastest plan that a phase was trained in: each phase falls back from it as it did from `auto`."""
    return next((plan for plan in (Plan.EPOCH_XLA, Plan.EPOCH, Plan.BLOCK, Plan.KERAS) if plan in plans), Plan.AUTO)


def _words(name: str, value: Any) -> Iterator[str]:
    if name == "tags":
        yield from (f"--tag {_quoted(f'{key}={each}' if each else key)}" for key, each in value.items())
    elif value is True:
        yield flag(name)
    elif value is False:
        yield flag(f"no_{name}")
    elif name in _EXPRESSIONS:
        text = value if isinstance(value, str) else " ".join(value)
        yield f"{flag(name)} {_quoted(text) if ' -' in text else text}"
    elif value is not None:
        yield f"{flag(name)} {_quoted(str(value))}"


def _quoted(text: str) -> str:
    if not any(sign.isspace() for sign in text):
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'


def settings_of(run: Run) -> Mapping[str, Any]:
    """Return what has to be set besides the line: `%config` names to values."""
    return {"data_memory": run.options["data_memory"]} if "data_memory" in run.options else {}
