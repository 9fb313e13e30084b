"""The error tree: one class a kind of trouble, one sentence a message.

A message says what was expected, what was received and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MLTrainError(Exception):
    """Anything that this package reports by itself; catch it to catch them all."""


class OptionError(MLTrainError):
    """An option, a sub-command or a value on the line is not one that exists."""


class UnknownNameError(MLTrainError):
    """A name (variable, run, model, metric) stands for nothing."""


class ModelError(MLTrainError):
    """There is no model to train, or more than one, or it does not fit what was asked."""


class TooLargeError(ModelError):
    """The model cannot be trained in the memory that there is."""


class DataError(MLTrainError):
    """The data cannot be trained on: empty, misshapen, or not finite."""


class DivergedError(MLTrainError):
    """The loss became NaN or infinite."""


class DeviceError(MLTrainError):
    """The machine lacks a device that was asked for."""


class RunFailedError(MLTrainError):
    """A training in a process of its own failed, or its process died."""


class SearchError(MLTrainError):
    """A search came to nothing: its trials fail one after the other."""


class StoreError(MLTrainError):
    """The home cannot be read or written."""


class StoreDamagedError(StoreError):
    """The database holds what cannot have been written so."""


class StoreAwayError(StoreError):
    """The home cannot be reached or written at the moment, nothing was written; it may be possible later."""


class ConflictError(MLTrainError):
    """Somebody else has changed meanwhile what was to be changed."""


class ModelFileError(MLTrainError):
    """A stored model is missing, damaged, or needs classes that are not at hand."""


class BoardError(MLTrainError):
    """TensorBoard does not start or cannot be stopped."""


class ReproductionError(MLTrainError):
    """A run's script ends before its training does."""


class MissingExtraError(MLTrainError):
    """An optional package is needed and not installed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `": did you mean x_train?"` for a near miss, else what there is, ready to end a message.

    Args:
        name: what was received.
        known: the names that exist; at most ten are listed when none is near.
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.7)
    if near:
        return f": did you mean {' or '.join(near)}?"
    if not names:
        return ": there is none yet"
    shown = ", ".join(names[:10])
    return f": there is {shown}" + (f" and {len(names) - 10} more" if len(names) > 10 else "")
