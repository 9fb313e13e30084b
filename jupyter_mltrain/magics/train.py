"""`%%train`: the cell below becomes a watched, recorded, registered training."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.core.magic import cell_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, argument_group, kwds, magic_arguments

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.estimate import Estimate
from jupyter_mltrain.domain.events import Event, FactsKnown, Notice
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.spec import TrainSpec
from jupyter_mltrain.magics.cell import NotebookCell
from jupyter_mltrain.magics.commands import SessionMagics
from jupyter_mltrain.magics.display import show
from jupyter_mltrain.magics.history import History
from jupyter_mltrain.magics.manual import Manual
from jupyter_mltrain.magics.options import int_or_all
from jupyter_mltrain.magics.origin import kept_origin, understood
from jupyter_mltrain.magics.settings import MLTrain
from jupyter_mltrain.magics.training_options import train_spec, training_options
from jupyter_mltrain.services.session import Session

if TYPE_CHECKING:
    from jupyter_mltrain.services.background import BackgroundRun


@magics_class
class TrainMagics(SessionMagics):
    """Holds `%%train`.

    Attributes:
        history: the cells that ran before, for the record.
    """

    def __init__(self, shell: Any, session: Session, settings: MLTrain) -> None:
        """Take the shell, the session and the settings that the extension made, and listen to the cells that run."""
        super().__init__(shell, session, settings)
        self.history = History(shell, understood)

    @no_var_expand
    @cell_magic
    @magic_arguments("%train")
    @kwds(formatter_class=Manual, usage="%(prog)s [NAME] [options]")
    @argument("name", nargs="?", metavar="NAME", help="what to call the run; names may repeat")
    @training_options
    @argument_group("this run")
    @argument("--hp", metavar="TRIAL", help="hyperparameters: best, a search, SEARCH/7, or a dict of the notebook; else defaults")
    @argument(
        "--dry-run",
        action="store_true",
        default=None,
        help="run the cell up to its first fit, and show what that would need in place of doing it",
    )
    @argument(
        "--checkpoint-every",
        nargs="+",
        metavar="WHEN",
        help="1 epoch, 500 steps, 10 min, never: when to keep what --resume needs; as often as is cheap if nothing says",
    )
    @argument(
        "--keep-checkpoints",
        type=int_or_all,
        metavar="N",
        help="keep the last N, or all, when the run is completed too; one an epoch, if --checkpoint-every says nothing else",
    )
    @argument(
        "--fork",
        metavar="RUN@EPOCH",
        help="begin with the state of a run after an epoch, or RUN@best; without @ with its newest",
    )
    @argument(
        "--resume",
        metavar="RUN|last",
        help="go on with a run that was cut short, from its newest checkpoint",
    )
    @argument(
        "--background",
        action="store_true",
        help="train in a process of its own and return at once; it is interrupted when the kernel ends",
    )
    @argument("--detach", action="store_true", help="as --background, and it goes on when the kernel or the server ends")
    @argument(
        "--notify",
        nargs="+",
        metavar="WHAT",
        help="when a training in a process of its own has ended: a function, which is given the run, or a shell command",
    )
    @argument("--as", dest="variable", metavar="NAME", help="variable for the run, else run; for the estimate, else estimate")
    def train(self, line: str, cell: str) -> None:
        """Train what the cell below fits or builds, show it live, and record it.

        Examples::

            %%train digits --epochs 20 --early-stop 3 --register digits
            model.fit(x_train, y_train, validation_data=(x_val, y_val))

            %%train --data x_train, y_train --validation-split 0.2 --lr 0.01
            keras.Sequential([keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")])

            %%train --resume last
            %%train --fork digits#2@5 --lr 0.0001 --epochs 20

        Every fit of a Keras model in the cell is done by the engine; options win over its arguments. A cell that calls no
        fit is trained on --data: the value of its last line, else the one model that it assigns, else --model. The cell
        runs once, in the notebook's namespace; afterwards `run` holds what came of it. With --dry-run the cell runs up to
        its first fit, nothing is trained or recorded, and `estimate` holds what the training would need.

        A run that was stopped or interrupted, that failed, or whose process was killed goes on with --resume, put on the same
        cell: with the options that it began with, as the same run, after the last step that was kept.

        With --background or --detach the cell returns at once, and its training is sent to a process of its own, with what it
        uses of the notebook. `run.wait()` waits for its end, `run.done` tells of it, `run.model` is the best model. %runs attach
        shows it live in any notebook, %runs stop and pause act on it. --notify names a function
        of the notebook, which is sent along and called with the run there, or is a shell command, which is told by MLTRAIN_RUN
        and MLTRAIN_STATUS.

        With --fork the cell's first fit begins with the state of another run, as a run of its own that does what the cell and the
        line say: another learning rate, other data, a frozen layer. It takes over the weights, and the optimizer's state where
        that is of the same kind and for the same weights; the output says what. It goes on counting the epochs, so --epochs 20
        after epoch 5 trains 15 more. Every run keeps its best and its last epoch, with --keep-checkpoints all every one.
        %runs tree shows who came from whom.
        """
        with self._parsed(self.train, line) as options:
            if options.notify and not (options.detach or options.background):
                raise OptionError("expected --notify with --detach or --background, received neither: add one of them")
            spec = train_spec(vars(options), self._settings, with_defaults=options.resume is None)
            named = self.shell.user_ns.get(spec.hp) if isinstance(spec.hp, str) else None
            if isinstance(named, Mapping):
                spec = replace(spec, hp=dict(named))
            body = NotebookCell(self.shell, "%%train", line, cell)
            body.origin = kept_origin(self.shell, self.history, body.takes(spec.expressions()))
            if spec.dry_run and not options.resume:
                self.shell.user_ns[options.variable or "estimate"] = self._estimate(spec, body)
            elif options.detach or options.background:
                self.shell.user_ns[options.variable or "run"] = self._detach(spec, body, options)
            else:
                self.shell.user_ns[options.variable or "run"] = self._train(spec, body, options.resume)

    def _estimate(self, spec: TrainSpec, cell: NotebookCell) -> Estimate:
        from jupyter_mltrain.services.estimating import estimate
        from jupyter_mltrain.widgets.estimate_view import EstimateView

        estimated = estimate(self.session, spec, cell)
        show(EstimateView(estimated))
        return estimated

    def _detach(self, spec: TrainSpec, cell: NotebookCell, options: argparse.Namespace) -> BackgroundRun:
        from jupyter_mltrain.services.detaching import detach
        from jupyter_mltrain.widgets.background_view import BackgroundView
        from jupyter_mltrain.widgets.view import Line

        told = " ".join(options.notify or ())
        function = self.shell.user_ns.get(told)
        notify = function if callable(function) else told or None
        run = detach(self.session, spec, cell, resume=options.resume, outlives=options.detach, notify=notify)
        show(Line(f"trains in a process of its own; %runs attach {run.ref} shows it in any notebook.", lead=run.ref))
        BackgroundView(run, live=self._settings.live).show()
        return run

    def _train(self, spec: TrainSpec, cell: NotebookCell, resume: str | None) -> Run:
        from jupyter_mltrain.services.training import train
        from jupyter_mltrain.widgets.curves import CurvesPicture
        from jupyter_mltrain.widgets.rate_picture import RatePicture
        from jupyter_mltrain.widgets.run_view import RunResult
        from jupyter_mltrain.widgets.train_view import TrainView

        notices: list[str] = []
        range_tests: list[Any] = []
        with TrainView(resume or spec.name or "run", live=self._settings.live) as view:

            def on_event(event: Event) -> None:
                if isinstance(event, Notice):
                    notices.append(event.text)
                elif isinstance(event, FactsKnown):
                    range_tests[:] = event.facts.get("lr_range", range_tests)
                view.on_event(event)

            run, value = train(self.session, spec, cell, on_event=on_event, control=view.control, resume=resume)
        if value is not None:
            self.shell.displayhook(value)
        show(RunResult(run, notices=tuple(notices)))
        if run.epochs:
            show(CurvesPicture((run,)))
        show(*(RatePicture(test) for test in range_tests))
        return run
