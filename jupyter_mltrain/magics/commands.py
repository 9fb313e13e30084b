"""Line magics whose first word is a sub-command, each with arguments of its own."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from IPython.core.magic import Magics
from IPython.core.magic_arguments import ArgDecorator, kwds, magic_arguments

from jupyter_mltrain.magics.errors import users_shown_short
from jupyter_mltrain.magics.manual import Manual
from jupyter_mltrain.magics.options import parse, subparsers
from jupyter_mltrain.magics.settings import MLTrain
from jupyter_mltrain.services.session import Session


class subcommand(ArgDecorator):  # noqa: N801 - a decorator, named as IPython's are
    """Declare a sub-command of a magic; the `@argument`s that follow belong to it.

    The first one that is declared is what the magic does when none is named.
    """

    def __init__(self, name: str, help: str) -> None:  # noqa: A002 - the word that argparse and `@argument` use
        self._name, self._help = name, help

    def add_to_parser(self, parser: argparse.ArgumentParser, _group: Any) -> argparse.ArgumentParser:
        """Add it to the magic's parser; what is returned takes the arguments that follow."""
        commands = subparsers(parser) or parser.add_subparsers(dest="command", prog=parser.prog, title="commands")
        return commands.add_parser(self._name, help=self._help, formatter_class=Manual)


def magic_commands(magic: Callable[..., None]) -> Callable[..., None]:
    """Do what `@magic_arguments()` does, for a magic with sub-commands: its manual tells of each."""
    described: Any = magic_arguments()(kwds(formatter_class=Manual)(magic))
    commands: Mapping[str, argparse.ArgumentParser] = subparsers(described.parser).choices
    described.__doc__ += "".join(f"\n{command.format_help()}" for command in commands.values())
    return described


class SessionMagics(Magics):
    """Magics that read their line and ask a service.

    Attributes:
        session: the extension's.
    """

    def __init__(self, shell: Any, session: Session, settings: MLTrain) -> None:
        """Take the shell, the session and the settings that the extension made."""
        super().__init__(shell)
        self.session, self._settings = session, settings

    @contextmanager
    def _parsed(self, magic: Callable[..., None], line: str) -> Iterator[argparse.Namespace]:
        """Give the options of a line; what is raised within the block is shown short."""
        with users_shown_short(self.shell, short=self._settings.short_errors):
            yield parse(magic, line, self.shell.user_ns)

    def _do(self, magic: Callable[..., None], line: str) -> None:
        """Do the sub-command that a line names, with the method `do_<name>`."""
        with self._parsed(magic, line) as options:
            getattr(self, f"do_{options.command}")(options)
