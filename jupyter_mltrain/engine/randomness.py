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


@contextmanager
def all_untouched() -> Iterator[None]:
    """Run code of the user that may draw random numbers or seed, and put the generators of TensorFlow and Keras back too."""
    with untouched(), _tensorflow_untouched(), _keras_untouched():
        yield


@contextmanager
def _tensorflow_untouched() -> Iterator[None]:
    """Put back what eager operations and tf.data draw their seeds from."""
    from tensorflow.python.eager.context import context

    eager = context()
    before = {name: vars(eager)[name] for name in ("_seed", "_rng") if name in vars(eager)}  # no generator before a first seed
    generator = before.get("_rng")
    state = generator and generator.getstate()
    try:
        yield
    finally:
        vars(eager).pop("_rng", None)
        vars(eager).update(before)
        if generator is not None and generator.getstate() != state:
            generator.setstate(state)
            eager.clear_kernel_cache()  # operations that were given a seed count on from where they are


@contextmanager
def _keras_untouched() -> Iterator[None]:
    """Put back what `keras.random` draws from where it is given no seed."""
    from keras.src.backend.common.global_state import get_global_attribute, set_global_attribute

    before = {name: get_global_attribute(name) for name in ("global_seed_generator", "global_random_seed")}
    generator = before["global_seed_generator"]
    state = None if generator is None else generator.state.numpy()
    try:
        yield
    finally:
        for name, value in before.items():
            set_global_attribute(name, value)
        if generator is not None:
            generator.state.assign(state)
