"""Train Keras models from a notebook: `%load_ext jupyter_mltrain`."""

from __future__ import annotations

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """Load the magics into IPython; imports none of TensorFlow, Keras, pandas and SQLAlchemy."""
    from jupyter_mltrain.magics.extension import load

    load(shell)
