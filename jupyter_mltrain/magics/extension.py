"""What `%load_ext jupyter_mltrain` does."""

from __future__ import annotations

from typing import Any

from jupyter_mltrain.magics.complete import IDENTIFIER, complete_lines
from jupyter_mltrain.magics.devices import DevicesMagics
from jupyter_mltrain.magics.display import show_records
from jupyter_mltrain.magics.errors import show_ours_short
from jupyter_mltrain.magics.mltrain import MLTrainMagics
from jupyter_mltrain.magics.models import ModelsMagics
from jupyter_mltrain.magics.runs import RunsMagics
from jupyter_mltrain.magics.settings import MLTrain
from jupyter_mltrain.magics.train import TrainMagics
from jupyter_mltrain.magics.tune import TuneMagics
from jupyter_mltrain.services.session import Session

_MAGICS = (TrainMagics, TuneMagics, RunsMagics, ModelsMagics, DevicesMagics, MLTrainMagics)


def load(shell: Any) -> None:
    """Make the session and the settings, and register the magics, their completion and what records look like."""
    settings = MLTrain(parent=shell)
    show_ours_short(shell, settings)
    session = Session(settings.home, settings.store, settings.artifacts)
    settings.observe(lambda change: setattr(session, "home", change["new"]), "home")
    settings.observe(lambda change: setattr(session, "address", change["new"]), "store")
    settings.observe(lambda change: setattr(session, "artifacts", change["new"]), "artifacts")
    shell.configurables.append(settings)
    magics = [each(shell, session, settings) for each in _MAGICS]
    shell.register_magics(*magics)
    complete_lines(shell, session, magics)
    show_records(shell, session)


def unload(shell: Any) -> None:
    """Take away what a second `load` would add beside the first: `%reload_ext` begins with this."""
    session = session_of(shell)
    if session is not None:
        session.close()
        shell.magics_manager.registry[TrainMagics.__name__].history.close()
    shell.configurables[:] = [each for each in shell.configurables if not isinstance(each, MLTrain)]
    matchers = shell.Completer.custom_matchers
    matchers[:] = [each for each in matchers if getattr(each, "matcher_identifier", None) != IDENTIFIER]


def session_of(shell: Any) -> Session | None:
    """Return the session of a shell in which the extension is loaded, else None."""
    magics = shell.magics_manager.registry.get(RunsMagics.__name__)
    return magics.session if magics else None


def settings_of(shell: Any) -> MLTrain | None:
    """Return the settings of a shell in which the extension is loaded, else None."""
    return next((each for each in shell.configurables if isinstance(each, MLTrain)), None)
