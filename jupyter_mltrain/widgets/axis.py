"""An axis of a search's picture: where the values of a hyperparameter, or scores, lie on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.search import Objective
from jupyter_mltrain.widgets import search_facts, theme

_LABEL_WIDTH = 12
_MOST_LABELS = 8
_FLAT = 20  # values further apart than this would lie on each other on a linear axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From 0, the lower end, to 1: numbers by their value or its logarithm, anything else side by side.

    Attributes:
        low, high: the ends of an axis of numbers.
        labels: the texts of an axis of anything else; empty for numbers.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    is_log: bool = False
    is_whole: bool = False
    labels: tuple[str, ...] = ()

    def place(self, value: Any) -> float:
        """Return where a value lies."""
        if self.labels:
            return (self.labels.index(theme.recorded(value)) + 0.5) / len(self.labels)
        low, high, value = (math.log(number) if self.is_log else number for number in (self.low, self.high, value))
        return 0.5 if high == low else (value - low) / (high - low)

    def ticks(self) -> tuple[list[float], list[str]]:
        """Return places and their labels."""
        if self.labels:
            stride = math.ceil(len(self.labels) / _MOST_LABELS)
            shown = self.labels[::stride]
            return [self.place(label) for label in shown], [theme.one_line(label, _LABEL_WIDTH) for label in shown]
        numbers = [self.low] if self.low == self.high else self._powers() if self.is_log else self._steps()
        return [self.place(number) for number in numbers], [f"{number:g}" for number in numbers]

    def _steps(self) -> list[float]:
        from matplotlib.ticker import MaxNLocator

        numbers = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10], integer=self.is_whole).tick_values(self.low, self.high)
        return [float(f"{number:.12g}") for number in numbers if self.low <= number <= self.high]

    def _powers(self) -> list[float]:
        """Return powers of ten, and their double and fivefold where those alone would be few."""
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        factors = (1, 2, 5) if len(exponents) <= 3 else (1,)
        numbers = [factor * 10.0**exponent for exponent in exponents for factor in factors]
        inside = [number for number in numbers if self.low * (1 - 1e-9) <= number <= self.high * (1 + 1e-9)]
        return inside[:: math.ceil(len(inside) / 5)] if len(inside) > 1 else [self.low, self.high]


def setting_axis(name: str, trials: Iterable[Run], space: Sequence[Mapping[str, Any]]) -> Axis:
    """Return the axis of a hyperparameter, as wide as the space and all values."""
    about: Mapping[str, Any] = next((setting for setting in space if setting.get("name") == name), {})
    values = [search_facts.values(trial)[name] for trial in trials if name in search_facts.values(trial)]
    if "values" in about or not all(map(_is_number, values)):
        return Axis(name=name, labels=_labels([*about.get("values", ()), *values]))
    numbers = [*values, *(about[end] for end in ("min", "max") if _is_number(about.get(end)))]
    return _number_axis(name, numbers, is_log=bool(about.get("log")))


def values_axis(name: str, values: Iterable[Any]) -> Axis:
    """Return the axis of values of which nothing else is known; logarithmic where it would else be flat."""
    values = list(values)
    if not all(map(_is_number, values)):
        return Axis(name=name, labels=_labels(values))
    return _number_axis(name, values, is_log=0 < _FLAT * min(values) < max(values))


def score_axis(scores: Iterable[float], objective: Objective) -> Axis:
    """Return the axis of an objective; of one that is to fall it is logarithmic where it would else be flat."""
    scores = list(scores)
    spreads = objective.direction == "min" and 0 < _FLAT * min(scores) < max(scores)
    return _number_axis(objective.metric, scores, is_log=spreads)


def _number_axis(name: str, numbers: Sequence[float], *, is_log: bool) -> Axis:
    low, high = float(min(numbers)), float(max(numbers))
    is_whole = all(isinstance(number, int) for number in numbers)
    return Axis(name=name, low=low, high=high, is_log=is_log and low > 0, is_whole=is_whole)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _labels(values: Iterable[Any]) -> tuple[str, ...]:
    """Return each value once as text, numbers in their order where there is nothing else."""
    distinct = {theme.recorded(value): value for value in values}
    if all(map(_is_number, distinct.values())):
        return tuple(sorted(distinct, key=lambda label: float(distinct[label])))
    return tuple(distinct)
