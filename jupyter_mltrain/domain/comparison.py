"""Two versions of a model beside each other, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from jupyter_mltrain.domain.model import ModelVersion
from jupyter_mltrain.domain.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer as a model's file describes it.

    Attributes:
        kind: its class, `Conv2D`; within another layer `Bidirectional/LSTM`.
        settings: of its constructor, name to value as text; where the model is a graph also `inputs`, the kinds of the
            layers that it follows.
    """

    kind: str
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPair:
    """A layer of one version and the one in its place in another; None where there is none."""

    before: Layer | None
    after: Layer | None

    @property
    def kind(self) -> str:
        """The class of the one or both."""
        return (self.after or self.before or _NO_LAYER).kind

    @property
    def changes(self) -> Mapping[str, tuple[str | None, str | None]]:
        """Setting to its value before and after, of those that differ; None where one has no such setting."""
        before, after = ((layer or _NO_LAYER).settings for layer in (self.before, self.after))
        names = dict.fromkeys((*before, *after))
        pairs = {name: (before.get(name), after.get(name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


_NO_LAYER = Layer(kind="", settings={})


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionComparison:
    """What two versions of one model have in common and what not.

    Attributes:
        versions: in the order in which they were named.
        runs: that made them, with epochs; None for one that was removed.
        layers: in the order of the second version, with those that it has no more in between; None where a version's file
            holds weights only.
    """

    versions: tuple[ModelVersion, ModelVersion]
    runs: tuple[Run | None, Run | None]
    layers: tuple[LayerPair, ...] | None


def pair_layers(before: Sequence[Layer], after: Sequence[Layer]) -> tuple[LayerPair, ...]:
    """Put the layers of two models beside each other so that as many of one kind as possible meet, in their order."""
    return tuple(_pairs(before, after))


def _pairs(before: Sequence[Layer], after: Sequence[Layer]) -> Iterator[LayerPair]:
    matcher = SequenceMatcher(None, [layer.kind for layer in before], [layer.kind for layer in after], autojunk=False)
    for tag, first, last, other_first, other_last in matcher.get_opcodes():
        olds, news = before[first:last], after[other_first:other_last]
        if tag == "equal":
            yield from (LayerPair(before=old, after=new) for old, new in zip_longest(olds, news))
        else:
            yield from (LayerPair(before=old, after=None) for old in olds)
            yield from (LayerPair(before=None, after=new) for new in news)
