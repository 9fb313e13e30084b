"""A run done again: what is written for it, and whether it came to the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.origin import Origin
from jupyter_mltrain.domain.run import Epoch, Run, RunStatus

_MACHINE = ("platform", "processor", "processor_count", "devices", "threads", "onednn", "environment")
_MOST_PACKAGES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """A folder with a script and a notebook that do a run again.

    Attributes:
        run: the one that is done again.
        origin: what its cell hangs on.
        line: of `%%train` in them: the run's options, and what it was trained with.
        script, notebook: the two files.
        agreement: what the run came to when it was done again; None where it was only written.
    """

    run: Run
    origin: Origin
    line: str
    script: Path
    notebook: Path
    agreement: Agreement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How a run that was done again compares with the first one.

    Attributes:
        ends: how the first one ended, and how the other did.
        num_epochs: that both have.
        metrics: where the epochs' metrics differ first, one sentence each; empty if no bit does.
        weights: whether the last model's weights are the same; None where they were not recorded.
        causes: what is not as it was, or cannot be: `data`, `code`, `versions`, `device` or `training` to sentences.
    """

    ends: tuple[str, str]
    num_epochs: int
    metrics: tuple[str, ...]
    weights: bool | None
    causes: Mapping[str, tuple[str, ...]]

    @property
    def is_exact(self) -> bool:
        """Whether all that was recorded is the same to the bit."""
        return not self.metrics and self.weights is True and self.ends[0] == self.ends[1]


def compare(first: Run, again: Run, changed_modules: Sequence[str]) -> Agreement:
    """Compare a run with the same one done again.

    Args:
        first: as it was recorded.
        again: as it was recorded when it was done again; both with their epochs.
        changed_modules: files of the notebook's own modules that have changed since.
    """
    pairs = list(zip(first.epochs, again.epochs, strict=False))
    before, after = (run.facts.get("reproduction", {}).get("weights") for run in (first, again))
    is_whole = len(first.epochs) == len(again.epochs)
    causes = {
        "data": tuple(_data(first, again)),
        "code": tuple(f"{file} has changed" for file in changed_modules),
        "versions": tuple(_versions(first, again)),
        "device": tuple(_machine(first, again)),
        "training": tuple(_training(first)),
    }
    return Agreement(
        ends=(_end(first), _end(again)),
        num_epochs=len(pairs),
        metrics=tuple(_metrics(first, again)),
        weights=before == after if before and after and is_whole else None,
        causes={name: sentences for name, sentences in causes.items() if sentences},
    )


def _end(run: Run) -> str:
    if run.status is RunStatus.PRUNED:  # it is done again with the epochs that it had
        return str(RunStatus.COMPLETED)
    return f"{run.status}, {run.failure.kind}: {run.failure.message}" if run.failure else str(run.status)


def _metrics(first: Run, again: Run) -> Iterator[str]:
    """Yield of each metric the first epoch in which it differs, and how far it is off at most."""
    if len(first.epochs) != len(again.epochs):
        yield f"{len(first.epochs)} epochs, again {len(again.epochs)}"
    pairs = list(zip(first.epochs, again.epochs, strict=False))
    names = dict.fromkeys(name for pair in pairs for epoch in pair for name in epoch.metrics)
    for name in names:
        differ = [pair for pair in pairs if not _is_same(*pair, name)]
        if differ:
            one, other = (epoch.metrics.get(name) for epoch in differ[0])
            apart = [abs(a.metrics[name] - b.metrics[name]) for a, b in differ if name in a.metrics and name in b.metrics]
            most = f", at most {max(apart):.2g} apart" if apart else ""
            yield f"{name} from epoch {differ[0][0].number} on: {one} and again {other}{most}"


def _is_same(one: Epoch, other: Epoch, name: str) -> bool:
    before, after = one.metrics.get(name), other.metrics.get(name)
    return before == after or (before != before and after != after)  # noqa: PLR0124 - NaN is like NaN here


def _data(first: Run, again: Run) -> Iterator[str]:
    before, after = (run.facts.get("data", {}) for run in (first, again))
    for name in dict.fromkeys((*before, *after)):
        one, other = before.get(name, {}), after.get(name, {})
        if not one or not other:
            yield f"{name} is {'missing' if one else 'new'}"
        elif "not known" in str(one.get("content")):
            yield f"{name} is a stream, whose content is not known"
        elif one.get("shape") != other.get("shape") or one.get("dtype") != other.get("dtype"):
            yield f"{name} was {one.get('dtype')} {one.get('shape')}, now {other.get('dtype')} {other.get('shape')}"
        elif one.get("content") != other.get("content"):
            yield f"{name} has other content"


def _versions(first: Run, again: Run) -> Iterator[str]:
    before, after = (run.facts.get("environment", {}) for run in (first, again))
    if before.get("python") != after.get("python"):
        yield f"Python {before.get('python')}, now {after.get('python')}"
    packages: tuple[Mapping[str, str], ...] = tuple(each.get("packages", {}) for each in (before, after))
    differ = [name for name in sorted({*packages[0], *packages[1]}) if packages[0].get(name) != packages[1].get(name)]
    for name in differ[:_MOST_PACKAGES]:
        yield f"{name} {packages[0].get(name, 'not there')}, now {packages[1].get(name, 'not there')}"
    if len(differ) > _MOST_PACKAGES:
        yield f"{len(differ) - _MOST_PACKAGES} packages more"


def _machine(first: Run, again: Run) -> Iterator[str]:
    before, after = (run.facts.get("environment", {}) for run in (first, again))
    for name in _MACHINE:
        if before.get(name) != after.get(name):
            yield f"{name} {_told(before.get(name))}, now {_told(after.get(name))}"


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={each}" for name, each in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _training(run: Run) -> Iterator[str]:
    if run.facts.get("seed") is None:
        yield "without --seed what TensorFlow draws by itself, as tf.data does to shuffle, is drawn anew"
    if not run.source.startswith("%%"):
        yield "what the cell draws at random before it calls train, as for a model's first weights, is drawn anew unless it seeds"
    if run.facts.get("reproduction", {}).get("is_mixed"):
        yield "plan auto had some steps compiled, when there was time for it, and those round otherwise; --seed keeps one plan"
    if run.status not in (RunStatus.COMPLETED, RunStatus.RUNNING, RunStatus.PRUNED):
        yield f"the first run {'was ' * (run.status in (RunStatus.STOPPED, RunStatus.INTERRUPTED))}{run.status}"
    if any("The cell has changed since" in sentence for sentence in run.facts.get("said", ())):
        yield "the cell was changed before the run went on; the first one is done again"
