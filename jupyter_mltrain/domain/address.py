"""The address of a database that several people and machines share."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit

from jupyter_mltrain.domain.errors import OptionError

_SCHEMES = ("postgresql", "postgres")


@dataclass(frozen=True, slots=True, repr=False)
class StoreAddress:
    """A PostgreSQL database as its URL, in libpq's form; the text of it is without password and parameters.

    Attributes:
        url: `postgresql://user@host:port/database`; a password is better kept in `~/.pgpass` or `PGPASSWORD`.
    """

    url: str

    def __post_init__(self) -> None:
        """Check the form; no message repeats what may be a part of a password."""
        expected = f"expected a store like postgresql://user@host/database, received {self.url.partition(':')[0]}:…"
        parts = _split(self.url)
        if parts is None or parts.scheme not in _SCHEMES:
            raise OptionError(f"{expected}: write such a URL, or leave the store empty for SQLite in the home")
        database = parts.path.removeprefix("/")
        if parts.fragment or parts.netloc.count("@") > 1 or not set("/@").isdisjoint(database):
            raise OptionError(f"{expected} with a / @ ? or # too many: in a password write them as %2F %40 %3F %23")
        if not database:
            raise OptionError(f"{expected} without a database: add its name; a ? in a password is written as %3F")

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        user, at, hosts = parts.netloc.rpartition("@")
        return f"postgresql://{user.partition(':')[0]}{at}{hosts}{parts.path}"

    def __repr__(self) -> str:
        return f"StoreAddress({str(self)!r})"

    @property
    def folder(self) -> str:
        """Name of the folder, in a home, that holds the files of what this database records."""
        return "postgresql-" + quote(unquote(urlsplit(self.url).path.removeprefix("/")), safe="")


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:  # brackets that hold no IPv6 address
        return None


def is_address(text: str) -> bool:
    """Tell whether a text is meant as a URL, not as a path."""
    return "://" in text
