"""The addresses of what several people and machines share: a database, and a folder for files."""

from __future__ import annotations

import hashlib
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


@dataclass(frozen=True, slots=True, repr=False)
class ArtifactAddress:
    """A folder for files as a URL that fsspec takes; the text of it is without password and parameters.

    Attributes:
        url: `s3://bucket/team`, `file:///mnt/team`; what opens it is better kept where its package looks for it.
    """

    url: str

    def __post_init__(self) -> None:
        """Check the form; no message repeats what may be a part of a password."""
        parts = _split(self.url) if is_address(self.url) else None
        if parts is None or not parts.scheme or not (parts.netloc or parts.path.strip("/")):
            received = "another URL" if is_address(self.url) else repr(self.url)
            raise OptionError(
                f"expected artifacts like s3://bucket/team or file:///mnt/team, received {received}: write such a URL, or "
                "leave it empty for the home alone"
            )
        if parts.scheme == "memory":
            raise OptionError("expected artifacts that outlive this process, received memory://…: write file:///a/folder")

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        user, at, place = parts.netloc.rpartition("@")
        return f"{parts.scheme}://{user.partition(':')[0]}{at}{place}{parts.path}".rstrip("/")

    def __repr__(self) -> str:
        return f"ArtifactAddress({str(self)!r})"

    def hidden(self, text: str) -> str:
        """Return a text without the password and the parameters, which others' errors may repeat."""
        parts = urlsplit(self.url)
        for secret in filter(None, (parts.password, parts.query)):
            text = text.replace(secret, "…")
        return text

    @property
    def key(self) -> str:
        """A name for files that tell what is there."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:12]


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:  # brackets that hold no IPv6 address
        return None


def is_address(text: str) -> bool:
    """Tell whether a text is meant as a URL, not as a path."""
    return "://" in text
