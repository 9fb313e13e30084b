"""Estimate: what the training of a cell would need."""

from __future__ import annotations

from jupyter_mltrain.domain.estimate import Estimate
from jupyter_mltrain.domain.spec import Cell, TrainSpec
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.services.hyperparameters import trial_values
from jupyter_mltrain.services.session import Session


def estimate(session: Session, spec: TrainSpec, cell: Cell) -> Estimate:
    """Run a cell up to its first `fit` and say what that would need; nothing is trained, nothing is recorded.

    Args:
        session: where the searches are.
        spec: what the line asks for.
        cell: the body and its namespace.

    Raises:
        MLTrainError: what was asked cannot be done, or does not fit.
        Exception: whatever the body raises, unchanged.
    """
    with Interrupts() as interrupts:
        from jupyter_mltrain.engine.rehearsal import rehearse

        values = trial_values(session, spec.hp, spec.name) if spec.hp else None
        return rehearse(spec, cell, interrupts=interrupts, values=values)
