"""A run's metrics as TensorBoard reads them: event files in Keras's own layout, and the HParams plugin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from jupyter_mltrain.domain.run import Epoch, RunStatus

_SECONDS_BETWEEN_FLUSHES = 1.0


class EventFiles:
    """Writes `train/` and `validation/` under a folder: scalar `epoch_<metric>` at step = epoch, from 0."""

    def __init__(self, folder: Path, num_before: int = 0) -> None:
        """Take the folder; nothing is written before the first epoch.

        Args:
            folder: of the event files.
            num_before: epochs of a run that goes on; what the files have of later ones counts no more.
        """
        self._folder, self._num_before = folder, num_before
        self._writers: dict[str, Any] = {}
        self._flushed = 0.0

    def write(self, epoch: Epoch) -> None:
        """Add one epoch."""
        import tensorflow as tf

        for name, value in epoch.metrics.items():
            writer = self._writer("validation" if name.startswith("val_") else "train")
            with writer.as_default(step=epoch.number - 1):
                tf.summary.scalar(f"epoch_{name.removeprefix('val_')}", value)
        if monotonic() - self._flushed > _SECONDS_BETWEEN_FLUSHES:
            self._flushed = monotonic()
            for writer in self._writers.values():
                writer.flush()

    @contextmanager
    def writing(self, step: int) -> Iterator[None]:
        """Let what `tf.summary` is told go beside the metrics of the training, for an epoch counted from 0."""
        with self._writer("train").as_default(step=step):
            yield

    def close(self, hyperparams: Mapping[str, Any], status: RunStatus) -> None:
        """Tell the HParams plugin what the run was done with and how it ended, and close all files."""
        import tensorflow as tf
        from tensorboard.plugins.hparams import api_pb2, summary

        plain = {name: value for name, value in hyperparams.items() if isinstance(value, bool | int | float | str)}
        ended = api_pb2.STATUS_FAILURE if status is RunStatus.FAILED else api_pb2.STATUS_SUCCESS
        with self._writer("").as_default(step=0):
            tf.summary.experimental.write_raw_pb(summary.session_start_pb(plain).SerializeToString())
            tf.summary.experimental.write_raw_pb(summary.session_end_pb(ended).SerializeToString())
        for writer in self._writers.values():
            writer.close()

    def _writer(self, part: str) -> Any:
        import tensorflow as tf
        from tensorboard.compat.proto import event_pb2

        if part not in self._writers:
            writer = self._writers[part] = tf.summary.create_file_writer(str(self._folder / part))
            # The second of these in the files of a part, and each after it, makes TensorBoard forget the steps from its own on.
            begun = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            event = event_pb2.Event(step=self._num_before, session_log=begun).SerializeToString()
            tf.raw_ops.ImportEvent(writer=writer._resource, event=event)  # noqa: SLF001
        return self._writers[part]
