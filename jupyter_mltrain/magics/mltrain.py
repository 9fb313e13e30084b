"""`%mltrain`: the platform itself."""

from __future__ import annotations

import argparse

from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from jupyter_mltrain.domain.form import FormKind
from jupyter_mltrain.magics.commands import SessionMagics, magic_commands, subcommand
from jupyter_mltrain.magics.display import show


@magics_class
class MLTrainMagics(SessionMagics):
    """Holds `%mltrain`."""

    @no_var_expand
    @line_magic
    @magic_commands
    @subcommand("status", "where runs are recorded, how many, what is training; what the magic does when no command is named")
    @subcommand("form", "a form that makes a cell of the notebook's variables, checks it while it is filled in, and trains")
    @argument("kind", nargs="?", choices=list(FormKind), default=FormKind.TRAIN, metavar="KIND", help="train; tune for a search")
    @subcommand("doctor", "versions, database, leftovers, processes: what to look at when something is wrong")
    @subcommand("copy", "copy a home into another: runs, searches and models with their files, whatever is not there yet")
    @argument("source", metavar="FROM", help="a folder, or the URL of a shared database, whose files are in this home's folder")
    @argument("target", nargs="?", metavar="TO", help="a folder or a URL; this home if none is named")
    def mltrain(self, line: str) -> None:
        """Tell how jupyter_mltrain itself is.

        Examples::

            %mltrain
            %mltrain form
            %mltrain form tune
            %mltrain doctor
            %mltrain copy ../digits/.mltrain
            %mltrain copy .mltrain postgresql://ada@db.example.org/team
        """
        self._do(self.mltrain, line)

    def do_status(self, _options: argparse.Namespace) -> None:
        """Show what is open."""
        from jupyter_mltrain.services.doctor import status
        from jupyter_mltrain.widgets.view import Findings

        show(Findings(status(self.session)))

    def do_form(self, options: argparse.Namespace) -> None:
        """Show a form, alive in a notebook."""
        from jupyter_mltrain.magics.form import form_magic
        from jupyter_mltrain.widgets.form_state import FormState
        from jupyter_mltrain.widgets.form_view import FormView

        state = FormState(form_magic(self.shell, self._settings, FormKind(options.kind)), {})
        FormView(state, live=self._settings.live).show()

    def do_doctor(self, _options: argparse.Namespace) -> None:
        """Show what was found."""
        from jupyter_mltrain.services.doctor import findings
        from jupyter_mltrain.widgets.view import Findings

        show(Findings(findings(self.session)))

    def do_copy(self, options: argparse.Namespace) -> None:
        """Copy and show what came of it."""
        from jupyter_mltrain.services.copying import copy
        from jupyter_mltrain.widgets.copy_view import sentences
        from jupyter_mltrain.widgets.view import Findings

        show(Findings(sentences(copy(self.session, options.source, options.target))))
