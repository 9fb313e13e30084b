"""What a form can offer: the data and the models that a notebook has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FormKind(StrEnum):
    """Which cell a form is for."""

    TRAIN = "train"
    TUNE = "tune"


class DataKind(StrEnum):
    """Where the targets of data are."""

    ARRAY = "array"  # in another array
    FRAME = "frame"  # in one of its columns
    WHOLE = "whole"  # in itself


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChoice:
    """A variable that can be trained on.

    Attributes:
        rows: how many, None where it cannot be told without reading them.
        shown: what it is, in words.
        columns: of a frame.
        is_vector: one number a row, as targets are.
    """

    name: str
    kind: DataKind
    rows: int | None
    shown: str
    columns: tuple[str, ...] = ()
    is_vector: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """An expression that gives a Keras model.

    Attributes:
        code: `net`, `build()` or `build(hp)`.
        shown: what it is, in words.
        is_new: whether each evaluation gives a new model, as a search needs.
    """

    code: str
    shown: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """All that can be chosen from, the newest first; models that are made anew before those that go on."""

    data: tuple[DataChoice, ...] = ()
    models: tuple[ModelChoice, ...] = ()
