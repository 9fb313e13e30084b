"""`%mltrain form`: a form for a `%%train` or a `%%tune` cell."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_mltrain.domain.form import FormKind
from jupyter_mltrain.magics.complete import KNOWN
from jupyter_mltrain.magics.options import flags, parse, positionals
from jupyter_mltrain.magics.settings import MLTrain
from jupyter_mltrain.magics.train import TrainMagics
from jupyter_mltrain.magics.training_options import train_spec
from jupyter_mltrain.magics.tune import TuneMagics, search_spec
from jupyter_mltrain.magics.variables import choices
from jupyter_mltrain.widgets.form_state import Magic

_MAGICS: Mapping[FormKind, tuple[Callable[..., None], Callable[[Mapping[str, Any], MLTrain], object]]] = {
    FormKind.TRAIN: (TrainMagics.train, train_spec),
    FormKind.TUNE: (TuneMagics.tune, search_spec),
}


def form_magic(shell: Any, settings: MLTrain, kind: FormKind) -> Magic:
    """Return the cell magic that a form is for, over the notebook's variables.

    Args:
        shell: runs the cell that the form stands for.
        settings: of the notebook.
        kind: of the cell.
    """
    magic, spec = _MAGICS[kind]
    namespace = shell.user_ns

    def check(line: str) -> None:
        spec(vars(parse(magic, line, namespace)), settings)

    return Magic(
        name=f"%%{kind}",
        choices=lambda: choices(namespace, shell.user_ns_hidden),
        check=check,
        run=lambda cell: bool(shell.run_cell(cell, store_history=True).success),
        hints=_hints(magic.parser),  # type: ignore[attr-defined]
        values=_values(magic.parser),  # type: ignore[attr-defined]
    )


def _hints(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return what the manual says, by the option; of the argument without one by its name."""
    actions = {**flags(parser), **{action.dest: action for action in positionals(parser)}}
    return {name: (action.help or "").replace("%%", "%") for name, action in actions.items()}


def _values(parser: argparse.ArgumentParser) -> dict[str, tuple[str, ...]]:
    """Return what Tab offers for the value of an option, of those where that does not hang on the notebook."""
    known = {flag: tuple(map(str, action.choices or KNOWN.get(action.dest, ()))) for flag, action in flags(parser).items()}
    return {flag: values for flag, values in known.items() if values}
