"""One row of the table: bare `fit` and the engine in turn, over whole trainings and in a long one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from statistics import median
from typing import Any

from jupyter_mltrain.domain.spec import Plan
from tests.benchmarks.plans.arms import EPOCHS_WITHOUT_END, EpochClock, Trained, bare, engine
from tests.benchmarks.plans.models import BATCH_SIZE, Case

_NUM_ROWS_OF_A_PROBE = 100 * BATCH_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to measure.

    Attributes:
        lengths: epochs of the whole trainings.
        num_rounds: how often each is done by each arm.
        most_seconds: of bare `fit` for one of them; a longer one is left out.
        steady_seconds: about how long the long training lasts.
        plan: that the engine is asked for.
        again: whether the engine has trained such a model before.
    """

    lengths: tuple[int, ...]
    num_rounds: int
    most_seconds: float
    steady_seconds: float
    plan: Plan
    again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The medians of the two arms, in seconds."""

    bare: float
    engine: float

    @property
    def ratio(self) -> float:
        """How many times as fast the engine is."""
        return self.bare / self.engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of a case; None for what would have taken too long.

    Attributes:
        whole: epochs to the time of the whole training.
        steady: the time of a step late in a long training, its share of the epoch's validation included.
        plan: what the engine used at the end of the long training, or of the longest that there was.
    """

    whole: dict[int, Pair | None]
    steady: Pair | None
    plan: str


def measure(case: Case, settings: Settings) -> Measured:
    """Measure one case; what each round brought is told on stderr."""
    epoch_seconds = _probed(case, settings.plan) * case.num_steps
    plan = ""
    whole: dict[int, Pair | None] = {}
    for epochs in settings.lengths:
        whole[epochs] = None
        if epochs * epoch_seconds <= settings.most_seconds:
            if settings.again:
                _whole(case, epochs, settings)
            rounds = [_whole(case, epochs, settings) for _ in range(settings.num_rounds)]
            whole[epochs], plan = _pair([(first.seconds, second.seconds) for first, second in rounds]), rounds[-1][1].plan
    steady = None
    if 2 * epoch_seconds <= settings.most_seconds:
        long_rounds = [_long(case, settings) for _ in range(settings.num_rounds)]
        steady, plan = _pair([(first, second) for first, second, _ in long_rounds]), long_rounds[-1][2]
    return Measured(whole=whole, steady=steady, plan=plan)


def _probed(case: Case, plan: Plan) -> float:
    """Return the seconds of a step of bare `fit`, and let both arms do once what a process does only once."""
    num_rows = min(case.num_rows, _NUM_ROWS_OF_A_PROBE)
    clock = EpochClock()
    bare(case, num_rows, epochs=2, callbacks=[clock])
    engine(case, num_rows, plan=plan, epochs=2)
    return clock.seconds[0] / -(-num_rows // BATCH_SIZE)


def _engine(case: Case, settings: Settings, **arguments: Any) -> Trained:
    return engine(case, case.num_rows, plan=settings.plan, again=settings.again, **arguments)


def _whole(case: Case, epochs: int, settings: Settings) -> tuple[Trained, Trained]:
    arms = bare(case, case.num_rows, epochs=epochs), _engine(case, settings, epochs=epochs)
    _tell(f"{case.name}, {epochs} epochs: bare {arms[0].seconds:.2f} s, engine {arms[1].seconds:.2f} s. {arms[1].reason}")
    return arms


def _long(case: Case, settings: Settings) -> tuple[float, float, str]:
    """Return the seconds of a step late in a long training, of both arms, and the plan."""
    clocks = EpochClock(settings.steady_seconds), EpochClock(settings.steady_seconds)
    bare(case, case.num_rows, epochs=EPOCHS_WITHOUT_END, callbacks=[clocks[0]])
    trained = _engine(case, settings, epochs=EPOCHS_WITHOUT_END, callbacks=[clocks[1]])
    first, second = (median(clock.seconds[len(clock.seconds) // 2 :]) / case.num_steps for clock in clocks)
    _tell(f"{case.name}, late: a step bare {first * 1000:.3g} ms, engine {second * 1000:.3g} ms. {trained.reason}")
    return first, second, trained.plan


def _pair(rounds: list[tuple[float, float]]) -> Pair:
    first, second = zip(*rounds, strict=True)
    return Pair(bare=median(first), engine=median(second))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
