"""Steps that count for nothing: whatever they change comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from jupyter_mltrain.engine.plans.program import Program
from jupyter_mltrain.engine.randomness import untouched


@contextmanager
def restored(program: Program) -> Iterator[None]:
    """Let steps of a program be tried, and put every variable back that they can change, bit for bit.

    That is all that the program's graph reads or writes: weights, the states of every optimizer, metrics, the seeds of random
    layers. So are Python's and NumPy's random generators, which a user's pipeline may draw from.

    Args:
        program: it is traced, so the variables that a first step makes are there, with their first values.
    """
    kept = [(handle, tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)) for handle, dtype in program.variables]
    try:
        with untouched():
            yield
    finally:
        for handle, value in kept:
            tf.raw_ops.AssignVariableOp(resource=handle, value=value)
