"""What `%runs reproduce` shows: what was written, and whether the run came to the same again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_mltrain.domain.reproduction import Agreement, Reproduction
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.view import Findings, Line, Page, Section, Verbatim, View


@dataclass(frozen=True, slots=True, repr=False)
class ReproductionView(Page):
    """The verdict, the files, the line that is pinned, and what is missing."""

    reproduction: Reproduction

    def parts(self) -> Sequence[View]:
        """Return them."""
        done = self.reproduction
        return [*_verdict(done), *_written(done)]


def _written(done: Reproduction) -> Iterator[View]:
    origin = done.origin
    cells = theme.plural(len(origin.cells), "earlier cell")
    folder, here = done.script.parent, Path.cwd()
    where = folder.relative_to(here) if folder.is_relative_to(here) else folder
    yield Line(f"{done.script.name} and {done.notebook.name} in {where}, with {cells}.", lead="Written")
    yield Verbatim(f"%%train {done.line}" if done.line else origin.call)
    if origin.unknown:
        names = ", ".join(f"{name} ({kind})" for name, kind in origin.unknown.items())
        yield Line(f"{names}: no cell that ran made them; give them their values in these files.", lead="Origin not known")
    if origin.left_out:
        yield Line(f"{'; '.join(origin.left_out)}.", lead="Left out")


def _verdict(done: Reproduction) -> Iterator[View]:
    if done.agreement is None:
        return
    yield Line(_sentence(done.agreement), lead=f"{done.run.ref} done again")
    if done.run.failure and done.agreement.ends[0] == done.agreement.ends[1]:
        yield Line(f"It ends as it did: {done.agreement.ends[0]}.")
    yield from _section("What differs", _differences(done.agreement))
    yield from _section("Not as it was" if done.agreement.is_exact else "Why that may be", _causes(done.agreement))


def _sentence(found: Agreement) -> str:
    epochs = theme.plural(found.num_epochs, "epoch")
    if found.is_exact:
        return f"agrees to the bit: every metric of {epochs}, and the weights."
    if found.metrics:
        return f"does not agree, compared over {epochs}."
    weights = "the weights cannot be compared" if found.weights is None else "the weights do not"
    return f"every metric of {epochs} agrees to the bit; {weights}."


def _differences(found: Agreement) -> list[str]:
    first, again = found.ends
    ends = [] if first == again else [f"it ended {first}, and again {again}"]
    return [*ends, *found.metrics, *(["the weights after the last epoch"] if found.weights is False else [])]


def _causes(found: Agreement) -> list[str]:
    told = [cause for cause in found.causes if not (found.is_exact and cause == "training")]
    return [f"{cause}: {sentence}" for cause in told for sentence in found.causes[cause]]


def _section(title: str, sentences: Sequence[str]) -> Iterator[View]:
    if sentences:
        yield Section(title, (Findings(sentences),), unfolded=True)
