"""What a view is: something shown in a cell, as text and as HTML, that stays in the saved notebook.

The HTML needs no script, no style and no kernel to be readable, so that it survives front ends that strip them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mltrain.widgets import theme


class View(ABC):
    """A message to a person; frozen, and the same each time it is shown."""

    __slots__ = ()

    @abstractmethod
    def text(self) -> str:
        """Return the lines for a console, without an end of line at the end."""

    @abstractmethod
    def html(self) -> str:
        """Return a fragment to stand inside other HTML."""

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **_filters: object) -> Any:
        """Return what IPython shows, by MIME type."""
        return {"text/plain": self.text(), "text/html": f'{theme.STYLE}<div class="mltrain">{self.html()}</div>'}


class Page(View):
    """A view made of others, one under the other; a subclass says of which."""

    __slots__ = ()

    @abstractmethod
    def parts(self) -> Sequence[View]:
        """Return the views that it is made of."""

    def text(self) -> str:
        """Return the lines of all parts."""
        return "\n".join(part.text() for part in self.parts()).strip("\n")

    def html(self) -> str:
        """Return the fragments of all parts."""
        return "".join(part.html() for part in self.parts())


@dataclass(frozen=True, slots=True, repr=False)
class Line(View):
    """One paragraph, after what it is about (`lead`), which stands out."""

    content: str
    lead: str = ""

    def text(self) -> str:
        """Return `lead: content`."""
        return theme.visible(f"{self.lead}: {self.content}" if self.lead else self.content)

    def html(self) -> str:
        """Return a paragraph."""
        lead = f"<strong>{theme.escape(self.lead)}</strong>: " if self.lead else ""
        return f"<p{theme.breaking(f'{self.lead} {self.content}')}>{lead}{theme.escape(self.content)}</p>"


@dataclass(frozen=True, slots=True, repr=False)
class Verbatim(View):
    """Source code, a traceback or the like, shown character by character."""

    content: str

    def text(self) -> str:
        """Return it indented."""
        return "\n".join(f"  {theme.visible(line)}".rstrip() for line in self.content.splitlines())

    def html(self) -> str:
        """Return it preformatted."""
        return f"<pre>{theme.escape(self.content)}</pre>"


@dataclass(frozen=True, slots=True, repr=False)
class Section(Page):
    """Views under a title, which folds them away where it is clicked."""

    title: str
    content: tuple[View, ...]
    unfolded: bool = False

    def parts(self) -> Sequence[View]:
        """Return the content."""
        return self.content

    def text(self) -> str:
        """Return the title above the content."""
        return f"\n{theme.visible(self.title)}\n{Page.text(self)}"

    def html(self) -> str:
        """Return what a browser folds without a script."""
        state = " open" if self.unfolded else ""
        summary = f"<summary{theme.breaking(self.title)}>{theme.escape(self.title)}</summary>"
        return f"<details{state}>{summary}{Page.html(self)}</details>"


@dataclass(frozen=True, slots=True, repr=False)
class Findings(View):
    """Sentences that stand for themselves, as `%mltrain doctor` gives them."""

    sentences: Sequence[str]

    def text(self) -> str:
        """Return a line a sentence."""
        return "\n".join(f"- {theme.one_line(sentence, 1000)}" for sentence in self.sentences)

    def html(self) -> str:
        """Return a list."""
        items = "".join(f"<li{theme.breaking(sentence)}>{theme.escape(sentence)}</li>" for sentence in self.sentences)
        return f"<ul>{items}</ul>"
