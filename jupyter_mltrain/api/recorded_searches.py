"""Recorded searches as objects."""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_mltrain.api.session import opened
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.services.searches import get_search, list_searches


class Searches:
    """The recorded searches: `len(searches)`, `for search in searches` (the newest first), `searches["digits"]`."""

    def __len__(self) -> int:
        with opened() as session:
            return list_searches(session)[1]

    def __iter__(self) -> Iterator[Search]:
        with opened() as session:
            return iter(list_searches(session)[0])

    def __getitem__(self, ref: str) -> Search:
        """Return a search with its trials by `"digits#2"`, `"digits"` (the newest of that name) or its id."""
        with opened() as session:
            return get_search(session, ref)
