"""What `%config MLTrain` sets."""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Enum, Float, Int, Unicode
from traitlets.config import Configurable

from jupyter_mltrain.domain.spec import Plan, Precision


class MLTrain(Configurable):
    """Settings of the extension; options on a line win over them, they win over `[tool.jupyter_mltrain]`."""

    home = Unicode("", help="Folder of runs and models; empty: $MLTRAIN_HOME, else the project's, else .mltrain here.").tag(
        config=True
    )
    store = Unicode("", help="URL of a shared PostgreSQL database; empty: $MLTRAIN_STORE, else the project's, else SQLite.").tag(
        config=True
    )
    artifacts = Unicode(
        "", help="URL of a folder for the files of a shared database; empty: $MLTRAIN_ARTIFACTS, else the project's, else none."
    ).tag(config=True)
    short_errors = Bool(True, help="Show one line for an error of ours, and the user's own lines for the user's.").tag(
        config=True
    )
    live = Bool(True, help="Show the live view while a cell trains, and %runs and %models alive.").tag(config=True)
    strategy = Unicode(None, allow_none=True, help="Default of --strategy.").tag(config=True)
    precision = Enum([each.value for each in Precision], None, allow_none=True, help="Default of --precision.").tag(config=True)
    plan = Enum([each.value for each in Plan], None, allow_none=True, help="Default of --plan.").tag(config=True)
    seed = Int(None, allow_none=True, help="Default of --seed.").tag(config=True)
    data_memory = Float(
        None, allow_none=True, min=0, max=1, help="Share of the device's free memory that data may take as tensors: 0.25."
    ).tag(config=True)

    def training_defaults(self) -> dict[str, Any]:
        """Return the settings that are defaults of `%%train` options, as far as they are set."""
        values = {name: getattr(self, name) for name in ("strategy", "precision", "plan", "seed", "data_memory")}
        return {name: value for name, value in values.items() if value is not None}
