"""What one training of a cell is done with besides its spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mltrain.domain.events import OnEvent, TrainControl
from jupyter_mltrain.domain.spec import TrainSpec
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.engine.randomness import seed_all

if TYPE_CHECKING:
    from jupyter_mltrain.engine.checkpoints.checkpoint import Resumption
    from jupyter_mltrain.engine.checkpoints.forking import Fork
    from jupyter_mltrain.engine.checkpoints.keeper import Keeper
    from jupyter_mltrain.engine.plans.sharing import Programs
    from jupyter_mltrain.engine.tuning.hyperparameters import HyperParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one training of a cell is done with besides its spec.

    Attributes:
        folder: where models and TensorBoard's files go; None writes nothing.
        on_event: told what happens, in this thread.
        control: asked between two steps whether to end.
        interrupts: entered by the caller.
        hp: hyperparameters for a body that asks for some.
        keeps: asked with the best epoch's metrics whether to write the models.
        seeds: seeds all random generators as the spec asks.
        programs: where the programs of models that are made alike are kept; None for those of this process.
        weights: a model's file whose weights the first `fit` begins with.
        keeper: of checkpoints; None where none are taken.
        resumption: where a run goes on; None for one that begins.
        num_before: epochs of what the run was forked from.
        fork: what the first `fit` begins with, if that is a state of another run.
    """

    folder: Path | None
    on_event: OnEvent
    control: TrainControl
    interrupts: Interrupts
    hp: HyperParameters | None = None
    keeps: Callable[[Mapping[str, float]], bool] = lambda _metrics: True
    seeds: Callable[[TrainSpec], int | None] = seed_all
    programs: Programs | None = None
    weights: Path | None = None
    keeper: Keeper | None = None
    resumption: Resumption | None = None
    num_before: int = 0
    fork: Fork | None = None
