"""What `%load_ext jupyter_mltrain` does."""

from __future__ import annotations

from typing import Any

from jupyter_mltrain.magics.settings import MLTrain
from jupyter_mltrain.magics.train import TrainMagics
from jupyter_mltrain.services.session import Session


def load(shell: Any) -> None:
    """Make the session and the settings, and register the magics."""
    settings = MLTrain(parent=shell)
    session = Session(settings.home)
    settings.observe(lambda change: setattr(session, "home", change["new"]), "home")
    shell.configurables.append(settings)
    shell.register_magics(TrainMagics(shell, session, settings))
