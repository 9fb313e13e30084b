"""The picture of a learning-rate range test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.picture import Picture, PictureView, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = (5.0, 2.6)  # inches
_MARGIN = 0.15  # of the height between start and lowest point, above and below


@dataclass(frozen=True, slots=True, repr=False)
class RatePicture(PictureView):
    """The loss by the learning rate, of each batch and smoothed, with the chosen rate.

    Attributes:
        test: one of the facts `lr_range` of a run: `rates`, `losses`, `smoothed` and `chosen`, which may be None.
    """

    test: Mapping[str, Any]

    def text(self) -> str:
        """Return a line without numbers, which the notices tell."""
        return f"learning-rate range test: {'loss by learning rate' if self.test['rates'] else 'no finite loss'}"

    def picture(self) -> Picture | None:
        """Return the picture, or None without a point."""
        return render(lambda: _draw(self.test)) if self.test["rates"] else None


def _draw(test: Mapping[str, Any]) -> Figure:
    from matplotlib.figure import Figure

    rates, smoothed, chosen = test["rates"], test["smoothed"], test["chosen"]
    figure = Figure(figsize=_SIZE, layout="constrained")
    panel = figure.subplots()
    panel.set_title("learning-rate range test")
    panel.set_xlabel("learning rate")
    panel.set_ylabel("loss")
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(lambda rate, _: f"{rate:g}")
    panel.plot(rates, test["losses"], color=theme.SERIES[5], linewidth=0.6)
    panel.plot(rates, smoothed, color=theme.SERIES[0])
    if chosen is not None:
        panel.axvline(chosen, color=theme.SERIES[1], linestyle="--", label=f"chosen: {chosen:g}")
        panel.legend(loc="lower left")
    lowest = min(smoothed)
    start = max(smoothed[: smoothed.index(lowest) + 1])
    margin = _MARGIN * (start - lowest) or abs(start) or 1.0
    panel.set_ylim(lowest - margin, start + 2 * margin)  # what diverges leaves the picture
    return figure
