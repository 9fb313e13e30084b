from __future__ import annotations

import pytest

from jupyter_mltrain.domain.address import StoreAddress, is_address
from jupyter_mltrain.domain.errors import OptionError


@pytest.mark.parametrize(
    ("url", "shown", "folder"),
    [
        ("postgresql://ada:secret@db.example.org:5433/team", "postgresql://ada@db.example.org:5433/team", "postgresql-team"),
        ("postgres://db/team?password=secret&sslmode=require", "postgresql://db/team", "postgresql-team"),
        ("postgresql:///team", "postgresql:///team", "postgresql-team"),
        ("postgresql://ada:se%2Fcret@[::1],other:5433/a%2Fb", "postgresql://ada@[::1],other:5433/a%2Fb", "postgresql-a%2Fb"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str, folder: str) -> None:
    address = StoreAddress(url)
    assert (str(address), address.folder, address.url) == (shown, folder, url)
    assert repr(address) == f"StoreAddress('{shown}')"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://ada:secret@db/team", "received mysql:…: write such a URL, or leave the store empty"),
        ("team.db", "received team.db:…: write such a URL"),
        ("postgresql://[x:secret/team", "received postgresql:…: write such a URL"),
        ("postgresql://ada:secret@db", "without a database: add its name"),
        ("postgresql://ada:secret?x@db/team", "without a database: add its name"),
        ("postgresql://ada:sec@ret@db/team", "in a password write them as %2F %40"),
        ("postgresql://ada:sec/ret@db/team", "in a password write them as %2F %40"),
        ("postgresql://ada:secret@db/team#x", "in a password write them as %2F %40"),
    ],
)
def test_what_is_no_address_is_told_without_repeating_it(url: str, told: str) -> None:
    with pytest.raises(OptionError) as error:
        StoreAddress(url)
    assert str(error.value).startswith("expected a store like postgresql://user@host/database, received ")
    assert told in str(error.value)
    assert "sec" not in str(error.value)


def test_urls_are_told_from_paths() -> None:
    assert [is_address(text) for text in ("postgresql://db/team", "/home/ada/.mltrain", ".mltrain")] == [True, False, False]
