"""`%devices`: what the machine can train on."""

from __future__ import annotations

from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import kwds, magic_arguments

from jupyter_mltrain.magics.commands import SessionMagics
from jupyter_mltrain.magics.display import show
from jupyter_mltrain.magics.manual import Manual


@magics_class
class DevicesMagics(SessionMagics):
    """Holds `%devices`."""

    @no_var_expand
    @line_magic
    @magic_arguments()
    @kwds(formatter_class=Manual)
    def devices(self, line: str) -> None:
        """Show the devices, their memory, and what `--strategy auto` and `--precision auto` choose of them and why."""
        from jupyter_mltrain.services.devices import report
        from jupyter_mltrain.widgets.devices_view import DevicesView

        with self._parsed(self.devices, line):
            show(DevicesView(report()))
