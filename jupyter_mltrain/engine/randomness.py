"""Seeds, and leaving the user's random generators alone."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
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


class Seeds:
    """Seeds as `seed_all` does, again and again, while it is entered, and spares TensorFlow's kernels where it can.

    To be seeded TensorFlow takes apart every function that it has prepared to run: 0.2 s for those of a small model. It must
    only where an operation with a state of its own was made since, and those ask for their seeds.
    """

    def __init__(self) -> None:
        """Start with nothing seeded."""
        self._is_fresh = False
        self._stack = ExitStack()

    def __enter__(self) -> Seeds:
        """Begin to watch who asks TensorFlow for seeds."""
        from tensorflow.python.framework import random_seed

        original = random_seed.get_seed

        def get_seed(op_seed: Any) -> Any:
            self._is_fresh = False
            return original(op_seed)

        random_seed.get_seed = get_seed
        self._stack.callback(setattr, random_seed, "get_seed", original)
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no longer."""
        self._stack.close()

    def seed_all(self, spec: TrainSpec) -> int | None:
        """Do what `seed_all` does."""
        if not self._is_fresh or spec.seed is None or spec.deterministic:
            seed = seed_all(spec)
            self._is_fresh = seed is not None
            return seed
        import numpy as np
        from keras.src.backend.common.global_state import set_global_attribute
        from tensorflow.python.eager.context import context

        random.seed(spec.seed)
        np.random.seed(spec.seed)
        set_global_attribute("global_random_seed", spec.seed)
        set_global_attribute("global_seed_generator", None)
        vars(context()).update(_seed=spec.seed, _rng=random.Random(spec.seed))  # noqa: S311
        return spec.seed


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


def states() -> dict[str, Any]:
    """Return the states of all random generators that Python code may draw from: Python's, NumPy's, TensorFlow's and Keras's."""
    import numpy as np
    from keras.src.backend.common.global_state import get_global_attribute
    from tensorflow.python.eager.context import context

    generator = get_global_attribute("global_seed_generator")
    drawing = vars(context()).get("_rng")
    return {
        "keras": None if generator is None else generator.state.value.numpy(),
        "tensorflow": drawing and drawing.getstate(),
        "numpy": np.random.get_state(),
        "python": random.getstate(),
    }


def set_states(before: Mapping[str, Any]) -> None:
    """Let all random generators go on from where `states` found them."""
    import numpy as np
    from keras.src.backend.common.global_state import set_global_attribute
    from keras.src.random.seed_generator import global_seed_generator
    from tensorflow.python.eager.context import context

    if before["keras"] is None:
        set_global_attribute("global_seed_generator", None)
    else:
        global_seed_generator().state.assign(before["keras"])
    drawing = vars(context()).get("_rng")
    if drawing is not None and before["tensorflow"] is not None:
        drawing.setstate(before["tensorflow"])
    np.random.set_state(before["numpy"])
    random.setstate(before["python"])


def seeds() -> dict[str, Any]:
    """Return the seeds that TensorFlow and Keras were given for all that they draw; None where they were given none."""
    from keras.src.backend.common.global_state import get_global_attribute
    from tensorflow.python.eager.context import context

    return {"keras": get_global_attribute("global_random_seed"), "tensorflow": vars(context()).get("_seed")}


def set_seeds(before: Mapping[str, Any]) -> None:
    """Give TensorFlow and Keras the seeds that `seeds` found; `set_states` has to follow."""
    import tensorflow as tf
    from keras.src.backend.common.global_state import set_global_attribute

    set_global_attribute("global_random_seed", before["keras"])
    if before["tensorflow"] is not None:
        tf.random.set_seed(before["tensorflow"])
