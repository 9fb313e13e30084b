"""`%%tune`: the cell below becomes a search for the best hyperparameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from IPython.core.magic import cell_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, argument_group, kwds, magic_arguments

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.search import Objective, Prune, Search, SearchSpec
from jupyter_mltrain.magics.cell import NotebookCell
from jupyter_mltrain.magics.commands import SessionMagics
from jupyter_mltrain.magics.display import show
from jupyter_mltrain.magics.history import history_of
from jupyter_mltrain.magics.manual import Manual
from jupyter_mltrain.magics.options import int_or_auto
from jupyter_mltrain.magics.origin import kept_origin
from jupyter_mltrain.magics.settings import MLTrain
from jupyter_mltrain.magics.training_options import train_spec, training_options

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)?")
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """Return the seconds of `90`, `90s`, `10m`, `1.5h` or `2d`; the type of `--max-time`."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise OptionError(f"expected --max-time 90s, 10m or 2h, received {text!r}: write a number and its unit")
    return float(found[1]) * _SECONDS[found[2]]


def search_spec(options: Mapping[str, Any], settings: MLTrain) -> SearchSpec:
    """Return what a line asks for, over the defaults of the settings and of the project.

    Raises:
        OptionError: an option or a default does not exist or has a value that it cannot have.
    """
    names = ("trials", "max_time", "patience", "executions_per_trial", "max_failures", "parallel", "workers", "resume")
    given = {name: options[name] for name in names if options[name] is not None}
    if options["oracle"]:
        given["oracle"] = " ".join(options["oracle"])
    if options["prune"]:
        given["prune"] = Prune(options["prune"])
    if options["objective"]:
        given["objectives"] = tuple(map(Objective.parse, options["objective"].split(",")))
    return SearchSpec(training=train_spec(options, settings), **given)


@magics_class
class TuneMagics(SessionMagics):
    """Holds `%%tune`."""

    @no_var_expand
    @cell_magic
    @magic_arguments("%tune")
    @kwds(formatter_class=Manual, usage="%(prog)s [NAME] [options]")
    @argument("name", nargs="?", metavar="NAME", help="what to call the search; names may repeat")
    @argument_group("search")
    @argument(
        "--trials",
        type=int,
        metavar="N",
        help="how many at most; else 30, all with grid and hyperband, as many as fit with --max-time",
    )
    @argument("--oracle", nargs="+", metavar="EXPR", help="tpe, random, grid, bayesian, hyperband, or a keras_tuner.Oracle")
    @argument("--objective", metavar="METRIC", help="what decides: val_accuracy, val_f1:max; several with commas; num_params")
    @argument("--max-time", type=seconds, metavar="TIME", help="90s, 10m, 2h: then the search ends")
    @argument("--patience", type=int, metavar="N", help="end after so many trials without a better one")
    @argument("--executions-per-trial", type=int, metavar="N", help="trainings of one trial's values, whose mean counts")
    @argument("--prune", choices=[*map(str, Prune)], help="stop trials that fall behind; auto if nothing says otherwise")
    @argument(
        "--max-failures", type=int, metavar="N", help="end when so many trials in a row failed; 3 if nothing says otherwise"
    )
    @argument(
        "--parallel",
        type=int_or_auto,
        metavar="N",
        help="trials side by side, each in a process of its own; auto if nothing says",
    )
    @argument(
        "--workers",
        metavar="HOST:PORT",
        help="listen here for workers of other machines, which join with the line that the cell shows",
    )
    @argument("--resume", metavar="SEARCH", help="go on with a search that was cut short, or needs more trials")
    @training_options
    @argument("--as", dest="variable", metavar="NAME", help="variable for the search, else search")
    def tune(self, line: str, cell: str) -> None:
        """Search for the best hyperparameters of the cell below: it runs once a trial, each time with other values of hp.

        Examples::

            %%tune houses --trials 30 --epochs 20
            model = keras.Sequential([keras.layers.Dense(hp.Int("units", 16, 256, log=True), "relu"), keras.layers.Dense(1)])
            model.compile(keras.optimizers.Adam(hp.Float("lr", 1e-4, 1e-1, log=True)), "mse", metrics=["mae"])
            model.fit(x_train, y_train, validation_data=(x_val, y_val))

            %%tune --resume houses --trials 50

        hp is Keras Tuner's HyperParameters: Int, Float, Choice, Boolean, Fixed. Every trial is a run of its own, in a copy of
        the notebook's namespace; one that falls behind is stopped early. Afterwards `search` holds what came of it: search.best,
        search.trials, search.frame(). The same cell under %%train takes the defaults, with --hp best the best values.
        """
        with self._parsed(self.tune, line) as options:
            spec = search_spec(vars(options), self._settings)
            body = NotebookCell(self.shell, "%%tune", line, cell)
            history = history_of(self.shell)
            takes = body.takes(spec.training.expressions())
            body.origin = kept_origin(self.shell, history, takes) if history else None
            self.shell.user_ns[options.variable or "search"] = self._tune(spec, body)

    def _tune(self, spec: SearchSpec, cell: NotebookCell) -> Search:
        from jupyter_mltrain.services.tuning import tune
        from jupyter_mltrain.widgets.search_picture import SearchPicture
        from jupyter_mltrain.widgets.search_result import SearchResult
        from jupyter_mltrain.widgets.search_view import SearchView

        with SearchView(spec.resume or spec.training.name or "search", live=self._settings.live) as view:
            search = tune(self.session, spec, cell, on_event=view.on_event, control=view.control)
        show(SearchResult(search, notices=tuple(search.facts["said"])), SearchPicture(search))
        return search
