"""`%models`: what was registered."""

from __future__ import annotations

import argparse
import keyword
import re
from pathlib import Path

from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from jupyter_mltrain.domain.errors import ModelFileError, OptionError
from jupyter_mltrain.domain.export import ExportFormat
from jupyter_mltrain.magics.commands import SessionMagics, magic_commands, subcommand
from jupyter_mltrain.magics.display import show
from jupyter_mltrain.services import aliases, versions
from jupyter_mltrain.services.registry import defined_in, get_model, load_version, versions_of

_WHICH = "digits for the newest version, digits@3 or, by an alias, digits@champion"
_FORMAT = "keras for the file itself, savedmodel for TensorFlow Serving, onnx, litert for phones; keras if left out"
_TO = "the file, or for savedmodel the folder; what is there is kept until the new one is whole"
_SEEN = "the version that you saw the alias at, 0 for none: refused if somebody has moved it since"


@magics_class
class ModelsMagics(SessionMagics):
    """Holds `%models`."""

    @no_var_expand
    @line_magic
    @magic_commands
    @subcommand(
        "list", "the registry: models, versions, aliases and what to do with them; what the magic does when no command is named"
    )
    @subcommand("show", "one version, all versions of its name, and the timeline of their aliases")
    @argument("model", metavar="MODEL", help=_WHICH)
    @subcommand("load", "put a model in a variable, with the classes and functions that the notebook defines")
    @argument("model", metavar="MODEL", help=_WHICH)
    @argument("--as", dest="variable", metavar="NAME", help="the variable; the model's name if left out")
    @subcommand("promote", "let an alias stand for a version from now on")
    @argument("model", metavar="MODEL", help="its name: digits")
    @argument("version", metavar="VERSION", help="a number, or an alias that stands for it now")
    @argument("alias", metavar="ALIAS", help="champion, staging, …: a new one, or one to be moved")
    @argument("--reason", default="", metavar='"TEXT"', help="why, for the history")
    @argument("--seen", type=int, metavar="VERSION", help=_SEEN)
    @subcommand("rollback", "let an alias stand for what it stood for before")
    @argument("model", metavar="MODEL", help="its name: digits")
    @argument("alias", metavar="ALIAS", help="the one to go back; when its first move is taken back it is gone")
    @argument("--reason", default="", metavar='"TEXT"', help="why, for the history")
    @argument("--seen", type=int, metavar="VERSION", help=_SEEN)
    @subcommand("history", "which version each alias stood for, from when to when, by whom and why")
    @argument("model", metavar="MODEL", help="its name: digits")
    @argument("alias", metavar="ALIAS", nargs="?", help="only this one")
    @subcommand("archive", "put a version out of use: out of lists, without an alias, its file kept")
    @argument("model", metavar="MODEL", help="its name: digits")
    @argument("version", metavar="VERSION", help="its number; one that no alias stands for")
    @argument("--reason", default="", metavar='"TEXT"', help="why, for the record")
    @argument("--undo", action="store_true", help="take it back into use")
    @subcommand("verify", "compare files with the checksums that were registered; an error if one differs")
    @argument("model", metavar="MODEL", help="its name: digits")
    @argument("version", metavar="VERSION", nargs="?", help="a number or an alias; every version if left out")
    @subcommand("diff", "metrics, layers, hyperparameters and cells of two versions beside each other")
    @argument("model", metavar="MODEL", help="its name: digits")
    @argument("first", metavar="VERSION", help="a number or an alias")
    @argument("second", metavar="VERSION", help="another")
    @subcommand("export", "write a version in a format that other programs run")
    @argument("model", metavar="MODEL", help="its name: digits")
    @argument("version", metavar="VERSION", help="a number or an alias")
    @argument("--format", dest="kind", choices=list(ExportFormat), default=ExportFormat.KERAS, help=_FORMAT)
    @argument("--to", required=True, metavar="PATH", help=_TO)
    def models(self, line: str) -> None:
        """List the registered models, look into them, load them, and say which version is which.

        Examples::

            %models
            %models show digits
            %models load digits@champion
            %models promote digits 3 champion --reason "1 % fewer errors"
            %models rollback digits champion
            %models history digits
            %models diff digits champion 4
            %models export digits champion --format savedmodel --to serving/digits/3
        """
        self._do(self.models, line)

    def do_list(self, _options: argparse.Namespace) -> None:
        """Show the registry, alive in a notebook."""
        from jupyter_mltrain.widgets.registry_view import RegistryView

        RegistryView(self.session, live=self._settings.live).show()

    def do_show(self, options: argparse.Namespace) -> None:
        """Show one version, those beside it and the moves of their aliases."""
        from jupyter_mltrain.widgets.models_view import ModelDetails, VersionDetails

        version = get_model(self.session, options.model)
        details = VersionDetails(version, versions.run_of(self.session, version))
        show(ModelDetails(details, versions_of(self.session, version.name), aliases.history(self.session, version.name)))

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

    def do_promote(self, options: argparse.Namespace) -> None:
        """Set or move an alias and say from where to where."""
        from jupyter_mltrain.widgets.aliases_view import move_line

        how = {"reason": options.reason, "seen": options.seen}
        show(move_line(aliases.promote(self.session, options.model, options.version, options.alias, **how)))

    def do_rollback(self, options: argparse.Namespace) -> None:
        """Move an alias back and say from where to where."""
        from jupyter_mltrain.widgets.aliases_view import move_line

        how = {"reason": options.reason, "seen": options.seen}
        show(move_line(aliases.rollback(self.session, options.model, options.alias, **how)))

    def do_history(self, options: argparse.Namespace) -> None:
        """Show the timeline."""
        from jupyter_mltrain.widgets.aliases_view import Timeline

        show(Timeline(options.model, aliases.history(self.session, options.model, options.alias)))

    def do_archive(self, options: argparse.Namespace) -> None:
        """Put a version out of use, or back, and say so."""
        from jupyter_mltrain.widgets.view import Line

        if options.undo:
            version = aliases.unarchive(self.session, options.model, options.version)
            show(Line("in use again.", lead=version.ref))
        else:
            version = aliases.archive(self.session, options.model, options.version, reason=options.reason)
            show(Line("archived; it still loads by its number.", lead=version.ref))

    def do_verify(self, options: argparse.Namespace) -> None:
        """Show what was found, and raise if a file is not what was registered."""
        from jupyter_mltrain.widgets.versions_view import Verifications

        found = versions.verify(self.session, options.model, options.version)
        show(Verifications(found))
        troubles = [each.trouble for each in found if each.trouble]
        if troubles:
            raise ModelFileError(troubles[0] if len(troubles) == 1 else f"{troubles[0]} (and {len(troubles) - 1} more above)")

    def do_diff(self, options: argparse.Namespace) -> None:
        """Show two versions beside each other."""
        from jupyter_mltrain.widgets.versions_view import VersionDifferences

        show(VersionDifferences(versions.compare(self.session, options.model, options.first, options.second)))

    def do_export(self, options: argparse.Namespace) -> None:
        """Write a version and say where it is."""
        from jupyter_mltrain.widgets.view import Line

        version = get_model(self.session, f"{options.model}@{options.version}")
        objects = defined_in()
        versions.export(self.session, version, ExportFormat(options.kind), Path(options.to), objects)
        show(Line(f"exported as {options.kind} to {options.to}.", lead=version.ref))

    def _free_name(self, model: str) -> str:
        """Return the model's name as a variable's, unless the user has something else under it."""
        name = re.sub(r"\W|^(?=\d)", "_", model)
        taken = self.shell.user_ns.get(name)
        if taken is not None and not hasattr(taken, "load_weights"):
            raise OptionError(
                f"expected the variable {name} to be free for the model, it holds a {type(taken).__name__}: add --as {name}_model"
            )
        return name
