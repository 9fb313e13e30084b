"""`%models`: what was registered."""

from __future__ import annotations

import argparse
import keyword
import re

from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.magics.commands import SessionMagics, magic_commands, subcommand
from jupyter_mltrain.magics.display import show
from jupyter_mltrain.services.registry import defined_in, get_model, list_models, load_version, versions_of


@magics_class
class ModelsMagics(SessionMagics):
    """Holds `%models`."""

    @no_var_expand
    @line_magic
    @magic_commands
    @subcommand("list", "the newest version of every model; what the magic does when no command is named")
    @subcommand("show", "one version, and all versions of its name")
    @argument("model", metavar="MODEL", help="digits for the newest version, digits@3 for that one")
    @subcommand("load", "put a model in a variable, with the classes and functions that the notebook defines")
    @argument("model", metavar="MODEL", help="digits for the newest version, digits@3 for that one")
    @argument("--as", dest="variable", metavar="NAME", help="the variable; the model's name if left out")
    def models(self, line: str) -> None:
        """List the registered models, look into them and load them.

        Examples::

            %models
            %models show digits
            %models load digits@3 --as champion
        """
        self._do(self.models, line)

    def do_list(self, _options: argparse.Namespace) -> None:
        """Show the newest version of every model."""
        from jupyter_mltrain.widgets.models_view import ModelsList

        show(ModelsList(list_models(self.session)))

    def do_show(self, options: argparse.Namespace) -> None:
        """Show one version and its history."""
        from jupyter_mltrain.widgets.models_view import ModelDetails

        version = get_model(self.session, options.model)
        show(ModelDetails(version, versions_of(self.session, version.name)))

    def do_load(self, options: argparse.Namespace) -> None:
        """Load a version into the notebook and say where it is."""
        from jupyter_mltrain.widgets.view import Line

        version = get_model(self.session, options.model)
        variable = options.variable or self._free_name(version.name)
        if not variable.isidentifier() or keyword.iskeyword(variable):
            raise OptionError(f"expected --as with a name that a variable can have, received {variable!r}: choose another")
        namespace = self.shell.user_ns
        namespace[variable] = load_version(self.session, version, defined_in(namespace))
        show(Line(f"the variable {variable}.", lead=version.ref))

    def _free_name(self, model: str) -> str:
        """Return the model's name as a variable's, unless the user has something else under it."""
        name = re.sub(r"\W|^(?=\d)", "_", model)
        taken = self.shell.user_ns.get(name)
        if taken is not None and not hasattr(taken, "load_weights"):
            raise OptionError(
                f"expected the variable {name} to be free for the model, it holds a {type(taken).__name__}: add --as {name}_model"
            )
        return name
