"""Forms from Python."""

from __future__ import annotations

import sys
from typing import Any

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.form import FormKind
from jupyter_mltrain.domain.spec import chosen


class TrainForm:
    """What `%mltrain form` shows, as the value of a cell: a form over the notebook's variables.

    Args:
        kind: `train`, or `tune` for a search.
        values: what the fields begin with, by the names of `train`'s and `tune`'s arguments: `TrainForm(epochs=20,
            optimizer="sgd")`. Data and models are named as variables: `data="x_train"`, `targets="y_train"`,
            `model="build()"`. What a search looks for is `learning_rate_tuned="yes"` with `learning_rate_from` and
            `learning_rate_to`, or `optimizer_tuned="yes"` with `optimizer_values="adam, sgd"`.

    Attributes:
        cell: the text of the cell that it stands for, as it is filled in.

    Raises:
        OptionError: there is no such field, or no notebook in which the extension is loaded.
        UnknownNameError: the notebook has no such data or model.
    """

    def __init__(self, kind: str = "train", **values: Any) -> None:
        from jupyter_mltrain.magics.extension import settings_of
        from jupyter_mltrain.magics.form import form_magic
        from jupyter_mltrain.widgets.form_state import FormState

        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        settings = settings_of(shell) if shell else None
        if settings is None:
            raise OptionError("expected a notebook for a form, received none with the extension: run %load_ext jupyter_mltrain")
        self._settings = settings
        self._state = FormState(form_magic(shell, settings, chosen("kind", FormKind, kind)), values)

    @property
    def cell(self) -> str:
        """The text of the cell that it stands for."""
        self._state.look()
        return self._state.cell.text

    def __repr__(self) -> str:
        from jupyter_mltrain.widgets.form_view import form_page

        return form_page(self._state).text()

    def _ipython_display_(self) -> None:
        from jupyter_mltrain.widgets.form_view import FormView

        FormView(self._state, live=self._settings.live).show()
