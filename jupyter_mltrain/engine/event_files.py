"""A run's metrics as TensorBoard reads them: event files in Keras's own layout, and the HParams plugin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

from jupyter_mltrain.domain.run import Epoch, RunStatus

End = tuple[Mapping[str, Any], RunStatus]

_SECONDS_BETWEEN_FLUSHES = 1.0
_MOST = 2**31 - 1  # events and milliseconds: what TensorFlow is given goes to the disk when it is flushed, and not before


class EventFiles:
    """Writes `train/` and `validation/` under a folder: scalar `epoch_<metric>` at step = epoch, from 0.

    A thread of its own writes, so that no training waits for the disk. Where that fails, all epochs are written anew when
    they can be; what `tf.summary` was told in `writing` is lost then.
    """

    def __init__(self, folder: Path, num_before: int = 0) -> None:
        """Take the folder; nothing is written before the first epoch.

        Args:
            folder: of the event files.
            num_before: epochs of a run that goes on; what the files have of later ones counts no more.
        """
        self._folder, self._num_before = folder, num_before
        self._lock, self._writers = Lock(), dict[str, Any]()
        self._epochs: list[Epoch] = []
        self._num_written = 0
        self._trouble: Exception | None = None
        self._end: End | None = None
        self._of_others = set(folder.rglob("events.*"))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mltrain-events")
        self._writing: Future[None] | None = None
        self._begun = 0.0

    def write(self, epoch: Epoch) -> None:
        """Add one epoch."""
        self._epochs.append(epoch)
        is_writing = self._writing is not None and not self._writing.done()
        if not is_writing and monotonic() - self._begun > _SECONDS_BETWEEN_FLUSHES:
            self._begun = monotonic()
            self._writing = self._thread.submit(self._write)

    @contextmanager
    def writing(self, step: int) -> Iterator[None]:
        """Let what `tf.summary` is told go beside the metrics of the training, for an epoch counted from 0."""
        import tensorflow as tf

        try:
            writer = self._writer("train")
        except (OSError, tf.errors.OpError):
            writer = tf.summary.create_noop_writer()
        with ExitStack() as stack:
            stack.enter_context(writer.as_default(step=step))
            yield
            try:
                stack.close()  # which flushes
            except (OSError, tf.errors.OpError) as error:
                self._thread.submit(self._fail, error)

    def close(self, hyperparams: Mapping[str, Any], status: RunStatus) -> None:
        """Tell the HParams plugin what the run was done with and how it ended, and close all files."""
        self._end = hyperparams, status
        self._thread.submit(self._write, self._end).result()
        self._thread.shutdown()

    def write_rest(self) -> None:
        """Write what could not be written, after `close`.

        Raises:
            OSError, tf.errors.OpError: it still cannot be.
        """
        if self._trouble:
            self._write(self._end)
        if self._trouble:
            raise self._trouble

    def _write(self, end: End | None = None) -> None:
        """Write what is not on the disk yet."""
        import tensorflow as tf

        try:
            if self._trouble:
                self._begin_anew()
            epochs = self._epochs[self._num_written :]
            for epoch in epochs:
                self._put(epoch)
            if end:
                self._put_end(*end)
            for writer in self._writers.values():
                writer.close() if end else writer.flush()
        except (OSError, tf.errors.OpError) as error:
            self._fail(error)
        else:
            self._trouble = None
            self._num_written += len(epochs)

    def _fail(self, error: Exception) -> None:
        self._trouble = error
        with self._lock:
            self._writers = {}

    def _begin_anew(self) -> None:
        """Remove files that may be torn."""
        for file in set(self._folder.rglob("events.*")) - self._of_others:
            file.unlink()
        self._num_written = 0

    def _put(self, epoch: Epoch) -> None:
        import tensorflow as tf

        for name, value in epoch.metrics.items():
            with self._writer("validation" if name.startswith("val_") else "train").as_default(step=epoch.number - 1):
                tf.summary.scalar(f"epoch_{name.removeprefix('val_')}", value)

    def _put_end(self, hyperparams: Mapping[str, Any], status: RunStatus) -> None:
        import tensorflow as tf
        from tensorboard.plugins.hparams import api_pb2, summary

        plain = {name: value for name, value in hyperparams.items() if isinstance(value, bool | int | float | str)}
        ended = api_pb2.STATUS_FAILURE if status is RunStatus.FAILED else api_pb2.STATUS_SUCCESS
        with self._writer("").as_default(step=0):
            tf.summary.experimental.write_raw_pb(summary.session_start_pb(plain).SerializeToString())
            tf.summary.experimental.write_raw_pb(summary.session_end_pb(ended).SerializeToString())

    def _writer(self, part: str) -> Any:
        with self._lock:
            if part not in self._writers:
                self._writers[part] = self._new_writer(part)
            return self._writers[part]

    def _new_writer(self, part: str) -> Any:
        import tensorflow as tf
        from tensorboard.compat.proto import event_pb2

        writer = tf.summary.create_file_writer(str(self._folder / part), max_queue=_MOST, flush_millis=_MOST)
        # The second of these in the files of a part, and each after it, makes TensorBoard forget the steps from its own on.
        begun = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        event = event_pb2.Event(step=self._num_before, session_log=begun).SerializeToString()
        tf.raw_ops.ImportEvent(writer=writer._resource, event=event)  # noqa: SLF001
        return writer
