"""Running steps in the fastest way known so far: the loop at once, its compiled form as soon as that pays."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from time import perf_counter
from typing import Any

from jupyter_mltrain.domain.spec import Plan
from jupyter_mltrain.engine.plans.feed import Block, Stream
from jupyter_mltrain.engine.plans.gathering import Gatherer, can_gather
from jupyter_mltrain.engine.plans.program import Compilation, Program, is_compiling
from jupyter_mltrain.engine.plans.selection import Selection

_SECONDS_OF_A_CALL = 0.1  # Stop, the interrupt and the view wait for no more than about this
_SECONDS_OF_A_TRIAL = 0.05
_MOST_TRIALS = 8
_MOST_STEPS_OF_BLOCK_PLAN = 64
_WORTH_TRYING = 0.5  # seconds of training left, below which nothing is compiled
_GAIN_THAT_COUNTS = 0.95
_BOUND_BY_ARITHMETIC = 50e-6  # seconds for each operation of a step; small models take 1 to 12 (measured), and XLA pays there


class _Stage(Enum):
    LOOP = auto()  # nothing compiled yet
    COMPILING = auto()
    TRIAL = auto()
    XLA = auto()
    CLOSED = auto()  # the loop it is


class Runner:
    """Does the steps of one program, in calls of a tenth of a second or so.

    Attributes:
        plan: how most of an epoch's steps are done by now.
        switched_at: epoch, from 1 in the run, since which they are compiled; None if they are not.
        failure: why XLA could not compile them, or None.
        would_switch: whether it would have been worth it, had it been allowed.
        is_mixed: whether `auto` has had some steps done by the compiled loop and others not.
    """

    def __init__(self, program: Program, selection: Selection, is_ending: Callable[[], bool]) -> None:
        """Take what was chosen.

        Args:
            program: the steps.
            selection: `block`, `epoch`, `epoch-xla` or `auto`.
            is_ending: asked while a compilation is waited for.
        """
        limits = [limit for limit in (selection.most_steps, program.most_steps) if limit]
        if selection.plan is Plan.BLOCK:
            limits.append(_MOST_STEPS_OF_BLOCK_PLAN)
        self.program, self.asked, self.is_ending = program, selection.plan, is_ending
        self.may_switch, self.is_brief = selection.may_switch, selection.is_brief
        self.most_steps: int | None = min(limits, default=None)
        self.plan = Plan.BLOCK if limits else Plan.EPOCH
        self.switched_at: int | None = None
        self.failure: str | None = None
        self.would_switch = self.is_mixed = False
        self.loop_seconds = self.xla_seconds = 0.0  # of a step
        self._lanes: dict[Any, _Lane] = {}
        self._stream = _Lane(self)
        self._gatherer: Gatherer | None = None

    def run(self, piece: Block | Stream, first: int, *, epoch: int, epochs_left: float) -> tuple[Any, int]:
        """Do some steps of a piece.

        Args:
            piece: what an epoch's feed gave.
            first: steps of it that are done.
            epoch: number in the run, from 1.
            epochs_left: after this one, for what a compilation may cost.

        Returns:
            the last step's logs as tensors (anything where no step was done), and how many steps were done: fewer than
            asked for only where a stream ended, and then perhaps none.
        """
        if isinstance(piece, Block):
            return self._run_block(piece, first, epoch, epochs_left)
        left = None if piece.num_steps is None else piece.num_steps - first
        if self.switched_at is None:
            self.plan = Plan.BLOCK
        self._gatherer = self._gatherer or self._stream.gatherer((left or 0) + epochs_left * (piece.num_steps or 0))
        if self._gatherer is None:
            done = self._stream.stream(piece, left)
            self._tell(self._stream, epoch)
            return done
        taken = self._gatherer.next(piece, left)
        if taken is None:
            return None, 0
        block, num_done = taken
        done = self._run_block(block, num_done, epoch, epochs_left)
        self._gatherer.passed(done[1])
        return done

    def _run_block(self, piece: Block, first: int, epoch: int, epochs_left: float) -> tuple[Any, int]:
        lane = self._lanes.setdefault(piece.shape, _Lane(self))
        done = lane.block(piece, first, epochs_left)
        if piece.shape == (self._gatherer.shape if self._gatherer else next(iter(self._lanes))):  # the full batches
            self._tell(lane, epoch)
        return done

    @property
    def pipeline_seconds(self) -> float:
        """What a tf.data pipeline needs for a batch, beside the steps; 0 while unknown."""
        return self._gatherer.seconds if self._gatherer else 0.0

    def wait(self) -> None:
        """Wait for what is being compiled, or until the training is to end."""
        for lane in self._lanes.values():
            lane.wait()

    @property
    def reason(self) -> str:
        """Say what the steps cost, and what was tried, in one sentence."""
        if self.plan is Plan.EPOCH_XLA:
            brought = f", {self.loop_seconds / self.xla_seconds:.1f} times the loop's speed" if self.loop_seconds else ""
            since = f" since epoch {self.switched_at}" if self.asked is Plan.AUTO else ""
            return f"Compiled epoch (XLA){since}: {milliseconds(self.xla_seconds)} a step{brought}.{self._waits}"
        name = "Blocks of steps" if self.plan is Plan.BLOCK else "Epoch in one loop"
        if self.failure:
            return f"{name}: XLA could not compile it ({self.failure})."
        took = f": {milliseconds(self.loop_seconds)} a step" if self.loop_seconds else ""
        tried = f"; compiled by XLA {milliseconds(self.xla_seconds)}" if self.xla_seconds else ""
        kept = " With a seed the plan stays; --plan epoch-xla compiles it." if self.would_switch else ""
        return f"{name}{took}{tried}.{kept}{self._waits}"

    @property
    def _waits(self) -> str:
        if self.pipeline_seconds <= (self.xla_seconds or self.loop_seconds):
            return ""
        return f" The pipeline needs {milliseconds(self.pipeline_seconds)} for a batch, so the steps wait for it."

    def _tell(self, lane: _Lane, epoch: int) -> None:
        self.loop_seconds, self.xla_seconds, self.failure = lane.loop.best, lane.xla.best, lane.failure
        if lane.stage is _Stage.XLA and self.switched_at is None:
            self.switched_at, self.plan = epoch, Plan.EPOCH_XLA


def milliseconds(seconds: float) -> str:
    """Return `0.036 ms`, `1.2 ms`, `120 ms`."""
    return f"{seconds * 1000:.2g} ms" if seconds < 0.0995 else f"{seconds * 1000:.0f} ms"


class _Speed:
    """Seconds a step: the last measured, and the best, which other work on the machine disturbs least; 0 while unknown."""

    def __init__(self) -> None:
        self.last = self.best = 0.0

    def measured(self, started: float, num_steps: int) -> None:
        self.last = (perf_counter() - started) / num_steps
        self.best = min(self.best or self.last, self.last)


class _Lane:
    """The blocks of one shape: the full batches, or the ragged last one."""

    def __init__(self, runner: Runner) -> None:
        self._runner, self._program = runner, runner.program
        self.stage = _Stage.LOOP if runner.asked in (Plan.AUTO, Plan.EPOCH_XLA) and not runner.most_steps else _Stage.CLOSED
        self.loop, self.xla = _Speed(), _Speed()
        self.failure: str | None = None
        self._compilation: Compilation | None = None
        self._is_warm = False
        self._num_trials = 0

    def wait(self) -> None:
        if self._compilation:
            self._compilation.wait(self._runner.is_ending)

    def stream(self, piece: Stream, left: int | None) -> tuple[Any, int]:
        num_steps = self._most(self.loop, left)
        started = perf_counter()
        logs, done = self._program.stream(piece.iterator, num_steps, is_brief=self._runner.is_brief)
        if done and self._is_warm:
            self.loop.measured(started, done)
        self._is_warm = True
        return logs, done

    def gatherer(self, steps_left: float) -> Gatherer | None:
        """Return what makes blocks of a stream's batches, where compiling their steps may pay."""
        if self.stage is not _Stage.LOOP or not can_gather(self._program.spec):
            return None
        if self._runner.asked is Plan.EPOCH_XLA:
            return Gatherer(_MOST_STEPS_OF_BLOCK_PLAN)
        if not self._pays(steps_left):
            return None
        if not self._runner.may_switch:
            self.stage, self._runner.would_switch = _Stage.CLOSED, True
            return None
        return Gatherer(self._most(self.loop, None))

    def block(self, piece: Block, first: int, epochs_left: float) -> tuple[Any, int]:
        left = piece.num_steps - first
        self._advance(piece, left, epochs_left)
        if self._compilation is None or self.stage in (_Stage.COMPILING, _Stage.CLOSED):
            num_steps = self._most(self.loop, left)
            started = perf_counter()
            logs = self._program.block(piece.data, first, num_steps, is_brief=self._runner.is_brief)
            if self._is_warm:  # the first call optimizes the graph
                self.loop.measured(started, num_steps)
            self._is_warm = True
            return logs, num_steps
        self._runner.is_mixed = self._runner.asked is Plan.AUTO
        num_steps = self._most(self.xla, left) if self.stage is _Stage.XLA else self._on_trial(left)
        started = perf_counter()
        logs = self._program.run(self._compilation, piece.data, first, num_steps)
        if self._num_trials:  # the first call loads the program
            self.xla.measured(started, num_steps)
            if self.stage is _Stage.TRIAL:
                self._judge()
        self._num_trials += 1
        return logs, num_steps

    def _advance(self, piece: Block, left: int, epochs_left: float) -> None:
        """Begin to compile where that will pay, and look whether it is done."""
        is_asked = self._runner.asked is Plan.EPOCH_XLA
        steps_left = left + epochs_left * piece.steps_an_epoch
        if self.stage is _Stage.LOOP and (is_asked or self._is_worth_compiling(piece, steps_left)):
            if not (is_asked or self._runner.may_switch):
                self.stage, self._runner.would_switch = _Stage.CLOSED, True
                return
            self._compilation = self._program.compiled(piece.data)
            self.stage = _Stage.COMPILING
            if is_asked:
                self._compilation.wait(self._runner.is_ending)
        if self.stage is not _Stage.COMPILING or not self._compilation or not self._compilation.is_over:
            return
        if not (self._num_trials and is_compiling()):
            self.failure = self._compilation.failure
            self.stage = _Stage.CLOSED if self.failure else _Stage.XLA if is_asked else _Stage.TRIAL

    def _is_worth_compiling(self, piece: Block, steps_left: float) -> bool:
        if self._runner.may_switch and self._program.is_compiled(piece.data):  # by a training before
            return self.loop.best * steps_left > _SECONDS_OF_A_TRIAL
        return self._pays(steps_left) and not self._is_bound_by_arithmetic

    def _pays(self, steps_left: float) -> bool:
        gain = self.loop.best - self._runner.pipeline_seconds  # at most: a batch cannot come sooner
        return gain * steps_left > max(_WORTH_TRYING, 2 * self._program.compile_seconds)

    @property
    def _is_bound_by_arithmetic(self) -> bool:
        return self.loop.best > _BOUND_BY_ARITHMETIC * self._program.num_operations

    def _most(self, speed: _Speed, left: int | None) -> int:
        by_time = max(1, int(_SECONDS_OF_A_CALL / speed.last)) if speed.last else 1
        return min(limit for limit in (by_time, left, self._runner.most_steps) if limit is not None)

    def _on_trial(self, left: int) -> int:
        return min(left, max(1, int(_SECONDS_OF_A_TRIAL / self.xla.last))) if self.xla.last else 1

    def _judge(self) -> None:
        """Take the compiled loop once it was faster; give it up at once where it is far slower, else after a few tries.

        One try is not enough: what else the machine does falls on it alone. What XLA compiles next, the validation as a rule,
        is waited for before the next try.
        """
        if self.xla.best < _GAIN_THAT_COUNTS * self.loop.best:
            self.stage = _Stage.XLA
        elif self.xla.best > max(_SECONDS_OF_A_TRIAL / 2, 4 * self.loop.best):
            self.stage = _Stage.CLOSED
        elif is_compiling():
            self.stage = _Stage.COMPILING
        elif self._num_trials >= _MOST_TRIALS:
            self.stage = _Stage.CLOSED
