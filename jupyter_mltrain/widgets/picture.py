"""A figure as a small PNG that looks the same whatever the user has set in matplotlib, and leaves that as it is.

A PNG, because it is the one chart that every front end shows, trusted or not.
"""

from __future__ import annotations

import base64
import io
import logging
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.view import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI, _SHOWN_DPI = 128, 85  # drawn finer than it is shown, for sharp screens
_SHADES = 4  # of each colour towards the background, which smooth the edges
_SETTINGS = {
    "figure.dpi": _DPI,
    "figure.facecolor": theme.GROUND,
    "axes.facecolor": theme.GROUND,
    "axes.edgecolor": theme.MUTED,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.labelsize": 8.5,
    "axes.labelcolor": theme.MUTED,
    "grid.color": theme.GRID,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 3.5,
    "text.color": theme.INK,
    "text.parse_math": False,
    "xtick.color": theme.MUTED,
    "xtick.labelsize": 8.5,
    "ytick.color": theme.MUTED,
    "ytick.labelsize": 8.5,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG, and the width and height in pixels that it is to be shown at."""

    png: bytes
    width: int
    height: int


class PictureView(View):
    """A view that is a picture, with its text for what cannot show one."""

    __slots__ = ()

    @abstractmethod
    def picture(self) -> Picture | None:
        """Return the picture; None where there is nothing to draw, and the text says so."""

    def html(self) -> str:
        """Return the picture as an element that holds it whole."""
        picture = self.picture()
        if picture is None:
            return f"<p>{theme.escape(self.text())}</p>"
        size = f'width="{picture.width}" height="{picture.height}"'
        return f'<img src="data:image/png;base64,{_base64(picture)}" {size} alt="{theme.escape(self.text())}">'

    def _repr_mimebundle_(self, **_filters: object) -> Any:
        picture = self.picture()
        if picture is None:
            return {"text/plain": self.text()}
        about = {"width": picture.width, "height": picture.height, "alt": self.text()}
        return {"text/plain": self.text(), "image/png": _base64(picture)}, {"image/png": about}


def _base64(picture: Picture) -> str:
    return base64.b64encode(picture.png).decode()


def render(draw: Callable[[], Figure], *, scale: Sequence[str] = ()) -> Picture:
    """Return what `draw` draws in the colours of the theme, and of `scale`; it must make its figure without pyplot."""
    with _undisturbed():
        figure = draw()
        png = _compress(figure, (*theme.SERIES, theme.INK, theme.MUTED, theme.GRID, *scale))
    width, height = figure.get_size_inches() * _SHOWN_DPI
    return Picture(png, round(width), round(height))


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Draw by our own settings, and leave the user's settings and output as they are."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)  # its first import on a machine says that it builds a cache of fonts
    try:
        from matplotlib import style

        with style.context(["default", _SETTINGS]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*missing from", category=UserWarning)  # letters the font lacks
            yield
    finally:
        logger.setLevel(level)


def _compress(figure: Figure, colours: Sequence[str]) -> bytes:
    """Return a PNG in few colours: a third of the bytes of one in all colours, and looks the same."""
    from PIL import Image

    pixels, file = io.BytesIO(), io.BytesIO()
    figure.savefig(pixels, format="rgba")
    image = Image.frombytes("RGBA", figure.canvas.get_width_height(), pixels.getvalue()).convert("RGB")
    palette = Image.new("P", (1, 1))
    palette.putpalette(_palette(colours))
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _palette(colours: Sequence[str]) -> list[int]:
    """Return red, green and blue of the background, then of each colour's shades."""
    ground = bytes.fromhex(theme.GROUND[1:])
    palette = list(ground)
    for colour in colours:
        for shade in range(1, _SHADES + 1):
            channels = zip(ground, bytes.fromhex(colour[1:]), strict=True)
            palette += [round(empty + (full - empty) * shade / _SHADES) for empty, full in channels]
    return palette
