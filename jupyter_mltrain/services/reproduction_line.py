"""The line of `%%train` that does a run again: its options, and what `auto` came to."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.spec import Plan, Precision, flag

_NOT_AGAIN = ("name", "register", "hp", "data_memory", "track", "dry_run")
_EXPRESSIONS = ("data", "validation_data", "sample_weight", "class_weight", "callbacks", "checkpoint_every", "metrics")
_MAGIC = "%%train"


def check_can_be_repeated(run: Run) -> None:
    """Raise `OptionError` if a run cannot be written as a cell with all that it hangs on."""
    if run.trial:
        raise OptionError(
            f"expected a run of %%train to reproduce, received the trial {run.ref}: train its cell with %%train --hp {run.ref}, "
            "and reproduce that run"
        )
    if run.parent:
        raise OptionError(
            f"expected a run that began anew to reproduce, received {run.ref}, which begins with weights of {run.parent.ref}: "
            "reproduce that run, and fork it"
        )
    if not run.source.startswith(_MAGIC):
        raise OptionError(
            f"expected a run of %%train to reproduce, received {run.ref}, which jupyter_mltrain.train made: "
            "the program that called it does it again"
        )
    if run.options.get("hp") and not takes_hp(run):
        raise OptionError(
            f"expected a cell that names its hyperparameters itself, received {run.ref}, whose --hp went to a function of hp: "
            "write the values into the function, and train again"
        )


def takes_hp(run: Run) -> bool:
    """Tell whether the cell itself speaks of `hp`, and no function of it takes one."""
    try:
        nodes = list(ast.walk(ast.parse(body_of(run))))
    except SyntaxError:  # it has magics in it
        return bool(run.facts.get("hp"))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return "hp" in names and not any(isinstance(node, ast.arg) and node.arg == "hp" for node in nodes)


def body_of(run: Run) -> str:
    """Return the cell below its magic."""
    return run.source.partition("\n")[2]


def line_of(run: Run) -> str:
    """Return what follows `%%train`."""
    options = {name: value for name, value in run.options.items() if name not in _NOT_AGAIN} | dict(_pinned(run))
    return " ".join([run.name, *(word for name, value in options.items() for word in _words(name, value))])


def _pinned(run: Run) -> Iterator[tuple[str, Any]]:
    """Yield what the run was trained with, for options that were left to the engine."""
    facts = run.facts.get("reproduction", {})
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
