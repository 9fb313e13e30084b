"""Copy one home into another."""

from __future__ import annotations

from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

from jupyter_mltrain.domain.address import is_address
from jupyter_mltrain.domain.copying import CopyReport
from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.services.home import find_home
from jupyter_mltrain.services.session import Session

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from jupyter_mltrain.store.store import Store


def copy(session: Session, source: str, target: str | None = None) -> CopyReport:
    """Copy what is not there yet from one home into another; see `copy_home`.

    Args:
        session: its folder holds the files of homes that are named by URLs.
        source: a folder, or the URL of a database.
        target: a folder, which may be new, or a URL; the session's own home if none is named.

    Raises:
        OptionError: there is no home at `source`, or both are the same.
        StoreError: one of the homes cannot be read or written.
    """
    from jupyter_mltrain.store.copying import copy_home

    if not is_address(source) and not (find_home(source) / "mltrain.db").is_file():
        raise OptionError(f"expected a home to copy from, received {source}, where no mltrain.db is: name a folder that has one")
    there: AbstractContextManager[Store] = closing(session.open(target)) if target else nullcontext(session.store)
    with closing(session.open(source)) as here, there as other:
        return copy_home(here, other)
