"""The registry's records: a model is a name, a version an immutable entry under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """Name, shape and dtype of one input or output; None in the shape is any length."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def __str__(self) -> str:
        """`image (?, 8, 8, 1) float32`."""
        sides = ", ".join("?" if side is None else str(side) for side in self.shape)
        return f"{self.name} ({sides}{',' if len(self.shape) == 1 else ''}) {self.dtype}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a model takes and gives; empty where the model was never built."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Archival:
    """Since when a version is out of use, who said so and why."""

    at: datetime  # with time zone
    user: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One registered model file; what it holds never changes, where its aliases are is as it was read.

    Attributes:
        version: counts from 1 under `name`, never reused.
        path: the file, `.keras`, or `.weights.h5` where the model cannot be saved whole.
        sha256: of the file; `size` in bytes.
        run_id, run_ref: the run that made it.
        metrics: of the epoch whose weights it holds.
        aliases: that stand for it, sorted.
        archived: since when it is left out of lists and may get no alias; None for one that is in use.
    """

    name: str
    version: int
    path: Path
    sha256: str
    size: int
    signature: Signature
    num_params: int
    metrics: Mapping[str, float]
    run_id: str
    run_ref: str
    user: str
    created_at: datetime  # with time zone
    aliases: tuple[str, ...] = ()
    archived: Archival | None = None

    @property
    def ref(self) -> str:
        """`digits@3`."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether a version's file is what was registered.

    Attributes:
        trouble: what is wrong and what to do; empty if nothing is.
    """

    version: ModelVersion
    trouble: str
