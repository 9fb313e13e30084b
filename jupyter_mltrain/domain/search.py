"""A search: what was asked for, and what the store has of it; its trials are runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from operator import itemgetter
from typing import Any, Literal

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.run import Record, Run, RunStatus, lower_is_better
from jupyter_mltrain.domain.spec import AUTO, Auto, TrainSpec, check_name

_TRIAL_REF = re.compile(r"(?P<search>.+)/(?P<number>[0-9]{1,9})")
_ADDRESS = re.compile(r"(?P<host>[^\s:]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535


class OracleKind(StrEnum):
    """The algorithm that chooses the next trial's values."""

    RANDOM = "random"
    GRID = "grid"
    BAYESIAN = "bayesian"  # Keras Tuner's Gaussian process
    HYPERBAND = "hyperband"  # Li et al. 2018
    TPE = "tpe"  # tree-structured Parzen estimator (Bergstra et al. 2011), Optuna's


class Prune(StrEnum):
    """When a trial that falls behind is stopped."""

    AUTO = "auto"  # when going on at the pace of its last epochs would not make it the best, and much of its time is left
    MEDIAN = "median"  # when it is worse than half of the trials before it were at that epoch (Golovin et al. 2017)
    ASHA = "asha"  # unless it is among the best third at the epochs 1, 3, 9, … (Li et al. 2020)
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What a search wants: the lowest (`min`) or highest (`max`) value of a metric at a trial's best epoch.

    `metric` is a name that Keras gives (`val_accuracy`), `num_params` (of the model) or `duration` (seconds of training).
    """

    metric: str
    direction: Literal["min", "max"]

    @classmethod
    def parse(cls, text: str) -> Objective:
        """Return what `val_accuracy`, `val_f1:max` or `-num_params` (the lowest) stands for.

        Raises:
            OptionError: it is none of these.
        """
        metric, _, mode = text.strip().removeprefix("-").partition(":")
        lowest = text.strip().startswith("-") or mode == "min" or (not mode and lower_is_better(metric))
        if not metric or mode not in ("", "min", "max") or (mode and text.strip().startswith("-")):
            raise OptionError(
                f"expected --objective METRIC, METRIC:min or METRIC:max, several with commas, received {text!r}: "
                "val_loss is a common one"
            )
        return cls(metric=metric, direction="min" if lowest else "max")

    def __str__(self) -> str:
        return f"{self.metric}:{self.direction}"

    def is_better(self, value: float, other: float) -> bool:
        """Tell whether a value is better than another."""
        return value < other if self.direction == "min" else value > other


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpec:
    """The options of one search.

    Attributes:
        training: what every trial is trained with; its name, tags, note and `register` are the search's.
        trials: how many at most, those of a resumed search included; None for 30, for what is there with `grid` and
            `hyperband`, and for as many as fit with `max_time`.
        oracle: one of `OracleKind`, the source of an expression that gives a `keras_tuner.Oracle`, or such an object.
        objectives: the first decides; empty for the metric that decides which epoch is best.
        max_time: seconds; no trial begins after them, and the running one is stopped.
        patience: trials without a better one after which the search ends.
        executions_per_trial: trainings of one trial's values; their mean counts.
        max_failures: failed trials in a row after which the search ends.
        parallel: how many trials are trained side by side, each in a process of its own; 1 trains in this process; `auto`
            begins here and goes on in processes where the trials left are worth their start. Without a `seed` only: the order
            in which trials end decides what is tried next.
        workers: where workers of other machines may join, `HOST:PORT`: they train trials too, beside those that are trained in
            `parallel` processes of this machine, of which there may then be none. It holds for this time alone and is not
            recorded.
        resume: a search to go on with, with the options that it began with where none are given.
    """

    training: TrainSpec
    trials: int | None = None
    oracle: Any = OracleKind.TPE
    objectives: tuple[Objective, ...] = ()
    max_time: float | None = None
    patience: int | None = None
    executions_per_trial: int = 1
    prune: Prune = Prune.AUTO
    max_failures: int = 3
    parallel: int | Auto = AUTO
    workers: str | None = None
    resume: str | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the notebook."""
        if isinstance(self.parallel, str) and self.parallel != AUTO:
            raise OptionError(f"expected --parallel auto or a number, received {self.parallel!r}: leave it out for the default")
        if self.workers is not None:
            split_address(self.workers)
        for option in ("trials", "patience", "executions_per_trial", "max_failures", "parallel"):
            value = getattr(self, option)
            may_be_none = option == "parallel" and self.workers is not None
            if value not in (None, AUTO) and value < (0 if may_be_none else 1):
                raise OptionError(
                    f"expected --{option.replace('_', '-')} of at least 1, received {value}: leave it out for the default"
                )
        if self.max_time is not None and not self.max_time > 0:
            raise OptionError(f"expected --max-time above 0, received {self.max_time}: write 90s, 10m or 2h")
        if self.training.dry_run:
            raise OptionError("expected %%train for --dry-run, received %%tune: put %%train on top of the cell for a moment")
        if len({objective.metric for objective in self.objectives}) < len(self.objectives):
            raise OptionError(f"expected different objectives, received {', '.join(map(str, self.objectives))}: leave one out")
        if self.resume is not None:
            check_name(self.resume.partition("#")[0], "search")

    def given(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, for the record; an object is named by its class."""
        default = SearchSpec(training=self.training)
        names = [each.name for each in fields(self) if each.name not in ("training", "workers")]
        given = {name: getattr(self, name) for name in names if getattr(self, name) != getattr(default, name)}
        if "objectives" in given:
            given["objectives"] = ",".join(map(str, self.objectives))
        if not isinstance(self.oracle, str):
            given["oracle"] = f"<{type(self.oracle).__name__}>"
        return {**self.training.given(), **given}

    def going_on(self, options: Mapping[str, Any]) -> SearchSpec:
        """Return this spec with the options of the search that it goes on with, where it gives none of its own.

        Args:
            options: as `given` returned them; what was an object is named there only, and has to be given again.
        """
        given = self.given()
        left = {name: value for name, value in options.items() if name not in given and not str(value).startswith("<")}
        own = {name: left.pop(name) for name in [each.name for each in fields(self)] if name in left}
        if own.get("parallel") == 0 and self.workers is None:  # nobody would train
            del own["parallel"]
        if "objectives" in own:
            own["objectives"] = tuple(map(Objective.parse, own["objectives"].split(",")))
        if "prune" in own:
            own["prune"] = Prune(own["prune"])
        return replace(self, training=self.training.completed(left), **own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Record):
    """One search as the store has it.

    It is running, completed (its trials are done, nothing is left to try, or its time is over), stopped (by the Stop button),
    interrupted, failed, or has died.

    Attributes:
        facts: `oracle`, `prune`, `seed`; `objectives`, a list of texts like `val_loss:min`; `space`, a list of mappings, each
            with `name`, `kind` (`Int`, `Float`, `Choice`, `Boolean`, `Fixed`), `default`, for numbers `min`, `max`, `step`
            and `log` (whether sampled by its logarithm), for choices `values`, for conditional ones `condition`, a text;
            `best`, a mapping with `trial`, its number, and `score`;
            `importances`, each hyperparameter's share, 0 to 1, where it can be told; `seconds_saved` by pruning;
            `said`, sentences.
        trials: in their order; empty in listings.
        num_trials: how many there are.
        framer: makes the data frame that `frame` returns.
    """

    num_trials: int
    trials: tuple[Run, ...] = field(default=(), repr=False)
    framer: Callable[[Search], Any] | None = field(default=None, repr=False, compare=False)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What it looks for; the first decides which trial is the best."""
        return tuple(map(Objective.parse, self.facts.get("objectives", ())))

    @property
    def best(self) -> Run | None:
        """The best trial by the first objective; the earlier of two that are equal."""
        return best_of(self.trials, self.objectives)

    @property
    def front(self) -> tuple[Run, ...]:
        """The trials that no other is better than in one objective and at least as good as in the others, best first."""
        return front_of(self.trials, self.objectives)

    def frame(self) -> Any:
        """Return a pandas data frame with a row a trial: its values, scores, status and duration.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        assert self.framer is not None
        return self.framer(self)


def is_scored(trial: Run, objectives: Iterable[Objective]) -> bool:
    """Tell whether a trial has come to a finite value of every objective."""
    scores = trial.trial.scores if trial.trial else {}
    return all(scores.get(objective.metric) is not None for objective in objectives)


def best_of(trials: Iterable[Run], objectives: tuple[Objective, ...]) -> Run | None:
    """Return the best trial by the first objective among those that were not cut short; else among all; None without one."""
    scored = [trial for trial in trials if objectives and is_scored(trial, objectives[:1])]
    whole = [trial for trial in scored if trial.status is not RunStatus.PRUNED] or scored
    if not whole:
        return None
    first = objectives[0]
    sign = 1 if first.direction == "min" else -1
    return min(whole, key=lambda trial: sign * _score(trial, first))


def front_of(trials: Iterable[Run], objectives: tuple[Objective, ...]) -> tuple[Run, ...]:
    """Return the Pareto front, the best by the first objective first."""
    scored = [trial for trial in trials if objectives and is_scored(trial, objectives) and trial.status is not RunStatus.PRUNED]
    front: list[tuple[tuple[float, ...], Run]] = []
    for costs, trial in sorted(((_costs(trial, objectives), trial) for trial in scored), key=itemgetter(0)):
        # Only one that comes before it in this order can be better in all, and one that is on the front then is too.
        if not any(_dominates(other, costs) for other, _ in front):
            front.append((costs, trial))
    return tuple(trial for _, trial in front)


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, `[::1]:PORT` for one of IPv6; raise `OptionError` if it is none."""
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found["port"]) > _LAST_PORT:
        raise OptionError(
            f"expected HOST:PORT for --workers, received {address!r}: 127.0.0.1:0 is for workers on this machine, "
            "0.0.0.0:5050 for those of all that reach it"
        )
    return found["host"].strip("[]"), int(found["port"])


def split_trial(ref: str) -> tuple[str, int] | None:
    """Return search and number of `digits/7` or `digits#2/7`; None where it names no trial."""
    found = _TRIAL_REF.fullmatch(ref)
    return (found["search"], int(found["number"])) if found else None


def _score(trial: Run, objective: Objective) -> float:
    assert trial.trial is not None
    return float(trial.trial.scores[objective.metric])


def _costs(trial: Run, objectives: tuple[Objective, ...]) -> tuple[float, ...]:
    """Return a trial's scores as numbers of which the lower is the better."""
    return tuple(_score(trial, each) if each.direction == "min" else -_score(trial, each) for each in objectives)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(ours <= theirs for ours, theirs in zip(one, other, strict=True))
