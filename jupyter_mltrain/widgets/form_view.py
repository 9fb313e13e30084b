"""A form in a cell: alive where there is a kernel, and the cell that it stands for in the saved notebook."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.widgets.form_state import FormState
from jupyter_mltrain.widgets.live_view import running_kernel
from jupyter_mltrain.widgets.standing_view import StandingView
from jupyter_mltrain.widgets.view import Line, Page, Verbatim, View

if TYPE_CHECKING:
    from jupyter_mltrain.widgets.live_widget import LiveWidget


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


class FormView(StandingView):
    """A form in the cell that shows it.

    Args:
        state: may be shown in other cells too.
        live: whether to show more than the cell's text, if there is a kernel to show it.
    """

    def __init__(self, state: FormState, *, live: bool) -> None:
        super().__init__(live=live)
        self._state = state
        self._opened_in: str | None = None  # the page that the cell of the form ran in
        self._kept = ""

    def _page(self) -> FormPage:
        page = form_page(self._state)
        self._kept = page.text()
        return page

    def _make_widget(self) -> LiveWidget:
        from jupyter_mltrain.widgets.live_widget import FormWidget

        return FormWidget(snapshot=self._snapshot, receive=self._receive)

    def _do(self, command: Mapping[str, Any]) -> bool:
        """Do what the front end asks for: `open`, by the first page that shows the form, `look`, `fill`, `train`."""
        match command:
            case {"cmd": "open", "page": str(page)}:
                self._opened_in = self._opened_in or page
            case {"cmd": "fill" | "train", "values": Mapping() as values}:
                self._state.take(values)
            case _:
                self._state.look()
        return form_page(self._state).text() != self._kept

    def _answer(self, widget: LiveWidget, _command: Mapping[str, Any]) -> None:
        widget.send_state("state")

    def _receive(self, command: Mapping[str, Any]) -> None:
        super()._receive(command)
        if command.get("cmd") == "train" and self._state.is_right:
            _in_main_thread(self._train)

    def _train(self) -> None:
        """Run the cell as if it stood where the form does; the kernel is busy with it."""
        assert self._widget is not None
        self._state.begin()
        self._widget.send_state("state")
        succeeded = False
        try:
            with self._output.resumed():
                succeeded = self._state.magic.run(self._state.cell.text)
        finally:
            self._state.end(succeeded=succeeded)
            self._widget.send_state("state")

    def _snapshot(self) -> dict[str, Any]:
        return {**self._state.snapshot(), "page": self._opened_in}


def _in_main_thread(work: Any) -> None:
    """Do some work now, or soon where this is not the main thread: ipykernel 7.0 to 7.3 serve widgets in another one."""
    if threading.current_thread() is threading.main_thread():
        work()
    else:
        running_kernel().io_loop.add_callback(work)
