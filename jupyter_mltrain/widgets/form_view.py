"""A form in a cell: alive where there is a kernel, and the cell that it stands for in the saved notebook."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.widgets.cell_output import CellOutput
from jupyter_mltrain.widgets.form_state import FormState
from jupyter_mltrain.widgets.live_view import running_kernel, widget_view
from jupyter_mltrain.widgets.view import Line, Page, Verbatim, View

if TYPE_CHECKING:
    from jupyter_mltrain.widgets.live_widget import LiveWidget

_TWIN = """<style>
.jp-OutputArea-child:has(.mltrain-form-twin):has(+ .jp-OutputArea-child .mlt-form),
.jp-OutputArea-child:has(.mltrain-form-twin) + .jp-OutputArea-child:has(> .lm-Panel.jp-OutputArea-output):not(:has(.mlt)) {
  display: none;
}
</style><div class="mltrain-form-twin"></div>"""
"""Hides the cell's text while the form below it is there, and what a front end says in its place when it is not."""


@dataclass(frozen=True, slots=True, repr=False)
class FormPage(Page):
    """The cell that a form stands for, or what it lacks."""

    cell: str
    lacks: str

    def parts(self) -> Sequence[View]:
        """Return a line, and the cell."""
        if self.lacks:
            return [Line(self.lacks, lead="Form")]
        return [Line("it stands for this cell.", lead="Form"), Verbatim(self.cell)]


def form_page(state: FormState) -> FormPage:
    """Return what stays of a form."""
    return FormPage(state.cell.text, state.lacks)


class FormView:
    """A form in the cell that shows it.

    Args:
        state: may be shown in other cells too.
        live: whether to show more than the cell's text, if there is a kernel to show it.
    """

    def __init__(self, state: FormState, *, live: bool) -> None:
        self._state, self._live = state, live
        self._page: str | None = None  # which page the cell of the form ran in
        self._widget: LiveWidget | None = None
        self._twin: Any = None
        self._kept = ""

    def show(self) -> None:
        """Show the cell's text and over it, where there is a kernel, the form."""
        from IPython.display import display

        if not self._live or running_kernel() is None:
            display(form_page(self._state))
            return
        from jupyter_mltrain.widgets.live_widget import FormWidget

        self._output = CellOutput()
        self._twin = display(self._bundle(), raw=True, display_id=True)
        self._widget = FormWidget(snapshot=self._snapshot, receive=self._receive)
        display(widget_view(self._widget), raw=True)

    def _receive(self, command: Mapping[str, Any]) -> None:
        """Do what the front end asks for: `open`, by the first page that shows the form, `look`, `fill`, `train`."""
        match command:
            case {"cmd": "open", "page": str(page)}:
                self._page = self._page or page
            case {"cmd": "fill" | "train", "values": Mapping() as values}:
                self._state.take(values)
            case _:
                self._state.look()
        if command.get("cmd") == "train" and self._state.is_right:
            _in_main_thread(self._train)
        else:
            self._answer()

    def _train(self) -> None:
        """Run the cell as if it stood where the form does; the kernel is busy with it."""
        self._state.begin()
        self._answer()
        succeeded = False
        try:
            with self._output.resumed():
                succeeded = self._state.magic.run(self._state.cell.text)
        finally:
            self._state.end(succeeded=succeeded)
            self._answer()

    def _answer(self) -> None:
        """Bring what stays up to date, then what is seen: whoever sees it may save."""
        assert self._widget is not None
        if form_page(self._state).text() != self._kept:
            self._twin.update(self._bundle(), raw=True)
        self._widget.send_state("state")

    def _snapshot(self) -> dict[str, Any]:
        return {**self._state.snapshot(), "page": self._page, "cell_id": self._output.cell_id}

    def _bundle(self) -> dict[str, str]:
        page = form_page(self._state)
        self._kept = page.text()
        bundle: dict[str, str] = page._repr_mimebundle_()
        return {**bundle, "text/html": bundle["text/html"] + _TWIN}


def _in_main_thread(work: Any) -> None:
    """Do some work now, or soon where this is not the main thread: ipykernel 7.0 to 7.3 serve widgets in another one."""
    if threading.current_thread() is threading.main_thread():
        work()
    else:
        running_kernel().io_loop.add_callback(work)
