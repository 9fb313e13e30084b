"""Seeds, and leaving the user's random generators alone."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_mltrain.domain.spec import TrainSpec


def seed_all(spec: TrainSpec) -> int | None:
    """Seed Python, NumPy, TensorFlow and Keras as asked, and turn on op determinism as asked.

    Returns:
        the seed; None where none was asked for, and then nothing is touched. `--deterministic` alone draws one, since
        TensorFlow's deterministic operations refuse to run unseeded.
    """
    seed = secrets.randbelow(2**31) if spec.seed is None and spec.deterministic else spec.seed
    if seed is not None:
        import keras

        keras.utils.set_random_seed(seed)
    if spec.deterministic:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    return seed


@contextmanager
def untouched() -> Iterator[None]:
    """Run code of ours that may draw random numbers, and put Python's and NumPy's generators back after it.

    Keras draws the seeds of its layers from Python's generator, so that loading a model would move it.
    """
    import numpy as np

    python: Any = random.getstate()
    numpy: Any = np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
