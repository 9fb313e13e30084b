"""`%runs`: what was recorded."""

from __future__ import annotations

import argparse
from dataclasses import fields

from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.events import Wish
from jupyter_mltrain.domain.run import Run, RunFilter, RunStatus
from jupyter_mltrain.domain.run_summary import RunOrder
from jupyter_mltrain.magics.commands import SessionMagics, magic_commands, subcommand
from jupyter_mltrain.magics.display import show
from jupyter_mltrain.magics.options import key_value
from jupyter_mltrain.services.background import attach
from jupyter_mltrain.services.board import open_board, stop_board
from jupyter_mltrain.services.runs import family_trees, moment, runs_to_compare
from jupyter_mltrain.services.searches import list_searches, remove_all, run_or_search


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
    @argument("--search", metavar="SEARCH", help="the trials of this search, which are left out otherwise")
    @argument("--since", type=moment, metavar="WHEN", help="only runs started since: 2d, 12h, 30m, 2026-11-01")
    @argument("--best", metavar="METRIC", help="runs that have this metric, the best first")
    @argument("--contains", default="", metavar="WORDS", help="only with these words in name, status, user, note, tags or model")
    @argument("--sort", default="", metavar="FIELD", help="by a column of runs.frame(), such as duration or metrics.val_loss")
    @argument("--descending", action="store_true", help="the highest first")
    @argument("--limit", type=int, default=50, metavar="N", help="how many at most; 50 if nothing says otherwise")
    @subcommand("show", "all that is recorded of one run, or of one search")
    @argument("run", nargs="?", metavar="RUN", help="digits#2, digits for its newest, digits/7 for a trial; the newest of all")
    @subcommand("compare", "results, what differs, the cells' differences and the curves of several runs")
    @argument("runs", nargs="+", metavar="RUN", help="two or more")
    @subcommand("tree", "which runs were forked from which, where, and what was changed")
    @argument("run", nargs="?", metavar="RUN", help="only the family of this run; all families if none is named")
    @subcommand("attach", "the live view of a run that trains in a process of its own, or its result")
    @argument("run", nargs="?", metavar="RUN", help="the newest of all if none is named")
    @subcommand("stop", "end such runs after the running step; model, history and best weights are kept")
    @argument("runs", nargs="+", metavar="RUN", help="one or more that go on")
    @subcommand("pause", "let such runs wait after the running step")
    @argument("runs", nargs="+", metavar="RUN", help="one or more that go on")
    @argument("--free", action="store_true", help="give all memory back meanwhile: from a checkpoint they go on to the bit")
    @subcommand("continue", "let runs go on that were paused")
    @argument("runs", nargs="+", metavar="RUN", help="one or more that are paused")
    @subcommand("board", "TensorBoard on the runs in the cell, one for all notebooks of this home; it ends with the kernel")
    @argument("runs", nargs="*", metavar="RUN", help="runs, trials or searches; every run if none is named")
    @argument("--stop", action="store_true", help="stop it in place of showing it")
    @subcommand("reproduce", "write a script and a notebook that do a run again: its cell, what that hangs on, what it used")
    @argument("run", nargs="?", metavar="RUN", help="digits#2, digits for its newest; the newest of all if none is named")
    @argument("--to", metavar="FOLDER", help="new folder for them; else digits-2-reproduce beside the notebook")
    @argument("--run", dest="runs", action="store_true", help="run its cells in a new process, and compare metrics and weights")
    @subcommand("rm", "remove runs, or searches with their trials, and their files; what they registered stays")
    @argument("runs", nargs="+", metavar="RUN", help="one or more that have ended")
    def runs(self, line: str) -> None:
        """List the recorded runs, look into them, compare, reproduce and remove them, and open TensorBoard on them.

        Examples::

            %runs
            %runs list --status failed --since 2d
            %runs list --best val_accuracy --limit 5
            %runs list --contains "draft adam" --sort duration
            %runs show digits#2
            %runs compare digits#1 digits#2
            %runs tree digits#1
            %runs attach digits
            %runs stop digits#2
            %runs board digits#1 digits#2
            %runs reproduce digits#2 --run
            %runs rm digits#1
        """
        self._do(self.runs, line)

    def do_list(self, options: argparse.Namespace) -> None:
        """Show searches and runs, the runs alive in a notebook."""
        from jupyter_mltrain.widgets.runs_table import RunsTable
        from jupyter_mltrain.widgets.searches_view import SearchesTable

        which, order = _asked(options)
        is_plain = (which, order) == (RunFilter(limit=which.limit), RunOrder())
        table = RunsTable(self.session, which, order, live=self._settings.live)
        searches, num_searches = list_searches(self.session) if is_plain else ((), 0)
        if searches:
            show(SearchesTable(searches, num_searches))
        if table.total or not searches:
            table.show()

    def do_show(self, options: argparse.Namespace) -> None:
        """Show one run, or one search."""
        from jupyter_mltrain.widgets.run_view import RunDetails
        from jupyter_mltrain.widgets.search_details import SearchDetails
        from jupyter_mltrain.widgets.search_picture import SearchPicture

        found = run_or_search(self.session, options.run)
        if isinstance(found, Run):
            show(RunDetails(found))
        else:
            show(SearchDetails(found), SearchPicture(found))

    def do_compare(self, options: argparse.Namespace) -> None:
        """Show several runs side by side, and their curves over each other."""
        from jupyter_mltrain.widgets.curves import CurvesPicture
        from jupyter_mltrain.widgets.runs_view import RunComparison

        runs = runs_to_compare(self.session, options.runs)
        show(RunComparison(runs))
        if any(run.epochs for run in runs):
            show(CurvesPicture(runs))

    def do_tree(self, options: argparse.Namespace) -> None:
        """Show runs above their forks."""
        from jupyter_mltrain.widgets.family_view import FamilyTree

        show(FamilyTree(family_trees(self.session, options.run)))

    def do_attach(self, options: argparse.Namespace) -> None:
        """Show a run that trains by itself."""
        from jupyter_mltrain.widgets.background_view import BackgroundView

        BackgroundView(attach(self.session, options.run), live=self._settings.live).show()

    def do_stop(self, options: argparse.Namespace) -> None:
        """Ask runs to end."""
        self._ask(options.runs, Wish.STOP, "ends after the running step")

    def do_pause(self, options: argparse.Namespace) -> None:
        """Ask runs to wait."""
        if options.free:
            self._ask(options.runs, Wish.FREE, "gives its memory back after the running step, and waits")
        else:
            self._ask(options.runs, Wish.PAUSE, "waits after the running step")

    def do_continue(self, options: argparse.Namespace) -> None:
        """Let runs go on."""
        self._ask(options.runs, Wish.CONTINUE, "goes on")

    def _ask(self, refs: list[str], wish: Wish, what: str) -> None:
        from jupyter_mltrain.widgets.view import Line

        for run in [attach(self.session, ref) for ref in refs]:
            run.ask(wish)
            show(Line(f"{what}.", lead=run.ref))

    def do_board(self, options: argparse.Namespace) -> None:
        """Show TensorBoard and, for who opens the notebook later, pictures of the same runs; or stop it."""
        from jupyter_mltrain.widgets.board_view import BoardView, pictures
        from jupyter_mltrain.widgets.live_view import running_kernel

        if options.stop:
            self._stop_board(options.runs)
            return
        board = open_board(self.session, options.runs)
        show(BoardView(board, is_in_browser=running_kernel() is not None), *pictures(board))

    def _stop_board(self, refs: list[str]) -> None:
        from jupyter_mltrain.widgets.view import Line

        if refs:
            raise OptionError(f"expected --stop without runs, received {', '.join(refs)}: one TensorBoard serves them all")
        show(Line("stopped." if stop_board(self.session) else "none was running.", lead="TensorBoard"))

    def do_reproduce(self, options: argparse.Namespace) -> None:
        """Write the script and the notebook of a run, run the one if that is asked for, and show what came of it."""
        from jupyter_mltrain.services.reproducing import reproduce
        from jupyter_mltrain.widgets.reproduction_view import ReproductionView

        show(ReproductionView(reproduce(self.session, options.run, to=options.to, runs=options.runs)))

    def do_rm(self, options: argparse.Namespace) -> None:
        """Remove runs and say which."""
        from jupyter_mltrain.widgets.view import Line

        removed = remove_all(self.session, options.runs)
        show(Line(f"{', '.join(each.ref for each in removed)}.", lead="Removed"))


def _asked(options: argparse.Namespace) -> tuple[RunFilter, RunOrder]:
    given = {name: value for name, value in vars(options).items() if name != "command"}
    order = RunOrder(**{field.name: given.pop(field.name) for field in fields(RunOrder)})
    return RunFilter(**{**given, "tags": dict(options.tags)}), order
