"""How the manual of a magic reads, what `%%train?` shows."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from IPython.core.magic_arguments import MagicHelpFormatter


class Manual(MagicHelpFormatter):
    """IPython's manual of a magic without the marks of reStructuredText, since it is read as it is."""

    def add_usage(self, usage: str | None, actions: Iterable[argparse.Action], groups: Iterable[Any], prefix: str = "%") -> None:
        """Begin with the magic's name, as it is typed."""
        super().add_usage(usage, actions, groups, prefix)

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        """Write `EXPR …` for one or more."""
        if action.nargs == argparse.ONE_OR_MORE:
            return f"{action.metavar or default_metavar} …"
        return str(super()._format_args(action, default_metavar))

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """Write `--tag KEY=VALUE`, without brackets around what is not one word."""
        return argparse.HelpFormatter._format_action_invocation(self, action)  # noqa: SLF001 - the way to change the form
