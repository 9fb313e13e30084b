"""What checkpoints cost: how long a training takes that takes them as often as is cheap, over one that takes none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Any

_ROWS = 10_000


def measure(*, seconds: float, num_rounds: int) -> Iterator[tuple[str, str]]:
    """Yield for a small and a large model the medians of the training's own duration, with and without checkpoints.

    Args:
        seconds: about how long a training is to take.
        num_rounds: how often each of the two is done, in turn.
    """
    from jupyter_mltrain.services.session import Session

    with tempfile.TemporaryDirectory() as home:
        session = Session(home)
        for name, width in (("MLP of 3 thousand weights", 32), ("MLP of a million weights", 1024)):
            _train(session, width, epochs=1, every="never")
            few, more = (_train(session, width, epochs=epochs, every="never") for epochs in (2, 8))
            epochs = max(5, round(seconds / max(0.001, (more - few) / 6)))
            rounds = [
                [_train(session, width, epochs=epochs, every=every) for every in ("never", None)] for _ in range(num_rounds)
            ]
            without, taken = map(median, zip(*rounds, strict=True))
            yield (
                f"checkpoints, {name}, {epochs} epochs",
                f"{taken:.1f} s with them, {without:.1f} s without: {taken / without:.3f}",
            )
        session.close()


def _train(session: Any, width: int, *, epochs: int, every: str | None) -> float:
    """Return the seconds of one training by the wall."""
    from jupyter_mltrain.api.training import Body
    from jupyter_mltrain.domain.events import TrainControl
    from jupyter_mltrain.domain.spec import Plan, TrainSpec
    from jupyter_mltrain.services.training import train

    def body() -> None:
        import keras
        import numpy as np
        from keras import layers

        x = np.random.default_rng(1).normal(size=(_ROWS, 64)).astype("float32")
        y = (x.mean(axis=1) > 0).astype("int32")
        hidden = [layers.Dense(width, "relu"), layers.Dropout(0.1), layers.Dense(width, "relu")]
        model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(2, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=epochs, batch_size=128)

    spec = TrainSpec(seed=1, plan=Plan.EPOCH, checkpoint_every=every)
    started = perf_counter()
    train(session, spec, Body(body), on_event=lambda _event: None, control=TrainControl())
    return perf_counter() - started
