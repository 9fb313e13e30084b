"""Train Keras models from a notebook: `%load_ext jupyter_mltrain`, or from Python: `jupyter_mltrain.train(...)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_mltrain.api import TrainForm, load_model, models, runs, searches, train, tune
    from jupyter_mltrain.domain.errors import MLTrainError

__all__ = ["MLTrainError", "TrainForm", "load_model", "models", "runs", "searches", "train", "tune"]


def load_ipython_extension(shell: Any) -> None:
    """Load the magics into IPython; imports none of TensorFlow, Keras, pandas and SQLAlchemy."""
    from jupyter_mltrain.magics.extension import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Make room for loading again."""
    from jupyter_mltrain.magics.extension import unload

    unload(shell)


def __getattr__(name: str) -> Any:
    """Import what is public at its first use, so that the extension loads quickly."""
    if name == "MLTrainError":
        from jupyter_mltrain.domain.errors import MLTrainError

        return MLTrainError
    if name in __all__:
        from jupyter_mltrain import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
