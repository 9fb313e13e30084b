"""The fields of the forms: what each is called, and which option of the magic it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

TARGETS = {"data": "targets", "validation_data": "validation_targets"}
"""Which field has the targets of an array."""


class Tuning(StrEnum):
    """How a search is told where to look."""

    INT = "Int"  # whole numbers from one to another
    FLOAT = "Float"  # numbers from one to another
    CHOICE = "Choice"  # values of a list


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        name: of the option as `jupyter_mltrain.train` has it.
        flag: that it writes on the line; empty for what goes elsewhere in the cell.
        is_listed: only what is listed can be chosen.
        takes_many: several words are several values.
        tuning: under `%%tune` its value can be searched for.
        hint: what it is, where no option's manual says it.
    """

    name: str
    flag: str
    label: str
    group: str
    is_listed: bool = False
    takes_many: bool = False
    tuning: Tuning | None = None
    hint: str = ""

    def option(self, value: str) -> str:
        """Return what stands on the line for a value."""
        return f"{self.flag} {value if self.takes_many else _quoted(value)}".strip()


_TRAINING = (
    Field("data", "--data", "Data", "Data", is_listed=True, takes_many=True),
    Field("targets", "", "Targets", "Data", is_listed=True, hint="an array with as many rows as the data"),
    Field("target", "--target", "Target column", "Data", is_listed=True),
    Field("validation_data", "--val", "Validation data", "Data", is_listed=True, takes_many=True),
    Field("validation_targets", "", "Validation targets", "Data", is_listed=True, hint="an array with as many rows"),
    Field("validation_split", "--validation-split", "Share held back", "Data"),
    Field("model", "", "Model", "Model", is_listed=True, hint="a function or class that builds a model, or a model"),
    Field("optimizer", "--optimizer", "Optimizer", "Model", tuning=Tuning.CHOICE),
    Field("loss", "--loss", "Loss", "Model"),
    Field("metrics", "--metrics", "Metrics", "Model", takes_many=True),
    Field("epochs", "--epochs", "Epochs", "Training", tuning=Tuning.INT),
    Field("batch_size", "--batch-size", "Batch size", "Training", tuning=Tuning.CHOICE),
    Field("learning_rate", "--lr", "Learning rate", "Training", tuning=Tuning.FLOAT),
    Field("early_stop", "--early-stop", "Early stop", "Training"),
    Field("seed", "--seed", "Seed", "Training"),
    Field("strategy", "--strategy", "Strategy", "Engine"),
    Field("precision", "--precision", "Precision", "Engine", is_listed=True),
    Field("plan", "--plan", "Plan", "Engine", is_listed=True),
)
_RECORD = (
    Field("name", "", "Name", "Record"),
    Field("register", "--register", "Register as", "Record"),
)
_SEARCH = (
    Field("trials", "--trials", "Trials", "Search"),
    Field("oracle", "--oracle", "Oracle", "Search", takes_many=True),
    Field("objective", "--objective", "Objective", "Search"),
    Field("max_time", "--max-time", "Time limit", "Search"),
)

FIELDS: Mapping[str, tuple[Field, ...]] = {
    "%%train": (*_TRAINING, *_RECORD),
    "%%tune": (*_SEARCH, *_TRAINING, *_RECORD),
}
"""By the magic, in the order in which they are shown."""


def names(magic: str) -> list[str]:
    """Return what a form's values are called: a field, and for one that can be tuned `tuned`, and where to look."""
    return [name for field in FIELDS[magic] for name in (field.name, *tuning_names(magic, field))]


def tuning_names(magic: str, field: Field) -> tuple[str, ...]:
    """Return what the values are called that say whether and where a field is searched for."""
    if magic != "%%tune" or field.tuning is None:
        return ()
    where = ("values",) if field.tuning is Tuning.CHOICE else ("from", "to")
    return tuple(f"{field.name}_{each}" for each in ("tuned", *where))


def _quoted(value: str) -> str:
    """Return a value as one word of a line."""
    if not any(sign in "\"'" or sign.isspace() for sign in value):
        return value
    return f"'{value}'" if '"' in value else f'"{value}"'
