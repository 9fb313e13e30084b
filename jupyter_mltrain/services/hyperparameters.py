"""The hyperparameters that a search found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_mltrain.domain.errors import UnknownNameError
from jupyter_mltrain.domain.search import split_trial
from jupyter_mltrain.services.searches import get_search
from jupyter_mltrain.services.session import Session

_BEST = "best"


def trial_values(session: Session, ref: str | Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    """Return the hyperparameters that `--hp` stands for.

    Args:
        session: where the searches are.
        ref: `best` of the newest search, one named like the run before all others; `digits` or `digits#2` for the best trial
            of a search; `digits/7` or `digits#2/7` for a trial; the values themselves stand for themselves.
        name: of the run.

    Raises:
        UnknownNameError: there is no such search or trial, or it has come to nothing yet.
    """
    if not isinstance(ref, str):
        return ref
    named = split_trial(ref)
    if named:
        trial = session.store.runs.get(ref).trial
        assert trial is not None
        return trial.values
    if ref == _BEST:
        search = get_search(session, name if name in session.store.searches.names() else None)
    else:
        search = get_search(session, ref)
    best = search.best
    if best is None or best.trial is None:
        raise UnknownNameError(f"expected a search with a finished trial for --hp {ref}, {search.ref} has none: let one finish")
    return best.trial.values
