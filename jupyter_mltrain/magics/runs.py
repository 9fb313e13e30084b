"""`%runs`: what was recorded."""

from __future__ import annotations

import argparse
from typing import Any

from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from jupyter_mltrain.domain.run import RunFilter, RunStatus
from jupyter_mltrain.magics.commands import SessionMagics, magic_commands, subcommand
from jupyter_mltrain.magics.display import show
from jupyter_mltrain.magics.options import key_value
from jupyter_mltrain.services.runs import get_run, list_runs, moment, remove_runs, runs_to_compare


@magics_class
class RunsMagics(SessionMagics):
    """Holds `%runs`."""

    @no_var_expand
    @line_magic
    @magic_commands
    @subcommand("list", "the newest runs first, or the best; what the magic does when no command is named")
    @argument("--name", metavar="RUN", help="only runs of this name")
    @argument("--status", choices=list(RunStatus), help="only runs that ended so, or are running")
    @argument("--model", metavar="MODEL", help="only runs that registered a version of this model")
    @argument("--tag", dest="tags", action="append", default=[], type=key_value, metavar="KEY=VALUE", help="only with this label")
    @argument("--since", type=moment, metavar="WHEN", help="only runs started since: 2d, 12h, 30m, 2026-11-01")
    @argument("--best", metavar="METRIC", help="runs that have this metric, the best first")
    @argument("--limit", type=int, default=50, metavar="N", help="how many at most; 50 if nothing says otherwise")
    @subcommand("show", "all that is recorded of one run")
    @argument("run", nargs="?", metavar="RUN", help="digits#2, digits for its newest, an id; the newest of all if left out")
    @subcommand("compare", "results, what differs, the cells' differences and the curves of several runs")
    @argument("runs", nargs="+", metavar="RUN", help="two or more")
    @subcommand("rm", "remove runs with their files; what they registered stays")
    @argument("runs", nargs="+", metavar="RUN", help="one or more that have ended")
    def runs(self, line: str) -> None:
        """List the recorded runs, look into them, compare and remove them.

        Examples::

            %runs
            %runs list --status failed --since 2d
            %runs list --best val_accuracy --limit 5
            %runs show digits#2
            %runs compare digits#1 digits#2
            %runs rm digits#1
        """
        self._do(self.runs, line)

    def do_list(self, options: argparse.Namespace) -> None:
        """Show one page of runs."""
        from jupyter_mltrain.widgets.runs_view import RunsList

        which: dict[str, Any] = {name: value for name, value in vars(options).items() if name != "command"}
        runs, total = list_runs(self.session, RunFilter(**{**which, "tags": dict(options.tags)}))
        show(RunsList(runs, total))

    def do_show(self, options: argparse.Namespace) -> None:
        """Show one run."""
        from jupyter_mltrain.widgets.run_view import RunDetails

        show(RunDetails(get_run(self.session, options.run)))

    def do_compare(self, options: argparse.Namespace) -> None:
        """Show several runs side by side, and their curves over each other."""
        from jupyter_mltrain.widgets.curves import CurvesPicture
        from jupyter_mltrain.widgets.runs_view import RunComparison

        runs = runs_to_compare(self.session, options.runs)
        show(RunComparison(runs))
        if any(run.epochs for run in runs):
            show(CurvesPicture(runs))

    def do_rm(self, options: argparse.Namespace) -> None:
        """Remove runs and say which."""
        from jupyter_mltrain.widgets.view import Line

        removed = remove_runs(self.session, options.runs)
        show(Line(f"{', '.join(run.ref for run in removed)}.", lead="Removed"))
